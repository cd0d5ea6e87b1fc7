"""
`python -m benchmarks.remembered [--count N]`: what remembered prompts cost Valkey.

Fills one with prompts of about a kilobyte, 100 to a scope, and prints its memory for each
and the time its scripts take for one look-up, at a hundredth of the count and at all of it.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.contenders import start_valkey
from benchmarks.programs import cores
from gateway.stores.redis.connection import Connection
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Offer, Offers, Sighting

WORDS = 170
PER_SCOPE = 100
AT_ONCE = 64
LOOKUPS = 2_000
NOW = 1_795_348_800.0
_NOTHING = Offers(new=Offer(), exact=Offer(), retry=Offer(), shared=Offer())
_FORBIDDEN = Offer(forbidden=True)
_LOOK = Offers(new=_FORBIDDEN, exact=_FORBIDDEN, retry=_FORBIDDEN, shared=_FORBIDDEN)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.remembered", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    count = parser.parse_args(argv).count
    with (
        tempfile.TemporaryDirectory(prefix="goodgate-bench-") as name,
        start_valkey(Path(name), core=cores()[0]),
    ):
        asyncio.run(_measure(f"unix://{name}/valkey/valkey.sock", count))
    return 0


async def _measure(url: str, count: int) -> None:
    connection = await Connection.connect(url, timeout_s=30)
    store = RedisQuotas(connection, replica="bench", secret=secrets.token_bytes(32))
    few = max(PER_SCOPE, count // 100)
    empty = await _memory(connection)
    await _fill(store, 0, few)
    await _say(connection, store, few, empty)
    await _fill(store, few, count)
    await _say(connection, store, count, empty)
    await connection.close()


async def _fill(store: RedisQuotas, start: int, end: int) -> None:
    for first in range(start, end, AT_ONCE):
        sightings = [_sighting(number) for number in range(first, min(end, first + AT_ONCE))]
        await asyncio.gather(*(store.observe(each, _NOTHING, NOW) for each in sightings))


async def _say(connection: Connection, store: RedisQuotas, count: int, empty: int) -> None:
    held = await _memory(connection) - empty
    await connection.command(b"CONFIG", b"RESETSTAT")
    for number in _spread(count):
        await store.observe(_sighting(number, fresh=True), _LOOK, NOW)
    stats = await connection.command(b"INFO", b"commandstats")
    line = next(line for line in stats.splitlines() if line.startswith(b"cmdstat_evalsha"))
    spent = dict(part.split(b"=") for part in line.partition(b":")[2].split(b","))
    print(
        f"{count:>9,} remembered: {held / 1e6:,.0f} MB, {held / count:,.0f} bytes each; "
        f"{float(spent[b'usec_per_call']):.0f} µs of Valkey for a look-up",
        file=sys.stdout,
        flush=True,
    )


def _spread(count: int) -> Iterator[int]:
    yield from (number * count // LOOKUPS for number in range(LOOKUPS))


def _sighting(number: int, *, fresh: bool = False) -> Sighting:
    words = secrets.token_bytes(3 * WORDS)
    features = tuple((group << 20 | secrets.randbits(20)).to_bytes(3, "big") for group in range(12))
    return Sighting(
        tenant="default",
        scope=(number // PER_SCOPE).to_bytes(16, "big"),
        request_id=f"req_{number:032x}",
        comparable=True,
        exact=secrets.token_bytes(16) if fresh else number.to_bytes(16, "little"),
        features=features,
        words=words,
        canonical=secrets.token_bytes(16),
    )


async def _memory(connection: Connection) -> int:
    info = await connection.command(b"INFO", b"memory")
    line = next(line for line in info.splitlines() if line.startswith(b"used_memory:"))
    return int(line.partition(b":")[2])


if __name__ == "__main__":
    raise SystemExit(main())
