"""Whose the acts of a device were on which somebody signed in later, and since when that is known.

An act without a user belongs to the user of the first event of its device, at that moment or later, that names one; of
several such events to that of the one known first, so that what arrives later takes no act away from whom it was given
to. It is known once that event happened and was recorded: the act is kept for the user as recorded then, and so is
invisible at every earlier date. What comes after the last login of a device stays nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from warehouse.casting import literal
from warehouse.layout import listed
from warehouse.spooling import BUCKET, bucket_number


def joined_events(
    connection: duckdb.DuckDBPyConnection, signed_in: Sequence[Path], anonymous: Path, buckets: int
) -> tuple[str, list[int]]:
    """SQL of the acts of nobody that became somebody's, with `BUCKET`, and the buckets in which there are some.

    `signed_in` are the files of the events with a user, `anonymous` that of those without. `entity_id` and `user_id`
    are the user, `recorded_at` is when it was known that the act is theirs; the rest is as it was.
    """
    acts = f"read_parquet([{literal(str(anonymous))}], file_row_number = true)"
    connection.execute(f"""
        create or replace temp table owners as
        with acts as (
            select file_row_number as number, device_id, occurred_at from {acts}
            where user_id is null and device_id is not null
        ),
        logins as (
            select device_id, occurred_at, user_id, greatest(occurred_at, recorded_at) as known_at
            from {listed(signed_in)}
            where user_id is not null and device_id in (select device_id from acts)
        ),
        moments as (
            select device_id, occurred_at, min(known_at) as known_at, arg_min(user_id, (known_at, user_id)) as user_id
            from logins group by device_id, occurred_at
        ),
        first_known as (
            select * from moments
            qualify known_at <= min(known_at) over (partition by device_id order by occurred_at desc)
        )
        select acts.number, first_known.user_id, first_known.known_at
        from acts asof join first_known
            on acts.device_id = first_known.device_id and acts.occurred_at <= first_known.occurred_at
    """)
    number = bucket_number(buckets)
    joined = (
        f"select *, {number} as {BUCKET} from ("
        "select acts.* exclude (file_row_number) replace (owners.user_id as entity_id, owners.user_id as user_id,"
        " greatest(acts.recorded_at, owners.known_at) as recorded_at)"
        f" from {acts} as acts inner join owners on acts.file_row_number = owners.number) as joined"
    )
    there = f"select distinct {number} from (select distinct user_id as entity_id from owners) as users order by 1"
    return joined, [bucket for (bucket,) in connection.execute(there).fetchall()]
