"""What narrows an audience beyond its rule: a survey draws by chance, an offer has its customers assigned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Drawing(Protocol):
    """Says who of those that may be contacted are in the audience.

    `kind` is the name under which the manifest declares it; `by_scores`: whether scores decide, so that who refused
    profiling is left out.
    """

    @property
    def kind(self) -> str: ...
    @property
    def by_scores(self) -> bool: ...

    def declared(self) -> Mapping[str, Any]:
        """What makes it what it is."""
        ...

    def drawn(self, ids: pa.Array, left: npt.NDArray[np.bool_], salt: str) -> npt.NDArray[np.bool_]:
        """Those of `left`, aligned with `ids`, who are in it."""
        ...

    def counts(self, ids: pa.Array, left: npt.NDArray[np.bool_]) -> Mapping[str, int]:
        """What the manifest counts of `left` beside who is in it."""
        ...

    def columns(self, ids: pa.ChunkedArray) -> Mapping[str, pa.Array]:
        """Further columns of the list, aligned with the `ids` of those in it."""
        ...
