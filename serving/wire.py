"""What goes over the wire: strict models of bodies and answers, from which our OpenAPI document is made.

A line is a row of the contract at the door, under the contract's own column names; times are ISO 8601.
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from warehouse.contracts import EVENTS, ORDERS, Column, Contract

MAX_LINES = 1_000
MAX_K = 100
MAX_TAKERS = 10_000
MAX_EXCLUDED = 1_000
MAX_ID = 128
MAX_POSITION = 10_000
_CONTROL = "[^\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
ID_PATTERN = rf"^{_CONTROL}+$"
_PART = f"{_CONTROL[:-1]},]{{0,{MAX_ID}}}"
IDS_PATTERN = rf"^{_PART}(,{_PART})*$"
"""Ids separated by commas; an empty one says nothing."""
_DAY_PATTERN = r"^(19[7-9]|20[0-9])[0-9]-[01][0-9]-[0-3][0-9]$"
_NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,62}$"
PATTERNS = {
    ID_PATTERN: "no control character",
    _DAY_PATTERN: "a date such as 2024-06-01",
    _NAME_PATTERN: "letters, digits and underscores",
}
"""What a pattern asks for, in words."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())


def _is_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Id: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=ID_PATTERN)]
Text: TypeAlias = Annotated[str, Field(max_length=1000)]
Number: TypeAlias = int | float | Annotated[str, Field(max_length=40)]
Day: TypeAlias = Annotated[
    str,
    Field(pattern=_DAY_PATTERN, json_schema_extra={"format": "date"}),
    AfterValidator(_is_day),
]

Time: TypeAlias = Annotated[str, Field(min_length=10, max_length=40)]
_TYPES: dict[str, Any] = {"id": Id, "text": Text, "time": Time}


def _line(contract: Contract, required: tuple[str, ...]) -> type[_Strict]:
    fields: dict[str, Any] = {column.name: _field(column, column.name in required) for column in contract.columns}
    return create_model(f"{contract.name[:-1].capitalize()}Line", __base__=_Strict, __doc__=contract.grain, **fields)


def _field(column: Column, required: bool) -> tuple[Any, Any]:
    kind = _TYPES.get(column.kind, Number)
    return (kind, ...) if required else (kind | None, None)


if TYPE_CHECKING:
    OrderLine: TypeAlias = _Strict
    EventLine: TypeAlias = _Strict
else:
    OrderLine = _line(ORDERS, ORDERS.required)
    EventLine = _line(EVENTS, (*EVENTS.required, "user_id"))


class ScoreRequest(_Strict):
    """Raw lines of some users; all they did before `as_of`, as they would stand in the files."""

    as_of: Day = Field(description="The cutoff: 00:00 of that day in the business zone. Later lines are not seen.")
    orders: list[OrderLine] = Field(default_factory=list, max_length=MAX_LINES)
    events: list[EventLine] = Field(default_factory=list, max_length=MAX_LINES)


class AudienceRequest(_Strict):
    """Who is meant, in the rule language as text or in its JSON form."""

    rule: Annotated[str, Field(min_length=1, max_length=10_000)] | dict[str, Any] = Field(
        description='For example "churn_probability in top 10 % and order_count_lifetime >= 3".'
    )
    limit: int = Field(100, ge=0, le=1000, description="At most so many ids are listed; the count is of all.")
    target: Annotated[str, Field(pattern=_NAME_PATTERN)] | None = Field(
        None,
        description="Whose expected hits are told. If absent the target the rule asks about, else the first "
        "declared one that anybody of them has a probability of.",
    )
    horizon_days: int | None = Field(None, ge=1, le=3650, description="The target's first horizon if absent.")
    channel: Literal["sms", "email", "push"] | None = Field(None, description="Whose consent must say yes.")


class Exposure(_Strict):
    """One suggestion that was shown: a row of the table of exposures. Times are ISO 8601."""

    suggestion_id: Id = Field(description="As the suggestion said.")
    user_id: Id = Field(description="To whom; somebody unknown, too.")
    item_id: Id
    shown_at: Time
    position: int | None = Field(None, ge=1, le=MAX_POSITION, description="The place where it was shown, 1 the first.")
    clicked_at: Time | None = Field(None, description="Absent: not clicked yet. Post it again once it was.")


