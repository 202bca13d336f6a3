"""What a serving process never loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_service_starts_without_training_mlflow_and_data_frames() -> None:
    unwanted = ("mlflow", "training", "pandas", "sklearn", "implicit", "pipeline")
    code = f"import serving.service, sys; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_here_can_unpickle() -> None:
    forbidden = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal", "mlflow", "training"}
    for path in sorted((ROOT / "serving").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {
            alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not names & forbidden, path.name
        loose = [node for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "allow_pickle"]
        assert not loose, path.name
