"""
What could be counted: six ways that dashboards have, and credit beside them.

Each meter reads what the team that may cheat sent (counts) or got (credit), and is a number.
"""

import functools
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.goodhart.model import Message, Request, delta, text_of

WORDS = 5
HASHES = 128
BANDS = 32
"""Of four hashes each: what is alike in 8 of 10 shingles meets in one with a chance of 1 - 1e-7."""
ALIKE = 0.8
NAMES = (
    "raw requests",
    "raw tokens",
    "exact hash",
    "whole-request near-duplicates",
    "delta near-duplicates",
    "task-checked",
    "credit",
)
LEDGERLESS = NAMES[:5]
"""Those that need requests alone."""
_PRIME = np.uint64((1 << 61) - 1)
_random = np.random.default_rng(20261122)
_FACTORS = _random.integers(1, 1 << 32, HASHES, dtype=np.uint64) | np.uint64(1)
_OFFSETS = _random.integers(0, 1 << 61, HASHES, dtype=np.uint64)


def counted(requests: Sequence[Request]) -> dict[str, float]:
    """Return the meters that need nothing but the requests."""
    whole = [(each.session or each.principal, whole_text(each)) for each in requests]
    newest = [(each.session or each.principal, delta_text(each)) for each in requests]
    return {
        "raw requests": float(len(requests)),
        "raw tokens": float(sum(each.tokens for each in requests)),
        "exact hash": float(len({each.body for each in requests})),
        "whole-request near-duplicates": float(distinct(whole)),
        "delta near-duplicates": float(distinct(newest)),
    }


def checked(requests: Sequence[Request], evidence: Sequence[str]) -> float:
    """Return how many different newest turns were sent for a verified task."""
    sent = zip(requests, evidence, strict=True)
    linked = [each for each, how in sent if how == "verified"]
    return float(distinct((each.session or each.principal, delta_text(each)) for each in linked))


def whole_text(request: Request) -> str:
    """Return all that a request says, its instructions too: what a semantic cache goes by."""
    return "\n".join([request.system, *map(_said, request.messages)])


def delta_text(request: Request) -> str:
    """Return what a request says since the model last spoke."""
    return "\n".join(map(_said, delta(request.messages)))


def _said(message: Message) -> str:
    return text_of(message)


def distinct(texts: Iterable[tuple[str, str]]) -> int:
    """Return how many texts are no near-duplicate of an earlier one of their session."""
    found = 0
    seen: dict[tuple[object, ...], list[NDArray[np.uint64]]] = {}
    for scope, text in texts:
        sketch = sketched(text)
        keys = [(scope, band, sketch[band * 4 : band * 4 + 4].tobytes()) for band in range(BANDS)]
        near = (other for key in keys for other in seen.get(key, ()))
        if any(float(np.mean(sketch == other)) >= ALIKE for other in near):
            continue
        found += 1
        for key in keys:
            seen.setdefault(key, []).append(sketch)
    return found


@functools.lru_cache(maxsize=200_000)
def sketched(text: str) -> NDArray[np.uint64]:
    """Return the MinHash of a text's runs of five words (Broder 1997)."""
    words = text.casefold().split()
    size = max(1, len(words) - WORDS + 1)
    runs = {" ".join(words[at : at + WORDS]) for at in range(size)}
    hashes = np.fromiter((zlib.crc32(run.encode()) for run in runs), np.uint64, len(runs))
    least: NDArray[np.uint64] = (
        (hashes[:, None] * _FACTORS[None, :] + _OFFSETS[None, :]) % _PRIME
    ).min(axis=0)
    return least
