"""One shape for every error over HTTP (RFC 9457): what is wrong and where, never a value that was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

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
    """What is wrong with a body, by place and rule; keys nobody knows are not repeated."""
    known = _names(model.model_json_schema())
    errors = [
        {"where": ".".join(_place(part, known) for part in each["loc"]) or "body", "message": each["msg"]}
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ProblemError(422, "The body is not as it must be.", errors)


def _names(schema: Mapping[str, Any]) -> set[str]:
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}


def _place(part: object, known: set[str]) -> str:
    return str(part) if isinstance(part, int) or part in known else "(unknown key)"
