"""Files for others: no cell a formula, nothing lost on the way back, whole or not there."""

import json
import unicodedata
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiences.exports import export_table, read_csv, wide_scores, wide_suggestions, write_manifest
from audiences.exports.cells import quote, quote_formulas, unquote, unquote_formulas
from audiences.exports.wide import LONG_COLUMNS
from warehouse.errors import DataProblemError, RepriseError, UsageError

risky = st.sampled_from(list("=+-@＝＋－＠﹦−'\t\r\n \u00a0\u200b\ufeff\u3000\x00\x1f\u202e0a\",|"))
cells = st.one_of(st.text(risky, max_size=8), st.text(st.characters(blacklist_categories=("Cs",)), max_size=8))


def visible_start(line):
    """What a spreadsheet would take for the first character: nothing invisible counts, width does not matter."""
    for character in line:
        if unicodedata.category(character) not in ("Zs", "Zl", "Zp", "Cc", "Cf", "Co"):
            return unicodedata.normalize("NFKC", character)[0]
    return ""


@given(cells)
@settings(max_examples=500)
def test_no_line_starts_a_formula_and_unquoting_undoes_it(cell):
    safe = quote(cell)
    for line in safe.replace("\r", "\n").split("\n"):
        assert visible_start(line) not in set("=+-@−")
        assert not line.startswith("\t")
    assert not safe.startswith(("\r", "\n"))
    assert unquote(safe) == cell


@given(st.lists(st.one_of(st.none(), cells), max_size=10))
@settings(max_examples=150)
def test_columns_are_quoted_as_cells_are(column):
    chunked = pa.chunked_array([pa.array(column, pa.string())])
    safe = quote_formulas(chunked)
    assert safe.to_pylist() == [None if cell is None else quote(cell) for cell in column]
    assert unquote_formulas(safe).to_pylist() == column


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ('=cmd|" /C calc"!A0', '\'=cmd|" /C calc"!A0'),
        ("+86 138", "'+86 138"),
        (" \u00a0=1", "' \u00a0=1"),
        ("a\n=1", "a\n'=1"),
        ("'tis", "''tis"),
        ("\n", "'\n"),
        ("plain", "plain"),
        ("a=1", "a=1"),
        ("007", "007"),
        ("1234567890123", "1234567890123"),
        ("-5", "'-5"),
        ("85123A", "85123A"),
        ("U000123", "U000123"),
        ("20260930-0909d0c9", "20260930-0909d0c9"),
        ("market 2", "market 2"),
        ("bought on 1 day", "bought on 1 day"),
    ],
)
def test_by_hand(cell, safe):
    assert quote(cell) == safe


@given(
    st.lists(st.tuples(st.one_of(st.none(), cells), st.one_of(st.none(), cells)), max_size=8),
    st.sampled_from(["safe", "raw"]),
)
@settings(max_examples=150)
def test_a_csv_read_back_is_the_table(tmp_path_factory, rows, mode):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    table = pa.table({"=a": pa.array([a for a, _ in rows], "string"), "b": pa.array([b for _, b in rows], "string")})
    export_table(table, path, mode)
    assert read_csv(path, mode).to_pydict() == table.to_pydict()


TABLE = pa.table(
    {
        "user_id": ["007", "=8", None],
        "probability": [1 / 3, -1.5, float("nan")],
        "amount": pa.array([Decimal("12.5000"), None, Decimal("-3.1000")], pa.decimal128(18, 4)),
        "day": [date(2011, 6, 11), None, date(2012, 2, 29)],
        "flag": [True, None, False],
        "state": pa.array(["a", "-b", None]).dictionary_encode(),
        "tags": pa.array([["vip", "x"], [], None], pa.list_(pa.string())),
    }
)


