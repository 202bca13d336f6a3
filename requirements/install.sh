#!/usr/bin/env bash
# Makes .venv from the locks. On an empty Debian it installs the two system packages it needs itself, where it may.
set -euo pipefail
cd "$(dirname "$0")/.."
. requirements/system.sh

python=""
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { say "Reprise needs Python 3.11 or newer; install it and run again."; exit 1; }

missing=()
"$python" -c 'import ensurepip, venv' >/dev/null 2>&1 || missing+=(python3-venv)
"$python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' >/dev/null 2>&1 || missing+=(libgomp1)
[ "${#missing[@]}" = 0 ] || system_packages "Reprise needs system packages: ask an administrator, then run again:" "${missing[@]}"

say "making .venv with $("$python" --version)"
rm -rf .venv
"$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
say "installing packages, one or two minutes"
# The fast installer first, with its own certificates, then with the machine's; where it cannot reach the registry as
# pip is set up to do, pip itself.
install=(.venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes -r requirements/lock.txt)
if ! "${install[@]}" 2>/dev/null && ! "${install[@]}" --system-certs; then
    say "falling back to pip, which takes some minutes"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
# An empty tracking store, to be copied into new workspaces: MLflow takes seconds to make one.
(cd .venv && MLFLOW_DISABLE_TELEMETRY=true bin/python -W ignore -c \
    'import mlflow; mlflow.MlflowClient("sqlite:///mlflow-empty.new").search_experiments()' >/dev/null 2>&1 \
    && mv mlflow-empty.new mlflow-empty.db) || true
touch .venv/ready
