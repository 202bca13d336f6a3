"""What customers will spend, and when they buy next: BG/NBD, regular buyers and Gamma-Gamma taken together.

Everything is fitted to the purchase histories of one date, no outcome is needed. A customer's expected purchases are
those of a regular buyer and those of chance (BG/NBD), weighted by the probability that he is regular; what he spends
at a purchase is drawn to what all spend (Gamma-Gamma).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from models.bgnbd import BetaGeoNBD
from models.gammagamma import GammaGamma
from models.likelihood import draws
from models.regular import Regular
from warehouse.errors import DataProblemError

Floats = NDArray[np.float64]
COLUMNS = (
    "order_day_count_lifetime",
    "days_between_first_and_last_order",
    "days_since_first_order",
    "amount_lifetime",
    "days_between_orders_variation",
)
"""The features that a purchase history is read from."""
FURTHEST = 730
"""A next order later than so many days from now is not told: nothing is known of such times."""
_INTERVAL = (0.05, 0.95)
_DAYS = np.concatenate([[0.0], np.geomspace(1, FURTHEST, 24)])
"""The days at which the next order of a regular buyer is worked out; between them it is drawn straight."""


@dataclass(frozen=True)
class Histories:
    """Purchase histories, an entry each: x repeat purchase days, t_x days from the first to the last, T days from the
    first to the cutoff, mean money a purchase day, variation of the gaps (not a number with fewer than two)."""

    x: Floats
    t_x: Floats
    T: Floats
    mean_amount: Floats
    variation: Floats

    @classmethod
    def of(cls, features: pa.Table) -> Histories:
        """Of features of customers who all ordered (`buyers`); `DataProblemError` where a column is absent."""
        absent = [name for name in COLUMNS if name not in features.column_names]
        if absent:
            raise DataProblemError(
                f"Value needs orders with amounts; absent: {', '.join(absent)}.", hint=f"Needed: {', '.join(COLUMNS)}."
            )
        count, t_x, T, amount, variation = (_numbers(features, name) for name in COLUMNS)
        return cls(count - 1, t_x, np.maximum(T, t_x + 0.5), amount / count, variation)

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: ArrayLike) -> Histories:
        """Some of them."""
        return Histories(*(column[np.asarray(rows)] for column in vars(self).values()))

    @property
    def purchases(self) -> tuple[Floats, Floats, Floats]:
        return self.x, self.t_x, self.T


@dataclass(frozen=True)
class NextOrder:
    """Days until the next order of those who are still customers: the median and the ends of the 90 % interval; not a
    number beyond `FURTHEST`."""

    expected: Floats
    earliest: Floats
    latest: Floats


@dataclass(frozen=True)
class BuyTillYouDie:
    """Fitted to the histories of one date. `spread` is the covariance of the logs of the lifetimes' parameters."""

    lifetimes: BetaGeoNBD
    spread: tuple[tuple[float, ...], ...]
    spending: GammaGamma
    regular: Regular | None

    @classmethod
    def fit(cls, known: Histories) -> BuyTillYouDie:
        """Maximum likelihood; `DataProblemError` where nobody ordered, or nobody spent anything."""
        lifetimes = BetaGeoNBD.fit(*known.purchases)
        spread = lifetimes.uncertainty(*known.purchases)
        spending = GammaGamma.fit(known.x + 1, known.mean_amount)
        regular = Regular.fit(*known.purchases, known.variation)
        return cls(lifetimes, tuple(map(tuple, spread.tolist())), spending, regular)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know of the fit; empty where nothing."""
        return tuple(note for note in (self.lifetimes.note, self.spending.note) if note)

    def regular_probability(self, known: Histories) -> Floats:
        """P(a regular buyer) of each customer; 0 where nobody is."""
        return self.regular.probability(known.x, known.t_x, known.variation) if self.regular else np.zeros(len(known))

    def expected_purchases(self, t: float, known: Histories) -> Floats:
        """Expected number of purchase days in the t days to come."""
        return self._mixed(
            known,
            self.lifetimes.expected_purchases(t, *known.purchases),
            lambda regular, some: regular.expected_purchases(t, *some.purchases),
        )

    def buys_probability(self, t: float, known: Histories) -> Floats:
        """P(at least one purchase in the t days to come)."""
        return self._mixed(
            known,
            self.lifetimes.buys_probability(t, *known.purchases),
            lambda regular, some: regular.alive_probability(*some.purchases) * regular.buys_within(t, *some.purchases),
        )

    def alive_probability(self, known: Histories) -> Floats:
        """P(still a customer); 1 for whoever bought once, so it never stands for "will buy"."""
        return self._mixed(
            known,
            self.lifetimes.alive_probability(*known.purchases),
            lambda regular, some: regular.alive_probability(*some.purchases),
        )

    def expected_amount(self, known: Histories) -> Floats:
        """Expected money of a purchase day to come."""
        return self.spending.expected_amount(known.x + 1, known.mean_amount)

    def value(self, t: float, known: Histories) -> Floats:
        """Expected money in the t days to come."""
        return self.expected_purchases(t, known) * self.expected_amount(known)

    def next_order(self, known: Histories) -> NextOrder:
        """When each customer orders next, if still a customer."""
        found = [_lomax_days(self.lifetimes, known, share) for share in (0.5, *_INTERVAL)]
        even = np.flatnonzero(self.regular_probability(known) > 0)
        if self.regular is not None and even.size:
            some = known.take(even)
            weight = self._regular_if_alive(self.regular, some)
            base, power = self.lifetimes.alpha + some.T, self.lifetimes.r + some.x
            chance = np.column_stack([-np.expm1(power * np.log1p(-days / (base + days))) for days in _DAYS])
            evenly = self.regular.buys_by(_DAYS, *some.purchases)
            reached = chance + weight[:, None] * (evenly - chance)
            for days, share in zip(found, (0.5, *_INTERVAL), strict=True):
                days[even] = _crossed(reached, share)
        return NextOrder(*(np.where(days <= FURTHEST, days, np.nan) for days in found))

    def _regular_if_alive(self, regular: Regular, some: Histories) -> Floats:
        """P(a regular buyer | still a customer), by Bayes: who is long overdue is likelier there by chance."""
        even = self.regular_probability(some) * regular.alive_probability(*some.purchases)
        chance = (1 - self.regular_probability(some)) * self.lifetimes.alive_probability(*some.purchases)
        return np.asarray(even / np.maximum(even + chance, 1e-300), dtype=np.float64)

    def _mixed(self, known: Histories, chance: Floats, even: Callable[[Regular, Histories], Floats]) -> Floats:
        weight = self.regular_probability(known)
        some = np.flatnonzero(weight > 0)
        if self.regular is not None and some.size:
            told = even(self.regular, known.take(some))
            chance = chance.copy()
            chance[some] += weight[some] * (told - chance[some])
        return chance

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal object."""
        return {
            "lifetimes": self.lifetimes.to_json(),
            "spread": [list(row) for row in self.spread],
            "spending": self.spending.to_json(),
            "regular": self.regular.to_json() if self.regular else None,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> BuyTillYouDie:
        """What `to_json` wrote."""
        regular = Regular.from_json(told["regular"]) if told["regular"] else None
        spread = tuple(tuple(row) for row in told["spread"])
        lifetimes = BetaGeoNBD.from_json(told["lifetimes"])
        return cls(lifetimes, spread, GammaGamma.from_json(told["spending"]), regular)


def simulated(model: BuyTillYouDie, t: float, known: Histories, count: int, seed: int) -> tuple[Floats, Floats]:
    """(purchase days, money) of each customer in the t days to come (both customers × draws).

    Each draw has parameters of its own, from the normal approximation of the fit, and then draws the customer: whether
    regular, still there, the rate, how easily he leaves, and what he spends. What is left out is that the model itself
    may be wrong; coverage says how much that is.
    """
    random = np.random.default_rng(seed)
    lifetimes = draws(model.lifetimes.logs, np.array(model.spread), count, random)
    spending = draws(model.spending.logs, np.array(model.spending.spread), count, random)
    regular = None
    if model.regular is not None:
        regular = draws(model.regular.logs, np.array(model.regular.spread), count, random)
    weight = model.regular_probability(known)
    purchases, money = np.zeros((len(known), count)), np.zeros((len(known), count))
    for k in range(count):
        r, alpha, a, b = lifetimes[k]
        drawn = BetaGeoNBD(r, alpha, a, b, 0.0)
        rate = random.gamma(r + known.x, 1 / (alpha + known.T))
        made = _made(random, rate * t, drawn.alive_probability(*known.purchases), a, b + known.x)
        if regular is not None and model.regular is not None:
            some = np.flatnonzero(random.random(len(known)) < weight)
            made[some] = _made_evenly(random, model.regular.with_logs(np.log(regular[k])), t, known.take(some))
        purchases[:, k] = made
        p, q, gamma = spending[k]
        spent = (known.x + 1) * known.mean_amount
        dearness = random.gamma(q + p * (known.x + 1), 1 / (gamma + spent))
        money[:, k] = np.where(made > 0, random.gamma(np.maximum(p * made, 1e-9)) / dearness, 0.0)
    return purchases, money


def _made(random: np.random.Generator, mean: Floats, alive: Floats, a: float, b: Floats) -> Floats:
    """Purchases by chance of those who may be gone and may leave after each."""
    bought = random.poisson(mean).astype(np.float64)
    return _until_left(random, bought, alive, a, b)


def _made_evenly(random: np.random.Generator, model: Regular, t: float, some: Histories) -> Floats:
    """The same of regular buyers: stages passed in the time, k to a purchase."""
    if not len(some):
        return np.zeros(0)
    share, shape, scale = model._ahead(*some.purchases)
    stage = np.minimum((random.random(len(some))[:, None] > np.cumsum(share, axis=1)).sum(axis=1), model.stages - 1)
    rate = random.gamma(np.take_along_axis(shape, stage[:, None], 1)[:, 0]) / scale
    bought = (stage + random.poisson(rate * t)) // model.stages
    alive = model.alive_probability(*some.purchases)
    return _until_left(random, bought.astype(np.float64), alive, model.a, model.b + some.x)


def _until_left(random: np.random.Generator, bought: Floats, alive: Floats, a: float, b: Floats) -> Floats:
    leaves = np.clip(random.beta(a, b), 1e-12, 1.0)
    made = np.minimum(bought, random.geometric(leaves))
    return np.where(random.random(len(bought)) < alive, made, 0.0)


def shortest(outcomes: Floats, level: float = 0.9) -> tuple[Floats, Floats]:
    """The shortest interval that holds `level` of each row's draws: from 0 for whoever may well not buy at all."""
    ordered = np.sort(outcomes, axis=1)
    held = max(1, int(np.ceil(level * ordered.shape[1])))
    widths = ordered[:, held - 1 :] - ordered[:, : ordered.shape[1] - held + 1]
    first = np.argmin(widths, axis=1)
    rows = np.arange(len(ordered))
    return ordered[rows, first], ordered[rows, first + held - 1]


def nearest(outcomes: Floats, level: float = 0.9) -> tuple[Floats, Floats, Floats]:
    """The ends of an interval of whole numbers, and the share of each row's draws that it holds: of the intervals that
    hold most for their width the one whose share is nearest to `level`, of two such the shorter.

    Whole numbers cannot hold 90 %: where "at least" would hold 97 % of a customer who hardly buys, and 94 % on average
    over all, this is as often under as over.
    """
    rows, size = np.arange(len(outcomes)), int(outcomes.max(initial=0)) + 1
    reached = np.array([(outcomes < count).mean(axis=1) for count in range(size + 1)]).T
    low, high, held = (np.zeros(len(outcomes)) for _ in range(3))
    off = np.full(len(outcomes), np.inf)
    for width in range(1, size + 1):
        shares = reached[:, width:] - reached[:, :-width]
        first = np.argmax(shares, axis=1)
        share = shares[rows, first]
        better = np.abs(share - level) < off - 1e-12
        off = np.where(better, np.abs(share - level), off)
        low, high, held = (
            np.where(better, new, old)
            for new, old in ((first, low), (first + width - 1, high), (share, held))
        )  # fmt: skip
        if (share >= level).all():
            break
    return low, high, held


def _lomax_days(lifetimes: BetaGeoNBD, known: Histories, share: float) -> Floats:
    """Days by which `share` of such customers who stay have bought by chance at a rate Gamma(r + x, α + T)."""
    with np.errstate(over="ignore"):
        return np.asarray((lifetimes.alpha + known.T) * np.expm1(-np.log1p(-share) / (lifetimes.r + known.x)))


def _crossed(reached: Floats, share: float) -> Floats:
    """Where each row, which rises along `_DAYS`, crosses `share`, straight between days; beyond them: infinite."""
    after = (reached < share).sum(axis=1)
    rows, inside = np.arange(len(reached)), np.clip(after, 1, _DAYS.size - 1)
    low, high = reached[rows, inside - 1], reached[rows, inside]
    part = np.clip((share - low) / np.maximum(high - low, 1e-12), 0, 1)
    days = _DAYS[inside - 1] + part * (_DAYS[inside] - _DAYS[inside - 1])
    return np.where(after == _DAYS.size, np.inf, days)


def buyers(features: pa.Table) -> NDArray[np.bool_]:
    """Who of a table of features has ordered, and something was paid."""
    if "order_day_count_lifetime" not in features.column_names:
        return np.zeros(features.num_rows, dtype=bool)
    return np.asarray(np.nan_to_num(_numbers(features, "order_day_count_lifetime")) > 0)


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.asarray(table.column(name).cast(pa.float64()).to_numpy(), dtype=np.float64)
