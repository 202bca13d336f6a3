"""The parameters of a made-up shop, drawn once from its seed: categories, kinds of people, promotions, campaigns.

Nothing here depends on how many users there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from warehouse.shop.festivals import Festival, festivals_between

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SELLERS = 60
BANDS = 5
BRANDS = 6

_CATEGORIES = (
    # name, Chinese, days between purchases, gamma shape, price, popularity, favourite share, returns, gift share
    ("coffee", "咖啡", 24, 3, 68, 1.2, 0.72, 0.5, 0.0),
    ("tea", "茶叶", 38, 2.5, 96, 0.8, 0.62, 0.5, 0.2),
    ("pet_food", "宠物粮", 30, 4, 159, 0.7, 0.82, 0.5, 0.0),
    ("diapers", "纸尿裤", 26, 4, 129, 0.6, 0.84, 0.6, 0.0),
    ("skin_care", "护肤", 54, 3, 188, 1.1, 0.55, 0.9, 0.3),
    ("snacks", "零食", 20, 2, 36, 1.5, 0.45, 0.4, 0.1),
    ("laundry", "洗衣清洁", 45, 3, 49, 1.0, 0.66, 0.3, 0.0),
    ("vitamins", "营养保健", 33, 3.5, 139, 0.7, 0.74, 0.6, 0.1),
    ("oral_care", "口腔护理", 48, 3, 29, 0.8, 0.64, 0.3, 0.0),
    ("apparel", "服饰", 75, 1, 169, 1.2, 0.06, 2.6, 0.1),
    ("sports", "运动户外", 140, 1, 219, 0.7, 0.05, 1.4, 0.1),
    ("toys", "玩具", 110, 1, 89, 0.6, 0.05, 0.9, 0.7),
    ("home_textile", "家纺", 190, 1, 239, 0.5, 0.05, 1.3, 0.1),
    ("kitchen", "厨具", 230, 1, 149, 0.6, 0.03, 0.9, 0.1),
    ("jewellery", "饰品", 210, 1, 329, 0.4, 0.02, 1.2, 0.9),
    ("audio", "影音数码", 300, 1, 399, 0.5, 0.02, 1.5, 0.3),
)

_KINDS = (
    # name, share, categories, tempo, mean days until leaving, festival, coupon, depth, return, browse a week, add-ons
    ("loyal", 0.17, 2.4, 1.50, 2600, 0.32, 0.15, 0.12, 0.020, 0.16, 0.85),
    ("regular", 0.26, 2.1, 1.85, 1900, 0.28, 0.18, 0.14, 0.030, 0.13, 0.75),
    ("occasional", 0.24, 1.8, 2.20, 1600, 0.24, 0.15, 0.14, 0.035, 0.10, 0.65),
    ("discount_lover", 0.14, 2.0, 1.95, 1600, 0.55, 0.65, 0.27, 0.045, 0.18, 0.80),
    ("coupon_hunter", 0.06, 1.8, 2.10, 1200, 0.70, 1.00, 0.44, 0.180, 0.22, 0.30),
    ("gift_buyer", 0.07, 1.6, 1.60, 2000, 0.65, 0.20, 0.14, 0.030, 0.10, 0.50),
    ("one_off", 0.06, 1.0, 3.00, 60, 0.06, 0.30, 0.20, 0.050, 0.06, 0.40),
)

PROVINCES = ("广东", "江苏", "浙江", "山东", "上海", "北京", "四川", "河南", "湖北", "福建", "湖南", "安徽")


@dataclass(frozen=True)
class Campaign:
    """One randomised campaign: whom it was meant for, and how much it added.

    `added_probability` is, for each kind of person, the chance that being contacted adds one order in the
    `window_days` after `day` (days since the shop's first); `lapsed_days` bounds the days since the last order.
    """

    campaign_id: str
    day: int
    window_days: int
    lapsed_days: tuple[int, int]
    treated_share: float
    added_probability: tuple[float, ...]


@dataclass(frozen=True)
class World:
    """What is true of the shop as a whole. Arrays over categories, kinds of people or weeks, as named."""

    seed: int
    start: date
    days: int
    cycle_days: Floats
    regularity: Floats
    category_price: Floats
    category_weight: Floats
    favourite_share: Floats
    return_factor: Floats
    gift_share: Floats
    kind_share: Floats
    kind_categories: Floats
    kind_tempo: Floats
    kind_lifetime: Floats
    kind_festival: Floats
    kind_coupon: Floats
    kind_depth: Floats
    kind_return: Floats
    kind_browse: Floats
    kind_add_on: Floats
    promotions: Floats
    pause_share: float
    pause_days: float
    guest_share: float
    campaigns: tuple[Campaign, ...]
    newsletters: Ints
    seller_users: Ints

    @property
    def end(self) -> date:
        return self.start + timedelta(days=self.days)

    @cached_property
    def festivals(self) -> tuple[Festival, ...]:
        return festivals_between(self.start, self.end)

    def day_number(self, day: date) -> int:
        """Days since the shop's first day."""
        return (day - self.start).days

    @cached_property
    def festival_of_day(self) -> Ints:
        """For each day the festival people shop for (its position in `festivals`), −1 where none."""
        of_day = np.full(self.days, -1, np.int64)
        for k, festival in enumerate(self.festivals):
            first = self.day_number(festival.first_day)
            of_day[max(first, 0) : max(first + festival.shopping_days, 0)] = k
        return of_day

    def parameters(self) -> dict[str, Any]:
        """Everything drawn, as plain values with names."""
        arrays = {k: v.tolist() for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return {
            "seed": self.seed,
            "first_day": self.start.isoformat(),
            "end": self.end.isoformat(),
            "categories": CATEGORY_NAMES,
            "consumable": CONSUMABLE.tolist(),
            "kinds": KIND_NAMES,
            "guest_share": self.guest_share,
            "pause_share": self.pause_share,
            "pause_days": self.pause_days,
            **arrays,
            "festivals": [{"name": f.name, "day": f.day.isoformat()} for f in self.festivals],
            "campaigns": [vars(c) | {"date": (self.start + timedelta(days=c.day)).isoformat()} for c in self.campaigns],
        }


CATEGORY_NAMES = tuple(str(row[0]) for row in _CATEGORIES)
CATEGORY_NAMES_ZH = tuple(str(row[1]) for row in _CATEGORIES)
KIND_NAMES = tuple(str(row[0]) for row in _KINDS)
CONSUMABLE: Flags = np.array([float(row[3]) > 1 for row in _CATEGORIES])
COUPON_HUNTER, GIFT_BUYER, ONE_OFF = (KIND_NAMES.index(k) for k in ("coupon_hunter", "gift_buyer", "one_off"))


def _jitter(rng: np.random.Generator, base: Floats, sigma: float) -> Floats:
    return base * rng.lognormal(0, sigma, len(base))


def draw_world(seed: int, start: date, days: int) -> World:
    """The shop of that seed that opens its books on `start` and keeps them for `days` days."""
    rng = np.random.default_rng([seed, 0])
    category = np.array([row[2:] for row in _CATEGORIES], np.float64).T
    kind = np.array([row[1:] for row in _KINDS], np.float64).T
    weeks = days // 7 + 1
    promotions = np.where(
        rng.random((len(_CATEGORIES), weeks)) < 0.12, rng.uniform(0.10, 0.30, (len(_CATEGORIES), weeks)), 0.0
    )
    return World(
        seed=seed,
        start=start,
        days=days,
        cycle_days=_jitter(rng, category[0], 0.10),
        regularity=np.where(CONSUMABLE, _jitter(rng, category[1], 0.08), 1.0),
        category_price=_jitter(rng, category[2], 0.10),
        category_weight=_jitter(rng, category[3], 0.15),
        favourite_share=category[4],
        return_factor=category[5],
        gift_share=category[6],
        kind_share=rng.dirichlet(kind[0] * 400),
        kind_categories=kind[1],
        kind_tempo=_jitter(rng, kind[2], 0.05),
        kind_lifetime=_jitter(rng, kind[3], 0.05),
        kind_festival=np.minimum(_jitter(rng, kind[4], 0.05), 0.95),
        kind_coupon=np.minimum(_jitter(rng, kind[5], 0.05), 1.0),
        kind_depth=kind[6],
        kind_return=_jitter(rng, kind[7], 0.08),
        kind_browse=_jitter(rng, kind[8], 0.08),
        kind_add_on=_jitter(rng, kind[9], 0.08),
        promotions=promotions,
        pause_share=float(rng.uniform(0.09, 0.11)),
        pause_days=float(rng.uniform(55, 65)),
        guest_share=float(rng.uniform(0.03, 0.06)),
        campaigns=_draw_campaigns(rng, days),
        newsletters=np.sort(rng.integers(0, days, max(days // 90, 1))),
        seller_users=rng.permutation(1000)[:SELLERS].astype(np.int64),
    )


def _draw_campaigns(rng: np.random.Generator, days: int) -> tuple[Campaign, ...]:
    """Three campaigns, each with its own effect on each kind of person; the last one is the easiest to win."""
    plans = (
        ("C-WINBACK-1", 0.45, (45, 365), 0.5, 0.08),
        ("C-WAKE-UP", 0.70, (15, 90), 0.7, 0.07),
        ("C-WINBACK-2", 0.86, (45, 365), 0.5, 0.11),
    )
    responsive = np.array([0.5, 1.0, 0.9, 2.2, 2.4, 0.6, 0.3])
    return tuple(
        Campaign(
            campaign_id,
            int(days * share),
            14,
            lapsed,
            treated,
            tuple(np.minimum(effect * responsive * rng.lognormal(0, 0.15, len(responsive)), 0.6).tolist()),
        )
        for campaign_id, share, lapsed, treated, effect in plans
    )
