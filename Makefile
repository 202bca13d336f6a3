SHELL := bash
DEMO_USERS ?= 20000
DEMO_SEED ?= 7
BIN := .venv/bin

.PHONY: demo test lint lock mlflow benchmark clean

demo: .venv/ready  ## the main job: a made-up shop, from orders to a served, scored audience
	@$(BIN)/reprise demo --users $(DEMO_USERS) --seed $(DEMO_SEED)

test: lint .venv/ready-for-tests  ## everything that must hold
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --durations=15 --numprocesses logical --maxprocesses 4

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy warehouse features models training serving audiences insights pipeline console cli
	$(BIN)/mypy --explicit-package-bases benchmarks

.venv/ready: requirements/lock.txt requirements/bootstrap.txt requirements/install.sh requirements/system.sh
	@requirements/install.sh

.venv/ready-for-tests: .venv/ready requirements/spark.txt requirements/mlflow-server.txt requirements/for_tests.sh
	@requirements/for_tests.sh

LOCK := uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11

lock:  ## pin every package anew (needs uv)
	$(LOCK) --extra dev pyproject.toml requirements/build.in --output-file requirements/lock.txt
	$(LOCK) --extra spark --constraint requirements/lock.txt pyproject.toml --output-file requirements/spark.txt
	$(LOCK) --constraint requirements/lock.txt requirements/mlflow-server.in --output-file requirements/mlflow-server.txt

mlflow: .venv/ready  ## open the runs of the workspace W (default: demo)
	set -a && . mlflow/server.env && set +a && cd $(or $(W),demo) && $(CURDIR)/$(BIN)/mlflow server \
	    --workers 1 --backend-store-uri sqlite:///mlflow.db --default-artifact-root mlflow-artifacts \
	    --host $$MLFLOW_SERVER_HOST --port $$MLFLOW_SERVER_PORT --allowed-hosts "$$MLFLOW_SERVER_ALLOWED_HOSTS"

benchmark: .venv/ready
	$(BIN)/python -m benchmarks.features

clean:
	rm -rf .venv demo build *.egg-info
