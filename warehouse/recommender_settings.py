"""The settings of suggestions: which recommenders compete, and how each is fitted where not by default."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from warehouse.settings_shapes import Section
from warehouse.settings_values import Days, Name
from warehouse.suggestion_rules import RuleSettings

Count = Literal["log", "linear", "binary"]
WEIGHED = ("als", "bm25", "bpr", "ease", "graph_filter")
"""The recommenders that weigh interactions as `[recommend.weights]` says."""


class WeightSettings(Section):
    """What an interaction is worth, where otherwise than by each recommender's default."""

    count: Count | None = Field(
        default=None, description="Of n order days: log, log(1 + n); linear, n; binary, 1 however many."
    )
    half_life_days: float | None = Field(
        default=None, ge=0, description="Days of silence that halve it; 0: time does not matter."
    )
    amount: float | None = Field(
        default=None, ge=0, le=2, description="Power of the amount a day beside the median; 0: money does not matter."
    )


class SharedWeights(WeightSettings):
    """What an interaction is worth to all that weigh it; acts on items count the same for every recommender."""

    kinds: dict[Annotated[str, Field(min_length=1)], Annotated[float, Field(ge=0, le=10)]] = Field(
        default_factory=dict,
        exclude_if=lambda said: not said,
        description="event = what a day of it with an item counts beside one of purchase.",
    )
    dwell: float = Field(
        default=0,
        ge=0,
        le=2,
        exclude_if=lambda said: said == 0,
        description="Power of the seconds a day beside the kind's median; 0: how long does not matter.",
    )


class AlsSettings(WeightSettings):
    """Alternating least squares, where otherwise than by default."""

    factors: int | None = Field(default=None, ge=2, le=512, description="Numbers that describe an item.")
    regularization: float | None = Field(default=None, gt=0, description="How strongly they are pulled towards 0.")
    alpha: float | None = Field(default=None, gt=0, description="How much a purchase says beside none.")
    iterations: int | None = Field(default=None, ge=1, le=100, description="Steps of the fit.")


class Bm25Settings(WeightSettings):
    """Item neighbours weighted by BM25, where otherwise than by default."""

    neighbours: int | None = Field(default=None, ge=1, le=1000, description="Items kept as like each item.")
    k1: float | None = Field(default=None, ge=0, description="How soon repeated purchases stop counting more.")
    b: float | None = Field(default=None, ge=0, le=1, description="How much buyers of many items count less.")


class BprSettings(WeightSettings):
    """Bayesian personalised ranking, where otherwise than by default."""

    factors: int | None = Field(default=None, ge=2, le=512, description="Numbers that describe an item.")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="Length of a step of the fit.")
    regularization: float | None = Field(default=None, ge=0, description="How strongly factors are pulled towards 0.")
    iterations: int | None = Field(default=None, ge=1, le=1000, description="Passes over the purchases.")
    repeat: float | None = Field(default=None, ge=0, description="How much an item bought speaks for itself.")


class EaseSettings(WeightSettings):
    """The closed form from items to items, where otherwise than by default."""

    regularization: float | None = Field(default=None, gt=0, description="How strongly weights are pulled towards 0.")
    repeat: float | None = Field(default=None, ge=0, description="How much an item bought speaks for itself.")


class GraphFilterSettings(WeightSettings):
    """The filter over the graph of users and items, where otherwise than by default."""

    factors: int | None = Field(default=None, ge=0, le=1024, description="Directions of the low-pass.")
    alpha: float | None = Field(default=None, ge=0, description="Weight of the low-pass beside the linear filter.")
    sharpness: float | None = Field(default=None, ge=0, le=20, description="How much of what all share is taken back.")
    history: float | None = Field(default=None, ge=0, le=2, description="How much popular items of a history say less.")
    user: float | None = Field(default=None, ge=0, le=2, description="How much busy users on the way say less.")
    item: float | None = Field(default=None, ge=0, le=2, description="How much popular items are held back.")


class TifuKnnSettings(Section):
    """Frequency by groups of baskets, with neighbours, where otherwise than by default."""

    neighbours: int | None = Field(default=None, ge=1, le=5000, description="Customers like this one.")
    groups: int | None = Field(default=None, ge=1, le=100, description="Parts in time of a customer's baskets.")
    within_decay: float | None = Field(default=None, gt=0, le=1, description="Factor per basket back in a part.")
    group_decay: float | None = Field(default=None, gt=0, le=1, description="Factor per part back.")
    alpha: float | None = Field(default=None, ge=0, le=1, description="Share of the customer beside the neighbours.")


class NextPurchaseSettings(Section):
    """Rules of what follows what, where otherwise than by default."""

    days: int | None = Field(default=None, ge=1, le=3650, description="Days within which it follows.")
    shrinkage: float | None = Field(default=None, ge=0, description="Occasions at the base rate mixed into each rule.")
    least_lift: float | None = Field(default=None, ge=0, description="Rules below it do not count.")
    rules: int | None = Field(default=None, ge=1, le=1000, description="Rules kept of each item.")
    half_life_days: float | None = Field(default=None, ge=0, description="Days that halve what a purchase says.")
    count: Count | None = Field(default=None, description="What n order days are worth.")


class DecaySettings(Section):
    """Frequency or popularity that fades, where otherwise than by default."""

    half_life_days: float | None = Field(default=None, gt=0, description="Days that halve a purchase.")


