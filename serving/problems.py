"""One shape for every error over HTTP (RFC 9457): what is wrong and where, never a value that was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import Response

from serving.wire import PATTERNS

MAX_ERRORS = 20
MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An answer that is an error. `errors` are `{"where": …, "message": …}`; none of it repeats an input value."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = [dict(each) for each in errors]
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The problem as JSON; more than 20 errors are counted, not told."""
        problem: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            problem["errors"] = self.errors[:MAX_ERRORS]
        if len(self.errors) > MAX_ERRORS:
            problem["detail"] += f" {len(self.errors)} errors; the first {MAX_ERRORS} are listed."
        return json.dumps(problem, ensure_ascii=False).encode()


def problem_response(problem: ProblemError) -> Response:
    """The problem as an answer."""
    return Response(problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


async def handle_problem(request: Request, error: Exception) -> Response:
    """Starlette's handler of problems; anything else is left to the guard."""
    if isinstance(error, ProblemError):
        return problem_response(error)
    raise error


def from_validation(error: ValidationError, model: type[BaseModel]) -> ProblemError:
    """What is wrong with a body, by place: what is expected there, never what was found.

    A key nobody knows is named where it could be a name of ours misspelt; others may be anything, and are not repeated.
    """
    known = _names(model.model_json_schema())
    expected: dict[str, list[str]] = {}
    for each in error.errors(include_url=False, include_input=False):
        words = expected.setdefault(_place(each, known), [])
        # Words for more than will be told would cost time that a hostile body could ask for.
        if len(expected) <= MAX_ERRORS and (word := _expected(each, known)) not in words:
            words.append(word)
    errors = [{"where": where, "message": _sentence(words)} for where, words in expected.items()]
    return ProblemError(422, "The body is not as it must be.", errors)


def _names(schema: Mapping[str, Any]) -> set[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}


def _place(error: ErrorDetails, known: set[str]) -> str:
    """Such as `orders.0.amount`; what pydantic adds for each kind a value may have is left out."""
    parts = [str(part) for part in error["loc"] if isinstance(part, int) or part in known]
    if error["type"] == "extra_forbidden":
        key = str(error["loc"][-1])
        parts += [key if _NAME.fullmatch(key) else "(unknown key)"] if key not in known else []
    return ".".join(parts) or "body"


def _expected(error: ErrorDetails, known: set[str]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        key = str(error["loc"][-1])
        near = get_close_matches(key, known, 1) if _NAME.fullmatch(key) else []
        return f"a known key, such as {near[0]}" if near else "a known key"
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    return _EXPECTED.get(kind, "another value").format(**context)


def _sentence(words: list[str]) -> str:
    kept = [word for word in words if word != "a whole number" or "a number" not in words]
    return f"expected {' or '.join(kept)}"


_NAME = re.compile("[A-Za-z_]{1,32}")
"""Longer ones, and those with digits, may be somebody's id."""

_EXPECTED = {
    "missing": "a value, and there is none",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a number",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "string_too_short": "a text of length {min_length} or more",
    "string_too_long": "a text of length {max_length} or less",
    "too_long": "at most {max_length} entries",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "literal_error": "{expected}",
    "value_error": "a day of the calendar",
}
