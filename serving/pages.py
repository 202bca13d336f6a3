"""The two pages of the service: plain HTML, no script, nothing from any other host."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from serving import openapi
from serving.release import Release

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2330}"
    "code,pre{font:14px/1.45 ui-monospace,monospace;background:#f3f5f8;border-radius:4px}code{padding:1px 4px}"
    "pre{padding:.75rem;overflow:auto}table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;"
    "vertical-align:top}h2{margin-top:2rem;border-top:1px solid #d8dee6;padding-top:1rem}"
)


def index(release: Release | None, why_none: str = "") -> str:
    """The page at `/`: what is served, or why nothing is, and where to go."""
    state = escape(why_none)
    if release:
        state = f"Release <code>{escape(release.id)}</code>, as of {release.as_of}, {len(release.scores):,} users."
    places = {"/docs": "What can be asked", "/v1/openapi.json": "OpenAPI", "/v1/release": "The release"}
    links = " · ".join(f"<a href='{path}'>{name}</a>" for path, name in places.items())
    return _page("Reprise", f"<p>{state}</p><p>{links}</p>")


def docs() -> str:
    """The page at `/docs`: every route, its parameters, its body and its answers, from our OpenAPI document."""
    told = openapi.document()
    parts = [f"<p>{escape(told['info']['description'])}</p>"]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            parts.append(_operation(path, method, operation, told["components"]["schemas"]))
    return _page("Reprise over HTTP", "".join(parts))


def _operation(path: str, method: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>"]
    rows = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td><td>{escape(p['description'])}</td></tr>"
        for p in operation.get("parameters", [])
    )
    parts.append(f"<table>{rows}</table>" if rows else "")
    if "requestBody" in operation:
        parts.append("<h3>Body</h3>" + _schema(operation["requestBody"]["content"], schemas))
    parts.append("<h3>Answer</h3>" + _schema(operation["responses"]["200"]["content"], schemas))
    errors = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td></tr>"
        for status, answer in operation["responses"].items()
        if status != "200"
    )
    return "".join(parts) + f"<h3>Problems</h3><table>{errors}</table>"


def _schema(content: dict[str, Any], schemas: dict[str, Any]) -> str:
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return (
        f"<details><summary>{escape(name)}</summary><pre>{escape(json.dumps(schemas[name], indent=1))}</pre></details>"
    )


def _page(title: str, body: str) -> str:
    return (
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>"
    )
