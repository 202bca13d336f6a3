"""Every rule at the door: what is let in and as what, and how the rest is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.checking import Checked
from warehouse.reading import LINE

Check = Callable[..., Checked]
AT = "2025-06-01 08:26:00"
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)


def _problem(checked: Checked) -> str:
    assert len(checked.problems) == 1, checked.problems
    return str(checked.problems[0])


IDS = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=20)


@given(st.lists(IDS, min_size=1, max_size=20))
@SHARED
def test_ids_are_kept_exactly(check: Check, ids: list[str]) -> None:
    checked = check("orders", user_id=ids, ordered_at=[AT] * len(ids), amount=["1"] * len(ids))
    assert checked.accepted.column("user_id").to_pylist() == ids
    assert checked.accepted.column("entity_id").to_pylist() == ids


@pytest.mark.parametrize("value", ["007", "1e5", "9223372036854775808", "Ab", "ab", "名字", "e\u0301", "é", "😀"])
def test_ids_that_are_easily_mangled(check: Check, value: str) -> None:
    checked = check("orders", user_id=[value], ordered_at=[AT], amount=["1"])
    assert checked.accepted.column("user_id").to_pylist() == [value]


@pytest.mark.parametrize("value", ["u1 ", " u1", "u\t1", "u\u202e1", "u\u00a0", "\u3000u", "x" * 129, "u\x00"])
def test_ids_that_are_none(check: Check, value: str) -> None:
    told = _problem(check("orders", user_id=[value], ordered_at=[AT], amount=["1"]))
    assert "x.csv, line 1: user_id is" in told
    assert "1 to 128 characters" in told
    assert value not in told, "an id is never shown whole"


@given(st.lists(st.decimals(-999999999, 999999999, places=4), min_size=1, max_size=20))
@SHARED
def test_money_is_exact(check: Check, amounts: list[Decimal]) -> None:
    n = len(amounts)
    checked = check(
        "orders", {"returns": "sign"}, user_id=["u"] * n, ordered_at=[AT] * n, amount=[f"{a:f}" for a in amounts]
    )
    assert checked.accepted.column("amount").to_pylist() == amounts
    kinds = ["return" if a < 0 else "sale" for a in amounts]
    assert checked.accepted.column("kind").to_pylist() == kinds


@given(st.integers(1, 100000), st.decimals("0.001", 10000, places=3))
@SHARED
def test_amount_is_quantity_times_unit_price(check: Check, quantity: int, price: Decimal) -> None:
    checked = check("orders", user_id=["u"], ordered_at=[AT], quantity=[str(quantity)], unit_price=[str(price)])
    exact = (quantity * price).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    assert checked.accepted.column("amount").to_pylist() == [exact]


@given(
    st.lists(st.datetimes(datetime(1970, 1, 3), datetime(2025, 12, 30)), min_size=1, max_size=10),
    st.integers(-14 * 4, 14 * 4),
)
@SHARED
def test_times_with_an_offset_become_utc(check: Check, moments: list[datetime], quarters: int) -> None:
    zone = timezone(timedelta(minutes=15 * quarters))
    texts = [moment.replace(tzinfo=UTC).astimezone(zone).isoformat() for moment in moments]
    checked = check("orders", user_id=["u"] * len(texts), ordered_at=texts, amount=["1"] * len(texts))
    assert checked.accepted.column("ordered_at").to_pylist() == moments
    assert checked.accepted.column("local_at").to_pylist() == moments


TIMES = [
    (None, "2011-06-01", datetime(2011, 6, 1)),
    (None, "2011/6/1 8:26", datetime(2011, 6, 1, 8, 26)),
    (None, "2011-06-01T08:26:00Z", datetime(2011, 6, 1, 8, 26)),
    (None, "2011-06-01 08:26:00.5 -0530", datetime(2011, 6, 1, 13, 56, 0, 500000)),
    (None, "2011-06-01 08:26+08", datetime(2011, 6, 1, 0, 26)),
    ("%d/%m/%Y %H:%M", "1/6/2011 8:26", datetime(2011, 6, 1, 8, 26)),
    ("%m/%d/%Y %H:%M", "1/6/2011 8:26", datetime(2011, 1, 6, 8, 26)),
    ("%d/%m/%Y %H:%M", "2011-06-01 08:26", datetime(2011, 6, 1, 8, 26)),
    ("epoch_s", "1306916760", datetime(2011, 6, 1, 8, 26)),
    ("epoch_ms", "1306916760000", datetime(2011, 6, 1, 8, 26)),
    ("epoch_us", "1306916760000000", datetime(2011, 6, 1, 8, 26)),
]


@pytest.mark.parametrize(("time_format", "text", "moment"), TIMES)
def test_times_as_they_are_written(check: Check, time_format: str | None, text: str, moment: datetime) -> None:
    checked = check("orders", {"time_format": time_format}, user_id=["u"], ordered_at=[text], amount=["1"])
    assert checked.accepted.column("ordered_at").to_pylist() == [moment]


@pytest.mark.parametrize(
    "text",
    [
        "2011-13-01",
        "2011-02-30",
        "01/06/2011",
        "infinity",
        "epoch",
        "1969-12-31",
        "2026-01-01 00:05:01",
        "2011-06-01 08:26 Europe/London",
    ],
)
def test_times_that_are_none(check: Check, text: str) -> None:
    told = _problem(check("orders", user_id=["u"], ordered_at=[text], amount=["1"]))
    assert f'line 1: ordered_at is "{text}"; expected a time' in told


def test_five_minutes_ahead_of_the_clock_of_loading_are_let_in(check: Check) -> None:
    assert check("orders", user_id=["u"], ordered_at=["2026-01-01 00:05:00"], amount=["1"]).accepted.num_rows == 1


def test_clock_changes_are_counted_and_settled_by_the_stated_policy(check: Check) -> None:
    walls = ["2025-03-30 01:30", "2025-10-26 01:30", "2025-10-26 01:30+00:00", "2025-07-01 12:00"]
    checked = check(
        "orders", settings={"time_zone": "Europe/London"}, user_id=["u"] * 4, ordered_at=walls, amount=["1"] * 4
    )
    assert checked.accepted.column("ordered_at").to_pylist() == [
        datetime(2025, 3, 30, 1, 30),
        datetime(2025, 10, 26, 0, 30),
        datetime(2025, 10, 26, 1, 30),
        datetime(2025, 7, 1, 11, 0),
    ]
    assert checked.accepted.column("local_at").to_pylist() == [
        datetime(2025, 3, 30, 2, 30),
        datetime(2025, 10, 26, 1, 30),
        datetime(2025, 10, 26, 1, 30),
        datetime(2025, 7, 1, 12, 0),
    ]
    assert checked.moved_times == {"ordered_at skipped by a clock change": 1, "ordered_at occurs twice": 1}


def test_a_source_of_another_zone(check: Check) -> None:
    checked = check(
        "orders",
        {"time_zone": "Asia/Shanghai"},
        {"time_zone": "UTC"},
        user_id=["u"],
        ordered_at=["2025-06-01 07:00"],
        amount=["1"],
    )
    assert checked.accepted.column("local_at").to_pylist() == [datetime(2025, 5, 31, 23)]


@pytest.mark.parametrize(
    "text", ["NaN", "inf", "-Infinity", "12,50", "£12", "1 000", "1_000", "1e400", "", "1000000000000"]
)
def test_amounts_that_are_none(check: Check, text: str) -> None:
    checked = check("orders", {"returns": "sign"}, user_id=["u", "v"], ordered_at=[AT, AT], amount=[text, "2"])
    told = _problem(checked)
    assert "line 1: amount is" in told
    assert (checked.read, checked.accepted.num_rows, checked.rejected.num_rows) == (2, 1, 1)


def test_all_problems_at_once_each_with_its_first_line_and_count(check: Check) -> None:
    checked = check(
        "orders",
        user_id=["u", "u", "u", "u"],
        ordered_at=[AT, "soon", "later", AT],
        amount=["1", "1", "x", "3"],
        quantity=["1", "1", "1", "0"],
    )
    told = [(p.line, p.column, p.count) for p in checked.problems]
    assert sorted(told) == [(2, "ordered_at", 2), (3, "amount", 1), (4, "quantity", 1)]
    reasons = dict(
        zip(checked.rejected.column(LINE).to_pylist(), checked.rejected.column("reason").to_pylist(), strict=True)
    )
    assert set(reasons) == {2, 3, 4}
    assert "ordered_at: expected" in reasons[3]
    assert "amount: expected" in reasons[3]


def test_the_name_in_the_file_is_told_beside_ours(check: Check) -> None:
    told = _problem(
        check("orders", {"columns": {"amount": "实付金额"}}, user_id=["u"], ordered_at=[AT], 实付金额=["一百"])
    )
    assert '实付金额 (amount) is "一百"; expected a finite number like 12.50' in told


RETURNS: list[tuple[dict[str, Any], dict[str, str], tuple[str, str, float | None] | None]] = [
    ({"returns": "kind"}, {"kind": "return", "amount": "5", "quantity": "1"}, ("return", "-5", -1)),
    ({"returns": "kind"}, {"kind": "退款", "amount": "-5", "quantity": "-1"}, ("return", "-5", -1)),
    ({"returns": "kind"}, {"kind": "sale", "amount": "-5"}, None),
    ({"returns": "kind"}, {"amount": "5", "quantity": "-1"}, None),
    ({"returns": "sign"}, {"amount": "5", "quantity": "-2"}, ("return", "-5", -2)),
    ({"returns": "sign"}, {"unit_price": "5", "quantity": "-2"}, ("return", "-10", -2)),
    ({"returns": "order_prefix"}, {"order_id": "C1", "amount": "5", "quantity": "2"}, ("return", "-5", -2)),
    ({"returns": "order_prefix"}, {"order_id": "1", "amount": "-5"}, ("return", "-5", None)),
    ({"returns": "order_prefix"}, {"order_id": "1", "amount": "0"}, ("sale", "0", None)),
]


@pytest.mark.parametrize(("policy", "row", "stored"), RETURNS)
def test_returns_have_negative_amount_and_quantity(
    check: Check, policy: dict[str, Any], row: dict[str, str], stored: tuple[str, str, float | None] | None
) -> None:
    checked = check("orders", policy, user_id=["u"], ordered_at=[AT], **{name: [value] for name, value in row.items()})
    if stored is None:
        assert "expected 0 or more on a sale" in str(checked.problems[0])
        assert "returns" in str(checked.problems[0])
        return
    kept = checked.accepted.to_pylist()[0]
    assert (kept["kind"], kept["amount"], kept["quantity"]) == (stored[0], Decimal(stored[1]), stored[2])


def test_set_aside_comes_before_being_judged_and_in_the_stated_order(check: Check) -> None:
    policy = {"non_orders": "^A", "non_products": "^POST$", "unpriced": "set_aside", "returns": "sign"}
    checked = check(
        "orders",
        policy,
        user_id=[None, "u", "u", "u", "u"],
        ordered_at=["soon", AT, AT, AT, AT],
        order_id=["A1", "A1", "1", "1", "1"],
        item_id=["POST", "POST", "POST", "x", "x"],
        quantity=["1"] * 5,
        unit_price=["0", "0", "0", "0", "2"],
    )
    assert checked.set_aside == {"guests": 1, "non-orders": 1, "non-products": 1, "unpriced": 1}
    assert checked.accepted.num_rows == 1
    assert not checked.problems


def test_guests_may_be_wrong_instead(check: Check) -> None:
    told = _problem(check("orders", {"guests": "stop"}, user_id=[None], ordered_at=[AT], amount=["1"]))
    assert "user_id is missing" in told
    assert 'guests = "set_aside"' in told


def test_another_currency_is_never_added_up(check: Check) -> None:
    told = _problem(
        check(
            "orders",
            settings={"currency": "GBP"},
            user_id=["u"] * 3,
            ordered_at=[AT] * 3,
            amount=["1"] * 3,
            currency=["GBP", "EUR", "USD"],
        )
    )
    assert 'line 2: currency is "EUR", "USD"; expected GBP' in told
    assert "1 more line has" in told


def test_events_of_a_closed_list(check: Check) -> None:
    checked = check(
        "events",
        {"on_unknown_event": ["view", "buy"]},
        user_id=["u"] * 4,
        occurred_at=[AT] * 4,
        event=["view", "veiw", "veiw", "by"],
    )
    assert 'event is "veiw", "by"; expected one of view, buy' in _problem(checked)


def test_acts_of_devices_belong_to_nobody_and_are_kept(check: Check) -> None:
    checked = check(
        "events", user_id=["u", None, None], device_id=["d", "d", None], occurred_at=[AT] * 3, event=["view"] * 3
    )
    assert checked.accepted.column("entity_id").to_pylist() == ["u", None]
    assert checked.set_aside == {"guests": 1}


def test_users_keep_their_open_attributes_and_say_when_they_were_known(check: Check) -> None:
    checked = check("users", user_id=["u"], consent_sms=["是"], birth_year=["1985"], plan=["gold"], mood=[""])
    row = checked.accepted.to_pylist()[0]
    assert (row["consent_sms"], row["birth_year"], row["plan"], row["mood"]) == (True, 1985, "gold", None)
    assert row["recorded_at"] == datetime(2026, 1, 1)


def test_recorded_at_is_when_it_happened_unless_the_source_says_otherwise(check: Check) -> None:
    checked = check(
        "orders", user_id=["u", "u"], ordered_at=[AT, AT], amount=["1", "1"], recorded_at=[None, "2025-06-03"]
    )
    assert checked.accepted.column("recorded_at").to_pylist() == [datetime(2025, 6, 1, 8, 26), datetime(2025, 6, 3)]


def test_lists_of_attributes(check: Check) -> None:
    checked = check("items", item_id=["a", "b", "c", "d"], attributes=["x| y |", '["p", "q|r"]', "", "[x"])
    assert checked.accepted.column("attributes").to_pylist() == [["x", "y"], ["p", "q|r"], None]
    assert "attributes" in _problem(checked)


def test_an_unknown_consent_is_not_let_in_as_a_yes(check: Check) -> None:
    assert "true or false" in _problem(check("users", user_id=["u"], consent_sms=["perhaps"]))


CELLS = {
    "user_id": ["u1", " u", "名", "u\u202e1", "", "x" * 129],
    "ordered_at": [AT, "2025-06-01", "soon", "", "2025-06-01T08:26:00+02:00", "2025-06-01 25:00:00"],
    "amount": ["1", "x", "", "-2"],
    "channel": ["", "app", "a\x01", "应用"],
    "note": ["", "a"],
}


@given(st.lists(st.tuples(*map(st.sampled_from, CELLS.values())), min_size=2, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
def test_a_row_is_judged_alike_alone_and_among_others(check: Check, rows: list[tuple[str, ...]]) -> None:
    """What is known of a whole column, such as that all its texts are clean, only saves work."""

    def judged(some: list[tuple[str, ...]]) -> tuple[list[dict[str, Any]], list[str]]:
        checked = check("orders", **{name: [row[i] for row in some] for i, name in enumerate(CELLS)})
        return checked.accepted.to_pylist(), checked.rejected.column("reason").to_pylist()

    together = judged(rows)
    alone = [judged([row]) for row in rows]
    assert together[0] == [row for accepted, _ in alone for row in accepted]
    assert together[1] == [reason for _, reasons in alone for reason in reasons]
