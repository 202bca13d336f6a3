"""A release whose big tables are streamed is the release of the same tables, and answers are those of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audiences.exports import export_table
from serving.columns import SortedRows
from serving.manifest import ReleaseError
from serving.release import ReleaseContents, write_release
from serving.schemas import SUGGESTIONS
from serving.scoring import score_streamed
from warehouse.streamed import Streamed, write_parquet


def cut(table: pa.Table, size: int) -> Streamed:
    def chunks(columns: Sequence[str] | None) -> list[pa.Table]:
        wanted = table.select(table.column_names if columns is None else list(columns))
        return [wanted.slice(start, size) for start in range(0, table.num_rows, size)]

    return Streamed(table.schema, chunks)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_of_chunks_changes_no_byte(tmp_path: Path, contents: ReleaseContents, size: int) -> None:
    features = cut(contents.features, size)
    scores = score_streamed(contents.models, features, as_of=contents.as_of, release=contents.release)
    assert contents.suggestions is not None
    big = {"features": features, "scores": scores, "suggestions": cut(contents.suggestions, size)}
    write_release(tmp_path / "whole", contents)
    write_release(tmp_path / "streamed", replace(contents, **big))  # type: ignore[arg-type]
    assert (tmp_path / "whole" / "manifest.json").read_bytes() == (tmp_path / "streamed" / "manifest.json").read_bytes()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_an_export_in_chunks_is_the_export_of_the_whole(tmp_path: Path, contents: ReleaseContents, suffix: str) -> None:
    table = contents.scores.held() if isinstance(contents.scores, Streamed) else contents.scores
    whole, streamed = (export_table(each, tmp_path / f"{n}.{suffix}") for n, each in enumerate((table, cut(table, 33))))
    assert (whole.sha256, whole.rows, whole.guarded) == (streamed.sha256, streamed.rows, streamed.guarded)


@given(st.lists(st.tuples(st.sampled_from(["", "a", "ab", "b", "é"]), st.sampled_from([None, "x", "y"]))))
@settings(max_examples=30, deadline=None)
def test_the_rows_of_one_are_those_of_the_table(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str | None]]
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    table = pa.table(
        {
            "id": pa.array([row[0] for row in rows], pa.string()),
            "text": pa.array([row[1] for row in rows], pa.string()),
            "n": pa.array(range(len(rows)), pa.int64()),
        }
    )
    path = tmp_path_factory.mktemp("sorted") / "t.parquet"
    write_parquet(table, path)
    for held in (SortedRows("id", table), SortedRows.read("id", path, table.schema)):
        assert len(held) == len(rows)
        for key in ("", "a", "ab", "abc", "b", "z", "é"):
            assert held.of(key) == [row for row in table.to_pylist() if row["id"] == key]
        assert set(held.values("text").to_pylist()) == {row[1] for row in rows}
        assert set(held.values("id").to_pylist()) == {row[0] for row in rows}


@pytest.mark.parametrize("ids", [["b", "a"], ["a", "b", "a"]])
def test_rows_that_are_not_sorted_are_refused(ids: list[str]) -> None:
    with pytest.raises(ReleaseError, match="not sorted"):
        SortedRows("user_id", pa.table({"user_id": ids, "n": range(len(ids))}))


def test_suggestions_of_nobody(tmp_path: Path) -> None:
    write_parquet(SUGGESTIONS.empty_table(), tmp_path / "s.parquet")
    held = SortedRows.read("user_id", tmp_path / "s.parquet", SUGGESTIONS, ("user_id", "item_id"))
    assert (len(held), held.of("a"), held.values("item_id").to_pylist()) == (0, [], [])