class ExposuresRequest(_Strict):
    """What was shown, and clicked. A suggestion shown at one moment is one exposure, however often it is posted."""

    exposures: list[Exposure] = Field(min_length=1, max_length=MAX_LINES)


class Score(_Strict):
    """One answer to one question about one user."""

    target: str
    horizon_days: int
    probability: float | None = Field(ge=0, le=1, description="Calibrated. Null outside the target's population.")
    percentile: float | None = Field(ge=0, le=100, description="Of 100 of the population, how many are lower.")
    state: str | None = Field(description="Why there is no probability, or that the user is unknown.")
    model_version: str


class _Answer(_Strict):
    as_of: str = Field(json_schema_extra={"format": "date"})
    release: str


class UserScores(_Answer):
    user_id: str
    known: bool = Field(description="False: base rates, because the release does not know the user.")
    scores: list[Score]


class ScoredUser(_Strict):
    user_id: str
    known: bool = Field(description="False: base rates, because all lines of the user lie at or after the cutoff.")
    scores: list[Score]


class LineScores(_Answer):
    users: list[ScoredUser] = Field(description="Each user with at least one accepted line.")
    accepted: int
    duplicates: int
    set_aside: int


class Suggestion(_Strict):
    rank: int = Field(ge=1)
    item_id: str
    probability: float | None = Field(ge=0, le=1, description="Of buying it within horizon_days; null: not known.")
    strength: float | None = Field(description="Orders the items of one source; no probability.")
    source: str | None
    reason: str | None
    suggestion_id: str | None
    propensity: float | None = Field(
        default=None, gt=0, le=1, description="With which chance it came into the own list, where places are drawn."
    )


class UserSuggestions(_Answer):
    user_id: str
    known: bool
    model_version: str | None
    horizon_days: int = Field(ge=1, description="The window of the probabilities.")
    items: list[Suggestion]
    reason: str | None = Field(description="Why there are none.")
    exclude_ignored: int = Field(ge=0, description="Ids in `exclude` that are unknown or not for sale: no effect.")


class BasketSuggestions(_Answer):
    context_items: list[str]
    model_version: str | None
    items: list[Suggestion]
    reason: str | None = Field(description="Why there are none.")


class DueItem(_Strict):
    """An item bought again and again, and when it is due."""

    item_id: str
    last_bought_on: str = Field(json_schema_extra={"format": "date"})
    gap_days: float = Field(gt=0, description="How long the last purchase lasts this user.")
    due_date: str = Field(json_schema_extra={"format": "date"})
    overdue_gaps: float = Field(ge=0, description="Days past due over gap_days; 0 where it is not overdue.")
    status: Literal["due", "overdue", "not_yet"] = Field(description="due: in the week that begins at as_of.")


class UserDue(_Answer):
    user_id: str
    known: bool
    next_due_date: str | None = Field(json_schema_extra={"format": "date"}, description="The first from as_of on.")
    due_item_count: int = Field(ge=0, description="Items due in the week that begins at as_of, without overdue ones.")
    most_overdue_gaps: float | None = Field(ge=0, description="Null for a user without such items.")
    items: list[DueItem]


class LastUse(_Strict):
    """A function of the app, and the day it was last used."""

    feature: str
    last_used_on: str = Field(json_schema_extra={"format": "date"})


class UserProfile(_Answer):
    user_id: str
    known: bool = Field(description="False: nothing is known, and everything is empty.")
    profile: dict[str, str | float | bool | None] = Field(
        description="Groups, last act and purchase, preferences, value: those the data tell; unknown is null, and so is"
        " what is inferred where profiling_refused is true."
    )
    last_uses: list[LastUse]
    due: list[DueItem]
    scores: list[Score] = Field(description="Empty for an unknown user, and for one who refused profiling.")


class SimilarItem(_Strict):
    rank: int = Field(ge=1)
    item_id: str
    strength: float | None


class SimilarItems(_Answer):
    item_id: str
    known: bool
    model_version: str | None
    items: list[SimilarItem]
    reason: str | None


