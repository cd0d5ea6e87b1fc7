"""A run that was cut off goes on: what each seed came to, a line of JSON each."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.goodhart.adaptive import Course
from benchmarks.goodhart.trial import Read


class Seed(Struct, frozen=True):
    """What a seed came to."""

    seed: int
    command: str
    """Of the run; those of another one are passed over."""
    reads: Sequence[Read]
    courses: Sequence[Course]


def found(path: Path | None, command: str) -> dict[int, Seed]:
    """Return the seeds of a file that a run of the same command wrote."""
    if path is None or not path.exists():
        return {}
    lines = (msgspec.json.decode(line, type=Seed) for line in path.read_bytes().splitlines())
    return {each.seed: each for each in lines if each.command == command}


def keep(path: Path | None, seed: Seed) -> None:
    """Add a seed to a file, if there is one."""
    if path is not None:
        with path.open("ab") as file:
            file.write(msgspec.json.encode(seed) + b"\n")
