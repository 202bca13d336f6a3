"""Surveys: nobody is asked twice within the days, and who was asked is told by lists and contacts alike."""

import json
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audiences import erasing
from audiences.audience import build_audience
from audiences.rebuilding import read_past
from audiences.survey import Draw, asked_lately
from tests.audiences.conftest import members
from warehouse.engine import connect
from warehouse.errors import DataProblemError, UsageError
from warehouse.settings import AudienceSettings, Settings
from warehouse.store import Store
from warehouse.workspace import Workspace

AS_OF = date(2024, 7, 1)
NOW = datetime(2024, 7, 3, 2, 0)
SOME = pa.table({"entity_id": [f"{i:02d}" for i in range(40)], "f": [float(i) for i in range(40)]})


@pytest.fixture
def shop(memory_path):
    return shop_at(memory_path)


def shop_at(root, campaigns=()):
    """`touch(rows)` loads contacts of 2024 in Shanghai; `survey(…)` draws one; `lately(…)` says who was asked."""
    contacts = {"contacts": {"files": ["contacts.csv"], "time_zone": "Asia/Shanghai"}}

    def workspace():
        tables = contacts if (root / "contacts.csv").exists() else {}
        declared = {"time_zone": "Asia/Shanghai", "tables": tables, "survey": {"campaigns": campaigns}}
        return Workspace(root, Settings.model_validate(declared))

    def touch(*rows):
        lines = ["campaign_id,user_id,arm,touched_at", *rows]
        (root / "contacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        Store(workspace()).load_new(NOW)

    def lately(name="new", as_of=AS_OF, days=10):
        return set(asked_lately(Store(workspace()), name, as_of, days))

    def survey(name, as_of=AS_OF, size=5, days=10, frame=SOME, rule="everyone", keywords=None, **declared):
        draw = Draw(size, days, frozenset(lately(name, as_of, days)))
        asked = {"rule": rule, "control_share": 0, "salt": f"{name} {as_of}", "allow_empty": True, **declared}
        given = {"as_of": as_of, "release": "r1", "now": NOW, "draw": draw, **(keywords or {})}
        return build_audience(workspace(), name, frame, AudienceSettings.model_validate(asked), **given)

    return SimpleNamespace(root=root, workspace=workspace, touch=touch, lately=lately, survey=survey)


def test_by_contacts_asked_is_who_was_touched_by_a_survey_in_the_days(shop):
    shop = shop_at(shop.root, campaigns=["nps-*", "opinion"])
    shop.touch(
        "nps-1,at the edge,treatment,2024-06-21 00:00",
        "nps-1,a second too early,treatment,2024-06-20 23:59:59",
        "nps-1,held back,control,2024-06-28 12:00",
        "nps-1,held back too,Control,2024-06-28 12:00",
        "opinion,by its exact name,treatment,2024-06-28 12:00",
        "opinions,by no pattern,treatment,2024-06-28 12:00",
        "NPS-1,by another name,treatment,2024-06-28 12:00",
        "spring,advertised to,treatment,2024-06-28 12:00",
        "nps-2,since then,treatment,2024-07-02 12:00",
    )
    assert shop.lately() == {"at the edge", "by its exact name", "since then"}
    assert shop.lately(days=11) - shop.lately() == {"a second too early"}
    assert shop.lately(days=0) == {"since then"}
    assert shop.lately(as_of=date(2025, 1, 1)) == set()


def test_by_lists_asked_is_who_was_drawn_in_the_days(shop):
    first = set(members(shop.survey("first", AS_OF - timedelta(days=10))))
    assert len(first) == 5
    assert shop.lately() == first
    assert shop.lately(days=9) == set()
    assert shop.lately(as_of=AS_OF - timedelta(days=20)) == first, "who is asked later is not asked before it either"
    assert shop.lately("first") == first, "at another date it is another survey"
    assert shop.lately("first", AS_OF - timedelta(days=10)) == set(), "itself, it asked nobody yet"


def test_contacts_that_bear_the_name_of_a_survey_need_no_pattern(shop):
    shop.touch("first,u,treatment,2024-06-28 12:00", "new,v,treatment,2024-06-28 12:00", "w,x,treatment,2024-06-28")
    assert shop.lately() == {"v"}, "first is a campaign like any other"
    shop.survey("first", AS_OF - timedelta(days=60))
    assert shop.lately() == {"u", "v"}


def test_who_was_drawn_counts_whether_or_not_the_contact_came(shop):
    drawn = members(shop.survey("first", AS_OF))
    shop.touch(f"first,{drawn[0]},treatment,2024-07-02 12:00", "first,somebody else,treatment,2024-07-02 12:00")
    assert shop.lately() == {*drawn, "somebody else"}
    assert shop.lately("first") == {"somebody else"}, "drawn again, its own contacts do not count"


def test_drawn_again_it_is_the_same_whatever_was_drawn_and_sent_since(shop):
    first = shop.survey("first", size=9)
    before = members(first)
    assert shop.survey("first", size=9).state == "unchanged"
    shop.survey("second", size=9)
    shop.touch(*(f"first,{one},treatment,2024-07-02 12:00" for one in before))
    again = shop.survey("first", size=9)
    assert members(again) == before
    assert (again.counts["left_out_asked"], first.counts["left_out_asked"]) == (9, 0)
    with pytest.raises(UsageError, match=r"survey was .*'size': 9.*, is .*'size': 12"):
        shop.survey("first", size=12)
    larger = members(shop.survey("first", size=12, keywords={"replace": True}))
    assert set(before) < set(larger)


names, days = st.sampled_from("abc"), st.integers(0, 25)


@given(st.lists(st.tuples(names, st.integers(0, 40), days, st.integers(1, 12)), min_size=2, max_size=7))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_surveys_share_a_customer_within_the_days(memory_path, surveys):
    root = memory_path / str(len(list(memory_path.iterdir())))
    root.mkdir()
    shop, there = shop_at(root), {}
    with connect() as connection:
        for name, later, wait, size in surveys:
            as_of = AS_OF + timedelta(days=later)
            report = shop.survey(name, as_of, size, wait, keywords={"replace": True, "connection": connection})
            there.pop((name, as_of), None)
            drawn = set(members(report))
            others = [some for (_, day), some in there.items() if abs((day - as_of).days) <= wait]
            assert not drawn & set().union(*others)
            assert len(drawn) == min(size, 40 - len(set().union(*others))), "as many as may be asked"
            there[name, as_of] = drawn


def test_counts_opt_outs_and_the_suppression_list_as_in_every_audience(shop):
    """By hand: of 40, 20 match; 00 is listed, 01 said no, 02 was asked; 5 of 17 are drawn, all in treatment."""
    shop = shop_at(shop.root, campaigns=["nps"])
    shop.touch("nps,02,treatment,2024-06-28 12:00", "nps,01,treatment,2024-06-28 12:00")
    consents = pa.table({"entity_id": ["01", "02", "03"], "consent_sms": [False, True, True]})
    frame = SOME.append_column("consent_sms", pa.array([i != 4 for i in range(40)]))
    told = shop.survey("new", rule="f < 20", frame=frame, channel="sms", keywords={"fresh": lambda: consents})
    assert told.counts["matched"] == 20
    assert set(members(told)) <= {"03"}, "whose consent is unknown is not asked"
    everybody = pa.table({"entity_id": SOME.column("entity_id"), "consent_sms": [i != 1 for i in range(40)]})
    told = shop.survey("more", rule="f < 20", channel="sms", keywords={"fresh": lambda: everybody})
    counts = {what: n for what, n in told.counts.items() if n}
    assert counts == {
        "customers": 40, "matched": 20, "left_out_no_consent": 1, "left_out_asked": 2, "may_be_asked": 17,
        "left": 5, "treatment": 5,
    }  # fmt: skip
    assert not {"01", "02", *members(shop.survey("new", frame=frame, keywords={"replace": True}))} & set(members(told))


def test_another_audience_is_neither_a_survey_nor_one_of_that_name(shop):
    everyone = AudienceSettings(rule="everyone")
    build_audience(shop.workspace(), "spring", SOME, everyone, as_of=AS_OF, release="r1", now=NOW)
    assert shop.lately() == set()
    shop.survey("nps")
    for made in (lambda: shop.survey("spring"), lambda: build_audience(
        shop.workspace(), "nps", SOME, everyone, as_of=AS_OF, release="r1", now=NOW)):  # fmt: skip
        with pytest.raises(UsageError, match=r"was made otherwise: .*survey was"):
            made()


def test_a_survey_is_not_rebuilt(shop):
    shop.survey("nps")
    with pytest.raises(UsageError, match="nps of 2024-07-01 is a survey, and who had been asked by then is not kept"):
        read_past(shop.workspace(), "nps", AS_OF)


def test_who_is_erased_is_in_no_survey(shop):
    report = shop.survey("nps")
    gone, *rest = members(report)
    assert erasing.held(report.folder, [gone]) == 1
    erasing.without(report.folder, [gone])
    assert pq.read_table(report.folder / "audience.parquet").column("user_id").to_pylist() == rest
    told = json.loads((report.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (told["counts"]["left"], told["counts"]["treatment"], told["counts"]["erased"]) == (4, 4, 1)
    assert shop.lately() == set(rest)


@pytest.mark.parametrize("name", ["manifest.json", "audience.parquet"])
@pytest.mark.parametrize("text", ["{}", None])
def test_what_cannot_be_read_stops_a_survey(shop, name, text):
    path = shop.survey("nps").folder / name
    path.write_text(text) if text else path.unlink()
    if text is None and name == "manifest.json":
        assert shop.lately() == set(), "without a manifest it was never published"
        return
    with pytest.raises(
        DataProblemError, match="audiences/nps/2024-07-01 cannot be read, so who was asked is not known"
    ):
        shop.lately()
