"""Colours that the colour-blind tell apart, on white and on black, on a screen and on paper.

The palette is that of Okabe and Ito (2008) without its yellow, which is lost on white, and without black.
"""

from __future__ import annotations

from typing import Any

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A8A8A",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)
SCALE = ((0.0, "#440154"), (0.25, "#3B528B"), (0.5, "#21918C"), (0.75, "#5EC962"), (1.0, "#FDE725"))
"""Viridis: as even in grey as in colour."""

FONTS = (
    'system-ui, -apple-system, "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", '
    '"Source Han Sans SC", "WenQuanYi Micro Hei", sans-serif'
)
"""No font is loaded: each machine has one of these, Chinese included."""

LIFECYCLE = {
    "new": SKY, "last_new": BLUE, "active": GREEN, "awakened": ORANGE, "returned": PURPLE, "dormant": "#B0B0B0",
    "lapsed": "#707070",
}  # fmt: skip
"""The groups of the lifecycle: who is active in colour, who is silent in grey."""


def template(dark: bool) -> dict[str, Any]:
    """How every figure looks, on a light or on a dark page."""
    ink, line, faint = ("#D9DEE6", "#4A5261", "#343B47") if dark else ("#1C2330", "#9AA3B0", "#E3E7EC")
    of_axis = {
        "automargin": True, "gridcolor": faint, "linecolor": line, "zerolinecolor": line, "tickcolor": line,
        "ticks": "outside", "title": {"standoff": 8},
    }  # fmt: skip
    return {
        "layout": {
            "colorway": list(PALETTE),
            "font": {"family": FONTS, "size": 13, "color": ink},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "xaxis": of_axis,
            "yaxis": of_axis,
            "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "hoverlabel": {"font": {"family": FONTS}},
            "hovermode": "closest",
            "dragmode": False,
            "colorscale": {"sequential": [list(step) for step in SCALE]},
        }
    }
