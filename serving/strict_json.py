"""JSON as the standard writes it: no NaN, no Infinity, no key twice, no bottomless nesting."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):  # noqa: N818 - reads as the finding it is
    """The bytes are not JSON; the message does not repeat them."""


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8; `NotJson` says what is wrong and where."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise NotJson("The body is not UTF-8.") from error
    except RecursionError as error:
        raise NotJson("The body is nested too deeply.") from error
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}.") from error
    except NotJson:
        raise
    except ValueError as error:
        raise NotJson("The body holds a number that is too long.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotJson("An object in the body has the same key twice.")
    return made


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON; leave the value out instead.")
