"""The lookups: a small Starlette app that BentoML mounts and that also runs bare."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving import answers, exposures, metrics, openapi, pages, questions
from serving.access import Tokens
from serving.guard import Guard
from serving.holder import Holder
from serving.problems import ProblemError, handle_problem
from serving.wire import MAX_EXCLUDED, MAX_ID, MAX_K, MAX_TAKERS, AudienceRequest, ExposuresRequest, ScoreRequest, is_id

BODIES: dict[str, type[BaseModel]] = {
    "/v1/score": ScoreRequest,
    "/v1/audience": AudienceRequest,
    "/v1/exposures": ExposuresRequest,
}
DEFAULT_K = 10
LISTS = ("exclude", "context_items")
"""The parameters that are lists of ids."""
AN_ID = f"an id has 1 to {MAX_ID} characters, none of them a control character"


class StrictJSON(Response):
    """JSON that cannot hold NaN: what is no number must be null before it comes here."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


class Lookups:
    """The handlers; each takes the release once and answers from it alone."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder

    async def scores(self, request: Request) -> Response:
        query(request.query_params, ())
        return StrictJSON(answers.user_scores(self.holder.release, path_id(request, "user_id")))

    async def suggestions(self, request: Request) -> Response:
        asked = query(request.query_params, ("k", "exclude", "context_items"))
        user_id, release = path_id(request, "user_id"), self.holder.release
        wanted = (count(asked), frozenset(ids(asked, "exclude")), ids(asked, "context_items"))
        if not wanted[-1]:
            return StrictJSON(answers.user_suggestions(release, user_id, *wanted))
        return StrictJSON(await run_in_threadpool(answers.user_suggestions, release, user_id, *wanted))

    async def basket(self, request: Request) -> Response:
        asked = query(request.query_params, ("k", "exclude", "context_items"))
        wanted = (ids(asked, "context_items"), count(asked), frozenset(ids(asked, "exclude")))
        return StrictJSON(await run_in_threadpool(answers.basket_suggestions, self.holder.release, *wanted))

    async def user(self, request: Request) -> Response:
        query(request.query_params, ())
        return StrictJSON(answers.user_profile(self.holder.release, path_id(request, "user_id")))

    async def due(self, request: Request) -> Response:
        query(request.query_params, ())
        return StrictJSON(answers.user_due(self.holder.release, path_id(request, "user_id")))

    async def similar(self, request: Request) -> Response:
        asked = query(request.query_params, ("k",))
        return StrictJSON(answers.similar_items(self.holder.release, path_id(request, "item_id"), count(asked)))

    async def takers(self, request: Request) -> Response:
        asked = query(request.query_params, ("n",))
        item_id, n = path_id(request, "item_id"), count(asked, "n", MAX_TAKERS)
        return StrictJSON(await run_in_threadpool(questions.item_takers, self.holder.release, item_id, n))

    async def peers(self, request: Request) -> Response:
        asked = query(request.query_params, ("n",))
        user_id, n = path_id(request, "user_id"), count(asked, "n", MAX_TAKERS)
        return StrictJSON(await run_in_threadpool(questions.similar_users, self.holder.release, user_id, n))

    async def release(self, request: Request) -> Response:
        query(request.query_params, ())
        told = {"degraded": self.holder.degraded, "stock": self.holder.stock}
        return StrictJSON(answers.release_info(self.holder.release) | told)

    async def score(self, request: Request) -> Response:
        asked = ScoreRequest.model_validate_json(await request.body())
        return StrictJSON(await run_in_threadpool(questions.score_lines, self.holder.release, asked))

    async def audience(self, request: Request) -> Response:
        asked = AudienceRequest.model_validate_json(await request.body())
        return StrictJSON(await run_in_threadpool(questions.audience, self.holder.release, asked, self.holder.consents))

    async def exposures(self, request: Request) -> Response:
        query(request.query_params, ())
        asked = ExposuresRequest.model_validate_json(await request.body())
        root = self.holder.releases.parent
        return StrictJSON(await run_in_threadpool(exposures.keep, self.holder.release, root, asked))

    async def metrics(self, request: Request) -> Response:
        held = self.holder.release.id if self.holder.ready else None
        return PlainTextResponse(metrics.exposition(held), media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        return StrictJSON(openapi.document())

    async def docs(self, request: Request) -> Response:
        return HTMLResponse(pages.docs())

    async def index(self, request: Request) -> Response:
        return HTMLResponse(pages.index(self.holder.release if self.holder.ready else None, self.holder.why_none))

    async def livez(self, request: Request) -> Response:
        return PlainTextResponse("\n")

    async def readyz(self, request: Request) -> Response:
        self.holder.release  # noqa: B018 - a 503 problem where there is none
        return PlainTextResponse("\n")

    def routes(self) -> list[Route]:
        """Routes that BentoML does not have of its own. Ids may hold slashes, so they match as paths."""
        return [
            _get("/v1/users/{user_id:path}/scores", self.scores),
            _get("/v1/users/{user_id:path}/suggestions", self.suggestions),
            _get("/v1/users/{user_id:path}/due", self.due),
            _get("/v1/users/{user_id:path}/similar", self.peers),
            _get("/v1/users/{user_id:path}", self.user),
            _get("/v1/items/{item_id:path}/similar", self.similar),
            _get("/v1/items/{item_id:path}/users", self.takers),
            _get("/v1/suggestions", self.basket),
            Route("/v1/exposures", self.exposures, methods=["POST"]),
            _get("/v1/release", self.release),
            _get("/v1/openapi.json", self.openapi),
            _get("/metrics", self.metrics),
            _get("/docs", self.docs),
            _get("/", self.index),
        ]

    def bare_routes(self) -> list[Route]:
        """Routes that BentoML has of its own: probes, and the two that take a body."""
        return [
            Route("/v1/score", self.score, methods=["POST"]),
            Route("/v1/audience", self.audience, methods=["POST"]),
            _get("/livez", self.livez),
            _get("/readyz", self.readyz),
        ]


def create_app(holder: Holder, tokens: Tokens | None = None) -> Starlette:
    """The whole service without BentoML: guard, lookups, scoring, audience, probes, pages."""
    lookups = Lookups(holder)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(holder.start)
        yield
        await run_in_threadpool(holder.stop)

    return Starlette(
        routes=[*lookups.routes(), *lookups.bare_routes()],
        middleware=[Middleware(Guard, bodies=BODIES, tokens=tokens)],
        exception_handlers={ProblemError: handle_problem},
        lifespan=lifespan,
    )


def mounted_app(holder: Holder) -> Starlette:
    """The lookups alone, for BentoML to mount; the guard stands in front of BentoML then."""
    return Starlette(routes=Lookups(holder).routes(), exception_handlers={ProblemError: handle_problem})


def path_id(request: Request, name: str) -> str:
    """The id in the path, kept exactly; a 422 problem for one that cannot be an id."""
    value = str(request.path_params[name])
    if not is_id(value):
        raise ProblemError(422, "The id in the path is not as it must be.", [{"where": name, "message": AN_ID}])
    return value


def query(parameters: QueryParams, known: tuple[str, ...]) -> Mapping[str, str]:
    """The query by name; a 422 problem for an unknown name or one given twice.

    Lists of ids may be given more than once: the ids then follow each other.
    """
    pairs = parameters.multi_items()
    errors = []
    if any(name not in known for name, _ in pairs):
        message = f"known here: {', '.join(known)}" if known else "this path takes none"
        errors.append({"where": "query", "message": f"there is a parameter nobody knows; {message}"})
    once = [name for name, _ in pairs if name not in LISTS]
    if len(set(once)) < len(once):
        errors.append({"where": "query", "message": "a parameter is given twice"})
    if errors:
        raise ProblemError(422, "The query is not as it must be.", errors)
    return {**dict(pairs), **{name: ",".join(parameters.getlist(name)) for name in LISTS if name in known}}


def count(asked: Mapping[str, str], name: str = "k", most: int = MAX_K) -> int:
    """How many are asked for: a whole number from 1 to `most`, 10 if not said."""
    text = asked.get(name, str(DEFAULT_K))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        message = f"a whole number from 1 to {most} is expected"
        raise ProblemError(422, "The query is not as it must be.", [{"where": name, "message": message}])
    return int(text)


def ids(asked: Mapping[str, str], name: str) -> tuple[str, ...]:
    """A list of item ids, separated by commas or each given by itself, none twice; unknown ones change nothing."""
    items = tuple(dict.fromkeys(part for part in asked.get(name, "").split(",") if part))
    wrong = "at most 1,000 ids" if len(items) > MAX_EXCLUDED else None if all(map(is_id, items)) else AN_ID
    if wrong:
        raise ProblemError(422, "The query is not as it must be.", [{"where": name, "message": wrong}])
    return items


def _get(path: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, handler, methods=["GET"])
