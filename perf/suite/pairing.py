"""Statistics of a row: pairs that hold while the machine drifts, and medians.

The distance between the two cores changes within seconds, so a run of wharf counts only between two runs of its floor
that agree; its ratio is that of its time and the mean of the two.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence

AGREE_WITHIN = 0.15


@dataclasses.dataclass(frozen=True)
class Spread:
    median: float
    min: float
    max: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values), len(values))


def agree(before: float, after: float, within: float = AGREE_WITHIN) -> bool:
    """Whether two runs of the floor are close enough to be one machine."""
    return max(before, after) <= min(before, after) * (1 + within)


def pair_ratio(before: float, subject: float, after: float, within: float = AGREE_WITHIN) -> float | None:
    """The subject's ratio to its floor; none if the floor moved meanwhile."""
    if not agree(before, after, within):
        return None
    return subject / ((before + after) / 2)
