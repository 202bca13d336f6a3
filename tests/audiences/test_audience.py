"""From everyone to a folder: counts that add up, nobody in it who must not be, never half a folder."""

import hashlib
import json
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audiences.assignment import assign_arms
from audiences.expecting import Scored
from audiences.exports import read_csv
from features import rules
from tests.audiences.conftest import bytes_of, members
from warehouse.errors import DataProblemError, NotReadyError, RepriseError, UsageError

CHURN = Scored("churn", 30, "", "churn-1")


def test_by_hand(shop, frame):
    report = shop.build(frame, "churn_probability >= 0.9 and order_count_lifetime > 0")
    expected = [f"{i:04d}" for i in range(900, 1000) if i % 7]
    arms = assign_arms(expected, "spring", 0.1)
    table = pq.read_table(report.folder / "audience.parquet")
    assert report.state == "new"
    assert members(report) == expected
    assert table.column("arm").to_pylist() == arms.tolist()
    assert table.column_names == [
        "user_id",
        "arm",
        "churn_probability",
        "order_count_lifetime",
        "churn_percentile",
        "as_of",
        "release",
    ]
    sums = {
        arm: sum(int(one) / 1000 for one, its in zip(expected, arms, strict=True) if its == arm)
        for arm in ("treatment", "control")
    }
    assert report.expected_hits is not None
    assert report.expected_hits.column == "churn_probability"
    assert report.expected_hits.treatment == pytest.approx(sums["treatment"], abs=1e-6)
    assert report.expected_hits.control == pytest.approx(sums["control"], abs=1e-6)
    assert report.counts["matched"] == report.counts["left"] == len(expected)
    assert report.counts["control"] == int((arms == "control").sum())
    manifest = json.loads((report.folder / "manifest.json").read_text())
    assert manifest == report.manifest
    assert manifest["suppression"]["configured"] is False
    assert rules.from_json(manifest["declared"]["rule_json"]).text() == manifest["declared"]["rule"]
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((report.folder / name).read_bytes()).hexdigest() == digest
    assert read_csv(report.folder / "audience.csv").column("user_id").to_pylist() == expected


def test_counts_follow_the_way_down(shop, frame):
    shop.suppress("user_id\n0003\n0004\n0005\n12345\n9\n")
    people = frame.append_column("blocked", pa.array([i < 3 for i in range(1000)])).append_column(
        "consent_sms", pa.array([i != 6 for i in range(1000)])
    )
    report = shop.build(people, "churn_probability < 0.01", channel="sms")
    assert members(report) == ["0007", "0008"]
    wanted = {
        "customers": 1000,
        "matched": 10,
        "left_out_blocked": 3,
        "left_out_no_consent": 1,
        "left_out_listed": 3,
        "left_out_near": 1,
        "left": 2,
    }
    assert {key: report.counts[key] for key in wanted} == wanted
    assert report.counts["treatment"] + report.counts["control"] == 2
    told = report.manifest["suppression"]
    assert (told["configured"], told["blocked"], told["consent"]) == (True, True, "consent_sms")
    assert told["list"]["sha256"] == hashlib.sha256((shop.root / "nobody.csv").read_bytes()).hexdigest()
    assert (told["list"]["changed_at"], told["list"]["unmatched_share"]) == ("2011-06-11T01:00:00", 0.4)
    assert "consent_sms" not in pq.read_table(report.folder / "audience.parquet").column_names


def test_consents_and_identifiers_asked_by_a_rule_do_not_leave(shop, frame):
    people = frame.append_column("blocked", pa.array([False] * 1000))
    report = shop.build(people, 'blocked = no and entity_id = "0007"')
    assert pq.read_table(report.folder / "audience.parquet").column_names == ["user_id", "arm", "as_of", "release"]


