"""A family of features: what it needs, and its lines of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

ORDERS = frozenset({"orders"})
EVENTS = frozenset({"events"})


@dataclass(frozen=True)
class Family:
    """One SQL file of features: the tables it needs (all of `needs`, or at least one of `any_of`) and its lines."""

    name: str
    needs: frozenset[str]
    lines: str
    any_of: frozenset[str] = frozenset()
    modelled: bool = True
    """Whether models read it. Training neither builds nor reads the others; rules, releases and exports have them."""

    def possible(self, tables: frozenset[str]) -> bool:
        """Whether these tables are enough."""
        return self.needs <= tables and (not self.any_of or bool(self.any_of & tables))
