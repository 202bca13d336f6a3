"""The guard in front of every route: one ASGI middleware, so that BentoML's routes and ours answer alike.

It counts the bytes of a body before anyone reads them, lets in JSON only, checks it against the route's model, and
turns whatever error comes out into a problem that repeats no input value.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import metrics
from serving.access import Tokens
from serving.problems import MEDIA_TYPE, ProblemError, from_validation
from serving.strict_json import NotJson, parse

MAX_BODY = 1_000_000
MAX_AT_ONCE = 8
HIDDEN = ("/docs.json", "/schema.json", "/static_content", "/assets")
"""BentoML's own description of itself, which does not tell the truth about our answers and loads from other hosts."""

SAFE_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'",
}

logger = logging.getLogger("reprise.serving")


class Guard:
    """The middleware: bounds, media types, tokens, and problems instead of any other error.

    `bodies` maps the path of each POST route to the model of its body; the body is checked here, before BentoML
    parses it more loosely and writes what it found into its log.
    """

    def __init__(self, app: ASGIApp, bodies: Mapping[str, type[BaseModel]], tokens: Tokens | None = None) -> None:
        self.app = app
        self.bodies = dict(bodies)
        self.tokens = tokens
        self.at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = _Reply(send, scope["path"])
        try:
            await self._guarded(scope, receive, reply)
        except ProblemError as problem:
            await reply.problem(problem)
        except Exception as error:
            await reply.problem(unforeseen(error))
        finally:
            metrics.count(scope["method"], scope["path"], reply.status)

    async def _guarded(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        _check_path(scope)
        if self.tokens is not None:
            self.tokens.check(scope)
        body = await _read_body(scope, receive)
        model = self.bodies.get(scope["path"])
        if model is None or scope["method"] != "POST":
            await self.app(scope, _replay(body, receive), reply)
            return
        check_body(model, body, _header(scope, b"content-type"))
        if self.at_work >= MAX_AT_ONCE:
            raise ProblemError(429, "The service is busy.", headers={"Retry-After": "1"})
        self.at_work += 1
        try:
            await self.app(scope, _replay(body, receive), reply)
        finally:
            self.at_work -= 1


def check_body(model: type[BaseModel], body: bytes, content_type: str) -> BaseModel:
    """The body as its model; `ProblemError` for any other media type, for bad JSON and for what the model forbids."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "Only application/json is understood.")
    try:
        return model.model_validate(parse(body))
    except NotJson as error:
        raise ProblemError(400, str(error)) from error
    except ValidationError as error:
        raise from_validation(error, model) from None


def unforeseen(error: Exception) -> ProblemError:
    """The problem of an error nobody foresaw; the log gets its kind and place, for its text may hold what was sent."""
    logger.error("%s in %s", type(error).__name__, _where(error))
    return ProblemError(500, "Something went wrong here; the log of the service says where.")


class _Reply:
    """Passes an answer on, but swaps the body of an error that is not yet a problem."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._swapped = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._start(message)
        elif not self._swapped:
            await self._send(message)

    async def problem(self, problem: ProblemError) -> None:
        """Answers with the problem, unless an answer has begun."""
        if self.status:
            return
        self._swapped = True
        self.status = problem.status
        body = problem.body()
        extra = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            *extra,
            *SAFE_HEADERS.items(),
        ]
        await self._send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, message: Message) -> None:
        headers = {bytes(name).lower(): bytes(value) for name, value in message["headers"]}
        if message["status"] >= 400 and not headers.get(b"content-type", b"").startswith(MEDIA_TYPE.encode()):
            kept = {"Allow": headers[b"allow"].decode()} if b"allow" in headers else {}
            await self.problem(ProblemError(message["status"], _detail(message["status"]), headers=kept))
            return
        self.status = message["status"]
        headers.pop(b"server", None)
        await self._send({**message, "headers": list((SAFE_HEADERS | headers).items())})


def _detail(status: int) -> str:
    told = {
        404: "There is nothing at this path.",
        405: "This path does not know this method.",
        503: "The service is not ready.",
    }
    return told.get(status, "Something went wrong here." if status >= 500 else "The request is not as it must be.")


def _check_path(scope: Scope) -> None:
    raw = scope.get("raw_path") or scope["path"].encode()
    for name, sent in (("path", raw.split(b"?")[0]), ("query", scope.get("query_string", b""))):
        try:
            unquote_to_bytes(sent).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProblemError(400, f"The {name} is not UTF-8.") from error
    if not scope["path"].isprintable() and any(unicodedata.category(letter) == "Cc" for letter in scope["path"]):
        where = {"where": "path", "message": "a control character"}
        raise ProblemError(422, "The path is not as it must be.", [where])
    if scope["path"].startswith(HIDDEN):
        raise ProblemError(404, _detail(404))


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body, at most 1 MB of it, by declared length and by count."""
    declared = _header(scope, b"content-length")
    if declared and (not declared.isdigit() or int(declared[:18]) > MAX_BODY):
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(400, "The request ended before its body did.")
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)


def _too_large() -> ProblemError:
    return ProblemError(413, "A body may have at most 1 MB.", headers={"Connection": "close"})


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _header(scope: Scope, wanted: bytes) -> str:
    return next((bytes(value).decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def _where(error: BaseException) -> str:
    """File and line of the innermost frame; never the message, which may hold what was sent."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
