"""The process that talks to MLflow: one JSON job a line in, one JSON answer a line out (see `tracking`).

Started as `python -m training.mlflow_process URI [ARTIFACT_FOLDER]`; ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

MODEL_FOLDER = "model"
KEY = "reprise.record"
REQUIREMENTS = ("lightgbm", "numpy", "pyarrow", "pandas", "scipy")


class Recorder:
    """Writes records to one tracking store."""

    def __init__(self, uri: str, artifact_folder: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(uri, uri)
        self.artifact_folder = artifact_folder
        self.experiments: dict[str, str] = {}
        # The first request makes the database of a new workspace, or tells that there is no server.
        self.client.search_experiments(max_results=1)

    def _experiment(self, name: str) -> str:
        if name not in self.experiments:
            found = self.client.get_experiment_by_name(name)
            folder = Path(self.artifact_folder).as_uri() if self.artifact_folder else None
            self.experiments[name] = found.experiment_id if found else self.client.create_experiment(name, folder)
        return self.experiments[name]

    def log(self, record: dict[str, Any]) -> dict[str, Any]:
        """One run: params, metrics and tags in one request, then its files, then its registered model.

        A record that was sent before goes on where it stopped, as far as the server holds it.
        """
        from mlflow.entities import Metric, Param, RunTag

        experiment = self._experiment(record["experiment"])
        begun = self._begun(record, experiment) if record["again"] else None
        if begun is not None and begun.info.status == "FINISHED":
            return {"run_id": begun.info.run_id, "model_version": self._registered(record, begun)}
        run = (
            begun
            or self._known(record["run_id"])
            or self.client.create_run(experiment, record["at"], self._key(record), record["run_name"])
        )
        run_id, now = run.info.run_id, int(time.time() * 1000)
        try:
            self.client.log_batch(
                run_id,
                [Metric(k, v, now, 0) for k, v in record["metrics"].items()],
                [Param(k, v) for k, v in record["params"].items()],
                [RunTag(k, v) for k, v in record["tags"].items()],
            )
            if record["data"]:
                self._log_data(run_id, record["data"])
            with tempfile.TemporaryDirectory(prefix="reprise-run-") as folder:
                _write(Path(folder), record["artifacts"])
                if record["model_files"]:
                    _describe_model(Path(folder) / MODEL_FOLDER, Path(record["model_files"]), run_id)
                elif record["model_texts"]:
                    _describe_recipe(Path(folder) / MODEL_FOLDER, record["model_texts"], run_id)
                self.client.log_artifacts(run_id, folder)
            held = record["model_files"] or record["model_texts"]
            model_version = self._register(record, run) if record["model_name"] and held else None
        except Exception as error:
            # A server that is gone would only be waited for once more.
            if _refused(error):
                self.client.set_terminated(run_id, "FAILED")
            raise
        if record["running"]:
            self.client.update_run(run_id, "RUNNING")
        else:
            self.client.set_terminated(run_id)
        return {"run_id": run_id, "model_version": model_version}

    def _log_data(self, run_id: str, fingerprint: str) -> None:
        """The store a run was made from, as MLflow's dataset: its fingerprint, not a row of it."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source = json.dumps({"fingerprint": fingerprint})
        data = Dataset("store", fingerprint[:32], "reprise", source)
        self.client.log_inputs(run_id, datasets=[DatasetInput(data, [InputTag("mlflow.data.context", "training")])])

    def _known(self, run_id: str | None) -> Any:
        """The run of that id; None where there is none, or none any more."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run_id) if run_id else None
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _key(self, record: dict[str, Any]) -> dict[str, str]:
        """The tag by which a record's run is found again; none where records never wait."""
        return {KEY: record["key"]} if record["key"] else {}

    def _begun(self, record: dict[str, Any], experiment: str) -> Any:
        """The run that an earlier attempt at the same record has made."""
        return next(
            iter(self.client.search_runs([experiment], f"tags.`{KEY}` = '{record['key']}'", max_results=1)), None
        )

    def _registered(self, record: dict[str, Any], run: Any) -> str | None:
        """The version of a model that was registered from a run."""
        found = self.client.search_model_versions(f"run_id = '{run.info.run_id}'")
        return next((str(each.version) for each in found if each.name == record["model_name"]), None)

    def _register(self, record: dict[str, Any], run: Any) -> str:
        from mlflow.exceptions import MlflowException

        name = record["model_name"]
        if record["again"] and (there := self._registered(record, run)):
            return there
        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = f"{run.info.artifact_uri}/{MODEL_FOLDER}"
        made = self.client.create_model_version(name, source, run.info.run_id, tags=record["tags"])
        if record["alias"]:
            self.client.set_registered_model_alias(name, record["alias"], made.version)
        return str(made.version)

    def alias(self, job: dict[str, Any]) -> dict[str, Any]:
        """Moves an alias."""
        self.client.set_registered_model_alias(job["name"], job["alias"], job["version"])
        return {}

    def read(self, job: dict[str, Any]) -> dict[str, Any]:
        """The text of one artifact."""
        with tempfile.TemporaryDirectory(prefix="reprise-run-") as folder:
            path = self.client.download_artifacts(job["run_id"], job["artifact"], folder)
            return {"text": Path(path).read_text(encoding="utf-8")}

    def describe(self, job: dict[str, Any]) -> dict[str, Any]:
        """What is told of a run, and which registered versions are made from it."""
        run = self.client.get_run(job["run_id"])
        versions = self.client.search_model_versions(f"run_id = '{job['run_id']}'")
        return {
            "status": run.info.status,
            "experiment": self.client.get_experiment(run.info.experiment_id).name,
            "params": dict(run.data.params),
            "metrics": dict(run.data.metrics),
            "tags": dict(run.data.tags),
            "versions": [[each.name, str(each.version)] for each in versions],
        }

    def fetch(self, job: dict[str, Any]) -> dict[str, Any]:
        """Copies a folder of artifacts."""
        import shutil

        with tempfile.TemporaryDirectory(prefix="reprise-run-") as folder:
            path = self.client.download_artifacts(job["run_id"], job["artifact"], folder)
            shutil.copytree(path, job["folder"], dirs_exist_ok=True)
        return {}