def test_csv_for_spreadsheets_and_for_machines(tmp_path):
    safe, raw = (export_table(TABLE, tmp_path / f"{mode}.csv", mode) for mode in ("safe", "raw"))
    assert (tmp_path / "safe.csv").read_bytes().decode() == (
        '\ufeff"user_id","probability","amount","day","flag","state","tags"\n'
        '"007",0.3333333333333333,12.5000,2011-06-11,true,"a","vip|x"\n'
        '"\'=8",-1.5,,,,"\'-b",""\n'
        ",,-3.1000,2012-02-29,false,,\n"
    )
    assert (tmp_path / "raw.csv").read_bytes().decode().splitlines()[1] == (
        '"007",0.3333333333333333,12.5000,2011-06-11,true,"a","vip|x"'
    )
    assert (safe.guarded, raw.guarded) == (2, 0)
    assert not (tmp_path / "raw.csv").read_bytes().startswith(b"\xef")
    assert b"'" not in (tmp_path / "raw.csv").read_bytes()
    assert (safe.rows, safe.mode, raw.mode, safe.format) == (3, "safe", "raw", "csv")
    assert safe.sha256 != raw.sha256
    assert export_table(TABLE, tmp_path / "again.csv").sha256 == safe.sha256


def test_parquet_and_json_lines(tmp_path):
    export_table(TABLE, tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet").schema.equals(TABLE.schema)
    export_table(TABLE, tmp_path / "t.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "user_id": "007",
        "probability": 1 / 3,
        "amount": 12.5,
        "day": "2011-06-11",
        "flag": True,
        "state": "a",
        "tags": ["vip", "x"],
    }
    assert lines[2]["probability"] is None


def test_an_empty_table_has_its_header(tmp_path):
    for suffix in ("csv", "parquet", "jsonl"):
        assert export_table(TABLE.slice(0, 0), tmp_path / f"t.{suffix}").rows == 0
    assert read_csv(tmp_path / "t.csv").column_names == TABLE.column_names


def test_an_unknown_suffix_and_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match=r"\.csv, \.parquet, \.jsonl"):
        export_table(TABLE, tmp_path / "t.xls")
    (tmp_path / "file").write_text("")
    with pytest.raises(RepriseError):
        export_table(TABLE, tmp_path / "file" / "t.csv")


def test_a_failed_export_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    before = export_table(TABLE, path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RepriseError, match="disk is full"):
        export_table(TABLE.slice(0, 1), path)
    monkeypatch.undo()
    assert export_table(TABLE, tmp_path / "u.csv").sha256 == before.sha256
    assert sorted(one.name for one in tmp_path.iterdir()) == ["t.csv", "u.csv"]
    assert read_csv(path).num_rows == 3


def long(*rows):
    names = ["user_id", "target", "horizon_days", "probability", "percentile", "state"]
    filled = [dict(zip(names, row, strict=True)) for row in rows]
    for row in filled:
        row |= {"as_of": date(2011, 6, 11), "model_version": f"{row['target']}-1", "release": "r1"}
    kinds = {"horizon_days": pa.int64(), "probability": pa.float64(), "percentile": pa.float64(), "as_of": pa.date32()}
    schema = pa.schema({name: kinds.get(name, pa.string()) for name in LONG_COLUMNS})
    return pa.Table.from_pylist(filled, schema=schema)


def test_wide_scores_by_hand():
    wide = wide_scores(
        long(
            ("b", "churn", 90, 0.4, 50.0, None),
            ("b", "churn", 30, 0.2, 0.0, None),
            ("a", "churn", 30, None, None, "already inactive"),
            ("a", "repurchase", 30, 0.1, 0.0, None),
        )
    )
    assert wide.to_pylist() == [
        {
            "user_id": "a",
            "churn_probability": None,
            "churn_percentile": None,
            "churn_state": "already inactive",
            "churn_probability_90d": None,
            "churn_percentile_90d": None,
            "churn_state_90d": None,
            "repurchase_probability": 0.1,
            "repurchase_percentile": 0.0,
            "as_of": date(2011, 6, 11),
            "release": "r1",
        },
        {
            "user_id": "b",
            "churn_probability": 0.2,
            "churn_percentile": 0.0,
            "churn_state": None,
            "churn_probability_90d": 0.4,
            "churn_percentile_90d": 50.0,
            "churn_state_90d": None,
            "repurchase_probability": None,
            "repurchase_percentile": None,
            "as_of": date(2011, 6, 11),
            "release": "r1",
        },
    ]


