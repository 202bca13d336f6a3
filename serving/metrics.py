"""Counters of this process in the Prometheus text form. Labels are route names: never a path, which holds ids."""

from __future__ import annotations

import re
from collections import Counter
from threading import Lock

_ROUTES = (
    (re.compile(r"^/v1/users/.*/scores$"), "user_scores"),
    (re.compile(r"^/v1/users/.*/suggestions$"), "user_suggestions"),
    (re.compile(r"^/v1/users/.*/due$"), "user_due"),
    (re.compile(r"^/v1/users/.+$"), "user_profile"),
    (re.compile(r"^/v1/items/.*/similar$"), "similar_items"),
    (re.compile(r"^/v1/items/.*/users$"), "item_users"),
    (re.compile(r"^/v1/suggestions$"), "basket_suggestions"),
    (re.compile(r"^/v1/(score|audience|exposures|release|openapi\.json)$"), r"\1"),
    (re.compile(r"^/(livez|readyz|healthz|metrics|docs)?$"), r"\1"),
)
_METHODS = frozenset({"GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"})
_lock = Lock()
_requests: Counter[tuple[str, str, int]] = Counter()
_events: Counter[str] = Counter()


def count(method: str, path: str, status: int) -> None:
    """One request was answered."""
    with _lock:
        _requests[(method if method in _METHODS else "other", _route(path), status)] += 1


def event(name: str) -> None:
    """Something happened that is counted: `release_opened`, `release_refused`, `stock_read`, `stock_refused`."""
    with _lock:
        _events[name] += 1


def events(name: str) -> int:
    """How often it happened in this process."""
    return _events[name]


def exposition(release: str | None) -> str:
    """All counters, and which release is served, as Prometheus reads them."""
    with _lock:
        requests, happened = sorted(_requests.items()), dict(_events)
    lines = ["# TYPE reprise_requests_total counter"]
    lines += [
        f'reprise_requests_total{{method="{method}",route="{route}",status="{status}"}} {number}'
        for (method, route, status), number in requests
    ]
    for name in ("release_opened", "release_refused", "stock_read", "stock_refused"):
        lines += [f"# TYPE reprise_{name}_total counter", f"reprise_{name}_total {happened.get(name, 0)}"]
    lines += ["# TYPE reprise_release_info gauge"]
    lines += [f'reprise_release_info{{release="{release}"}} 1'] if release else []
    return "\n".join(lines) + "\n"


def _route(path: str) -> str:
    for pattern, name in _ROUTES:
        if pattern.match(path):
            return pattern.sub(name, path) or "index"
    return "other"
