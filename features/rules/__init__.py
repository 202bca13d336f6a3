"""The one rule language: who is meant, written by people, checked against the fields, evaluated exactly.

`docs/rules.md` shows the language by example.
"""

from features.rules.checking import TAGS, Field, check, fields_from_schema, fields_of
from features.rules.evaluation import TABLE, compile, evaluate
from features.rules.json_form import from_json, read
from features.rules.language import Rule, RuleError
from features.rules.parsing import parse

__all__ = [
    "TABLE",
    "TAGS",
    "Field",
    "Rule",
    "RuleError",
    "check",
    "compile",
    "evaluate",
    "fields_from_schema",
    "fields_of",
    "from_json",
    "parse",
    "read",
]
