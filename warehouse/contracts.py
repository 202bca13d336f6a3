"""The contract at the door: which tables there are, their grain, their columns, and what each unlocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["id", "text", "time", "money", "quantity", "number", "year", "flag", "list"]
"""How a column is cast. id: text kept exactly. time: UTC without zone. money: DECIMAL(18,4). quantity: finite,
not 0. number: finite. flag: true / false. list: texts separated by `|` or a JSON list."""


@dataclass(frozen=True)
class Column:
    """One column of a table: its name, how it is cast, and whether a row may lack it."""

    name: str
    kind: Kind
    required: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Contract:
    """One table: what a row is, its columns, the column that says when it happened, and what it unlocks.

    `entity` names the column by which rows are put into buckets; None for tables that are not about people.
    `versioned` tables are read in the version known at the cutoff.
    """

    name: str
    grain: str
    columns: tuple[Column, ...]
    happened: str | None
    entity: str | None
    unlocks: str
    versioned: bool = False
    open_ended: bool = False
    one_of: tuple[tuple[str, ...], ...] = ()
    door: tuple[Column, ...] = ()
    """Columns that are judged at the door where the file has them, and not kept: event_id, currency."""

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _columns(required: str, optional: str, **allowed: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns written as `name:kind name:kind …`."""

    def one(text: str, needed: bool) -> Column:
        name, kind = text.split(":")
        return Column(name, kind, needed, allowed.get(name, ()))  # type: ignore[arg-type]

    return tuple([one(t, True) for t in required.split()] + [one(t, False) for t in optional.split()])


ORDERS = Contract(
    "orders",
    "one order line",
    _columns(
        "user_id:id ordered_at:time",
        "order_id:id item_id:id quantity:quantity unit_price:money amount:money discount:money coupon_id:id "
        "channel:text seller_id:id kind:text recorded_at:time",
        kind=("sale", "return"),
    ),
    happened="ordered_at",
    entity="user_id",
    unlocks="everything",
    one_of=(("amount",), ("quantity", "unit_price")),
    door=(Column("event_id", "id"), Column("currency", "text")),
)
EVENTS = Contract(
    "events",
    "one act",
    _columns(
        "occurred_at:time event:text",
        "user_id:id device_id:id item_id:id page:text feature:text session_id:id dwell_seconds:number "
        "campaign_id:id rating:number seller_id:id recorded_at:time",
    ),
    happened="occurred_at",
    entity="user_id",
    unlocks="browsing features, funnel, activity, preferences, feedback",
    one_of=(("user_id",), ("device_id",)),
    door=(Column("event_id", "id"),),
)
USERS = Contract(
    "users",
    "one version of a user",
    _columns(
        "user_id:id",
        "registered_at:time region:text birth_year:year gender:text referred_by:id seller_id:id consent_sms:flag "
        "consent_email:flag consent_push:flag consent_profiling:flag blocked:flag recorded_at:time",
    ),
    happened="recorded_at",
    entity="user_id",
    unlocks="suppression, attribute rules, reach",
    versioned=True,
    open_ended=True,
)
ITEMS = Contract(
    "items",
    "one version of an item",
    _columns(
        "item_id:id",
        "name:text category:text brand:text price:money cost:money gift:flag launched_at:time retired_at:time "
        "in_stock:flag attributes:list recorded_at:time",
    ),
    happened="recorded_at",
    entity=None,
    unlocks="item rules, cold items, price bands, margin",
    versioned=True,
)
CONTACTS = Contract(
    "contacts",
    "one touch",
    _columns(
        "campaign_id:id user_id:id arm:text touched_at:time", "channel:text offer:text item_id:id recorded_at:time"
    ),
    happened="touched_at",
    entity="user_id",
    unlocks="fatigue, incrementality, uplift",
)
TAGS = Contract(
    "tags",
    "one tag set by hand",
    _columns("user_id:id tag:text", "value:text set_at:time set_by:text expires_at:time"),
    happened="set_at",
    entity="user_id",
    unlocks="rules, features as of set_at",
    versioned=True,
)
IDENTITIES = Contract(
    "identities",
    "one contact point",
    _columns("user_id:id kind:text value:text", ""),
    happened=None,
    entity="user_id",
    unlocks="exports only; never a feature, never logged",
)
EXPOSURES = Contract(
    "exposures",
    "one suggestion shown",
    _columns("suggestion_id:id user_id:id item_id:id shown_at:time", "position:number clicked_at:time"),
    happened="shown_at",
    entity="user_id",
    unlocks="what was shown, off-policy evaluation",
)
LABELS = Contract(
    "labels",
    "one outcome of the user's own",
    _columns("target:text user_id:id", "y:number as_of:time recorded_at:time"),
    happened="as_of",
    entity="user_id",
    unlocks="any target, contract churn included",
    open_ended=True,
    one_of=(("y",),),
)

EXTRA = "extra_"
"""What the name of a table of the user's own begins with."""


def extra(name: str) -> Contract:
    """A table of the user's own: its columns are features, each row known from `known_at` on."""
    return Contract(
        name,
        "one version of what is known of a user",
        _columns("user_id:id", "known_at:time"),
        happened="known_at",
        entity="user_id",
        unlocks="features of your own",
        versioned=True,
        open_ended=True,
    )


def of_sellers(contract: Contract) -> Contract:
    """The contract where customers are sellers: orders and events are theirs who sold, whoever bought or looked."""
    if contract.name not in ("orders", "events"):
        return contract
    needed = {"user_id": False, "seller_id": True}
    columns = tuple(replace(column, required=needed.get(column.name, column.required)) for column in contract.columns)
    one_of = contract.one_of if contract.name == "orders" else ()
    return replace(contract, columns=columns, entity="seller_id", one_of=one_of)


class _Contracts(dict[str, Contract]):
    """The known tables; asked for one of the user's own it makes its contract."""

    def __missing__(self, name: str) -> Contract:
        if not name.startswith(EXTRA):
            raise KeyError(name)
        return extra(name)


CONTRACTS: dict[str, Contract] = _Contracts(
    {
        contract.name: contract
        for contract in (ORDERS, EVENTS, USERS, ITEMS, CONTACTS, TAGS, IDENTITIES, EXPOSURES, LABELS)
    }
)
