"""Rules of suggestions where lists are asked for: the published ones keep them, and what is added to these must too."""

from __future__ import annotations

from collections import Counter

from serving.release import Release


class Caps:
    """Counts what a list holds of each category and brand."""

    def __init__(self, release: Release) -> None:
        said = release.settings.recommend.rules
        most = {"category": said.per_category, "brand": said.per_brand} if said else {}
        self._most = {kind: number for kind, number in most.items() if number is not None}
        self._kinds = release.item_kinds if self._most else {}
        self._held: Counter[tuple[str, str]] = Counter()

    def take(self, item_id: str) -> bool:
        """Whether there is room for an item, which then is in the list."""
        groups = [(kind, self._kinds[kind][item_id]) for kind in self._most if item_id in self._kinds[kind]]
        if any(self._held[group] >= self._most[group[0]] for group in groups):
            return False
        self._held.update(groups)
        return True


def speaks_of_customers(release: Release) -> bool:
    """Whether a rule hangs on what a customer has bought."""
    said = release.settings.recommend.rules
    if said is None:
        return False
    again = said.repeats != "allow" or bool(said.durable_categories)
    return again or (said.within_price_band, said.not_bought_within_days) != (None, None)
