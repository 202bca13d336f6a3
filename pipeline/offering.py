"""What `reprise audience offers` does: many offers given out at once by the current release, a list for each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from audiences import consents
from audiences.audience import AudienceReport
from audiences.offered import GIVEN, HABIT, TO_WIN, Offered
from audiences.offers import Assigned, ImpossibleError, assign
from audiences.suppression import list_named, withheld
from features import rules
from models.recommenders.takers import Takers
from pipeline.lists import build_from, current, load
from serving import customers, fallbacks
from serving.due import DUE
from serving.release import Release
from serving.shelf import not_for_sale
from warehouse.errors import DataProblemError, NotReadyError, Problem, UsageError
from warehouse.progress import Progress
from warehouse.settings import AudienceSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

Floats = npt.NDArray[np.float64]
EVERYBODY = "everyone"
GIVEN_UP = 1.5
"""What is overdue by more gaps than this is no habit any more."""
COLUMNS = (
    "item_id",
    "at_least",
    "at_most",
    "given",
    "treatment",
    "control",
    HABIT,
    TO_WIN,
    "expected_purchases",
    "price",
)
SAID = {
    "en": (
        "{given:,} offers for {users:,} of {able:,} customers who may be contacted and have a probability; worth "
        "{worth:,.2f}, at most {gap:.2%} below the best there is",
        "habit: bought it before and due, so likely to buy it anyway; expected: by probability as customers are "
        "contacted now. What the offers bring is known only by the control group.",
    ),
    "zh": (
        "{able:,}名可触达且有概率的顾客中，{users:,}人得到共{given:,}个优惠；总价值{worth:,.2f}，与最优方案相差不超过{gap:.2%}",
        "habit：以前买过且到期，很可能本来就会买；预计购买按现有触达下的概率计算。优惠本身的效果只能由对照组得知。",
    ),
}


@dataclass(frozen=True)
class Terms:
    """An offer of one item: to how many customers at least and at most (stock), and what a purchase is worth."""

    item_id: str
    at_most: int
    at_least: int = 0
    value: float = 1.0


@dataclass(frozen=True)
class Asked:
    """What is to be given out, to whom, and how much what somebody buys by habit counts (1: like all, 0: nothing)."""

    name: str
    offers: tuple[Terms, ...]
    rule: str = EVERYBODY
    each: int = 1
    habit_weight: float = 1.0
    without_habits: bool = False
    control_share: float = 0.1
    channel: Literal["sms", "email", "push"] | None = None


def read_terms(path: Path) -> tuple[Terms, ...]:
    """The offers of a CSV file: item_id, at_most, and where they are there at_least and value."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, header = list(reader), reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataProblemError(f"{path.name} cannot be read: {error}.") from error
    if missing := [name for name in ("item_id", "at_most") if name not in header]:
        raise DataProblemError(
            f"{path.name} has no column {' and no '.join(missing)}.",
            hint="It needs item_id and at_most; at_least and value may be there, too.",
        )
    problems = [problem for line, row in enumerate(rows, 2) for problem in _problems(path, line, row)]
    if problems:
        raise DataProblemError(f"{path.name} does not say what is offered.", problems)
    return tuple(
        Terms(row["item_id"], int(row["at_most"]), int(row.get("at_least") or 0), float(row.get("value") or 1))
        for row in rows
    )


def _problems(path: Path, line: int, row: Mapping[str, str | None]) -> list[Problem]:
    wanted = {
        "item_id": (r".+", "an item"),
        "at_most": (r"\d{1,9}", "a whole number"),
        "at_least": (r"\d{0,9}", "a whole number, or nothing"),
        "value": (r"(\d{1,12}(\.\d{1,6})?)?", "a number of at least 0, or nothing"),
    }
    return [
        Problem(path.name, line, column, (row.get(column) or "nothing")[:40], told, "Mend that cell.")
        for column, (pattern, told) in wanted.items()
        if not re.fullmatch(pattern, row.get(column) or "")
    ]


