"""`reprise report` on a shop with a release: one file that asks nothing of anybody, and says what it shows."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest

from cli.main import call
from console.report.making import section_files

LOADS = frozenset({"src", "href", "srcset", "action", "data", "poster", "background", "ping", "formaction"})


class Page(HTMLParser):
    """What a page would load, its scripts, and of each picture its question, answer, figure and rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.scripts: list[str | None] = []
        self.pictures: list[dict[str, str]] = []
        self.sections: list[str] = []
        self._into: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.asked += [value for name, value in attrs if name in LOADS and value]
        self._into = None
        if tag == "section":
            self.sections.append(str(given["id"]))
        elif tag == "figure":
            self.pictures.append({"question": "", "answer": "", "figure": "", "cells": ""})
        elif tag == "script":
            self.scripts.append(given.get("id"))
            self._into = "figure" if given.get("type") == "application/json" and "id" not in given else None
        elif tag in ("h3", "td") or given.get("class") == "answer":
            self._into = {"h3": "question", "td": "cells"}.get(tag, "answer")

    def handle_data(self, data: str) -> None:
        if self._into and self.pictures:
            self.pictures[-1][self._into] += data

    def handle_endtag(self, tag: str) -> None:
        self._into = None


@pytest.fixture(scope="module", params=["en", "zh"])
def written(request: pytest.FixtureRequest, shop: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "page.html"
    assert call(["-w", shop, "report", "--out", str(out), "--lang", request.param]) == 0
    return out


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    return Page(written.read_text(encoding="utf-8"))


def test_it_asks_nothing_of_any_host(written: Path, page: Page) -> None:
    assert all(place.startswith("#") for place in page.asked)
    text = written.read_text(encoding="utf-8")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


def test_the_script_of_plotly_is_there_once(written: Path, page: Page) -> None:
    assert page.scripts.count("plotly") == 1
    assert written.read_text(encoding="utf-8").count("* plotly.js v") == 1


def test_every_picture_has_its_question_its_answer_its_figure_and_its_table(page: Page) -> None:
    assert page.sections == [name for name, _ in section_files()]
    assert len(page.pictures) >= 3
    for picture in page.pictures:
        assert picture["question"].rstrip().endswith(("?", "？"))
        assert re.search(r"\d", picture["answer"])
        assert picture["cells"]
        assert go.Figure(json.loads(picture["figure"])).data


def test_numbers_that_are_unknown_are_no_numbers(page: Page) -> None:
    assert not [
        each for each in page.pictures if re.search(r"\bnan\b|\bNone\b|\binf\b", each["answer"] + each["cells"])
    ]


def test_it_says_what_it_wrote(shop: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert call(["-w", shop, "report", "--out", str(tmp_path / "a.html"), "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["bytes"] == (tmp_path / "a.html").stat().st_size
    assert {"name", "title", "pictures", "absent"} == set(told["sections"][0])


def test_a_page_ends_in_html(shop: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["-w", shop, "report", "--out", str(tmp_path / "a.pdf")]) == 2
    assert "End its name in .html" in capfd.readouterr().err
    assert call(["-w", shop, "report", "--lang", "fr", "--out", str(tmp_path / "a.html")]) == 2
