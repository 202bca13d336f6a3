"""From text or JSON to a rule. The grammar is closed: what is not named here is an error that points at its word."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from features.rules.language import (
    COMPARISONS,
    IDENTIFIER,
    KEYWORDS,
    And,
    Best,
    Condition,
    Everyone,
    HasTag,
    Node,
    Not,
    Or,
    Rule,
    RuleError,
    Span,
    Value,
    number,
)

MAX_CHARACTERS = 10_000
MAX_DEPTH = 30
_COMPARISON_WORDS = "=, !=, <, <=, >, >=, between, in, not in, contains, is known, is unknown"
_SYNONYMS = {
    **{"且": "and", "或": "or", "非": "not", "（": "(", "）": ")", "，": ",", "、": ",", "％": "%"},
    **{"≥": ">=", "≤": "<=", "≠": "!=", "==": "=", "＝": "=", "＞": ">", "＜": "<"},
}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![A-Za-z0-9_-]))
      | (?P<number>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
      | (?P<text>"(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | “[^”]*”)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]{0,62}(?![A-Za-z0-9_]))
      | (?P<quoted>`[A-Za-z_][A-Za-z0-9_]{0,62}`)
      | (?P<mark><=|>=|!=|==|[=<>≥≤≠＝＞＜(),%（），、％且或非])""",
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    span: Span


def point(source: str, span: Span, message: str) -> str:
    """The message, the line of the rule it is about, and carets under the word meant."""
    start = source.rfind("\n", 0, span[0]) + 1
    end = source.find("\n", start)
    line = source[start : len(source) if end < 0 else end]
    before, word = line[: span[0] - start], line[span[0] - start : span[1] - start]
    return f"{message}\n  {_flat(line)}\n  {' ' * _width(before)}{'^' * max(1, _width(word))}"


