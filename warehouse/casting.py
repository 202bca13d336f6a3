"""How a text becomes a value, as SQL of the embedded engine: one expression per kind of column.

A cast never guesses and never fails: what is not written as the contract says becomes NULL and is told by the rules.
"""

from __future__ import annotations

from warehouse.contracts import Column

FIRST_YEAR = 1900
LARGEST_MONEY = 10**12
_ISO = (
    r"\d{4}([-/])\d{1,2}[-/]\d{1,2}"
    r"([T ]\d{1,2}:\d{2}(:\d{2}([.]\d{1,9})?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?"
)
_OFFSET = r":\d{2}(?:[.]\d+)? ?([+-]\d{2})(?::?(\d{2}))?$"
_ZONE = r"(:\d{2}([.]\d+)?) ?(Z|[+-]\d{2}(:?\d{2})?)$"
NUMBER = r"[+-]?(\d+[.]?\d*|[.]\d+)([eE][+-]?\d{1,3})?"
GROUPED = r"[+-]?\d{1,3}(,\d{3})+([.]\d*)?"
COMMA = r"[+-]?(\d{1,3}([.]\d{3})+|\d+)(,\d*)?"
"""Numbers with thousands signs before a decimal point, and numbers with a decimal comma."""
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
YES = ("true", "1", "yes", "y", "t", "是")
NO = ("false", "0", "no", "n", "f", "否")
RETURN_WORDS = ("return", "refund", "退货", "退款")
SALE_WORDS = ("sale", "销售", "购买")

STORED_TYPES = {
    "id": "varchar",
    "text": "varchar",
    "time": "timestamp",
    "money": "decimal(18,4)",
    "quantity": "double",
    "number": "double",
    "year": "integer",
    "flag": "boolean",
    "list": "varchar[]",
}
"""The engine's type of each kind of column."""


def quoted(name: str) -> str:
    """An identifier, safely quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant, safely quoted."""
    return "'" + text.replace("'", "''") + "'"


def words(choices: tuple[str, ...]) -> str:
    """A list of text constants for `in`."""
    return "(" + ", ".join(literal(choice) for choice in choices) + ")"


def wall_and_offset(text: str, time_format: str | None) -> tuple[str, str]:
    """Two expressions: the time as written, and its offset from UTC in seconds (NULL: written without a zone).

    ISO 8601 is read whatever the declared format, because a year in front cannot be mistaken.
    """
    # Most times have no zone: the costly expressions run only where one may be written.
    zoned = f"(contains({text}, 'Z') or contains({text}, '+') or contains(substr({text}, 11), '-'))"
    bare = f"case when {zoned} then regexp_replace({text}, '{_ZONE}', '\\1') else {text} end"
    iso = f"case when regexp_full_match({text}, '{_ISO}') then try_cast({bare} as timestamp) end"
    hours, minutes = (f"regexp_extract({text}, '{_OFFSET}', {group})" for group in (1, 2))
    sign = f"case when starts_with({hours}, '-') then -60 else 60 end"
    offset = (
        f"case when not {zoned} then null when {text} like '%Z' then 0 when {hours} <> ''"
        f" then cast({hours} as integer) * 3600 + {sign} * coalesce(try_cast({minutes} as integer), 0) end"
    )
    if time_format in _EPOCHS:
        scale = _EPOCHS[time_format]
        epoch = f"try(make_timestamp(try_cast(try_cast({text} as decimal(24,6)) * {scale} as bigint)))"
        is_number = f"regexp_full_match({text}, '[0-9]{{1,18}}([.][0-9]+)?')"
        return f"case when {is_number} then {epoch} else {iso} end", f"case when {is_number} then 0 else {offset} end"
    if time_format is not None:
        return f"coalesce(try_strptime({text}, {literal(time_format)}), {iso})", offset
    return iso, offset


def pointed(column: Column, text: str, numbers: str) -> str:
    """The text expression of a number written as `numbers` says, with a point and without thousands signs."""
    if column.kind not in ("money", "quantity", "number") or numbers == "1234.56":
        return text
    if numbers == "1,234.56":
        return f"case when regexp_full_match({text}, '{GROUPED}') then replace({text}, ',', '') else {text} end"
    bare = f"replace(replace({text}, '.', ''), ',', '.')"
    return f"case when regexp_full_match({text}, '{COMMA}') then {bare} end"


def cast(column: Column, text: str) -> str:
    """The expression that casts the text expression to the kind of the column (times are cast elsewhere)."""
    number = f"case when regexp_full_match({text}, '{NUMBER}') then"
    match column.kind:
        case "id" | "text":
            return text
        case "money":
            return f"{number} try_cast({text} as decimal(18,4)) end"
        case "quantity" | "number":
            finite = f"try_cast({text} as double)"
            return f"{number} case when isfinite({finite}) then {finite} end end"
        case "year":
            return f"case when regexp_full_match({text}, '[0-9]{{4}}([.]0)?') then cast(left({text}, 4) as integer) end"
        case "flag":
            return f"case when lower({text}) in {words(YES)} then true when lower({text}) in {words(NO)} then false end"
        case "list":
            parts = f"list_transform(string_split({text}, '|'), lambda part: trim(part))"
            listed = f"list_filter({parts}, lambda part: part <> '')"
            return f"case when starts_with({text}, '[') then try(from_json({text}, '[\"VARCHAR\"]')) else {listed} end"
        case _:
            raise ValueError(f"{column.kind} is not cast by an expression")


EXPECTED = {
    "id": "an id of 1 to 128 characters, without blanks around it or control characters",
    "text": "text",
    "time": "a time such as 2011-06-01 08:26:00",
    "money": f"a finite number like 12.50, smaller than {LARGEST_MONEY:,}",
    "quantity": "a finite number that is not 0",
    "number": "a finite number",
    "year": "a year such as 1985",
    "flag": "true or false",
    "list": "texts separated by | or a JSON list of texts",
}
"""What is allowed, in words, for each kind of column."""
