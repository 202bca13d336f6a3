"""Who is contacted, held back or asked: by a salted hash, so that nothing has to be stored or agreed on."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from warehouse.errors import UsageError

TREATMENT = "treatment"
CONTROL = "control"


def assign_arms(ids: Iterable[str], salt: str, control_share: float) -> npt.NDArray[np.str_]:
    """For every id "treatment" or "control", in the given order.

    An id's arm depends on the id and the salt alone: not on the order, not on who else is there. Each id is control
    with probability `control_share` (0 ≤ share < 1) over salts, and different salts are independent, so the size of
    the control group is binomial, not exact. SHA-256 of salt, NUL and id; its first 64 bits as a share of 2**64.
    """
    if not 0 <= control_share < 1:
        raise UsageError(f"The control share is {control_share}; it must be at least 0 and below 1.")
    limit = int(control_share * 2**64)
    prefix = hashlib.sha256(salt.encode() + b"\0")
    return np.array([CONTROL if _point(prefix, one) < limit else TREATMENT for one in ids], dtype="U9")


def draw(ids: Sequence[str], salt: str, size: int) -> npt.NDArray[np.intp]:
    """The places of `size` of the ids, or of all where there are fewer, drawn by chance without replacement.

    Those whose hash is lowest: the order of `ids` does not matter, a larger draw holds every smaller one of its salt,
    and one id less brings in one other at most. Independent of `assign_arms` with the same salt.
    """
    prefix = hashlib.sha256(b"draw\0" + salt.encode() + b"\0")
    points = [(_point(prefix, one), one) for one in ids]
    return np.array(sorted(heapq.nsmallest(size, range(len(ids)), key=points.__getitem__)), dtype=np.intp)


def _point(prefix: hashlib._Hash, one: str) -> int:
    hashed = prefix.copy()
    hashed.update(one.encode())
    return int.from_bytes(hashed.digest()[:8])
