"""Ratings split by time into the two files of `reprise benchmark recommend`: of each user the last fifth is the test.

    python -m benchmarks.movielens ../shared/data/movielens_latest_small/ratings.parquet FOLDER
    reprise benchmark recommend --train FOLDER/train.csv --test FOLDER/test.csv --repeats exclude

Every rating counts as one purchase, whatever its stars: what is predicted is what somebody watches and rates next.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import duckdb
import pyarrow as pa
from pyarrow import csv

_SPLIT = """
with numbered as (
    select *, row_number() over (partition by "userId" order by "timestamp", "movieId") as place,
        count(*) over (partition by "userId") as rated
    from read_parquet($ratings)
)
select "userId" as user_id, "movieId" as item_id, "timestamp" as occurred_at
from numbered where (place > rated * 0.8) = $last order by all
"""


def main() -> None:
    """Writes train.csv and test.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ratings", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, last in (("train", False), ("test", True)):
        found = duckdb.connect().sql(_SPLIT, params={"ratings": str(asked.ratings), "last": last})
        rows: pa.Table = found.to_arrow_table()
        csv.write_csv(rows, asked.folder / f"{name}.csv")
        print(f"{name}: {rows.num_rows} ratings")


if __name__ == "__main__":
    main()
