"""Proofs and verification of a log of many leaves, made by the real sequencer."""

import gc
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks import programs
from gateway.ledger import tiles
from gateway.ledger.verification import Report
from gateway.stores.postgres import connection
from gateway.stores.postgres.reading import Reading as Shared
from gateway.stores.sqlite.reading import Reading as Embedded

PROOFS = 2_000
COLD_PROOFS = 50


class Proofs(msgspec.Struct, frozen=True, kw_only=True):
    """How long an inclusion proof takes, in microseconds (medians)."""

    leaves: int
    warm_us: float
    """Of leaves whose tiles were read before."""
    warm_p99_us: float
    one_tile_us: float
    """Of any leaf: the tiles above are at hand, that of the leaf is asked of the store."""
    cold_us: float
    """With nothing at hand: each tile asked of the store, each in a session of its own."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying a log took."""

    leaves: int
    seconds: float
    """Of the command, from its start to its end."""
    checkpoints: int
    verdict: str


def proofs(folder: Path, url: str = "") -> Proofs:
    """Return how fast proofs of random leaves are, of a folder's log or a database's."""
    reading = Shared(connection.read(url)) if url else Embedded(folder)
    size = reading.size()
    dice = random.Random(3)
    some = [dice.randrange(size) for _ in range(PROOFS)]
    kept = tiles.Reader(size, reading.tile, cached=2 * size // tiles.WIDTH + 64)
    for index in some[:COLD_PROOFS]:  # they also read what is above
        kept.inclusion(index)
    beside = _each_us(some[COLD_PROOFS : 4 * COLD_PROOFS], kept.inclusion)
    for index in some:
        kept.inclusion(index)
    gc.collect()
    warm = _each_us(some, kept.inclusion)
    cold = _each_us(
        some[:COLD_PROOFS], lambda each: tiles.Reader(size, reading.tile).inclusion(each)
    )
    return Proofs(
        leaves=size,
        warm_us=warm[len(warm) // 2],
        warm_p99_us=warm[len(warm) * 99 // 100],
        one_tile_us=beside[len(beside) // 2],
        cold_us=cold[len(cold) // 2],
    )


def verified(folder: Path) -> Verified:
    """Return what `goodgate audit verify` takes for the log of a data folder."""
    key = Embedded(folder).log().vkey
    command = (*("-m", "gateway", "audit", "verify"), *("--data", str(folder), "--key", key))
    began = time.perf_counter()
    said = programs.run([sys.executable, *command, "--json"], core=None, within_s=600)
    took = time.perf_counter() - began
    report = msgspec.json.decode(said, type=Report)
    assert report.rollups == "equal", report
    return Verified(
        leaves=report.size, seconds=took, checkpoints=report.checkpoints, verdict=report.verdict
    )


def _each_us(indexes: Sequence[int], prove: Callable[[int], object]) -> list[float]:
    """Return how long each took, in microseconds, the shortest first."""
    took: list[float] = []
    for index in indexes:
        began = time.perf_counter()
        prove(index)
        took.append(1e6 * (time.perf_counter() - began))
    return sorted(took)
