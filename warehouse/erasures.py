"""Who was erased: keyed hashes of ids, by which their rows are kept out of every later load.

    erasures/erasures.json      a salt, and for each erasure when, why, how many rows, and the hashes

The file lies beside the store, not in it: whoever deletes the store to have it made anew must not bring anybody back.
An id cannot be read off its hash, but whoever has the file can try ids one by one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.errors import RepriseError
from warehouse.files import write_text
from warehouse.rulebook import KEY

FOLDER = "erasures"
ERASED = "erased"
"""The policy under which rows of erased users are counted among those set aside."""
_FORMAT = 1
_DIGEST_BYTES = 16
_HASHES = ("users", "devices", "acts", "sellers")
_UNSEEN = r"[\s\x{0}-\x{1f}\x{7f}-\x{a0}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}\x{3000}\x{feff}]"
Person = Literal["user", "seller"]
"""Who can be erased: users, and sellers where these are the customers."""
PEOPLE: tuple[Person, ...] = ("user", "seller")
Kind = Literal[Person, "device", "act"]


@dataclass(frozen=True)
class Erasure:
    """One erasure: when (UTC), why, whose (by hash), and what was removed. `finished` is None until all is done.

    `acts` are those of nobody on devices of others, too, that a login had made theirs (`act_texts`, by hash).
    """

    at: str
    reason: str
    users: tuple[str, ...]
    devices: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    sellers: tuple[str, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    finished: str | None = None


def act_texts(rows: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """By what acts of the store are known again: their source row, as long as the file is the same, whatever the
    settings; and their device and moment, as long as times are read the same, whatever else the file says.
    """
    moments = rows["occurred_at"].cast(pa.int64()).cast(pa.string())
    return rows[KEY].cast(pa.string()), pc.binary_join_element_wise(rows["device_id"], moments, "@")


class Tombstones:
    """The erasures of a workspace."""

    def __init__(self, root: Path) -> None:
        self._path = root / FOLDER / "erasures.json"
        self._salt, self.erasures = self._read()

    def _read(self) -> tuple[bytes, tuple[Erasure, ...]]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            if told["format"] != _FORMAT:
                raise ValueError("another format")
            erasures = tuple(
                Erasure(**{**each, **{name: tuple(each.get(name, ())) for name in _HASHES}})
                for each in told["erasures"]
            )
            return bytes.fromhex(told["salt"]), erasures
        except FileNotFoundError:
            return secrets.token_bytes(32), ()
        except (ValueError, KeyError, TypeError) as error:
            raise RepriseError(
                f"{self._path} is damaged, so who was erased is not known and nothing is loaded.",
                hint="Put it back from a copy.",
            ) from error

    def __bool__(self) -> bool:
        return bool(self.erasures)

    def hash_of(self, kind: Kind, one: str) -> str:
        """The keyed hash of an id; blanks and invisible characters around and in it do not count."""
        plain = pc.replace_substring_regex(pa.scalar(one), _UNSEEN, "").as_py()
        return self._hashed(kind, plain)

    def _hashed(self, kind: Kind, plain: str) -> str:
        return hashlib.blake2b(f"{kind}:{plain}".encode(), key=self._salt, digest_size=_DIGEST_BYTES).hexdigest()

    def hashes(self, kind: Kind) -> frozenset[str]:
        """Those of all erased users or sellers, of devices that were only theirs, or of acts on others' devices."""
        return frozenset(one for each in self.erasures for one in getattr(each, f"{kind}s"))

    def hit(self, kind: Kind, texts: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        """Which of the ids were erased; NULL and the empty text never are."""
        known = self.hashes(kind)
        if not known:
            return np.zeros(len(texts), dtype=bool)
        unique = pc.unique(texts).drop_null()
        plain = pc.replace_substring_regex(unique, _UNSEEN, "").to_pylist()
        gone = pa.array([one != "" and self._hashed(kind, one) in known for one in plain], pa.bool_())
        return np.asarray(pc.is_in(texts, value_set=unique.filter(gone)).to_numpy(zero_copy_only=False), dtype=bool)

    def acts(self, rows: pa.Table) -> npt.NDArray[np.bool_]:
        """Which rows of events are acts of nobody that were an erased user's."""
        nobody = np.asarray(rows["user_id"].is_null().to_numpy(zero_copy_only=False), dtype=bool)
        if not (nobody.any() and self.hashes("act")):
            return np.zeros(rows.num_rows, dtype=bool)
        of_nobody = rows.filter(pa.array(nobody))
        nobody[nobody] = np.any([self.hit("act", texts) for texts in act_texts(of_nobody)], axis=0)
        return nobody

    def add(self, erasure: Erasure) -> None:
        """Writes down an erasure that begins."""
        self.erasures = (*self.erasures, erasure)
        self._write()

    def finish(self, removed: Mapping[str, int], at: str) -> None:
        """Writes down that the last erasure is done, and what it removed."""
        last = replace(self.erasures[-1], removed=dict(removed), finished=at)
        self.erasures = (*self.erasures[:-1], last)
        self._write()

    def _write(self) -> None:
        told: dict[str, Any] = {
            "format": _FORMAT,
            "salt": self._salt.hex(),
            "erasures": [asdict(each) for each in self.erasures],
        }
        write_text(self._path, json.dumps(told, ensure_ascii=False, indent=1) + "\n")

    def without(
        self,
        rows: pa.Table,
        user: str | None,
        device: str | None,
        mentions: Iterable[str] = (),
        seller: str | None = None,
    ) -> tuple[pa.Table, int]:
        """Rows of text as if the erased had never been in the file, and how many rows that took away.

        `user`, `device` and `seller` name the file's columns of ids, where it has them; `mentions` those that name
        another user, such as who referred this one: they are emptied.
        """
        gone = np.zeros(rows.num_rows, dtype=bool)
        nobody = np.ones(rows.num_rows, dtype=bool)
        if user is not None:
            gone |= self.hit("user", rows.column(user))
            nobody = np.asarray(
                pc.fill_null(pc.equal(rows.column(user), ""), True).to_numpy(zero_copy_only=False), dtype=bool
            )
        if device is not None:
            gone |= nobody & self.hit("device", rows.column(device))
        if seller is not None:
            gone |= self.hit("seller", rows.column(seller))
        kept = rows.filter(pa.array(~gone)) if gone.any() else rows
        for name in mentions:
            hit = self.hit("user", kept.column(name))
            if hit.any():
                emptied = pc.if_else(pa.array(hit), "", kept.column(name))
                kept = kept.set_column(kept.column_names.index(name), name, emptied)
        return kept, int(gone.sum())
