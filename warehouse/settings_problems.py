"""What is wrong with `reprise.toml`, in one sentence each: line, key, what was found, what is allowed, what is near."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
Node = Mapping[str, Any]
_VALUE_ERROR = "Value error, "


@dataclass(frozen=True)
class Wrong:
    """One wrong value: its key, what was found, what is allowed, and the allowed word nearest to it."""

    path: Path
    found: Any
    allowed: str
    near: str | None = None

    @classmethod
    def word(cls, path: Path, found: str, known: Sequence[str]) -> Wrong:
        """A word that is none of those known."""
        near = difflib.get_close_matches(found, known, n=1, cutoff=0.6)
        return cls(path, found, ", ".join(known), near[0] if near else None)


def sentence(text: str, file: str, wrong: Wrong) -> str:
    """A wrong value told with its line."""
    listed = any(isinstance(part, int) for part in wrong.path)
    near = f' Did you mean "{wrong.near}"?' if wrong.near else ""
    end = "" if wrong.allowed.endswith(("?", "^")) else "."
    found = "not set" if wrong.found is None else json.dumps(wrong.found, ensure_ascii=False, default=str)
    return (
        f'{_where(text, file, wrong.path)}: "{_dotted(wrong.path)}" {"holds" if listed else "is"} {found}; '
        f"allowed: {wrong.allowed}{end}{near}"
    )


def no_toml(file: str, told: str) -> str:
    """What the reader of TOML has told, its line in front as everywhere."""
    said = re.sub(r"\(('[^()]*'),?\)", lambda names: "[" + names[1].replace("'", "").replace(", ", ".") + "]", told)
    place = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", said, re.DOTALL)
    if not place:
        return f"{file} is not valid TOML: {said}."
    return f"{file}, line {place[2]}: not valid TOML at column {place[3]}: {place[1]}."


def sentences(text: str, file: str, schema: Node, problems: Sequence[Any]) -> list[str]:
    """Every problem pydantic has found, each once; `schema` is the JSON Schema of the file."""
    told = [_told(text, file, schema, problem) for problem in problems if not _follows(problem, problems)]
    return list(dict.fromkeys(told))


def _follows(problem: Any, problems: Sequence[Any]) -> bool:
    """Whether a list is only too short because values in it are wrong."""
    place = problem["loc"]
    within = (other["loc"][: len(place)] == place for other in problems if len(other["loc"]) > len(place))
    return problem["type"] == "too_short" and any(within)


def _told(text: str, file: str, schema: Node, problem: Any) -> str:
    is_key = problem["loc"][-1] == "[key]"
    path = tuple(_reached(schema, problem["loc"]))
    where, name = _where(text, file, path), _dotted(path)
    if problem["type"] == "extra_forbidden":
        return f'{where}: there is no setting "{name}".{_instead(schema, path)}'
    if problem["type"] == "missing":
        return f'{where}: "{name}" is missing; allowed: {_allowed(schema, _node(schema, path))}.'
    if is_key:
        names = (_node(schema, path[:-1]) or {}).get("propertyNames", {})
        allowed = ", ".join(_words(names)) or "letters, digits and _, a letter first"
        return (
            f'{where}: "{path[-1]}" cannot be the name of a section here; allowed: {allowed}.{_near(path[-1], names)}'
        )
    found, node = problem["input"], _node(schema, path)
    if problem["msg"].startswith(_VALUE_ERROR):
        return sentence(text, file, Wrong(path, found, problem["msg"].removeprefix(_VALUE_ERROR).rstrip(".")))
    allowed = _allowed(schema, node) + _as_share(node, found)
    return sentence(text, file, Wrong(path, found, allowed)) + _near(found, node)


def _where(text: str, file: str, path: Path) -> str:
    line = line_of(text, path)
    return f"{file}, line {line}" if line else file


def _dotted(path: Path) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _instead(schema: Node, path: Path) -> str:
    """For a key that does not exist: the nearest one, or the section it belongs under, and those that are allowed."""
    there = sorted(_properties(_node(schema, path[:-1])))
    near = difflib.get_close_matches(str(path[-1]), there, n=1, cutoff=0.6)
    sections = {name: _properties(_node(schema, (name,))) for name in _properties(schema)}
    homes = [name for name, keys in sections.items() if path[-1] in keys]
    listed = f" Allowed here: {', '.join(there)}."
    if near:
        return f' Did you mean "{near[0]}"?{listed}'
    if homes and len(path) > 1:
        return f" It belongs under [{homes[0]}]."
    return listed


def _properties(node: Node | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (node or {}).get("properties", {})
    return found


def _resolved(schema: Node, node: Node) -> Node:
    """A node of the schema with its reference followed, and without the choice of being absent."""
    if "$ref" in node:
        return _resolved(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    choices = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    return _resolved(schema, choices[0]) if len(choices) == 1 else node


def _node(schema: Node, path: Path) -> Node | None:
    """What the schema says of the value at `path`."""
    node: Node = schema
    for part in path:
        inner = _inner(node, part)
        if inner is None:
            return None
        node = _resolved(schema, inner)
    return node


def _inner(node: Node, part: str | int) -> Node | None:
    if isinstance(part, int):
        lists = [each for each in (node, *node.get("anyOf", ())) if "items" in each]
        found = lists[0]["items"] if lists else None
    else:
        of_any_name = [node.get("additionalProperties"), *node.get("patternProperties", {}).values()]
        found = node.get("properties", {}).get(part) or next(filter(None, of_any_name), None)
    return found if isinstance(found, Mapping) else None


def _reached(schema: Node, location: Path) -> Iterator[str | int]:
    """The part of a location that names keys and places; pydantic adds the kinds it tried."""
    path: Path = ()
    for part in location:
        if part == "[key]":
            return
        if _node(schema, path) is not None and _node(schema, (*path, part)) is None and _tried(schema, path):
            return
        path = (*path, part)
        yield part


def _tried(schema: Node, path: Path) -> bool:
    """Whether the value may be of several kinds."""
    return len([e for e in (_node(schema, path) or {}).get("anyOf", ()) if e.get("type") != "null"]) > 1


def _words(node: Node | None) -> list[str]:
    """The closed list of words a value may be, if there is one."""
    parts = [node or {}, *(node or {}).get("anyOf", ())]
    return [word for part in parts for word in (*part.get("enum", ()), *([part["const"]] if "const" in part else []))]


def _near(found: Any, node: Node | None) -> str:
    near = difflib.get_close_matches(str(found), _words(node), n=1, cutoff=0.6)
    return f' Did you mean "{near[0]}"?' if near else ""


def _allowed(schema: Node, node: Node | None) -> str:
    """What a value may be, in words."""
    node = _resolved(schema, node or {})
    if "anyOf" in node:
        return " or ".join(_allowed(schema, each) for each in node["anyOf"] if each.get("type") != "null")
    if words := _words(node):
        return ", ".join(words)
    kind = node.get("type")
    if kind in ("integer", "number"):
        return ("a whole number" if kind == "integer" else "a number") + _range(node)
    if kind == "array":
        least = ", at least one" if node.get("minItems") else ""
        return f"a list in [ ], each {_allowed(schema, node['items'])}{least}"
    if kind == "string":
        examples = node.get("examples", ())
        length = ", one character" if node.get("maxLength") == 1 else ", not empty" if node.get("minLength") else ""
        return "text in quotes" + (f' such as "{examples[0]}"' if examples else length)
    return {"boolean": "true or false"}.get(str(kind), "a section of its own")


def _range(node: Node) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    below = node.get("exclusiveMaximum")
    if low is None:
        return ""
    if below is not None:
        return f" from {low:g} to below {below:g}"
    return f" from {_plain(low)} to {_plain(high)}" if high is not None else f" from {_plain(low)}"


def _plain(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def _as_share(node: Node | None, found: Any) -> str:
    """How a percentage is written where a share is meant."""
    most = (node or {}).get("maximum", (node or {}).get("exclusiveMaximum"))
    if (node or {}).get("type") != "number" or most != 1:
        return ""
    number = re.fullmatch(r"\s*([0-9.]+)\s*%?\s*", str(found))
    per_cent = float(number[1]) if number and number[1].count(".") < 2 and number[1].strip(".") else 0.0
    return f" ({per_cent:g} % is written {per_cent / 100:g})" if 1 < per_cent <= 100 else ""


def line_of(text: str, path: Path) -> int | None:
    """The line of a key in TOML text: below its table header, behind dots, or the header itself."""
    names = [part for part in path if isinstance(part, str)]
    lines = text.splitlines()
    for depth in range(len(names), 0, -1):
        for split in range(depth - 1, -1, -1):
            found = _key_line(lines, names[:split], names[split:depth])
            if found:
                return found
        header = re.compile(r"^\s*\[\s*" + _joined(names[:depth]) + r"\s*[\].]")
        for number, line in enumerate(lines, 1):
            if header.match(line):
                return number
    return None


def _joined(names: Sequence[str]) -> str:
    return r"\s*\.\s*".join(rf"[\"']?{re.escape(name)}[\"']?" for name in names)


def _key_line(lines: Sequence[str], header: Sequence[str], key: Sequence[str]) -> int | None:
    """The line on which `key` is set in the section of that header; the top of the file where there is none."""
    inside = not header
    section, setting = re.compile(rf"^\s*\[\s*{_joined(header)}\s*\]"), re.compile(rf"^\s*{_joined(key)}\s*=")
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("["):
            inside = bool(header) and bool(section.match(line))
        elif inside and setting.match(line):
            return number
    return None