class Taker(_Strict):
    """A customer whom an item suits."""

    rank: int = Field(ge=1)
    user_id: str
    probability: float | None = Field(ge=0, le=1, description="Of buying it within horizon_days; null: not known.")
    strength: float = Field(ge=0, description="What the history says for it; no probability.")
    source: Literal["personal", "similar"] = Field(description="personal: bought before; similar: bought alike.")
    reason: str


class ItemTakers(_Answer):
    items: list[str]
    known: bool = Field(description="False: nobody has bought it yet.")
    found_by: dict[str, str | list[str]] | None = Field(
        description="Where nobody has: the category, or else the items most like it, whose customers these are."
    )
    model_version: str | None
    horizon_days: int | None = Field(description="The window of the probability; null where there is none.")
    withheld_no_profiling: int = Field(ge=0, description="Customers who refused profiling and are left out.")
    users: list[Taker]


class Peer(_Strict):
    """A customer who buys like another."""

    rank: int = Field(ge=1)
    user_id: str
    likeness: float = Field(ge=0, le=1, description="Cosine of what both buy, rare items counting more.")
    reason: str


class SimilarUsers(_Answer):
    user_id: str
    known: bool = Field(description="False: nothing was bought, or profiling was refused.")
    withheld_no_profiling: int = Field(ge=0, description="Customers who refused profiling and are not compared.")
    users: list[Peer]


class Audience(_Answer):
    rule: str = Field(description="The rule in canonical form.")
    count: int = Field(ge=0, description="Users the rule is true for, after suppression.")
    suppressed: dict[str, int] = Field(
        description="How many were left out, by reason; no_profiling: where the rule reads a score."
    )
    expected_hits: float | None = Field(
        description="The sum of the target's probabilities over them, those who refused profiling left out of the sum."
    )
    expected_hits_reason: str | None = Field(description="Why there are none.")
    target: str | None
    horizon_days: int | None
    model_version: str | None = Field(description="Of the model whose probabilities are summed.")
    user_ids: list[str] = Field(description="The first of them by id, at most `limit`.")
    consents_from: Literal["store", "release"] = Field(
        description="store: as last loaded; release: as known at its as_of, where no store lies beside it."
    )
    consents_as_of: str = Field(
        description="When those consents were known, UTC.", json_schema_extra={"format": "date-time"}
    )


class KeptExposures(_Answer):
    kept: int = Field(ge=0, description="Rows that are on the disk; the next load takes them.")
    left_out: int = Field(ge=0, description="Rows of users who were erased.")


class ServedModel(_Strict):
    target: str
    horizon_days: int
    kind: str
    model_version: str
    population: str
    base_rate: float


class Absent(_Strict):
    what: str
    why: str
    needs: str


class Source(_Strict):
    source: str
    shown: int
    bought: int
    rate: float


class StockInfo(_Strict):
    """What the stock file makes of the release."""

    changed_at: str | None = Field(description="When the file that counts was written (UTC); null where none does.")
    items_out: int = Field(ge=0, description="Items of the release that are not in it, and so not offered.")
    why: str | None = Field(description="Why the newest file is not believed.")


class ReleaseInfo(_Answer):
    users: int
    models: list[ServedModel]
    recommender: str | None
    sources: list[Source] = Field(description="Of the first ten suggestions those bought in the judged window.")
    time_zone: str
    currency: str
    previous: str | None
    notes: list[str] = Field(description="What to know before use, such as a season that was never learnt from.")
    accepted_drift: list[str] = Field(description="What was unlike the release before, and why it was published.")
    degraded: bool = Field(description="True where a newer release was published and refused.")
    stock: StockInfo | None = Field(description="Null where no stock file is named.")
    absent: list[Absent]


class ProblemItem(_Strict):
    where: str
    message: str


class Problem(_Strict):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] = Field(default_factory=list, max_length=20)


_IS_ID = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Whether a text can be an id: 1 to 128 characters, none of them a control or direction character."""
    return len(text) <= MAX_ID and _IS_ID.fullmatch(text) is not None


def finite(number: float | None) -> float | None:
    """The number, or None where it is none."""
    return number if number is not None and math.isfinite(number) else None