def _describe_model(folder: Path, files: Path, run_id: str) -> None:
    """The model's files beside an `MLmodel` that names our own loader: text and JSON, nothing pickled."""
    import shutil

    from mlflow.models import Model

    shutil.copytree(files, folder / "data")
    described = Model(artifact_path=MODEL_FOLDER, run_id=run_id, signature=_signature(files / "model.json"))
    described.add_flavor(
        "python_function", loader_module="training.mlflow_model", data="data", env={"virtualenv": "python_env.yaml"}
    )
    _show_example(described, folder, files / "example.json")
    described.save(str(folder / "MLmodel"))
    pins = [f"{name}=={version(name)}" for name in REQUIREMENTS]
    (folder / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    python = f"python: {sys.version_info.major}.{sys.version_info.minor}\n"
    (folder / "python_env.yaml").write_text(f"{python}dependencies:\n- -r requirements.txt\n", encoding="utf-8")


def _signature(file: Path) -> Any:
    """Every column a tree model reads, by its kind, and the probability it gives; None for a rule, or no such file."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    schema = json.loads(file.read_text(encoding="utf-8"))["schema"] if file.is_file() else None
    if not schema:
        return None
    kinds = {name: "string" if name in schema["categories"] else "double" for name in schema["names"]}
    columns: list[Any] = [ColSpec(kind, name, required=False) for name, kind in kinds.items()]
    return ModelSignature(Schema(columns), Schema([ColSpec("double")]))


def _show_example(described: Any, folder: Path, file: Path) -> None:
    """The made-up row beside the model, in the form in which MLflow keeps an input example, and marked as made up."""
    if not file.is_file():
        return
    example = json.loads(file.read_text(encoding="utf-8"))
    names, values = list(example["row"]), list(example["row"].values())
    split = {"columns": names, "data": [values]}
    shown = {"input_example.json": split, "serving_input_example.json": {"dataframe_split": split}}
    _write(folder, {name: json.dumps(told, ensure_ascii=False) for name, told in shown.items()})
    described.saved_input_example_info = {
        "artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json",
        "type": "dataframe", "pandas_orient": "split",
    }  # fmt: skip
    described.metadata = {**(described.metadata or {}), "input_example": example["made_up"]}


def _describe_recipe(folder: Path, texts: dict[str, str], run_id: str) -> None:
    """Texts beside an `MLmodel` of a flavor of our own: what they tell of is made again from data, not opened."""
    from mlflow.models import Model

    _write(folder / "data", texts)
    described = Model(artifact_path=MODEL_FOLDER, run_id=run_id)
    described.add_flavor("reprise", data="data")
    described.save(str(folder / "MLmodel"))


def _write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _refused(error: BaseException) -> bool:
    """Whether the store did answer, and would not: by MLflow's codes, a request that is wrong or not allowed."""
    from mlflow.exceptions import MlflowException

    if not isinstance(error, MlflowException):
        return False
    status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
    return 400 <= status < 500


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500].rstrip(".") or type(error).__name__


def main(uri: str, artifact_folder: str = "") -> None:
    """Answers `{}` when the store is ready, then each job in turn; an error is an answer, not an end."""
    # Whatever MLflow prints goes to the error stream, so that answers stay the only lines of the output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(do: Callable[[], dict[str, Any]]) -> bool:
        try:
            told = do()
        except Exception as error:
            told = {"error": _one_line(error), "refused": _refused(error)}
        answers.write(json.dumps(told) + "\n")
        answers.flush()
        return "error" not in told

    recorders: list[Recorder] = []

    def ready() -> dict[str, Any]:
        recorders.append(Recorder(uri, artifact_folder))
        return {}

    if not answer(ready):
        return
    recorder = recorders[0]
    for line in sys.stdin:
        job = json.loads(line)
        does: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "log": lambda j: recorder.log(j["record"]),
            "alias": recorder.alias,
            "read": recorder.read,
            "describe": recorder.describe,
            "fetch": recorder.fetch,
        }
        do = does[job["do"]]
        answer(lambda do=do, job=job: do(job))  # type: ignore[misc]


if __name__ == "__main__":
    main(*sys.argv[1:])
