"""Our OpenAPI document is true: generated requests, good and bad, meet only the answers it names."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from serving import openapi, wire
from serving.lookups import BODIES

# A rule's grammar and what lines must agree on cannot be said in JSON Schema, so a body that fits it may be a 422.
BEYOND_THE_SCHEMA = [positive_data_acceptance]
OPERATIONS = [f"{method.upper()} {path}" for path, methods in openapi.document()["paths"].items() for method in methods]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_as_described(app: Any, label: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app)
    operation = next(each.ok() for each in schema.get_all_operations() if each.ok().label == label)
    if mode is GenerationMode.NEGATIVE and label == "GET /v1/release":
        pytest.skip("it has nothing that could be wrong")

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    def ask(case: Any) -> None:
        case.call_and_validate(excluded_checks=BEYOND_THE_SCHEMA if "POST" in label else [])

    ask()


def test_the_document_names_every_route(app: Any) -> None:
    told = set(openapi.document()["paths"])
    ours = {route.path.replace(":path", "") for route in app.routes if route.path.startswith("/v1/")}
    assert told == ours - {"/v1/openapi.json"}


def test_bodies_of_the_guard_are_those_of_the_document() -> None:
    paths = openapi.document()["paths"]
    for path, model in BODIES.items():
        reference = paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference.endswith(model.__name__)


def test_examples_of_lines_follow_the_contract() -> None:
    schemas = openapi.document()["components"]["schemas"]
    assert set(schemas["OrderLine"]["required"]) == {"user_id", "ordered_at"}
    assert set(schemas["EventLine"]["required"]) == {"user_id", "occurred_at", "event"}
    assert wire.OrderLine.model_json_schema()["additionalProperties"] is False
