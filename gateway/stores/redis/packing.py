"""What travels between us and the scripts in `stores/lua`: rows of little-endian fields."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from gateway.stores.redis.keys import Keys
from gateway.values import Draw, Earlier, Offer, Offers, Sighting

DIGEST_BYTES: Final = 16
_WISH: Final = struct.Struct("<B32sdddd")
_READING: Final = struct.Struct("<Bdddd")
_CHANGE: Final = struct.Struct("<Bdddddd")
_BUDGET, _SHADOW, _BY_CLUSTER, _CONCURRENT = 1, 2, 4, 8
_COMPARABLE, _FOLLOWING, _STORED = 1, 2, 4


def wishes(keys: Keys, draws: Sequence[Draw]) -> bytes:
    """Return draws as `counting.lua` reads them."""
    return b"".join([_wish(keys, draw) for draw in draws])


def offer(keys: Keys, offered: Offer) -> bytes:
    """Return an offer: a byte that says whether it is forbidden, and its draws."""
    return b"\1" if offered.forbidden else b"\0" + wishes(keys, offered.draws)


def offers(keys: Keys, offered: Offers) -> list[bytes]:
    """Return all offers, in the order `observe.lua` wants; most are the same one."""
    packed: dict[tuple[int, bool], bytes] = {}
    row: list[bytes] = []
    for each in (offered.new, offered.exact, offered.retry, offered.shared):
        same = id(each.draws), each.forbidden
        found = packed.get(same)
        if found is None:
            found = packed[same] = offer(keys, each)
        row.append(found)
    return row


def readings(packed: bytes) -> Iterator[tuple[int, float, float, float, float]]:
    """Yield what each draw was told: taken, remaining, wait; level and at, or own amount and 0."""
    return _READING.iter_unpack(packed)


def budget_change(reserved: int, actual: int, ends: float) -> bytes:
    """Return what becomes of one draw on a budget."""
    return _CHANGE.pack(1, reserved, actual, ends, 0.0, 0.0, 0.0)


def quota_change(draw: Draw, actual: int, level: float, at: float) -> bytes:
    """Return what becomes of one draw on a quota, which left it at a level at an instant."""
    return _CHANGE.pack(0, draw.amount, actual, level, at, draw.limit, draw.window_s)


def call_change(reserved: int, actual: int) -> bytes:
    """Return what becomes of one draw on calls under way."""
    return _CHANGE.pack(2, reserved, actual, 0.0, 0.0, 0.0, 0.0)


def flags(sighting: Sighting) -> bytes:
    """Return what `observe.lua` asks of a sighting, in one number."""
    return b"%d" % (
        (_COMPARABLE if sighting.comparable else 0)
        | (_FOLLOWING if sighting.following else 0)
        | (_STORED if sighting.stored else 0)
    )


def canonical(sighting: Sighting) -> bytes:
    """Return a sighting's canonical hash, whole."""
    return sighting.canonical.ljust(DIGEST_BYTES, b"\0")


def described(sighting: Sighting, cluster: str) -> tuple[bytes, ...]:
    """Return what is remembered of a call if it is of a cluster, as the scripts want it."""
    if not sighting.comparable:
        return b"", b"", b"", b"", cluster.encode()
    return (
        sighting.exact,
        _features(sighting),
        canonical(sighting),
        _entry(sighting, cluster),
        cluster.encode(),
    )


def earlier(packed: bytes) -> Earlier:
    """Return the call an entry names, and its words if they are there."""
    request = 1 + packed[0]
    words = request + 1 + packed[request]
    return Earlier(
        cluster=packed[1:request].decode(),
        request_id=packed[request + 1 : words].decode(),
        words=packed[words:],
    )


def _wish(keys: Keys, draw: Draw) -> bytes:
    start = draw.period_start
    flags = (
        (0 if start is None else _BUDGET)
        | (_SHADOW if draw.shadow else 0)
        | (_BY_CLUSTER if draw.by_cluster else 0)
        | (_CONCURRENT if draw.unit == "concurrent" else 0)
    )
    name = keys.counter(draw.key, start)
    return _WISH.pack(flags, name, draw.amount, draw.limit, draw.window_s, start or 0.0)


def _features(sighting: Sighting) -> bytes:
    """
    Return a sighting's features, last byte first.

    They may be the smallest of many hashes, and then their first bytes are alike; a search
    through the ring begins with what tells them apart.
    """
    return b"".join(sighting.features)[::-1]


def _entry(sighting: Sighting, cluster: str) -> bytes:
    """Return who a call is and what it says: cluster, request id, words."""
    names = cluster.encode(), sighting.request_id.encode()
    return b"".join(
        [bytes((len(names[0]),)), names[0], bytes((len(names[1]),)), names[1], sighting.words]
    )