STATES = [
    ([None, None], [None, None], set()),
    (["x", None], ["x", None], {"churn_state"}),
    (["x", None], [None, "x"], {"churn_state", "churn_state_90d"}),
    (["x", None], [None, None], {"churn_state", "churn_state_90d"}),
    ([None, None], ["x", None], {"churn_state_90d"}),
]


@pytest.mark.parametrize(("first", "later", "columns"), STATES)
def test_a_state_has_a_column_only_where_it_says_something(first, later, columns):
    rows = [
        ("ab"[k], "churn", days, 0.1, 0.0, states[k]) for days, states in ((30, first), (90, later)) for k in (0, 1)
    ]
    assert {name for name in wide_scores(long(*rows)).column_names if "state" in name} == columns


def test_wide_suggestions_by_hand():
    same = {"as_of": date(2011, 6, 11), "release": "r1"}
    rows = [("b", 2, "i2"), ("b", 1, "i1"), ("a", 1, "007")]
    table = pa.Table.from_pylist([{"user_id": u, "rank": k, "item_id": i, **same} for u, k, i in rows])
    assert wide_suggestions(table).to_pylist() == [
        {"user_id": "a", "suggestion_1": "007", "suggestion_2": None, **same},
        {"user_id": "b", "suggestion_1": "i1", "suggestion_2": "i2", **same},
    ]
    with pytest.raises(DataProblemError, match="rank 1 hold a user twice"):
        wide_suggestions(pa.concat_tables([table, table]))


def test_the_manifest_stands_beside_the_file(tmp_path):
    report = export_table(TABLE.slice(0, 0), tmp_path / "t.csv", "raw")
    path = write_manifest(report, {"release": "r1", "as_of": date(2011, 6, 11)})
    told = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "t.csv.manifest.json"
    assert (told["rows"], told["csv_mode"], told["as_of"], told["release"]) == (0, "raw", "2011-06-11", "r1")
    assert told["sha256"] == report.sha256


def test_the_declared_first_horizon_is_bare():
    scores = long(("a", "churn", 30, 0.2, 0.0, None), ("a", "churn", 90, 0.4, 0.0, None))
    row = wide_scores(scores, {"churn": 90}).to_pylist()[0]
    assert (row["churn_probability"], row["churn_probability_30d"]) == (0.4, 0.2)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["churn", "x"]), st.sampled_from([7, 30])),
        st.one_of(st.none(), st.floats(0, 1)),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100)
def test_every_long_probability_is_in_its_wide_cell(scores, random):
    rows = [(*key, value, value, None) for key, value in scores.items()]
    random.shuffle(rows)
    wide = wide_scores(long(*rows), {"churn": 7, "x": 7})
    cells = {row["user_id"]: row for row in wide.to_pylist()}
    found = {}
    for user, target, horizon in scores:
        both = {h for _, t, h in scores if t == target}
        name = f"{target}_probability" + ("_30d" if horizon == 30 and 7 in both else "")
        found[user, target, horizon] = cells[user][name]
    assert found == scores
    assert wide.column("user_id").to_pylist() == sorted({user for user, _, _ in scores})


def test_scores_that_cannot_be_one_wide_table():
    one = long(("a", "churn", 30, 0.2, 0.0, None))
    with pytest.raises(DataProblemError, match="twice"):
        wide_scores(pa.concat_tables([one, one]))
    other = long(("b", "churn", 30, 0.2, 0.0, None)).set_column(8, "release", pa.array(["r2"]))
    with pytest.raises(DataProblemError, match="2 different release"):
        wide_scores(pa.concat_tables([one, other]))
    with pytest.raises(DataProblemError, match="percentile missing"):
        wide_scores(one.drop_columns(["percentile"]))
