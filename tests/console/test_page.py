"""The page as text: hostile names stay names, nothing outside is named, and figures are what Plotly takes."""

import json
from datetime import date
from types import SimpleNamespace

from markupsafe import Markup

from console.report.colours import template
from console.report.judged import SHOWN
from console.report.page import as_json, escaped, render
from console.report.pictures import Missing, Picture, Section, Table, axis, figure
from models.baselines import BASE_RATE, RULES
from warehouse.settings import Settings

HOSTILE = '</script><img src="https://evil.example/x" onerror="alert(1)">'


def facts(language: str = "en") -> SimpleNamespace:
    return SimpleNamespace(
        say=lambda en, zh: zh if language == "zh" else en,
        as_of=date(2020, 5, 1),
        release=None,
        source=SimpleNamespace(time_zone="UTC", tables=frozenset({"orders"})),
        workspace=SimpleNamespace(settings=Settings()),
    )


def page(language: str = "en") -> str:
    drawn = figure([{"type": "bar", "x": [HOSTILE], "y": [1], "name": HOSTILE}], xaxis=axis(HOSTILE, category=True))
    picture = Picture(HOSTILE, HOSTILE, drawn, Table((HOSTILE,), ((HOSTILE,),)), (HOSTILE,))
    sections = [Section("one", HOSTILE, [picture]), Section("two", "Two", missing=Missing(HOSTILE, HOSTILE))]
    return render(facts(language), sections)


def test_a_hostile_name_is_shown_and_never_read_as_markup() -> None:
    text = page()
    assert "<img" not in text.split('<script id="plotly">')[0]
    assert text.count("&lt;/script&gt;&lt;img") == 10


def test_in_a_figure_words_of_the_data_are_no_markup_to_plotly_either() -> None:
    found = escaped({"data": [{"x": ["<b>a&b\nc</b>", 1], "hovertemplate": "<b>%{x}</b>"}], "layout": {}})
    assert found["data"][0]["x"] == ["&lt;b&gt;a&amp;b<br>c&lt;/b&gt;", 1]
    assert found["data"][0]["hovertemplate"] == "<b>%{x}</b>"


def test_what_a_script_holds_comes_back_as_it_was() -> None:
    value = {"a": [HOSTILE, "\u2028", "中文", 1.5, None]}
    assert isinstance(as_json(value), Markup)
    assert "<" not in as_json(value)
    assert json.loads(as_json(value)) == value


def test_the_page_is_in_its_language() -> None:
    assert '<html lang="en">' in page()
    assert '<html lang="zh-CN">' in page("zh")
    assert "缺少：" in page("zh")


def test_every_model_that_may_be_judged_has_a_name_for_people() -> None:
    assert set(SHOWN) == {"lightgbm", *RULES, BASE_RATE}
    assert len({en for en, _ in SHOWN.values()}) == len({zh for _, zh in SHOWN.values()}) == len(SHOWN)


def test_light_and_dark_differ_in_ink_only() -> None:
    light, dark = template(dark=False)["layout"], template(dark=True)["layout"]
    assert light["colorway"] == dark["colorway"]
    assert light["font"]["color"] != dark["font"]["color"]
