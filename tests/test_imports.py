"""Who may import whom, read from the syntax trees: the data flow down, nothing flows back."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "warehouse": set(),
    "features": {"warehouse"},
    "models": {"warehouse"},
    "training": {"warehouse", "features", "models"},
    "audiences": {"warehouse", "features"},
    "serving": {"warehouse", "features", "models", "audiences"},
    "campaigns": {"warehouse", "features", "audiences"},
    "insights": {"warehouse", "features"},
    "pipeline": {
        "warehouse", "features", "models", "training", "audiences", "serving", "campaigns", "insights",
    },
}  # fmt: skip
ALLOWED["console"] = ALLOWED["pipeline"] | {"pipeline"}
ALLOWED["cli"] = ALLOWED["console"] | {"console"}
NAMES_OF_NOTHING = {"utils", "common", "helpers"}
NAMES_OF_OTHERS = {"intake", "datasets", "tables", "records"}


def imported(tree: ast.AST) -> set[str]:
    """The top-level names of all modules a syntax tree imports, at any depth of nesting."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


def violations(package: str, source: str) -> set[str]:
    return (imported(ast.parse(source)) & set(ALLOWED)) - ALLOWED[package] - {package}


@pytest.mark.parametrize("package", [name for name in ALLOWED if (ROOT / name).is_dir()])
def test_imports_follow_the_table(package: str) -> None:
    found = {
        str(path.relative_to(ROOT)): wrong
        for path in sorted((ROOT / package).rglob("*.py"))
        if (wrong := violations(package, path.read_text(encoding="utf-8")))
    }
    assert not found


def test_a_planted_violation_is_seen() -> None:
    assert violations("models", "def f():\n    from features import build\n") == {"features"}
    assert violations("serving", "import training.protocol as p\n") == {"training"}
    assert violations("pipeline", "import cli") == {"cli"}


def test_serving_never_unpickles_and_never_talks_to_mlflow() -> None:
    for package in ("serving", "models", "audiences", "features", "warehouse"):
        for path in (ROOT / package).rglob("*.py"):
            names = imported(ast.parse(path.read_text(encoding="utf-8")))
            assert not names & {"mlflow", "pickle", "joblib", "cloudpickle", "dill"}, path


def test_the_settings_folder_of_mlflow_does_not_shadow_the_package() -> None:
    assert not list((ROOT / "mlflow").rglob("*.py"))


def test_no_room_is_named_for_nothing() -> None:
    named = {path.stem for package in ALLOWED for path in (ROOT / package).rglob("*") if path.suffix in ("", ".py")}
    assert not named & NAMES_OF_NOTHING


def test_no_top_level_folder_has_the_name_of_a_package_that_others_import() -> None:
    assert not {path.name for path in ROOT.iterdir() if path.is_dir()} & NAMES_OF_OTHERS


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
