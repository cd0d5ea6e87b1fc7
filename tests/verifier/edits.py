"""
What mutations are made of: logs to tamper with, entries to pick, and signing anew.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from tests.verifier import exports
from tests.verifier.exports import Export, Files

Fields: TypeAlias = dict[str, Any]


LOGS = 25
"""How many are tampered with; others are spliced into them."""


class Undrawn(Exception):
    """This mutation cannot be made of this log, or changes nothing: draw again."""


@lru_cache(maxsize=64)
def base(number: int) -> Export:
    """Return one of the logs that are tampered with: small but the last, some with a rotation."""
    return exports.make(
        None,
        seed=number,
        calls=150 if number == LOGS - 1 else 8,
        rotations=number % 3 % 2,
        schema_1=2 * (number % 5 == 0),
    )


@lru_cache(maxsize=8)
def foreign(number: int) -> Export:
    made = base(number)
    keys = tuple(exports.signer(70 + at) for at in range(len(made.keys)))
    return exports.publish(replace(made, keys=keys))


def other_log(pick: random.Random) -> Export:
    number = pick.randrange(40, 48)
    return base(number) if pick.random() < 0.5 else foreign(number)


def leaf_of(line: bytes) -> Fields:
    return dict(json.loads(line))


def line_of(leaf: Fields) -> bytes:
    return json.dumps(leaf, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def framed(lines: Sequence[bytes]) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in lines)


def other_value(pick: random.Random, line: bytes) -> bytes:
    leaf = leaf_of(line)
    name = pick.choice(sorted(leaf))
    value = leaf[name]
    if isinstance(value, bool):
        leaf[name] = not value
    elif isinstance(value, int):
        leaf[name] = value + pick.choice([-1, 1])
    elif isinstance(value, str):
        leaf[name] = f"{value}1"
    else:
        leaf[name] = "x" if value is None else [*value, "x"]
    return line_of(leaf)


def resigned(made: Export, lines: Sequence[bytes], **changes: Any) -> Files:
    """Return the files of other entries, with as many checkpoints as there were."""
    count = len(lines)
    sizes = sorted({*(each for each in made.sizes[:-1] if each < count), count})
    return exports.publish(replace(made, lines=tuple(lines), sizes=tuple(sizes), **changes)).files


def remanifested(made: Export, files: Files) -> Files:
    key = made.keys[len(made.rotated)]
    return files | {"manifest": exports.manifest(files, made.sizes[-1], key)}


def upto(made: Export, size: int) -> Export:
    return replace(
        made,
        lines=made.lines[:size],
        sizes=tuple(each for each in made.sizes if each <= size),
        rotated=tuple(each for each in made.rotated if each < size),
        texts={
            digest: text
            for digest, text in made.texts.items()
            if any(digest.encode() in line for line in made.lines[:size])
        },
    )


def pick_leaf(
    pick: random.Random, made: Export, fits: Callable[[Fields], bool]
) -> tuple[int, Fields]:
    """Return the index and fields of a leaf that fits."""
    fitting = [
        (index, leaf)
        for index, leaf in enumerate(map(leaf_of, made.lines))
        if leaf["schema"] == 2 and index not in made.rotated and fits(leaf)
    ]
    if not fitting:
        raise Undrawn
    return pick.choice(fitting)


def kinds(*kinds: str) -> Callable[[Fields], bool]:
    return lambda leaf: leaf["kind"] in kinds


def changed(made: Export, index: int, line: bytes) -> Files:
    return resigned(made, [*made.lines[:index], line, *made.lines[index + 1 :]])


def appended(made: Export, *leaves: Fields) -> Files:
    """Return the files with leaves added, as the next of a series that is open."""
    series = open_series(made)
    last = last_numbers(made)[series]
    added = [
        line_of(leaf | {"replica": series, "replica_seq": last + at})
        for at, leaf in enumerate(leaves, 1)
    ]
    return resigned(made, [*made.lines, *added])


def last_numbers(made: Export) -> dict[str, int]:
    return {leaf["replica"]: leaf["replica_seq"] for leaf in map(leaf_of, made.lines)}


def open_series(made: Export) -> str:
    """Return a gateway's series that has no end."""
    leaves = [leaf_of(each) for each in made.lines]
    ended = {leaf["ended"] for leaf in leaves if leaf["kind"] == "replica_end"}
    return next(
        str(leaf["replica"])
        for leaf in reversed(leaves)
        if leaf["kind"] == "replica_start"
        and leaf["role"] == "gateway"
        and leaf["replica"] not in ended
    )