def _flat(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def parse(text: str) -> Rule:
    """The rule written in `text`; `RuleError` points at the first word that cannot be read."""
    if len(text) > MAX_CHARACTERS:
        raise RuleError(
            f"The rule has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed.",
            hint="Put long lists of customers into a tag, and ask for the tag.",
        )
    tokens = _tokens(text)
    if not tokens:
        raise RuleError("The rule is empty.", hint="Write a condition, or everyone.")
    return Rule(_Parser(text, tokens).whole(), text)


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise RuleError(point(text, *_unreadable(text, position)))
        position, kind = found.end(), str(found.lastgroup)
        word = _SYNONYMS.get(found.group(), found.group())
        if (kind == "name" and word.lower() in KEYWORDS) or word in ("and", "or", "not"):
            kind, word = "word", word.lower()
        if kind != "space":
            tokens.append(_Token("name" if kind == "quoted" else kind, word.strip("`"), found.span()))
    return tokens


def _unreadable(text: str, position: int) -> tuple[Span, str]:
    if text[position] in "\"'“":
        return (position, position + 1), "The quote that opens here is never closed."
    word = re.match(r"[^\s(),]+", text[position:])
    end = position + (len(word.group()) if word else 1)
    if IDENTIFIER.match(text, position):
        return (position, end), "A field's name has at most 63 letters, digits and underscores."
    return (position, end), f'"{_flat(text[position:end][:40])}" is not part of the rule language.'


class _Parser:
    """Recursive descent over the tokens; every method reads one thing and leaves the rest."""

    def __init__(self, source: str, tokens: list[_Token]) -> None:
        self.source, self.tokens, self.next = source, tokens, 0
        self.depth, self.choices = 0, 0
        self.end = _Token("end", "", (len(source), len(source)))

    @property
    def token(self) -> _Token:
        return self.tokens[self.next] if self.next < len(self.tokens) else self.end

    def fail(self, message: str, token: _Token | None = None) -> RuleError:
        return RuleError(point(self.source, (token or self.token).span, message))

    def take(self) -> _Token:
        token = self.token
        self.next += 1
        return token

    def at(self, *words: str) -> bool:
        return self.token.kind in ("word", "mark") and self.token.text in words

    def skip(self, word: str) -> bool:
        if self.at(word):
            self.next += 1
            return True
        return False

    def need(self, word: str, after: str) -> None:
        if not self.skip(word):
            raise self.fail(f'"{word}" is missing {after}.')

    def whole(self) -> Node:
        node = self.selection()
        if self.token.kind == "end":
            return node
        if self.at("and", "or"):
            raise self.fail(f"Put the choice before this {self.token.text} in parentheses: (… top 5000 by …).")
        raise self.fail(f'A condition ends before "{self.token.text}"; join conditions with and / or.')

    def selection(self) -> Node:
        node: Node = Everyone() if self.at("top", "bottom") else self.alternatives()
        while self.at("top", "bottom"):
            self.choices += 1
            if self.choices > MAX_DEPTH:
                raise self.fail(f"A rule may choose the best at most {MAX_DEPTH} times.")
            node = self.best(node)
        return node

    def best(self, of: Node) -> Best:
        end: Literal["top", "bottom"] = "top" if self.take().text == "top" else "bottom"
        count = self.take()
        if count.kind != "number" or not re.fullmatch(r"0*[1-9][0-9]{0,11}", count.text):
            raise self.fail(f"After {end} comes how many customers, a whole number such as 5000.", count)
        if self.at("%"):
            raise self.fail(f"A share is asked of a field: FIELD in {end} {count.text} %.")
        self.need("by", f"after {end} {count.text}")
        name = self.name(f"After by comes the field that decides who is {end}.")
        return Best(end, int(count.text), name.text, of, name.span)

    def alternatives(self) -> Node:
        return self.joined("or", self.conjunction, Or)

    def conjunction(self) -> Node:
        return self.joined("and", self.negation, And)

    def joined(self, word: str, part: Callable[[], Node], kind: type[And] | type[Or]) -> Node:
        parts = [part()]
        while self.skip(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def negation(self) -> Node:
        if not self.at("not"):
            return self.single()
        self.deeper()
        node = Not(self.negation())
        self.depth -= 1
        return node

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"The rule is nested more than {MAX_DEPTH} deep.")
        self.next += 1

    def single(self) -> Node:
        if self.at("("):
            self.deeper()
            node = self.selection()
            self.need(")", "to close the parenthesis")
            self.depth -= 1
            return node
        if self.skip("everyone"):
            return Everyone()
        if self.skip("has"):
            return self.tag()
        if self.at("top", "bottom"):
            chosen = f"{self.token.text} 5000 by FIELD"
            raise self.fail(
                f"To choose among those who match, write it last: RULE {chosen}. "
                f"To choose among everyone, write it in parentheses: RULE and ({chosen})."
            )
        return self.condition()

    def tag(self) -> HasTag:
        self.need("tag", "after has")
        token = self.take()
        if token.kind != "text":
            raise self.fail('After has tag comes the tag in quotes, such as "vip".', token)
        return HasTag(self.text_of(token), token.span)

    def name(self, message: str) -> _Token:
        token = self.take()
        if token.kind == "word":
            raise self.fail(f"{message} A field called {token.text} is written `{token.text}`.", token)
        if token.kind != "name":
            raise self.fail(message, token)
        return token

    def condition(self) -> Condition:
        name = self.name("A condition starts with the name of a field.")
        if self.at(*COMPARISONS):
            return self.made(name, self.take().text, [self.value()])
        if self.skip("between"):
            low = self.value()
            self.need("and", "between the two ends")
            return self.made(name, "between", [low, self.value()])
        if self.skip("contains"):
            return self.made(name, "contains", [self.value()])
        if self.skip("is"):
            return self.made(name, self.knowledge(), [])
        if self.skip("not"):
            self.need("in", "after not")
            return self.made(name, "not in", self.values())
        if self.skip("in"):
            return self.share(name) if self.at("top", "bottom") else self.made(name, "in", self.values())
        near = difflib.get_close_matches(self.token.text.lower(), ("between", "contains", "in", "is", "not"), n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise self.fail(f"After the field {name.text} comes one of {_COMPARISON_WORDS}.{meant}")

    def made(self, name: _Token, operator: str, values: list[tuple[Value, Span]]) -> Condition:
        if self.at("%"):
            raise self.fail("Shares are written as parts of one: 0.8, not 80 %.")
        return Condition(name.text, operator, tuple(v for v, _ in values), name.span, tuple(at for _, at in values))

    def knowledge(self) -> str:
        negated = self.skip("not")
        if self.at("known", "unknown"):
            return "is known" if (self.take().text == "known") != negated else "is unknown"
        raise self.fail("After is comes known or unknown; to compare values, use =.")

    def share(self, name: _Token) -> Condition:
        end, token = self.take().text, self.take()
        digits = token.text.partition(".")[2].rstrip("0")
        if token.kind != "number" or len(digits) > 6 or "e" in token.text.lower() or not 0 < float(token.text) <= 100:
            raise self.fail("A share is a number above 0, at most 100, with at most 6 decimals, such as 10 %.", token)
        self.need("%", f"after {end} {token.text}: FIELD in {end} 10 %, or {end} 10 by FIELD for a number of customers")
        return Condition(name.text, f"in {end} %", (number(float(token.text)),), name.span, (token.span,))

    def values(self) -> list[tuple[Value, Span]]:
        self.need("(", "before the list of values")
        values = [self.value()]
        while self.skip(","):
            values.append(self.value())
        self.need(")", "after the list of values")
        return values

    def value(self) -> tuple[Value, Span]:
        token = self.take()
        if token.kind == "text":
            return self.text_of(token), token.span
        if token.kind == "number" and math.isfinite(float(token.text)):
            return number(float(token.text)), token.span
        if token.kind == "date":
            try:
                return date.fromisoformat(token.text), token.span
            except ValueError as error:
                raise self.fail(f"There is no day {token.text}.", token) from error
        if token.kind == "word" and token.text in ("yes", "true", "no", "false"):
            return token.text in ("yes", "true"), token.span
        if token.kind == "name":
            raise self.fail(f'A value is a number, a date, yes, no, or text in quotes: "{token.text}".', token)
        raise self.fail("Here a value is missing: a number, a date such as 2011-06-11, yes, no, or quoted text.", token)

    def text_of(self, token: _Token) -> str:
        inner = token.text[1:-1]
        text = inner if token.text[0] == "“" else re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise self.fail("Quoted text may not hold control characters.", token)
        return text
