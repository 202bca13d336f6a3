"""Every doubt about who must not be contacted stops the audience or leaves the doubtful out."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiences.suppression import SuppressionList, folded, read_list, withheld
from warehouse.errors import DataProblemError, NotReadyError

NOW = datetime(2011, 6, 11, 2, 0)


def ids(*found):
    return pa.table({"entity_id": list(found)})


def listed(*found):
    return SuppressionList(frozenset(found), len(found), "0" * 64, NOW)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"user_id\n", "holds no user"),
        (b"\xef\xbb\xbfuser_id\n\n", "holds no user"),
        (b"id\n007\n", "exactly one user_id is needed"),
        (b"USER_ID\n007\n", "exactly one user_id is needed"),
        (b"user_id,user_id\n1,2\n", "exactly one user_id is needed"),
        (b"user_id,reason\n007\n", "1 cells in line 2"),
        (b"user_id,reason\n,moved\n", "no user_id in line 2"),
        (b"user_id\n  \n", "no user_id in line 2"),
        (b'user_id\n"007\n', "cannot be read as CSV"),
        ("user_id\n你\n".encode("gb18030"), "not UTF-8"),
        (b"user_id\n0\x007\n", ""),
        (b"user_id\n" + b"7" * 129 + b"\n", "unusable"),
    ],
)
def test_a_list_that_cannot_be_trusted_stops_everything(shop, content, message):
    path = shop.suppress("")
    path.write_bytes(content)
    with pytest.raises(DataProblemError) as caught:
        read_list(path, NOW + timedelta(days=36500), 24 * 36500)
    assert message in str(caught.value)
    assert "no audience is written" in str(caught.value)


def test_a_missing_list_stops_everything(tmp_path):
    with pytest.raises(DataProblemError, match="cannot be read"):
        read_list(tmp_path / "none.csv", NOW, 24)
    with pytest.raises(DataProblemError, match="cannot be read"):
        read_list(tmp_path, NOW, 24)


def test_age_is_counted_from_the_given_time(shop):
    path = shop.suppress("user_id\n007\n", hours=24)
    assert read_list(path, NOW, 24).ids == {"007"}
    assert read_list(path, NOW.replace(tzinfo=UTC), 24).ids == {"007"}
    with pytest.raises(DataProblemError, match="25 hours old; at most 24"):
        read_list(path, NOW + timedelta(hours=1), 24)
    with pytest.raises(DataProblemError, match="future"):
        read_list(path, NOW - timedelta(hours=25), 24)


def test_an_empty_list_may_be_allowed(shop):
    assert read_list(shop.suppress("user_id\n"), NOW, 24, allow_empty=True).ids == frozenset()


def test_ids_are_kept_as_text(shop):
    path = shop.suppress('reason,user_id\r\nmoved,007\r\n"said ""no""",1e5\r\n, 8 \r\n')
    assert read_list(path, NOW, 24).ids == {"007", "1e5", " 8 "}


def test_parquet_needs_text(shop):
    path = shop.suppress("", name="nobody.parquet")
    pq.write_table(pa.table({"user_id": ["007", "8"]}), path)
    assert read_list(path, NOW + timedelta(days=36500), 24 * 36500).ids == {"007", "8"}
    pq.write_table(pa.table({"user_id": [7, 8]}), path)
    with pytest.raises(DataProblemError, match="leading zeros"):
        read_list(path, NOW + timedelta(days=36500), 24 * 36500)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DataProblemError, match="cannot be read as Parquet"):
        read_list(path, NOW + timedelta(days=36500), 24 * 36500)


@pytest.mark.parametrize("written", ["7", "0007", " 007", "007 ", "７", "7.0"])
def test_a_near_miss_of_a_stray_id_is_left_out_and_told(written):
    out = withheld(ids("007", "8"), listed(written), None)
    assert out.near.tolist() == [True, False]
    assert out.listed.tolist() == [False, False]


def test_an_id_guarded_for_excel_still_means_somebody():
    assert withheld(ids("007", "8"), listed("'007"), None).near.tolist() == [True, False]


def test_case_is_a_near_miss_too():
    assert withheld(ids("ab1", "ab2"), listed("AB1"), None).near.tolist() == [True, False]


def test_an_id_that_is_somebodys_means_only_them():
    out = withheld(ids("007", "7"), listed("007"), None)
    assert (out.listed.tolist(), out.near.tolist()) == ([True, False], [False, False])


@given(st.text(max_size=10))
def test_folding_is_idempotent_enough_to_compare(one):
    assert folded(f" {one} ") == folded(one)
    assert folded(f"00{one}") == folded(one)


def test_only_known_yes_is_consent_and_only_known_yes_blocks():
    people = pa.table(
        {"entity_id": ["a", "b", "c"], "blocked": [True, False, None], "consent_sms": [True, False, None]}
    )
    assert withheld(people, None, None).blocked.tolist() == [True, False, False]
    assert withheld(people, None, "sms").any.tolist() == [True, True, True]
    with pytest.raises(NotReadyError, match="consent_email"):
        withheld(people, None, "email")


def test_a_consent_that_was_not_read_as_a_flag_stops_everything():
    for column in (["yes", "no"], [1, 0]):
        for name in ("consent_sms", "blocked"):
            people = pa.table({"entity_id": ["a", "b"], "consent_sms": [True, True], name: column})
            with pytest.raises(DataProblemError, match=name):
                withheld(people, None, "sms")
    unknown = pa.table({"entity_id": ["a"], "consent_sms": pa.nulls(1)})
    assert withheld(unknown, None, "sms").any.tolist() == [True]


def test_without_a_channel_some_consent_is_needed_where_any_is_recorded() -> None:
    def left_out(sms: list[bool | None], push: list[bool | None]) -> list[bool]:
        flags = {"consent_sms": pa.array(sms, pa.bool_()), "consent_push": pa.array(push, pa.bool_())}
        customers = pa.table({"entity_id": ["a", "b", "c"], **flags})
        return withheld(customers, None, None).no_consent.tolist()

    assert left_out([True, False, None], [None, False, None]) == [False, True, True]
    assert left_out([False, None, None], [True, None, True]) == [False, True, False]
    assert left_out([None, None, None], [None, None, None]) == [False, False, False]