@dataclass(frozen=True)
class Given:
    """What was given out: the assignment, and the list of each offer."""

    release: Release
    asked: Asked
    able: int
    assigned: Assigned
    lists: tuple[tuple[Terms, Offered, AudienceReport], ...]
    language: str

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        probability = self.release.takers.probability
        return {
            "name": self.asked.name,
            "as_of": self.release.as_of,
            "release": self.release.id,
            "horizon_days": probability.horizon_days if probability else None,
            "rule": self.asked.rule,
            "each": self.asked.each,
            "habit_weight": 0.0 if self.asked.without_habits else self.asked.habit_weight,
            "without_habits": self.asked.without_habits,
            "customers_able": self.able,
            "customers_given": int(self.assigned.given.any(axis=1).sum()),
            "worth": self.assigned.worth,
            "bound": self.assigned.bound,
            "gap": self.assigned.gap,
            "effect": "not measured: probabilities say who buys, not who does because of the offer; see control",
            "offers": [self._told(n) for n in range(len(self.lists))],
        }

    def _told(self, n: int) -> dict[str, Any]:
        terms, offered, report = self.lists[n]
        return {
            **asdict(terms),
            **offered.counts(pa.array([]), np.zeros(0, bool)),
            "treatment": report.counts["treatment"],
            "control": report.counts["control"],
            "expected_purchases": round(pc.sum(offered.given["probability"]).as_py() or 0.0, 6),
            "price": float(self.assigned.prices[n]),
            "folder": report.folder,
            "state": report.state,
        }

    def rows(self) -> list[tuple[Any, ...]]:
        """The offers as rows of `COLUMNS`."""
        told = (self._told(n) for n in range(len(self.lists)))
        return [tuple(round(v, 4) if isinstance(v := each[name], float) else v for name in COLUMNS) for each in told]

    def notes(self) -> list[str]:
        first, second = SAID[self.language]
        held = self.assigned.given
        users, given = int(held.any(axis=1).sum()), int(held.sum())
        worth, gap = self.assigned.worth, self.assigned.gap
        return [first.format(given=given, users=users, able=self.able, worth=worth, gap=gap), second]


def give_out(
    workspace: Workspace, asked: Asked, now: datetime, progress: Progress, *, replace: bool, raw: bool
) -> Given:
    """Gives the offers to those who may be contacted now, and writes a list with a control group for each."""
    opened = current(workspace)
    load(workspace, now, progress)
    takers = opened.takers if opened.recommender else None
    if takers is None or takers.probability is None:
        raise NotReadyError(
            f"There is no probability of buying an item: {fallbacks.no_suggestions_reason(opened)}."
            if takers is None
            else "There is no probability of buying an item: fewer than two past windows hold enough sales.",
            hint="It needs orders with an item_id over some months.",
        )
    names = _list_names(asked)
    items = _item_rows(opened, takers, asked)
    ids = _able(workspace, opened, asked, now)
    users = takers.held.user_rows(ids)
    ids, users = ids.filter(pa.array(users >= 0)), users[users >= 0]
    chance = _chances(takers, users, items, progress)
    habit = _habits(opened, ids, asked.offers)
    assigned = _assigned(chance, habit, asked)
    lists = []
    settings = AudienceSettings(rule=asked.rule, control_share=asked.control_share, salt=asked.name,
                                channel=asked.channel, allow_empty=True)  # fmt: skip
    for n, terms in enumerate(asked.offers):
        offered = _offered(terms, asked, ids, chance[:, n], habit[:, n], assigned.given[:, n])
        report = build_from(workspace, opened, names[n], settings, None, now, progress, replace=replace,
                            mode="raw" if raw else "safe", draw=offered)  # fmt: skip
        lists.append((terms, offered, report))
    return Given(opened, asked, len(ids), assigned, tuple(lists), workspace.settings.language)


def _list_names(asked: Asked) -> list[str]:
    """The audience of each offer: the name and the item, as far as it can be part of a folder's name."""
    if not asked.offers:
        raise UsageError("Nothing is offered.", hint="Give --item, or --offers with a file of items.")
    ids = [terms.item_id for terms in asked.offers]
    if twice := sorted({item for item in ids if ids.count(item) > 1}):
        raise UsageError(f"The item {twice[0]!r} is offered twice.", hint="Give each item once.")
    if wrong := [each.item_id for each in asked.offers if each.at_least > each.at_most]:
        raise UsageError(f"{', '.join(wrong[:5])}: at_least is above at_most.", hint="Lower at_least.")
    plain = [re.sub(r"[^A-Za-z0-9._-]+", "-", item) for item in ids]
    return [
        f"{asked.name}-{one}" if one == item and plain.count(one) == 1 else f"{asked.name}-{n}"
        for n, (one, item) in enumerate(zip(plain, ids, strict=True), 1)
    ]


def _item_rows(opened: Release, takers: Takers, asked: Asked) -> npt.NDArray[np.int64]:
    ids = [terms.item_id for terms in asked.offers]
    rows = takers.held.item_rows(ids)
    if unknown := [item for item, row in zip(ids, rows, strict=True) if row < 0]:
        raise UsageError(
            f"Nobody has bought {', '.join(unknown[:5])} yet, so nobody has a probability of it.",
            hint="Leading zeros count. For a new item ask for its category: `reprise match --category`.",
        )
    gone = not_for_sale(opened.items_known, opened.as_of, opened.settings.time_zone)
    if there := [item for item in ids if item in gone]:
        raise UsageError(f"{', '.join(there[:5])}: retired or out of stock.", hint="Leave them out.")
    return rows


