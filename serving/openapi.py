"""Our own OpenAPI document: made from the wire models and one table of routes, true for BentoML and the bare app."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving import wire

VERSION = "1.0.0"
_REF = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (
    wire.UserScores,
    wire.UserSuggestions,
    wire.UserDue,
    wire.UserProfile,
    wire.SimilarItems,
    wire.ItemTakers,
    wire.SimilarUsers,
    wire.BasketSuggestions,
    wire.ReleaseInfo,
    wire.ScoreRequest,
    wire.LineScores,
    wire.AudienceRequest,
    wire.Audience,
    wire.ExposuresRequest,
    wire.KeptExposures,
    wire.Problem,
)
_PROBLEMS = {
    400: "The request is not HTTP, UTF-8 or JSON.",
    401: "A bearer token is needed and was not given.",
    405: "This path does not know this method.",
    409: "What is asked for needs something the release has not.",
    413: "The body has more than 1 MB.",
    415: "The body is not application/json.",
    422: "A value is not as it must be.",
    429: "The service is busy.",
    500: "Something went wrong in the service.",
    503: "No release is being served, yet or because it was refused, or who must not be contacted cannot be told.",
}
_ID_SCHEMA = {"type": "string", "minLength": 1, "maxLength": wire.MAX_ID, "pattern": wire.ID_PATTERN}
_K = {
    "name": "k",
    "in": "query",
    "description": "How many at most.",
    "schema": {"type": "integer", "minimum": 1, "maximum": wire.MAX_K, "default": 10},
}
_N = {**_K, "name": "n", "schema": {"type": "integer", "minimum": 1, "maximum": wire.MAX_TAKERS, "default": 10}}
_EXCLUDE = {
    "name": "exclude",
    "in": "query",
    "description": "Items not to suggest, separated by commas or each by itself (exclude=A&exclude=B); at most 1,000. "
    "Unknown ones change nothing.",
    "schema": {"type": "string", "pattern": wire.IDS_PATTERN},
}

_CONTEXT = {
    "name": "context_items",
    "in": "query",
    "description": "Items just bought, or in the basket: never offered again, and what completes them is. As exclude.",
    "schema": {"type": "string", "pattern": wire.IDS_PATTERN},
}


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every route under /v1."""
    _, schemas = models_json_schema([(model, "validation") for model in _MODELS], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Reprise",
            "version": VERSION,
            "description": "Who will come back, who is leaving, what to offer. Every error is a problem (RFC 9457).",
        },
        "paths": {
            "/v1/users/{user_id}/scores": {
                "get": _operation("user_scores", "Scores of one user", wire.UserScores, [_path("user_id")])
            },
            "/v1/users/{user_id}/suggestions": {
                "get": _operation(
                    "user_suggestions",
                    "Items to offer a user",
                    wire.UserSuggestions,
                    [_path("user_id"), _K, _EXCLUDE, _CONTEXT],
                )
            },
            "/v1/suggestions": {
                "get": _operation(
                    "basket_suggestions",
                    "Items that complete a basket",
                    wire.BasketSuggestions,
                    [_K, _EXCLUDE, _CONTEXT],
                )
            },
            "/v1/users/{user_id}/due": {
                "get": _operation("user_due", "When a user's items are due", wire.UserDue, [_path("user_id")])
            },
            "/v1/users/{user_id}/similar": {
                "get": _operation("similar_users", "Who buys like a user", wire.SimilarUsers, [_path("user_id"), _N])
            },
            "/v1/users/{user_id}": {
                "get": _operation("user_profile", "What is known of one user", wire.UserProfile, [_path("user_id")])
            },
            "/v1/items/{item_id}/similar": {
                "get": _operation("similar_items", "Items like an item", wire.SimilarItems, [_path("item_id"), _K])
            },
            "/v1/items/{item_id}/users": {
                "get": _operation("item_users", "Whom an item suits", wire.ItemTakers, [_path("item_id"), _N])
            },
            "/v1/release": {"get": _operation("release", "What is served", wire.ReleaseInfo)},
            "/v1/score": {"post": _operation("score", "Scores of raw lines", wire.LineScores, body=wire.ScoreRequest)},
            "/v1/audience": {
                "post": _operation("audience", "The size of an audience", wire.Audience, body=wire.AudienceRequest)
            },
            "/v1/exposures": {
                "post": _operation(
                    "exposures", "What was shown, and clicked", wire.KeptExposures, body=wire.ExposuresRequest
                )
            },
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(
    name: str,
    summary: str,
    answer: type[BaseModel],
    parameters: list[dict[str, Any]] | None = None,
    body: type[BaseModel] | None = None,
) -> dict[str, Any]:
    statuses = set(_PROBLEMS) - ({413, 415, 429} if body is None else set())
    told: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {"application/json": {"schema": _ref(answer)}}},
            **{
                str(status): {
                    "description": _PROBLEMS[status],
                    "content": {"application/problem+json": {"schema": _ref(wire.Problem)}},
                }
                for status in sorted(statuses)
            },
        },
    }
    if parameters:
        told["parameters"] = parameters
    if body is not None:
        told["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return told


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": "Percent-encoded.", "schema": _ID_SCHEMA}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REF.format(model=model.__name__)}
