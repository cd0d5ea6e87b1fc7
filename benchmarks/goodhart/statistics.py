"""Relative inflation over paired seeds, with the interval a bootstrap over seeds gives."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

RESAMPLES: Final = 10_000
_INTERVAL: Final = (2.5, 97.5)


class Figure(Struct, frozen=True):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def inflation(attacked: Sequence[float], honest: Sequence[float]) -> Figure:
    """
    Return by how much a meter rose, relative to honest work: (sum of attacked / sum of honest) - 1.

    Seeds are resampled as pairs (Efron and Tibshirani 1993, section 13.3: percentile interval).
    """
    pairs = np.array([attacked, honest], dtype=float)
    total = float(pairs[1].sum())
    if not total:
        return Figure(0.0, 0.0, 0.0)
    dice = np.random.default_rng(20261122)
    picks = dice.integers(0, pairs.shape[1], (RESAMPLES, pairs.shape[1]))
    sums = pairs[:, picks].sum(axis=2)
    ratios = sums[0] / sums[1] - 1
    low, high = np.percentile(ratios, _INTERVAL)
    return Figure(float(pairs[0].sum()) / total - 1, float(low), float(high))


def gaming_gain(credit: Figure, raw: Figure) -> Figure | None:
    """Return GG = inflation of a meter / inflation of raw requests; None where these stay."""
    if raw.mean <= 0:
        return None
    return Figure(credit.mean / raw.mean, credit.low / raw.mean, credit.high / raw.mean)


def wilson_upper(hits: int, of: int) -> float:
    """Return the upper end of the 95 % interval of a proportion (Wilson 1927)."""
    z = 1.959963984540054
    if not of:
        return 1.0
    share = hits / of
    middle = share + z * z / (2 * of)
    spread = z * float(np.sqrt(share * (1 - share) / of + z * z / (4 * of * of)))
    return min(1.0, (middle + spread) / (1 + z * z / of))
