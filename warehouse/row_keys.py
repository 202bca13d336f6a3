"""A hash of every row of text, by which copies are known over all loads.

The hash of a row is the sum of one hash for each value that is not empty, seeded by the name of its column. So neither
the order of columns nor an added empty one matters, and it is the same wherever and with whatever engine it is made.
It is not cryptographic: who writes a file could make two of its own rows look like copies.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Hashes = npt.NDArray[np.uint64]

# The multipliers and shifts of SplitMix64 (Steele, Lea and Flood, 2014), which mix every bit into every other.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_WORD = 8
_MASKS = np.array([(1 << 8 * size) - 1 for size in range(_WORD + 1)], dtype=np.uint64)


def row_keys(rows: pa.Table) -> pa.Array:
    """The hash of each row of a table of text columns; NULL and the empty text are no value."""
    total = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in rows.column_names:
        seed = int.from_bytes(hashlib.md5(name.encode(), usedforsecurity=False).digest()[:_WORD], "little")
        texts = rows.column(name).combine_chunks()
        total += _text_hashes(texts.fill_null("") if texts.null_count else texts, np.uint64(seed))
    return pa.array(total, pa.uint64())


def _mixed(values: _Hashes) -> _Hashes:
    values = (values ^ (values >> np.uint64(30))) * _FIRST
    values = (values ^ (values >> np.uint64(27))) * _SECOND
    mixed: _Hashes = values ^ (values >> np.uint64(31))
    return mixed


def _text_hashes(texts: pa.StringArray, seed: np.uint64) -> _Hashes:
    """Eight bytes of every text at a time; an empty text is 0."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.zeros(len(texts), dtype=np.uint64)
    bounds = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    starts, lengths = bounds[:-1], np.diff(bounds)
    octets = np.concatenate([np.frombuffer(data, np.uint8), np.zeros(_WORD, np.uint8)])
    # A word may begin at any byte: the view has one for each.
    words = np.ndarray((len(octets) - _WORD + 1,), dtype="<u8", buffer=octets, strides=(1,))
    hashes: _Hashes = lengths.astype(np.uint64) * _GAMMA + seed
    for at in range(0, int(lengths.max()), _WORD):
        longer = np.flatnonzero(lengths > at)
        word = words[starts[longer] + at] & _MASKS[np.minimum(lengths[longer] - at, _WORD)]
        hashes[longer] = _mixed((hashes[longer] ^ word) + _GAMMA)
    hashes[lengths == 0] = 0
    return hashes
