"""A report is made: the workspace is opened, every section asked, the page written."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from console.report import sections
from console.report.facts import Facts, Language
from console.report.page import render
from console.report.pictures import AbsentError, Missing, Picture, Section
from pipeline.dated import release_at
from pipeline.opening import load
from warehouse.errors import NotReadyError, UsageError
from warehouse.files import write_text
from warehouse.progress import Progress, silent
from warehouse.workspace import Workspace


class SectionFile(Protocol):
    """What a file of `sections` holds: where it stands on the page, its title, and how its pictures are made."""

    PLACE: int
    TITLE: tuple[str, str]
    """English and Chinese."""

    def pictures(self, facts: Facts) -> list[Picture]:
        """Its pictures; `AbsentError` where the data give none."""


@dataclass(frozen=True)
class Report:
    """What was written: the file, and of each section its name, how many pictures it has, or what it needs."""

    out: Path
    as_of: date
    release: str | None
    sections: tuple[Section, ...]
    size: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "out": self.out,
            "as_of": self.as_of,
            "release": self.release,
            "bytes": self.size,
            "sections": [
                {
                    "name": each.name,
                    "title": each.title,
                    "pictures": [{"question": p.question, "answer": p.answer} for p in each.pictures],
                    "absent": vars(each.missing) if each.missing else None,
                }
                for each in self.sections
            ],
        }

    def lines(self, language: Language) -> list[str]:
        """What is told of it: the file, then what is absent."""
        drawn = sum(len(each.pictures) for each in self.sections)
        told = (
            f"wrote {self.out}: {drawn} pictures as of {self.as_of} ({self.size / 1e6:.1f} MB)"
            if language == "en"
            else f"已写入 {self.out}：{drawn}张图，截至{self.as_of}（{self.size / 1e6:.1f} MB）"
        )
        return [told, *(_absent_line(each, language) for each in self.sections if each.missing)]


def _absent_line(section: Section, language: Language) -> str:
    why, advice = (section.missing.why, section.missing.advice) if section.missing else ("", "")
    if language == "zh":
        return f"  缺少：{section.title}：{why}。{advice}"
    return f"  absent: {section.title}: {why}. {advice}"


def make_report(
    workspace: Workspace,
    as_of: date | None,
    out: Path,
    language: Language,
    loaded_at: datetime,
    progress: Progress = silent,
) -> Report:
    """Loads what is new, draws every section as of a date, and writes the page; it is there whole or not at all."""
    if out.suffix not in (".html", ".htm"):
        raise UsageError(f'"{out.name}" is no page.', hint="End its name in .html.")
    with workspace.lock("run"):
        loaded, _ = load(workspace, as_of, loaded_at, progress)
        facts = Facts(workspace, loaded.source, loaded.as_of, language, release_at(workspace, loaded.as_of))
        drawn = tuple(_drawn(facts, progress))
    page = render(facts, drawn)
    write_text(out, page)
    return Report(out, facts.as_of, facts.release.id if facts.release else None, drawn, len(page.encode()))


def section_files() -> list[tuple[str, SectionFile]]:
    """The files of `sections` with their names, in the order of the page."""
    names = [found.name for found in pkgutil.iter_modules(sections.__path__)]
    files = [(name, cast(SectionFile, import_module(f"{sections.__name__}.{name}"))) for name in names]
    return sorted(files, key=lambda each: each[1].PLACE)


def _drawn(facts: Facts, progress: Progress) -> Iterator[Section]:
    files = section_files()
    for done, (name, file) in enumerate(files):
        title = facts.say(*file.TITLE)
        progress(f"drawing {name}", done, len(files))
        try:
            yield Section(name, title, file.pictures(facts))
        except AbsentError as error:
            needs = facts.say(f"It needs {error.needs}.", f"需要：{error.needs}。")
            yield Section(name, title, missing=Missing(error.why, needs))
        except NotReadyError as error:
            needs = error.hint or facts.say("It needs more data.", "需要：更多数据。")
            yield Section(name, title, missing=Missing(error.message.rstrip("."), needs))
