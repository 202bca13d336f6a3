"""Who may ask: bearer tokens, kept as SHA-256 and compared in constant time.

Without tokens the service is open, and the runner then listens on this machine only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.problems import ProblemError
from warehouse.errors import UsageError

VARIABLE = "REPRISE_TOKENS"
OPEN_PATHS = frozenset({"/livez", "/readyz", "/healthz"})
SHORTEST = 16


class Tokens:
    """The tokens that are let in."""

    def __init__(self, tokens: Sequence[str]) -> None:
        short = [token for token in tokens if len(token) < SHORTEST]
        if short or not tokens:
            raise UsageError(f"A token has at least {SHORTEST} characters, and there must be one.")
        self._digests = [_digest(token) for token in tokens]

    def check(self, scope: Mapping[str, Any]) -> None:
        """Raises a 401 problem unless the request carries one of the tokens or asks a probe."""
        if scope["path"] in OPEN_PATHS:
            return
        given = next(
            (bytes(value).decode("latin-1") for name, value in scope["headers"] if name == b"authorization"), ""
        )
        scheme, _, token = given.partition(" ")
        digest = _digest(token.strip() if scheme.lower() == "bearer" else "")
        # All are compared, so that the time taken does not tell which one was near.
        if not sum(hmac.compare_digest(digest, known) for known in self._digests):
            raise ProblemError(401, "A valid bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})


def tokens_from_environment(environment: Mapping[str, str] = os.environ) -> Tokens | None:
    """Tokens of `REPRISE_TOKENS`: separated by commas, or `@FILE` with one a line. None where it is not set."""
    told = environment.get(VARIABLE, "").strip()
    if not told:
        return None
    if told.startswith("@"):
        try:
            lines = Path(told[1:]).read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise UsageError(f"The file of tokens named by {VARIABLE} cannot be read.") from error
        return Tokens([line.strip() for line in lines if line.strip() and not line.startswith("#")])
    return Tokens([token.strip() for token in told.split(",") if token.strip()])


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
