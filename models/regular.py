"""Regular buyers: those whose gaps between purchases are more even than chance, and when they buy again.

A gap is the time of k stages, each passed at the customer's rate θ ~ Gamma(r, α) (an Erlang-k gap; k = 1 is chance);
after each purchase he leaves with probability p ~ Beta(a, b): BG/CNBD-k of Reutterer, Platzer and Schröder 2021,
"Leveraging purchase regularity for predicting customer behavior the easy way", IJRM 38(1). Who is regular is not all
or nobody, as there, but a mixture: the evenness of a customer's own gaps gives the probability that he is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, gammaln, logsumexp

from models.likelihood import covariance, search

Floats = NDArray[np.float64]
STAGES = range(2, 13)
"""The k that are tried: 12 is a standard deviation of 29 % of the mean gap."""
FEWEST_GAPS = 2
"""One gap is neither even nor uneven."""
FEWEST = 30
"""Of fewer customers with two gaps nobody is called regular."""
NEGLIGIBLE = 0.05
MOST_FITTED = 4_000
_LARGEST, _NEGLIGIBLE_PURCHASES = 650.0, 1e-4
_PURCHASES = 400
"""No more purchases within the time asked about are counted of one customer."""
_BOUNDS = ((-6.0, 9.0), (-9.0, 9.0), (-7.0, 9.0), (-7.0, 9.0))


@dataclass(frozen=True)
class Regular:
    """The share of regular buyers among those with two gaps or more, their k, and the process that they follow.

    Time is in days. `spread` is the covariance of the logs of (r, alpha, a, b).
    """

    stages: int
    share: float
    r: float
    alpha: float
    a: float
    b: float
    spread: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def fit(cls, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, variation: ArrayLike) -> Regular | None:
        """By maximum likelihood: first k and the share from the evenness of gaps, then the process, each customer with
        the weight of being regular. None where chance alone explains the gaps (no gain in BIC), or few are known.

        `variation` is the coefficient of variation of each customer's gaps (not a number with fewer than two).
        """
        count, last, age, uneven = (np.asarray(v, np.float64) for v in (x, t_x, T, variation))
        known = _known(count, last, uneven)
        if known.sum() < FEWEST:
            return None
        evenness = _evenness(count[known], last[known], uneven[known])
        found = _mixture(count[known], evenness)
        if found is None:
            return None
        stages, share = found
        start = cls(stages, share, 1.0, 1.0, 1.0, 1.0)
        weight = start._weight(count[known], evenness)
        return start._fitted(count[known], last[known], age[known], weight)

    def _fitted(self, x: Floats, t_x: Floats, T: Floats, weight: Floats) -> Regular:
        some = np.flatnonzero(weight > 0.01)
        some = some[:: max(1, some.size // MOST_FITTED)]
        rows, w, unit = (x[some], t_x[some], T[some]), weight[some], float((t_x / x).mean()) / self.stages
        scaled = (rows[0], rows[1] / unit, rows[2] / unit)

        def negative(logs: Floats) -> tuple[float, Floats]:
            return self._negative(logs, *scaled, w)

        starts = [(1.0, 1.0, -1.0, 1.5)]
        best = search(negative, starts, _BOUNDS)
        r, alpha, a, b = (float(v) for v in np.exp(best.x))
        total = float(w.sum() * weight.sum() / max(weight[some].sum(), 1e-9))
        spread = covariance(lambda logs: total * negative(logs)[1], best.x)
        return replace(self, r=r, alpha=alpha * unit, a=a, b=b, spread=tuple(map(tuple, spread.tolist())))

    @property
    def logs(self) -> Floats:
        """The logs of (r, alpha, a, b), to which `spread` belongs."""
        return np.log([self.r, self.alpha, self.a, self.b])

    def with_logs(self, logs: Floats) -> Regular:
        """The same with another process, given by the logs of its parameters."""
        r, alpha, a, b = (float(v) for v in np.exp(logs))
        return replace(self, r=r, alpha=alpha, a=a, b=b)

    def probability(self, x: ArrayLike, t_x: ArrayLike, variation: ArrayLike) -> Floats:
        """P(a customer is a regular buyer) by his gaps; 0 where there are fewer than two, or it is negligible."""
        count, last, uneven = (np.asarray(v, np.float64) for v in (x, t_x, variation))
        known, found = _known(count, last, uneven), np.zeros(count.shape)
        found[known] = self._weight(count[known], _evenness(count[known], last[known], uneven[known]))
        return np.where(found < NEGLIGIBLE, 0.0, found)

    def _weight(self, x: Floats, evenness: Floats) -> Floats:
        # The evener, the likelier: below a quarter of the mean of regular buyers the tails of the Betas say otherwise.
        usual = np.maximum(evenness, _mean_evenness(x, self.stages) / 4)
        even, chance = _log_density(usual, x, self.stages), _log_density(usual, x, 1)
        odds = np.log(self.share) - np.log1p(-self.share) + even - chance
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))), dtype=np.float64)

    def _stages_passed(self, x: Floats, t_x: Floats, T: Floats) -> tuple[Floats, Floats]:
        """Logs of the likelihood (rows × k) of being alive with j stages of the next gap passed, and of having left."""
        j = np.arange(self.stages)
        shape = (self.r + self.stages * x)[:, None] + j
        since = np.log(np.maximum(T - t_x, 1e-12))[:, None]
        passed = j * since - gammaln(j + 1) + gammaln(shape) - shape * np.log(self.alpha + T)[:, None]
        stayed = betaln(self.a, self.b + x)[:, None]
        alone = self.r + self.stages * x
        gone = betaln(self.a + 1, self.b + x - 1) + gammaln(alone) - alone * np.log(self.alpha + t_x)
        return passed + stayed, gone

    def _negative(self, logs: Floats, x: Floats, t_x: Floats, T: Floats, w: Floats) -> tuple[float, Floats]:
        """Mean negative log-likelihood and its gradient by central differences, at logs of the parameters."""

        def value(at: Floats) -> float:
            process = self.with_logs(at)
            alive, gone = process._stages_passed(x, t_x, T)
            same = process.r * np.log(process.alpha) - gammaln(process.r) - betaln(process.a, process.b)
            return float(-(w @ (np.logaddexp(logsumexp(alive, axis=1), gone) + same)) / w.sum())

        step = 1e-5
        slopes = [(value(logs + e) - value(logs - e)) / (2 * step) for e in step * np.eye(4)]
        return value(logs), np.array(slopes)

    def alive_probability(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """P(not yet gone at T) of a regular buyer with x ≥ 1 gaps."""
        alive, gone = self._stages_passed(*(np.asarray(v, np.float64) for v in (x, t_x, T)))
        return np.asarray(1 / (1 + np.exp(np.clip(gone - logsumexp(alive, axis=1), -700, 700))), dtype=np.float64)

    def _ahead(self, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """P(j stages are passed | alive), the shape of the rate then (both rows × k), and the rate's 1/scale."""
        count, last, age = (np.asarray(v, np.float64) for v in (x, t_x, T))
        alive, _ = self._stages_passed(count, last, age)
        share = np.exp(alive - logsumexp(alive, axis=1)[:, None])
        return share, (self.r + self.stages * count)[:, None] + np.arange(self.stages), self.alpha + age

    def buys_within(self, t: ArrayLike, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """P(the next purchase comes in the time t after T | still a customer)."""
        return self._next_within(np.asarray(t, np.float64), *self._ahead(x, t_x, T))

    def buys_by(self, times: Floats, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """The same for several times (customers × times)."""
        ahead = self._ahead(x, t_x, T)
        return np.column_stack([self._next_within(np.asarray(t), *ahead) for t in times])

    def _next_within(self, t: Floats, share: Floats, shape: Floats, scale: Floats) -> Floats:
        time = np.broadcast_to(t, scale.shape)
        z = (time / (scale + time))[:, None]
        chance = np.exp(shape * np.log1p(-z))
        missed = np.zeros(share.shape)
        for n in range(self.stages):
            # Who has passed j stages still buys nothing if he passes n < k − j.
            missed[:, : self.stages - n] += chance[:, : self.stages - n]
            chance = chance * (shape + n) / (n + 1) * z
        return np.asarray(1 - (share * missed).sum(axis=1), dtype=np.float64)

    def expected_purchases(self, t: float, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
        """Expected number of purchases in the time t after T: the m-th is made if mk − j stages are passed, and only by
        who stayed after the m − 1 before it. Stages passed in a time are negative binomial."""
        share, shape, scale = self._ahead(x, t_x, T)
        count, found = np.asarray(x, np.float64), np.zeros(scale.shape)
        z, going = t / (scale + t), np.arange(scale.size)
        stays, chance = np.ones(scale.size), np.exp(shape * np.log1p(-z)[:, None])
        fewer, n = np.zeros(share.shape), 0
        j = np.arange(self.stages)
        for m in range(1, _PURCHASES):
            for _ in range(self.stages):
                # By now `fewer` is P(fewer than n stages); the m-th purchase wants mk − j of them.
                fewer += chance
                n += 1
                chance = chance * (shape + n - 1) / n * z[:, None]
                wanted = m * self.stages - j == n
                found[going] += stays * (share * (1 - fewer))[:, wanted].sum(axis=1)
            stays = stays * (self.b + count[going] + m - 1) / (self.a + self.b + count[going] + m - 1)
            more = stays * (1 - fewer.min(axis=1)) > _NEGLIGIBLE_PURCHASES
            if not more.any():
                break
            if more.mean() < 0.7:
                going, share, shape, z, stays = going[more], share[more], shape[more], z[more], stays[more]
                chance, fewer = chance[more], fewer[more]
        very_many = self._ahead_of_very_many(t, count, scale)
        found = np.where(np.isnan(very_many), found, very_many)
        return np.asarray(found * self.alive_probability(x, t_x, T), dtype=np.float64)

    def _ahead_of_very_many(self, t: float, x: Floats, scale: Floats) -> Floats:
        """Purchases of those of whom so many are expected that probabilities of few are too small for a number: the
        mean number of them, each of which the mean customer survives. Not a number for everybody else."""
        shape = self.r + self.stages * x
        mean, leaves = shape * t / scale / self.stages, self.a / (self.a + self.b + x)
        made = -np.expm1(mean * np.log1p(-leaves)) / leaves
        return np.where(shape * np.log1p(t / scale) > _LARGEST, made, np.nan)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `from_json` makes an equal object."""
        return {**vars(self), "spread": [list(row) for row in self.spread]}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Regular:
        """What `to_json` wrote."""
        return cls(**{**told, "spread": tuple(tuple(row) for row in told["spread"])})


def _known(x: Floats, t_x: Floats, variation: Floats) -> NDArray[np.bool_]:
    return (x >= FEWEST_GAPS) & (t_x > 0) & np.isfinite(variation)


def _evenness(x: Floats, t_x: Floats, variation: Floats) -> Floats:
    """0 where all gaps are equal, 1 where one gap is all of the time: (x Σ shares² − 1)/(x − 1), Greenwood's statistic
    of the gaps' shares of their sum, which is the squared variation over x.

    Days are whole, which alone makes gaps differ by a variance of 1/6; less than that is not known.
    """
    rounding = 1 / 6 / np.maximum(t_x / x, 1.0) ** 2
    return np.clip(np.maximum(variation**2, rounding) / x, 1e-6, 1 - 1e-6)


def _log_density(evenness: Floats, x: Floats, k: int) -> Floats:
    """Log density of the evenness of x gaps of k stages: shares of the sum are Dirichlet(k, …, k), so its mean and
    variance are known, and a Beta of these (exact for two gaps) stands for it."""
    n = x * k
    four = n * (n + 1) * (n + 2) * (n + 3)
    squares = (k + 1) / (n + 1)
    mean = _mean_evenness(x, k)
    both = (x * k * (k + 1) * (k + 2) * (k + 3) + x * (x - 1) * (k * (k + 1)) ** 2) / four
    scale = x / (x - 1)
    variance = scale**2 * (both - squares**2)
    size = mean * (1 - mean) / variance - 1
    first, second = mean * size, (1 - mean) * size
    density = (first - 1) * np.log(evenness) + (second - 1) * np.log1p(-evenness) - betaln(first, second)
    return np.asarray(density, dtype=np.float64)


def _mean_evenness(x: Floats, k: int) -> Floats:
    return np.asarray((x * (k + 1) / (x * k + 1) - 1) / (x - 1), dtype=np.float64)


def _mixture(x: Floats, evenness: Floats) -> tuple[int, float] | None:
    """k and the share of regular buyers by EM for each k; None where the mixture gains less than BIC asks for."""
    chance = _log_density(evenness, x, 1)
    best = max(((*_share(chance, _log_density(evenness, x, k)), k) for k in STAGES), key=lambda each: each[0])
    gain, share, k = best
    return (k, share) if 2 * gain > 2 * np.log(x.size) and share * x.size >= FEWEST / 3 else None


def _share(chance: Floats, even: Floats) -> tuple[float, float]:
    """The gain in log-likelihood over chance alone, and the share, by EM."""
    odds, share, before = np.exp(np.clip(even - chance, -700, 700)), 0.3, 1.0
    for _ in range(200):
        if abs(share - before) < 1e-7:
            break
        weight = share * odds / (1 - share + share * odds)
        before, share = share, float(np.clip(weight.mean(), 1e-9, 1 - 1e-9))
    return float(np.log1p(share * (odds - 1)).sum()), share
