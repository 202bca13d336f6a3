"""No package of ours reads the truth of the made-up shop: only tests may compare with it."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(r"(^|[/\\])truth([/\\]|$)")


def _texts(tree: ast.AST) -> list[str]:
    """All text constants but docstrings, which may talk about it."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return [
        n.value
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs
    ]


def _packages() -> list[str]:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    return sorted({name.partition(".")[0] for name in listed})


def test_the_pattern_finds_what_it_looks_for() -> None:
    assert READS.search("truth/users.parquet")
    assert READS.search("truth")
    assert READS.search("shop/truth/contacts.parquet")
    assert not READS.search("the ground truth of it")
    tree = ast.parse('"""truth/users.parquet"""\np = d / "truth" / "users.parquet"\nq = f"{d}/truth/x"')
    assert {t for t in _texts(tree) if READS.search(t)} == {"truth", "/truth/x"}


def test_no_package_outside_the_shop_names_the_truth() -> None:
    shop = ROOT / "warehouse" / "shop"
    files = [p for name in _packages() for p in (ROOT / name).rglob("*.py") if shop not in p.parents]
    assert len(files) > 5
    told = [f"{p.relative_to(ROOT)}" for p in files if any(map(READS.search, _texts(ast.parse(p.read_text("utf-8")))))]
    queries = [p for name in _packages() for p in (ROOT / name).rglob("*.sql")]
    told += [f"{p.relative_to(ROOT)}" for p in queries if "truth/" in p.read_text("utf-8")]
    assert told == []
