"""Which dates of the labels are trained and judged on, worked out by hand."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from features.windows import day_number
from training import label_dates
from training.protocol import Protocol, without
from warehouse.errors import NotReadyError

FIRST = date(2025, 1, 1)


def after(days):
    return FIRST + timedelta(days=days)


LATER = after(1000)


def labels(*days, n=10, positives=5):
    """So many labels on each of these days after the first (None: without a date), half of them 1."""
    rows = [
        (f"u{k}", None if day is None else day_number(after(day)), float(k < positives))
        for day in days
        for k in range(n)
    ]
    ids, numbers, y = zip(*rows, strict=True)
    return pa.table({
        "entity_id": pa.array(ids), "day": pa.array(numbers, pa.int32()), "y": pa.array(y),
        "source_line": pa.array([float(k) for k in range(len(rows))]),
    })  # fmt: skip


def planned(given, horizon=30, as_of=LATER, least=2, order="as_of", most=12):
    return label_dates.plan(given, horizon, as_of, least, most, order)


def test_five_dates_a_month_apart_are_a_full_protocol():
    assert planned(labels(0, 30, 60, 90, 120)) == Protocol(
        "full", 30, after(120), after(90), after(60), (after(0), after(30))
    )


def test_a_part_ends_before_the_next_begins():
    """At 29 days the labels of the date before have not ended, so it is no date to calibrate on."""
    found = planned(labels(0, 30, 61, 90, 119))
    assert (found.kind, found.judge, found.train) == ("short", after(119), (after(0), after(30), after(61)))
    assert planned(labels(0, 29), 30).kind == "near"


def test_two_dates_a_horizon_apart_are_a_short_protocol():
    assert planned(labels(0, 30)) == Protocol("short", 30, after(30), train=(after(0),))


def test_dates_nearer_than_the_horizon_are_still_parted_by_date():
    found = planned(labels(0, 10, 20))
    assert found == Protocol("near", 30, after(20), train=(after(0), after(10)))
    assert without(found, frozenset({after(0)})) == Protocol("near", 30, after(20), train=(after(10),))


@pytest.mark.parametrize("days", [(5,), (None,), (0, 3, 7)])
def test_what_no_date_parts_is_parted_at_random_or_by_the_file(days):
    """Dates of one step, 8 days for a horizon of 30, are one cutoff."""
    day = after(1000) if days == (None,) else after(days[0])
    assert planned(labels(*days)) == Protocol("random", 30, day)
    assert planned(labels(*days), order="file") == Protocol("file", 30, day)


def test_days_within_a_step_are_one_cutoff_and_later_ones_move_none():
    found = label_dates.groups(labels(*range(0, 40)), 30)
    assert [(g.first, g.last, g.n) for g in found] == [
        (after(k), after(min(k + 7, 39)), 10 * len(range(k, min(k + 8, 40)))) for k in range(0, 40, 8)
    ]
    assert label_dates.groups(labels(*range(0, 60)), 30)[:5] == found


def test_the_latest_date_with_enough_of_both_kinds_is_judged():
    few = pa.concat_tables([labels(0, 30), labels(60, n=3, positives=1)])
    assert planned(few, least=2).judge == after(30)
    assert planned(few, least=1).judge == after(60)


def test_a_label_counts_when_its_days_are_over():
    given = labels(0, 30)
    assert label_dates.closed(given, "left", 30, after(60)).num_rows == 20
    assert label_dates.closed(given, "left", 30, after(59)).num_rows == 10
    assert label_dates.closed(labels(None), "left", 30, after(0)).num_rows == 10
    with pytest.raises(NotReadyError, match="Of 20 labels of left 10 have no as_of"):
        label_dates.closed(pa.concat_tables([given.slice(0, 10), labels(None)]), "left", 30, after(60))
    with pytest.raises(NotReadyError, match="no label whose 30 days were over"):
        planned(given.slice(0, 0))


def test_a_cutoff_has_the_labels_of_its_step():
    given = labels(0, 3, 8)
    assert label_dates.members(given, after(0), 30).num_rows == 20
    assert label_dates.members(given, after(8), 30).num_rows == 10
    assert label_dates.members(labels(None), after(8), 30).num_rows == 10


def test_the_last_label_of_a_cutoff_must_have_ended_too():
    """Labels of the days 0 to 3 are one cutoff; those of day 3 end on day 33."""
    assert planned(labels(0, 3, 32)).kind == "near"
    assert planned(labels(0, 3, 33)) == Protocol("short", 30, after(33), train=(after(0),))
