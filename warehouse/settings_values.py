"""Kinds of values in `reprise.toml` that a type alone cannot say; each tells what it allows, and what is near."""

from __future__ import annotations

import codecs
import difflib
import re
import zoneinfo
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from warehouse.clock import zone
from warehouse.contracts import CONTRACTS, EXTRA
from warehouse.errors import UsageError
from warehouse.presets import PRESETS

_TIME_CODES = {*"abcdfghjmnpuwxyzABGHIMSTUVWXYZ%", *(f"-{code}" for code in "djmyHIMS")}
_ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "gb18030", "gbk", "big5", "latin-1", "cp1252", "shift_jis")
_LEAST_MEGABYTES = 64
_OWN_TABLE = rf"^{EXTRA}[a-z][a-z0-9_]{{0,40}}$"


def _meant(found: str, known: Iterable[str]) -> str:
    """The nearest of the known words, as a question; nothing where none is near."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.6)
    return f'. Did you mean "{near[0]}"?' if near else ""


def _zone(name: str) -> str:
    try:
        zone(name)
    except UsageError as error:
        near = _meant(name, zoneinfo.available_timezones())
        raise ValueError(f"an IANA name such as Europe/London or Asia/Shanghai{near}") from error
    return name


def _encoding(name: str) -> str:
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)
    except LookupError as error:
        raise ValueError(f"a codec of Python such as {', '.join(_ENCODINGS)}{_meant(name, _ENCODINGS)}") from error
    return name


def _time_format(text: str) -> str:
    for code in re.findall(r"%(-?.?)", text):
        if code not in _TIME_CODES:
            raise ValueError(f"epoch_s, epoch_ms, epoch_us, or strptime codes as in %d/%m/%Y %H:%M; %{code} is none")
    return text


def _pattern(text: str) -> str:
    # Its syntax is that of the engine, RE2. Imported here: few workspaces have a pattern, all commands read settings.
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), text)
    except pa.ArrowInvalid as error:
        raise ValueError(f"a regular expression (RE2 syntax); {error}") from error
    return text


def _memory(text: str) -> str:
    if int(text[:-2]) * (1000 if text.endswith("GB") else 1) < _LEAST_MEGABYTES:
        raise ValueError(f"at least {_LEAST_MEGABYTES}MB")
    return text


def _engine(text: str) -> str:
    if not re.fullmatch(r"duckdb|sc://[^\s/:;]+(:\d{1,5})?(/\S*)?|local-cluster\[[1-9]\d*,[1-9]\d*,[1-9]\d*\]", text):
        raise ValueError(f"duckdb, sc://host:15002 or local-cluster[2,1,2048]{_meant(text, ('duckdb',))}")
    return text


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a list that says each once")
    return values


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"{', '.join(PRESETS)}{_meant(name, PRESETS)}")
    return name


def _table(name: str) -> str:
    if name not in CONTRACTS and not re.fullmatch(_OWN_TABLE, name):
        raise ValueError(f"{', '.join(CONTRACTS)}, or extra_NAME{_meant(name, CONTRACTS)}")
    return name


Days = Annotated[int, Field(ge=1, le=3650)]
Horizons = Annotated[tuple[Days, ...], Field(min_length=1), AfterValidator(_distinct)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$", examples=["my_name_2"])]
Zone = Annotated[str, AfterValidator(_zone)]
Encoding = Annotated[str, AfterValidator(_encoding)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Memory = Annotated[str, Field(pattern=r"^[0-9]+(MB|GB)$", examples=["1GB"]), AfterValidator(_memory)]
EngineName = Annotated[str, AfterValidator(_engine)]
PresetName = Annotated[str, AfterValidator(_preset)]
TableName = Annotated[str, AfterValidator(_table)]
"""A table of the contract, or one of the user's own."""
TABLE_NAMES: dict[str, Any] = {"anyOf": [{"enum": list(CONTRACTS)}, {"pattern": _OWN_TABLE}]}
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])]
