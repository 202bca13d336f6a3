"""The column-wise conversions agree with `zoneinfo`, one value at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.errors import UsageError
from warehouse.wall_time import zone_rules

ZONES = ("Europe/London", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")
EPOCH = datetime(1970, 1, 1)


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@st.composite
def walls(draw: st.DrawFn) -> tuple[str, datetime]:
    """Wall times, half of them within two hours of a clock change."""
    name = draw(st.sampled_from(ZONES))
    rules = zone_rules(name)
    if len(rules.instants) and draw(st.booleans()):
        i = draw(st.integers(0, len(rules.instants) - 1))
        change = EPOCH + timedelta(microseconds=int(rules.instants[i] + rules.offsets[i]))
        return name, change + timedelta(seconds=draw(st.integers(-7200, 7200)))
    return name, draw(st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 31)))


@given(walls())
def test_as_zoneinfo_with_fold_0(case: tuple[str, datetime]) -> None:
    name, wall = case
    instant = wall.replace(tzinfo=ZoneInfo(name)).astimezone(UTC)
    found, skipped, twice = zone_rules(name).to_utc(np.array([_microseconds(wall)]))
    assert found[0] == _microseconds(instant.replace(tzinfo=None))
    back = instant.astimezone(ZoneInfo(name)).replace(tzinfo=None)
    assert zone_rules(name).to_wall(found)[0] == _microseconds(back)
    assert skipped[0] == (back != wall)
    later = wall.replace(tzinfo=ZoneInfo(name), fold=1).utcoffset()
    earlier = wall.replace(tzinfo=ZoneInfo(name), fold=0).utcoffset()
    assert twice[0] == (back == wall and earlier != later)


def test_a_zone_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        zone_rules("Europe/Atlantis")
