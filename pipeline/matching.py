"""Whom a product suits: by the current release, among all customers or those of a rule, shown or written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from audiences.exports import export_table, write_manifest
from features import rules
from pipeline.lists import current
from serving import customers
from serving.peers import similar_users
from serving.release import Release
from serving.takers import Found, Wanted, answer, takers
from warehouse.workspace import Workspace


def match(workspace: Workspace, wanted: Wanted, n: int, rule: str | None) -> tuple[Release, Found]:
    """At most `n` customers for what is wanted, among those for whom a rule is true."""
    release = current(workspace)
    return release, takers(release, wanted, n, None if rule is None else _chosen(release, rule))


def alike(workspace: Workspace, user_id: str, n: int) -> dict[str, Any]:
    """At most `n` customers who buy like one, by the current release."""
    return similar_users(current(workspace), user_id, n)


def write(release: Release, wanted: Wanted, found: Found, rule: str | None, out: Path) -> dict[str, Any]:
    """Writes them to a file, what it was made of beside it; its type by its suffix."""
    report = export_table(found.table, out, "safe")
    facts = {
        **{name: value for name, value in answer(release, wanted, found).items() if name != "users"},
        "rule": rule,
        "suppression": "who refused profiling is left out; this is no contact list: build an audience for that",
    }
    return {**facts, "out": report.path, "manifest": write_manifest(report, facts), "rows": report.rows}


def _chosen(release: Release, text: str) -> list[str]:
    """The customers for whom the rule is true."""
    rule = rules.check(rules.read(text), customers.fields(release))
    people = customers.customers(release, rules.fields_of(rule))
    return list(people["entity_id"].filter(pa.array(rules.evaluate(rule, people))).to_pylist())
