"""The rules at the door, as conditions over one row: `x_` is a column's text, `v_` its value, NULL where absent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse import casting
from warehouse.casting import literal, words
from warehouse.contracts import EXTRA, Column, Contract
from warehouse.settings import Settings, TableSettings

KEY = "source_key"
MAX_ID = 128
CLOCK_SKEW = timedelta(minutes=5)
_MAY_LIE_AHEAD = {"expires_at", "retired_at", "launched_at"}
# Control characters, blanks without width, and marks that turn the direction of writing: they make two ids look alike.
_MARKS = "\\x{200b}\\x{200e}\\x{200f}\\x{202a}-\\x{202e}\\x{2060}\\x{2066}-\\x{2069}\\x{feff}"
_UNSEEN = "[\\x{00}-\\x{1f}\\x{7f}-\\x{9f}" + _MARKS + "]"
_BLANK_AROUND = "^[\\s\\x{a0}\\x{3000}]|[\\s\\x{a0}\\x{3000}]$"


@dataclass(frozen=True)
class Rule:
    """A condition under which a row is wrong, and how that is told.

    `found` replaces the value where the value says nothing; `masked` values are personal and never shown whole.
    """

    column: str
    broken: str
    expected: str
    fix: str
    found: str | None = None
    masked: bool = False
    lists_values: bool = False


def asides(contract: Contract, policy: TableSettings) -> str:
    """The expression that names the policy by which a row is set aside, NULL for the others."""
    cases = []
    if contract.name in ("orders", "events") and policy.guests == "set_aside":
        cases.append((_nobody(contract), "no seller" if contract.entity == "seller_id" else "guests"))
    if contract.name == "orders":
        if policy.non_orders:
            cases.append((f"regexp_matches(v_order_id, {literal(policy.non_orders)})", "non-orders"))
        if policy.non_products:
            cases.append((f"regexp_matches(v_item_id, {literal(policy.non_products)})", "non-products"))
        if policy.unpriced == "set_aside":
            cases.append(("coalesce(v_unit_price, abs(paid)) <= 0", "unpriced"))
    if not cases:
        return "null::varchar"
    return "case " + " ".join(f"when {test} then {literal(name)}" for test, name in cases) + " end"


def _nobody(contract: Contract) -> str:
    """The condition under which an order or an event is of nobody that could be a customer."""
    device = " and v_device_id is null" if contract.name == "events" and contract.entity == "user_id" else ""
    return f"v_{contract.entity} is null{device}"


def rules(
    contract: Contract,
    policy: TableSettings,
    settings: Settings,
    present: set[str],
    loaded_at: datetime,
    clean: frozenset[str] = frozenset(),
) -> list[Rule]:
    """Every rule for a file of this table that has the columns `present`, but those that `clean` texts cannot break."""
    found: list[Rule] = []
    for column in (*contract.columns, *contract.door):
        if column.name in present:
            found += _of_column(column, contract, policy, loaded_at, column.name in clean)
    if contract.name == "orders":
        found += _of_orders(policy, settings, present)
    if contract.name == "labels":
        fix = "Write 1 where it happened, 0 where not, and leave it empty where it is not known yet."
        found.append(Rule("y", "v_y not in (0, 1)", "0 or 1", fix, lists_values=True))
    if contract.name.startswith(EXTRA) and "known_at" in present:
        fix = "Fill in since when the row is known, or declare the table static = true."
        found.append(Rule("known_at", "x_known_at is null", casting.EXPECTED["time"], fix))
    if contract.name == "events":
        if policy.guests == "stop" and contract.entity == "user_id":
            nobody = _nobody(contract)
            column_name = "user_id" if "user_id" in present else "device_id"
            found.append(Rule(column_name, nobody, "a user or a device", 'Fill one in, or set guests = "set_aside".'))
        if policy.on_unknown_event:
            known = words(policy.on_unknown_event)
            found.append(
                Rule("event", f"v_event not in {known}", f"one of {', '.join(policy.on_unknown_event)}",
                     "Add it to on_unknown_event in reprise.toml, or mend the rows.", lists_values=True)
            )  # fmt: skip
    return found


def _of_column(
    column: Column, contract: Contract, policy: TableSettings, loaded_at: datetime, clean: bool
) -> list[Rule]:
    name, text, value = column.name, f"x_{column.name}", f"v_{column.name}"
    found = []
    if column.required:
        fix = 'Fill it in, or set guests = "set_aside".' if name == contract.entity else "Fill it in or remove the row."
        found.append(Rule(name, f"{text} is null", casting.EXPECTED[column.kind], fix))
    if column.kind == "id" and not clean:
        wrong = f"len({text}) > {MAX_ID} or regexp_matches({text}, '{_UNSEEN}|{_BLANK_AROUND}')"
        fix = "Remove blanks and invisible characters around and in it; ids are kept exactly as written."
        found.append(Rule(name, wrong, casting.EXPECTED["id"], fix, masked=True))
    elif column.kind == "time":
        found += _of_time(column, policy, loaded_at)
    elif column.kind not in ("id", "text"):
        fix = "Mend the value or leave it empty."
        if column.kind == "money":
            fix = 'Write it like 1234.50, or say how it is written: numbers = "1.234,56", money_marks = ["$…"].'
        found.append(Rule(name, f"{text} is not null and {value} is null", casting.EXPECTED[column.kind], fix))
    if column.kind == "quantity":
        found.append(Rule(name, f"{value} = 0", casting.EXPECTED["quantity"], "Mend the value or leave it empty."))
    if column.kind == "money":
        found.append(
            Rule(name, f"abs({value}) >= {casting.LARGEST_MONEY}", casting.EXPECTED["money"], "Mend the value.")
        )
        if name in ("discount", "price", "cost"):
            found.append(Rule(name, f"{value} < 0", "0 or more", "A discount is written as a positive number."
                              if name == "discount" else "Mend the value or leave it empty."))  # fmt: skip
    if column.kind == "year":
        within = f"{value} < {casting.FIRST_YEAR} or {value} > {loaded_at.year}"
        found.append(
            Rule(name, within, f"a year from {casting.FIRST_YEAR} to {loaded_at.year}", "Mend it or leave it empty.")
        )
    if column.kind == "text" and not clean:
        unseen = f"regexp_matches({text}, '[\\x{{00}}-\\x{{08}}\\x{{0b}}\\x{{0c}}\\x{{0e}}-\\x{{1f}}]')"
        found.append(Rule(name, unseen, "text without control characters", "Remove them.", masked=True))
        found.append(Rule(name, f"len({text}) > 4096", "at most 4,096 characters", "Shorten it.", masked=True))
    if column.allowed and contract.name == "orders" and name == "kind":
        known = words((*casting.SALE_WORDS, *casting.RETURN_WORDS))
        found.append(
            Rule(name, f"lower({text}) not in {known}", "sale or return", "Write sale or return.", lists_values=True)
        )
    return found


def _of_time(column: Column, policy: TableSettings, loaded_at: datetime) -> list[Rule]:
    name, text, value = column.name, f"x_{column.name}", f"v_{column.name}"
    form = f"a time written as {policy.time_format}, or ISO 8601" if policy.time_format else casting.EXPECTED["time"]
    rules = [
        Rule(name, f"{text} is not null and {value} is null", form,
             "Mend it, or correct time_format in reprise.toml." if policy.time_format else
             'Mend it, or set time_format in reprise.toml, such as "%d/%m/%Y" or epoch_ms.'),
        Rule(name, f"{value} < timestamp '1970-01-01'", "a time from 1970 on", "Mend the value or leave it empty."
             if not column.required else "Mend the value."),
    ]  # fmt: skip
    if name not in _MAY_LIE_AHEAD:
        latest = literal((loaded_at + CLOCK_SKEW).isoformat(sep=" "))
        rules.append(
            Rule(name, f"{value} > timestamp {latest}", "a time that is not after the time of loading",
                 "Check the clock, the time format and the time zone of the source.")
        )  # fmt: skip
    return rules


def _of_orders(policy: TableSettings, settings: Settings, present: set[str]) -> list[Rule]:
    shown = next((name for name in ("amount", "unit_price", "quantity") if name in present), "amount")
    found = [
        Rule(
            shown,
            "paid is null" + "".join(f" and not (x_{n} is not null and v_{n} is null)" for n in
                                     ("amount", "unit_price", "quantity") if n in present),
            "an amount, or a quantity and a unit price", "Fill it in or remove the row."),
        Rule(shown, f"v_amount is null and abs(paid) >= {casting.LARGEST_MONEY}",
             f"quantity × unit price below {casting.LARGEST_MONEY:,}", "Mend the value."),
    ]  # fmt: skip
    signs = {"quantity": "v_quantity < 0", "amount": "v_amount < 0", "unit_price": "v_unit_price < 0"}
    for name, negative in signs.items():
        if name in present:
            allowed = "" if name == "unit_price" else "not is_return and "
            found.append(
                Rule(name, f"{allowed}{negative}", "0 or more on a sale",
                     'Say how returns are known: returns = "sign" or "order_prefix"; or unpriced = "set_aside".')
            )  # fmt: skip
    if "currency" in present:
        found.append(
            Rule("currency", f"upper(trim(x_currency)) is distinct from {literal(settings.currency)}",
                 f"{settings.currency}, the one currency of the workspace",
                 "Convert the amounts before loading, or set currency in reprise.toml.", lists_values=True)
        )  # fmt: skip
    return found
