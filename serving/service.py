"""The BentoML service: thin. `bentoml serve serving.service:Service` answers for the workspace in REPRISE_WORKSPACE."""

from __future__ import annotations

from typing import Any

import bentoml

import serving.quick_start  # noqa: F401 - before anything imports LightGBM
from serving import questions
from serving.access import tokens_from_environment
from serving.guard import Guard, unforeseen
from serving.holder import Holder, key_from_environment, releases_from_environment
from serving.lookups import BODIES, StrictJSON, mounted_app
from serving.problems import ProblemError, problem_response
from serving.wire import AudienceRequest, ScoreRequest

HOLDER = Holder(releases_from_environment(), key_from_environment())


# The access log writes paths, and paths hold ids; BentoML's metrics label by path. Ours do neither.
@bentoml.service(
    name="reprise",
    workers=1,
    threads=4,
    traffic={"timeout": 30},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
@bentoml.asgi_app(mounted_app(HOLDER), path="/")
class Service:
    """Scores, suggestions and audiences of one workspace."""

    def __init__(self) -> None:
        HOLDER.start()

    def __is_ready__(self) -> bool:
        return HOLDER.ready

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        HOLDER.stop()

    @bentoml.api(route="/v1/score")  # type: ignore[untyped-decorator]
    def score(self, request: ScoreRequest, /) -> dict[str, Any]:
        answer: dict[str, Any] = _answered(questions.score_lines, request)
        return answer

    @bentoml.api(route="/v1/audience")  # type: ignore[untyped-decorator]
    def audience(self, request: AudienceRequest, /) -> dict[str, Any]:
        answer: dict[str, Any] = _answered(questions.audience, request, HOLDER.consents)
        return answer


def _answered(question: Any, request: Any, *more: Any) -> Any:
    """The answer as strict JSON, or the problem: BentoML would write NaN and errors of its own shape."""
    try:
        return StrictJSON(question(HOLDER.release, request, *more))
    except ProblemError as problem:
        return problem_response(problem)
    except Exception as error:
        return problem_response(unforeseen(error))


Service.add_asgi_middleware(Guard, bodies=BODIES, tokens=tokens_from_environment())  # type: ignore[attr-defined]