def test_again_is_the_same_bytes_and_says_so(shop, frame):
    shop.suppress("user_id\n0003\n")
    first = shop.build(frame)
    before = bytes_of(first.folder)
    shuffled = frame.take(pa.array(np.random.default_rng(1).permutation(1000)))
    assert shop.build(frame).state == "unchanged"
    assert shop.build(shuffled, keywords={"replace": True}).state == "unchanged"
    assert bytes_of(first.folder) == before
    other = shop.build(frame, name="summer", salt="spring")
    assert (other.folder / "audience.csv").read_bytes() == before["audience.csv"]


def test_another_rule_under_the_same_name_and_date_is_refused(shop, frame):
    first = shop.build(frame, "churn_probability > 0.5")
    before = bytes_of(first.folder)
    for rule, settings in (
        ("churn_probability > 0.6", {}),
        ("churn_probability > 0.5", {"control_share": 0.2}),
        ("churn_probability > 0.5", {"salt": "x"}),
        ("churn_probability > 0.5", {"target": "churn"}),
    ):
        with pytest.raises(UsageError, match="made otherwise"):
            shop.build(frame, rule, **settings)
        assert bytes_of(first.folder) == before
    assert shop.build(frame, "churn_probability>0.5").state == "unchanged", "spaces are no change"
    assert shop.build(frame, "churn_probability > 0.6", keywords={"replace": True}).state == "updated"
    assert shop.build(frame, "churn_probability > 0.9", keywords={"as_of": date(2011, 6, 12)}).state == "new"


def test_a_new_opt_out_is_written_without_being_asked(shop, frame):
    shop.suppress("user_id\n0003\n")
    shop.build(frame)
    shop.suppress("user_id\n0003\n0004\n")
    report = shop.build(frame)
    assert report.state == "updated"
    assert not {"0003", "0004"} & set(members(report))


def test_a_damaged_folder_is_written_anew_and_a_damaged_manifest_told(shop, frame):
    report = shop.build(frame)
    before = bytes_of(report.folder)
    (report.folder / "audience.csv").write_text("torn")
    assert shop.build(frame).state == "updated"
    (report.folder / "manifest.json").write_text("{")
    with pytest.raises(DataProblemError, match="--replace"):
        shop.build(frame)
    assert shop.build(frame, keywords={"replace": True}).state == "updated"
    assert bytes_of(report.folder) == before


def test_an_audience_of_nobody_is_written_and_has_failed_unless_allowed(shop, frame):
    """F20: a header, no row, a manifest that counts 0."""
    blocked = frame.append_column("blocked", pa.array([True] * 1000))
    for people, rule, matched in ((frame, "churn_probability = 1", 0), (blocked, "everyone", 1000)):
        for allowed in (False, True):
            name = f"nobody-{matched}-{allowed}"
            out = shop.root / f"{name}.csv"
            report = shop.build(people, rule, name, allow_empty=allowed, keywords={"out": out})
            assert (report.empty, report.failed) == (True, not allowed)
            told = json.loads((report.folder / "manifest.json").read_text())
            assert (told["empty"], told["counts"]["matched"], told["counts"]["left"]) == (True, matched, 0)
            assert (report.expected_hits.treatment, report.expected_hits.control) == (0, 0)
            for path in (out, report.folder / "audience.csv"):
                assert read_csv(path).num_rows == 0
                assert path.read_text(encoding="utf-8-sig").startswith('"user_id","arm"')
            assert pq.read_table(report.folder / "audience.parquet").num_rows == 0


def test_every_doubt_about_the_list_stops_it(shop, frame):
    first = shop.build(frame)
    before = bytes_of(first.folder)
    for text, hours in (("user_id\n", 1), ("id\n1\n", 1), ("user_id\n0003\n", 25), ("", 1)):
        shop.suppress(text, hours)
        with pytest.raises(DataProblemError, match="no audience is written"):
            shop.build(frame)
    shop.suppress("user_id\n0003\n")
    with pytest.raises(NotReadyError, match="consent_push"):
        shop.build(frame, channel="push", keywords={"replace": True})
    assert bytes_of(first.folder) == before


