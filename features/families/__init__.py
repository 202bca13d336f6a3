"""What each family counts, in words: the one place from which the catalogue is read.

A line is `name | windows | unit | where nothing is there | meaning | 含义`. A window is a number of days, or L for
everything so far; `{w}` in a meaning becomes the window's words. Where nothing is there a count is 0 and the rest
unknown. A category whose line is followed by lines `value | English name | 中文名` is a segment: it has these values
and no other.
"""

from features.families.counts import COUNTS
from features.families.family import Family
from features.families.groups import GROUPS
from features.families.leanings import LEANINGS

__all__ = ["FAMILIES", "Family"]

FAMILIES: tuple[Family, ...] = (*COUNTS, *GROUPS, *LEANINGS)
