"""How long it takes to give offers out, and how far from the best at most: `python -m benchmarks.offers`.

Probabilities as a model gives them: a customer's liveliness × an offer's appeal × taste, skewed; most offers have
fewer places than customers who would choose them, a fifth a least size as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
from numpy.typing import NDArray

from audiences.offers import assign


def shop(customers: int, offers: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Worths, least and most sizes."""
    random = np.random.default_rng(seed)
    taste = random.normal(0, 1, (customers, 4)) @ random.normal(0, 0.6, (4, offers))
    log_odds = taste + random.normal(-3.5, 1, (customers, 1)) + random.normal(0, 1, offers)
    worth = 1 / (1 + np.exp(-log_odds)) * random.uniform(5, 40, offers)
    worth[random.random(worth.shape) < 0.1] = -np.inf
    most = random.integers(customers // (4 * offers), 2 * customers // offers, offers)
    least = np.where(random.random(offers) < 0.2, most // 2, 0)
    return worth, least, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--offers", type=int, default=50)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    told = parser.parse_args()
    worth, least, most = shop(told.customers, told.offers, told.seed)
    wall, processor = time.perf_counter(), time.process_time()
    found = assign(worth, least, most, told.each)
    took = time.perf_counter() - wall, time.process_time() - processor
    sizes = found.given.sum(axis=0)
    print(
        json.dumps(
            {
                **vars(told),
                "seconds": round(took[0], 1),
                "processor_seconds": round(took[1], 1),
                "gap": found.gap,
                "worth": found.worth,
                "bound": found.bound,
                "given": int(sizes.sum()),
                "bounds_kept": bool(((least <= sizes) & (sizes <= most)).all()),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