def test_a_list_that_lost_more_than_half_stops_it_until_accepted(shop, frame):
    shop.suppress("user_id\n0001\n0002\n0003\n0004\n0005\n")
    shop.build(frame)
    tomorrow = {"as_of": date(2011, 6, 12)}
    shop.suppress("user_id\n0001\n0002\n")
    with pytest.raises(DataProblemError, match="has 2 ids; for spring of 2011-06-11 it had 5"):
        shop.build(frame, keywords=tomorrow)
    assert shop.build(frame, name="other").state == "new"
    assert shop.build(frame, keywords={**tomorrow, "replace": True}).state == "new"
    assert shop.build(frame, keywords={"as_of": date(2011, 6, 13)}).state == "new"


def test_mistakes_are_told(shop, frame):
    with pytest.raises(rules.RuleError, match="Did you mean churn_probability"):
        shop.build(frame, "churn_probabilty > 0.5")
    fields = {"lifecycle": rules.Field("lifecycle", "text", ("new",))}
    with pytest.raises(rules.RuleError, match="never"):
        shop.build(frame, 'lifecycle = "old"', keywords={"fields": fields})
    with pytest.raises(UsageError, match="no probabilities of the target win_back"):
        shop.build(frame, target="win_back")
    for name in ("../x", "a/b", "", ".hidden", "a\x00", "x" * 300):
        with pytest.raises(UsageError):
            shop.build(frame, name=name)
    with pytest.raises(DataProblemError, match="one row for each entity_id"):
        shop.build(pa.concat_tables([frame, frame]))


REPURCHASE = Scored("repurchase", 30, "", "r-30")
LATER = Scored("repurchase", 90, "_90d", "r-90")


def test_targets_name_their_column(shop, frame):
    wide = frame.append_column("repurchase_probability_90d", pa.array([None, 0.5] * 500))
    scores = {"scores": (CHURN, LATER)}
    report = shop.build(wide, target="repurchase_90d", control_share=0.0, keywords=scores)
    hits = report.expected_hits
    assert (hits.treatment, hits.unknown, hits.target, hits.horizon_days) == (250.0, 500, "repurchase", 90)
    assert (hits.column, hits.model_version) == ("repurchase_probability_90d", "r-90")
    assert shop.build(frame, name="b", target="churn").expected_hits.column == "churn_probability"
    assert shop.build(frame, name="b2", target="churn_30d").expected_hits.column == "churn_probability"


def test_a_rule_without_a_score_expects_hits_of_the_first_target_that_has_some(shop, frame):
    """Nobody of the audience has a probability of repurchase, declared first; half have one in 90 days."""
    wide = frame.append_column(
        "repurchase_probability", pa.array([0.1 if i % 7 == 5 else None for i in range(1000)])
    ).append_column("repurchase_probability_90d", pa.array([None, 0.5] * 500))
    rule, scores = "order_count_lifetime < 5", (REPURCHASE, LATER, CHURN)
    report = shop.build(wide, rule, keywords={"scores": scores})
    assert (report.expected_hits.target, report.expected_hits.horizon_days) == ("repurchase", 90)
    assert report.manifest["expected_hits_reason"] is None
    assert not [name for name in report.manifest["columns"] if "probability" in name], "a sum, no scores of each"
    assert shop.build(wide, rule, "b", keywords={"scores": scores[2:]}).expected_hits.target == "churn"
    asked = shop.build(wide, "everyone top 3 by churn_probability", "c", keywords={"scores": scores})
    assert asked.expected_hits.target == "churn"
    for name, given, why in (("d", scores[:1], "nobody in it has"), ("e", (), "the release has no scores")):
        none = shop.build(wide, rule, name, keywords={"scores": given})
        assert none.expected_hits is None
        assert why in none.manifest["expected_hits_reason"]


