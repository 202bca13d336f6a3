"""The page: sections and figures put into one HTML file that asks nothing of any host.

Texts of the data are escaped twice where they must be: for HTML by the template, and for Plotly, which reads `<b>` and
`<a href>` in texts as markup of its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from console.report.colours import FONTS, template
from console.report.facts import Facts
from console.report.pictures import Figure, Section

HEIGHT = 400
_TEXTS = frozenset({"x", "y", "z", "text", "labels", "label", "name", "ticktext", "categoryarray", "customdata"})
"""Where a figure holds words; only those are escaped, for the templates of what hovers hold markup of ours."""
_LETTERS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\n": "<br>"})
_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def render(facts: Facts, sections: Sequence[Section]) -> str:
    """The whole page as text."""
    environment = Environment(
        loader=PackageLoader("console.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["figure"] = lambda drawn: as_json(escaped(_with_height(drawn)))
    plotly, script = _plotly(), _text("page.js")
    return environment.get_template("page.html").render(
        facts=facts,
        say=facts.say,
        sections=sections,
        fonts=Markup(FONTS),
        style=Markup(_text("page.css")),
        plotly=Markup(plotly),
        script=Markup(script),
        hashes=" ".join(f"'sha256-{_hash(each)}'" for each in (plotly, script)),
        looks=as_json({"light": template(dark=False), "dark": template(dark=True)}),
    )


def as_json(value: Any) -> Markup:
    """Plain values as JSON that can stand inside a script of a page: it holds no angle bracket, so nothing ends it."""
    return Markup(json.dumps(value, ensure_ascii=False, allow_nan=False).translate(_IN_SCRIPT))


def escaped(value: Any, words: bool = False) -> Any:
    """A figure whose words from the data are texts to Plotly, never markup; a line break stays one."""
    if isinstance(value, dict):
        return {key: escaped(inner, key in _TEXTS) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(inner, words) for inner in value]
    return value.translate(_LETTERS) if words and isinstance(value, str) else value


def _with_height(drawn: Figure) -> Figure:
    return {**drawn, "layout": {"height": HEIGHT, **drawn["layout"]}}


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _text(name: str) -> str:
    return (files("console.report") / "templates" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Plotly's own script, from its wheel."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
