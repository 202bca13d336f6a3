#!/usr/bin/env bash
# What only the tests need: Spark, a Java to run it, a PostgreSQL server. Without the last two their tests skip, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

missing=()
command -v java >/dev/null 2>&1 || missing+=(default-jre-headless)
command -v pg_ctl >/dev/null 2>&1 || compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null || missing+=(postgresql)
if [ "$(uname -s)" = Linux ] && [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing system packages for the tests: ${missing[*]}"
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
    else
        say "some tests will skip: they need 'apt-get install ${missing[*]}'."
    fi
fi

say "installing Spark for the tests"
install=(.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/spark.txt)
if ! "${install[@]}" 2>/dev/null && ! "${install[@]}" --system-certs; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/spark.txt
fi
touch .venv/ready-for-tests