class TwoStageSettings(Section):
    """Trees over what other recommenders list, where otherwise than by default."""

    candidates: str | None = Field(default=None, description="Recommenders that propose, parted by commas.")
    listed: int | None = Field(default=None, ge=1, le=500, description="Items that each of them proposes.")
    horizon: int | None = Field(
        default=None, ge=0, le=366, description="Days of each past window; 0: everybody's last days, without dates."
    )
    windows: int | None = Field(default=None, ge=1, le=24, description="Past windows to learn from.")
    trees: int | None = Field(default=None, ge=1, le=5000, description="How many trees.")
    leaves: int | None = Field(default=None, ge=2, le=255, description="How large a tree is.")
    learning_rate: float | None = Field(default=None, gt=0, le=1, description="How far each tree goes.")
    customers: int | None = Field(default=None, ge=10, description="Customers of a window who are learnt from.")
    rows: int | None = Field(default=None, ge=1000, description="Customers' candidates that are learnt from, at most.")
    objective: Literal["lambdarank", "binary"] | None = Field(
        default=None, description="To order what one customer is offered, or to tell what is bought from what is not."
    )


class ExploreSettings(Section):
    """Places of each list that chance gives to the next candidates, with recorded propensities."""

    places: int = Field(default=1, ge=1, le=50, description="The last so many places of each list.")
    among: int = Field(default=20, ge=2, le=200, description="Each of so many next candidates is as likely there.")

    @model_validator(mode="after")
    def _a_choice(self) -> ExploreSettings:
        if self.among <= self.places:
            raise ValueError("an among that is larger than places")
        return self

    @property
    def deeper(self) -> int:
        """How many candidates are needed beyond the list."""
        return self.among - self.places


class RecommendSettings(Section):
    """How suggestions are made."""

    k: int = Field(default=20, ge=1, le=100, description="Suggestions kept for each customer.")
    horizon: Days = Field(default=30, description="Days of purchases by which recommenders are judged.")
    models: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        default=("popularity", "personal_frequency", "gp_topfreq", "als", "bm25", "two_stage"),
        description="Recommenders that compete; the best serves.",
    )
    # As rules below: settings that are not said leave the names and bytes of releases as they were.
    shown_days: Days = Field(
        default=7,
        exclude_if=lambda said: said == 7,
        description="A purchase of an item within so many days after it was shown is told to have followed it.",
    )
    learn_from_shown: bool = Field(
        default=True,
        exclude_if=lambda said: said is True,
        description="Whether recommenders learn from purchases that followed; false: from all others only.",
    )
    new_items: int = Field(
        default=0,
        ge=0,
        exclude_if=lambda said: said == 0,
        description="Of the k places so many are for items that nobody has bought yet, by what they are like.",
    )
    explore: ExploreSettings | None = Field(
        default=None,
        exclude_if=lambda said: said is None,
        description="Chance gives the last places of lists to next candidates; nothing if absent.",
    )
    weights: SharedWeights | None = Field(
        default=None, description="What an interaction is worth to als, bm25, bpr, ease and graph_filter."
    )
    als: AlsSettings | None = Field(default=None, description="How als is fitted; `reprise tune recommend` finds out.")
    bm25: Bm25Settings | None = Field(default=None, description="How bm25 is fitted; `reprise tune recommend` too.")
    bpr: BprSettings | None = Field(default=None, description="How bpr is fitted.")
    ease: EaseSettings | None = Field(default=None, description="How ease is fitted.")
    graph_filter: GraphFilterSettings | None = Field(default=None, description="How graph_filter is fitted.")
    tifu_knn: TifuKnnSettings | None = Field(default=None, description="How tifu_knn is fitted.")
    next_purchase: NextPurchaseSettings | None = Field(default=None, description="How next_purchase is fitted.")
    personal_decay: DecaySettings | None = Field(default=None, description="How personal_decay is fitted.")
    popularity: DecaySettings | None = Field(default=None, description="How popularity is fitted.")
    two_stage: TwoStageSettings | None = Field(default=None, description="How two_stage is fitted.")
    # Left out of dumps where nothing is said: without rules everything is as if there were none.
    rules: RuleSettings | None = Field(
        default=None, exclude_if=lambda said: said is None, description="What may be offered, and how much of it."
    )

    @model_validator(mode="after")
    def _room_for_new_items(self) -> RecommendSettings:
        if self.new_items * 2 > self.k:
            raise ValueError("new_items of at most half of k")
        if self.explore and (self.new_items or self.explore.places * 2 > self.k):
            raise ValueError("explore without new_items, and with places of at most half of k")
        if self.new_items and self.rules and self.rules.of_whole_lists():
            raise ValueError(
                "new_items = 0 beside within_price_band, per_category, per_brand, "
                "which hang on the customer or the whole list"
            )
        return self

    @property
    def left_out_days(self) -> int:
        """Within how many days after being shown purchases are not learnt from; 0: all are."""
        return 0 if self.learn_from_shown else self.shown_days

    @property
    def acts(self) -> dict[str, Any]:
        """The events that count beside purchases, as `features.shown.learnt_from` takes them; nothing where none
        does."""
        kinds = {kind: worth for kind, worth in sorted(self.weights.kinds.items()) if worth} if self.weights else {}
        return {"kinds": kinds, "dwell": self.weights.dwell} if self.weights and kinds else {}

    def fits(self) -> dict[str, dict[str, Any]]:
        """What is said of each recommender's fit: its settings by its name; the second stage fits its own the same."""
        own = set(WeightSettings.model_fields)
        shared = self.weights.model_dump(include=own, exclude_none=True) if self.weights else {}
        said = {name: dict(shared) for name in WEIGHED if shared}
        for name in type(self).model_fields:
            section = getattr(self, name)
            if isinstance(section, Section) and name not in ("weights", "rules", "explore"):
                said[name] = {**said.get(name, {}), **section.model_dump(exclude_none=True)}
        if of_candidates := {name: said[name] for name in sorted(said) if name != "two_stage"}:
            said["two_stage"] = {**said.get("two_stage", {}), "fits": json.dumps(of_candidates, sort_keys=True)}
        return said