def _able(workspace: Workspace, opened: Release, asked: Asked, now: datetime) -> pa.Array:
    """Who answers the rule and may be contacted now, as an audience chosen by scores would have it."""
    rule = rules.check(rules.read(asked.rule), customers.fields(opened))
    people = customers.customers(opened, sorted({*rules.fields_of(rule), *consents.COLUMNS}))
    matched = rules.evaluate(rule, people)
    latest = consents.latest(Store(workspace))
    known = consents.aligned(latest.people, people["entity_id"]) if latest else people
    listed = list_named(workspace.settings.suppression, workspace.root, now)
    out = withheld(known, listed, asked.channel, by_scores=True).any
    return people["entity_id"].combine_chunks().cast(pa.string()).filter(pa.array(matched & ~out))


def _chances(takers: Takers, users: npt.NDArray[np.int64], items: npt.NDArray[np.int64], progress: Progress) -> Floats:
    """(customers, offers) probabilities; NaN where nothing the customer bought speaks for the item."""
    everybody = takers.held.shape[0]
    among = np.zeros(everybody, bool)
    among[users] = True
    found = np.full((everybody, len(items)), np.nan)
    for n, item in enumerate(items):
        progress("probabilities", n, len(items))
        taken = takers.of(int(item), everybody, among)
        found[taken.user_rows, n] = taken.probability
    return found[users]


def _habits(opened: Release, ids: pa.Array, offers: Sequence[Terms]) -> npt.NDArray[np.bool_]:
    """(customers, offers): bought before on two days or more, and due within the horizon or overdue, not given up."""
    found = np.zeros((len(ids), len(offers)), bool)
    probability = opened.takers.probability
    if DUE not in opened.tables or probability is None:
        return found
    due = opened.tables[DUE]
    last: date = opened.as_of + timedelta(days=probability.horizon_days)
    soon = pc.and_(pc.less(due["due_date"], pa.scalar(last, pa.date32())), pc.less_equal(due["overdue_gaps"], GIVEN_UP))
    due = due.filter(soon)
    items = pa.array([terms.item_id for terms in offers], pa.string())
    column = pc.index_in(due["item_id"].combine_chunks().cast(pa.string()), value_set=items)
    row = pc.index_in(due["entity_id"].combine_chunks().cast(pa.string()), value_set=ids)
    both = pc.and_(pc.is_valid(column), pc.is_valid(row))
    found[row.filter(both).to_numpy(zero_copy_only=False), column.filter(both).to_numpy(zero_copy_only=False)] = True
    return found


def _worth(chance: Floats, habit: npt.NDArray[np.bool_], asked: Asked) -> Floats:
    """(customers, offers) what a pair counts: P × value, times the weight of habits; −inf where it may not be."""
    weight = np.where(habit, -np.inf if asked.without_habits else asked.habit_weight, 1.0)
    value = np.array([terms.value for terms in asked.offers])
    with np.errstate(invalid="ignore"):
        return np.where(np.isnan(chance) | np.isneginf(weight), -np.inf, chance * value * np.maximum(weight, 0))


def _assigned(chance: Floats, habit: npt.NDArray[np.bool_], asked: Asked) -> Assigned:
    worth = _worth(chance, habit, asked)
    least, most = (np.array([getattr(t, name) for t in asked.offers], np.int64) for name in ("at_least", "at_most"))
    try:
        return assign(worth, least, most, asked.each)
    except ImpossibleError as error:
        able = np.isfinite(worth).sum(axis=0)
        told = "; ".join(
            f"{asked.offers[n].item_id} at least {least[n]:,}, short by {missing:,}, {able[n]:,} may have it"
            for n, missing in zip(error.offers, error.missing, strict=True)
        )
        raise UsageError(
            f"The least sizes cannot all be kept: {told}.",
            hint=f"Lower at_least, widen --rule, or raise --each ({asked.each}) of {len(worth):,} customers.",
        ) from error


def _offered(
    terms: Terms,
    asked: Asked,
    ids: pa.Array,
    chance: Floats,
    habit: npt.NDArray[np.bool_],
    given: npt.NDArray[np.bool_],
) -> Offered:
    rows = np.flatnonzero(given)
    weight = np.where(habit, asked.habit_weight, 1.0)
    columns = [
        ids.take(pa.array(rows)),
        pa.array(chance[rows]),
        pa.array((chance * terms.value * weight)[rows]),
        pa.array(np.where(habit[rows], HABIT, TO_WIN), pa.string()),
    ]
    told = {name: value for name, value in asdict(terms).items() if name != "item_id"}
    said = {"each": asked.each, "habit_weight": asked.habit_weight, "without_habits": asked.without_habits}
    return Offered(terms.item_id, told | said, pa.table(columns, schema=GIVEN))