def with_refusals(frame):
    """Every third refused profiling, every third never said, every third agreed."""
    return frame.append_column("consent_profiling", pa.array([(False, None, True)[i % 3] for i in range(1000)]))


@pytest.mark.parametrize(
    "rule",
    [
        "churn_probability >= 0.5",
        "churn_percentile in top 50 %",
        "everyone top 500 by churn_probability",
        "not churn_percentile < 50",
    ],
)
def test_who_refused_profiling_is_in_no_list_made_by_scores(shop, frame, rule):
    report = shop.build(with_refusals(frame), rule)
    assert members(report) == [f"{i:04d}" for i in range(500, 1000) if i % 3]
    assert (report.counts["matched"], report.counts["left_out_no_profiling"]) == (500, 167)
    assert report.manifest["suppression"]["profiling"] == "consent_profiling"
    assert report.manifest["suppression"]["configured"]


def test_who_refused_profiling_stays_where_no_score_decides_but_unscored(shop, frame):
    people = with_refusals(frame)
    first_six = 'entity_id in ("0000", "0001", "0002", "0003", "0004", "0005")'
    for target in (None, "churn"):
        report = shop.build(people, first_six, f"young-{target}", target=target, control_share=0.0)
        assert members(report) == [f"{i:04d}" for i in range(6)]
        assert report.counts["left_out_no_profiling"] == 0
        assert report.expected_hits.treatment == pytest.approx(0.001 + 0.002 + 0.004 + 0.005)
        assert report.expected_hits.unknown == 2
        table = pq.read_table(report.folder / "audience.parquet")
        if target:
            shown = [None, 0.001, 0.002, None, 0.004, 0.005]
            assert table["churn_probability"].to_pylist() == shown
            assert [one is None for one in table["churn_percentile"].to_pylist()] == [one is None for one in shown]
        else:
            assert "churn_probability" not in table.column_names


def test_a_refusal_of_profiling_at_the_last_moment_counts(shop, frame):
    moments = []

    def fresh():
        moments.append(1)
        refused = ["0999"] if len(moments) > 1 else []
        return pa.table({"entity_id": ["0998", "0999"], "consent_profiling": [True, "0999" not in refused]})

    report = shop.build(frame, "churn_probability > 0.99", keywords={"fresh": fresh})
    assert "0999" not in members(report)
    assert "0998" in members(report)
    moments.clear()
    stays = shop.build(frame, 'entity_id in ("0998", "0999")', "b", target="churn", keywords={"fresh": fresh})
    shown = pq.read_table(stays.folder / "audience.parquet")["churn_probability"]
    assert shown.to_pylist() == [0.998, None]


def test_a_rule_in_json_is_the_rule_in_text(shop, frame):
    said = shop.build(frame, "churn_probability > 0.5 and order_count_lifetime = 3")
    form = json.dumps(said.manifest["declared"]["rule_json"])
    again = shop.build(frame, f" {form}")
    assert again.state == "unchanged"
    with pytest.raises(rules.RuleError, match="Did you mean churn_probability"):
        shop.build(frame, form.replace("churn_probability", "churn_probabilty"), "b")
    for wrong, why in (
        ('{"field": ', "is no JSON"),
        ('{"fields": "a"}', "an object with"),
        ('{"tag": "a", "tag": "b"}', "twice"),
        ('{"field": "churn_probability", "op": ">", "value": NaN}', "value"),
        ('{"not":' * 1500, "JSON"),
    ):
        with pytest.raises(rules.RuleError, match=why):
            shop.build(frame, wrong, "b")


def test_a_copy_goes_where_asked(shop, frame):
    out = shop.root / "for_crm" / "list.jsonl"
    report = shop.build(frame, "churn_probability > 0.99", keywords={"out": out})
    assert [json.loads(line)["user_id"] for line in out.read_text().splitlines()] == members(report)


def test_two_at_once(shop, frame):
    with shop.workspace().lock("audience-spring"), pytest.raises(RepriseError, match="at work"):
        shop.build(frame)
