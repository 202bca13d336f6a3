"""Where tokens come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.access import tokens_from_environment
from warehouse.errors import UsageError

TOKEN = "a-token-of-20-letters"


def allowed(environment: dict[str, str], token: str) -> bool:
    from serving.problems import ProblemError

    tokens = tokens_from_environment(environment)
    assert tokens is not None
    try:
        tokens.check({"path": "/v1/release", "headers": [(b"authorization", b"Bearer " + token.encode())]})
    except ProblemError:
        return False
    return True


def test_from_the_variable_and_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(f"# ours\n{TOKEN}\n\n")
    for told in (f"other-token-of-letters, {TOKEN}", f"@{tmp_path / 'tokens'}"):
        assert allowed({"REPRISE_TOKENS": told}, TOKEN)
        assert not allowed({"REPRISE_TOKENS": told}, TOKEN[:-1])
        assert not allowed({"REPRISE_TOKENS": told}, "# ours")


def test_none_set() -> None:
    assert tokens_from_environment({}) is None


@pytest.mark.parametrize("told", ["short", f"{TOKEN},x", ",", "@/nowhere"])
def test_what_cannot_guard_is_refused(told: str) -> None:
    with pytest.raises(UsageError):
        tokens_from_environment({"REPRISE_TOKENS": told})
