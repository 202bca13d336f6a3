#!/usr/bin/env bash
# What only the tests need: Spark, a Java to run it, a PostgreSQL server, MLflow's driver for it. Where Java or PostgreSQL
# cannot be installed their tests skip, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. requirements/system.sh

missing=()
command -v java >/dev/null 2>&1 || missing+=(default-jre-headless)
command -v pg_ctl >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null || missing+=(postgresql)
[ "${#missing[@]}" = 0 ] || system_packages "some tests will skip; they need:" "${missing[@]}" || true

say "installing Spark and a driver for the tests"
locks=(-r requirements/spark.txt -r requirements/mlflow-server.txt)
install=(.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes "${locks[@]}")
if ! "${install[@]}" 2>/dev/null && ! "${install[@]}" --system-certs; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes "${locks[@]}"
fi
touch .venv/ready-for-tests
