"""
What an operator could do to the entries, who holds the key and signs everything anew.
"""

import random
from collections.abc import Callable, Sequence

from tests.verifier.edits import (
    Undrawn,
    appended,
    changed,
    kinds,
    last_numbers,
    leaf_of,
    line_of,
    pick_leaf,
    resigned,
)
from tests.verifier.exports import Export, Files


def drop_of_series(pick: random.Random, made: Export) -> Files:
    last = last_numbers(made)
    index, _ = pick_leaf(pick, made, lambda leaf: leaf["replica_seq"] != last[leaf["replica"]])
    rotated = tuple(each - (each > index) for each in made.rotated)
    return resigned(made, made.lines[:index] + made.lines[index + 1 :], rotated=rotated)


def duplicate_of_series(pick: random.Random, made: Export) -> Files:
    index, _ = pick_leaf(pick, made, lambda _: True)
    at = pick.randrange(index + 1, len(made.lines) + 1)
    rotated = tuple(each + (each >= at) for each in made.rotated)
    lines = [*made.lines[:at], made.lines[index], *made.lines[at:]]
    return resigned(made, lines, rotated=rotated)


def swap_of_series(pick: random.Random, made: Export) -> Files:
    one, leaf = pick_leaf(pick, made, lambda _: True)
    other, _ = pick_leaf(
        pick,
        made,
        lambda each: (
            each["replica"] == leaf["replica"] and each["replica_seq"] != leaf["replica_seq"]
        ),
    )
    lines = list(made.lines)
    lines[one], lines[other] = lines[other], lines[one]
    return resigned(made, lines)


def renumber_without_start(pick: random.Random, made: Export) -> Files:
    start, leaf = pick_leaf(pick, made, kinds("replica_start"))
    lines, dropped = [], 0
    for index, line in enumerate(made.lines):
        each = leaf_of(line)
        if each["replica"] == leaf["replica"]:
            each["replica_seq"] -= 1
        if each.get("ended") == leaf["replica"]:
            each["last_seq"] -= 1
        if index == start:
            dropped += 1
        else:
            lines.append(line_of(each))
    if all(leaf_of(each)["replica"] != leaf["replica"] for each in lines):
        raise Undrawn
    rotated = tuple(each - (each > start) for each in made.rotated)
    return resigned(made, lines, rotated=rotated)


def settle_twice(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("settle"))
    return appended(made, leaf | {"n": pick.randrange(2), "cost_usd": "9.99"})


def settle_nothing(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("settle"))
    return appended(made, leaf | {"attempt_id": f"att_{pick.getrandbits(128):032x}"})


def settle_a_refusal(pick: random.Random, made: Export) -> Files:
    _, refused = pick_leaf(pick, made, kinds("refusal"))
    _, leaf = pick_leaf(pick, made, kinds("settle"))
    return appended(made, leaf | {"attempt_id": refused["attempt_id"]})


def settle_too_early(pick: random.Random, made: Export) -> Files:
    """Exchange a settle and its intent, numbers and all."""
    later, leaf = pick_leaf(pick, made, kinds("settle"))
    earlier, intent = pick_leaf(
        pick,
        made,
        lambda each: each["kind"] == "intent" and each["attempt_id"] == leaf["attempt_id"],
    )
    stamps = [{name: each[name] for name in ("replica", "replica_seq")} for each in (intent, leaf)]
    lines = list(made.lines)
    lines[earlier], lines[later] = line_of(leaf | stamps[0]), line_of(intent | stamps[1])
    return resigned(made, lines)


def adjust_nothing(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("adjust"))
    _, intent = pick_leaf(pick, made, kinds("intent"))
    attempt = intent["attempt_id"]
    settled = any(
        each["kind"] == "settle" and each["attempt_id"] == attempt
        for each in map(leaf_of, made.lines)
    )
    if settled:
        attempt = f"att_{pick.getrandbits(128):032x}"
    return appended(made, leaf | {"attempt_id": attempt})


def intent_again(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("intent", "refusal"))
    return appended(made, leaf | {"n": pick.randrange(2)})


def write_after_end(pick: random.Random, made: Export) -> Files:
    _, end = pick_leaf(pick, made, kinds("replica_end"))
    _, leaf = pick_leaf(pick, made, kinds("erasure", "reveal"))
    leaf |= {
        "attempt_id": f"evt_{pick.getrandbits(128):032x}",
        "replica": end["ended"],
        "replica_seq": end["last_seq"] + 1,
    }
    return resigned(made, [*made.lines, line_of(leaf)])


def wrong_last_number(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, kinds("replica_end"))
    return changed(
        made, index, line_of(leaf | {"last_seq": leaf["last_seq"] + pick.choice([-1, 1])})
    )


def end_twice(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("replica_end"))
    return appended(made, leaf | {"attempt_id": "again"})


def end_of_nobody(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("replica_end"))
    return appended(made, leaf | {"attempt_id": "again", "ended": "r404"})


def start_twice(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(pick, made, kinds("replica_start"))
    return appended(made, leaf | {"attempt_id": "again"})


def skip_an_epoch(pick: random.Random, made: Export) -> Files:
    _, leaf = pick_leaf(
        pick, made, lambda each: each["kind"] == "replica_start" and each["epoch"] == 2
    )
    epoch = pick.choice([1, 2, 4, 5])
    leaf |= {"attempt_id": "again", "epoch": epoch, "replica": f"s{epoch}"}
    return resigned(made, [*made.lines, line_of(leaf)])


def two_leaders(pick: random.Random, made: Export) -> Files:
    """Let the earlier sequencer go on beside the later one, which had not ended it."""
    _, start = pick_leaf(
        pick, made, lambda each: each["kind"] == "replica_start" and each["epoch"] == 2
    )
    _, leaf = pick_leaf(pick, made, kinds("cost_hour"))
    start |= {"attempt_id": "again", "epoch": 3, "previous": "s2", "replica": "s3"}
    leaf |= {"n": 7, "replica": "s2", "replica_seq": last_numbers(made)["s2"] + 1}
    return resigned(made, [*made.lines, line_of(start), line_of(leaf)])


ENTRIES: Sequence[Callable[[random.Random, Export], Files]] = (
    drop_of_series,
    duplicate_of_series,
    swap_of_series,
    renumber_without_start,
    settle_twice,
    settle_nothing,
    settle_a_refusal,
    settle_too_early,
    adjust_nothing,
    intent_again,
    write_after_end,
    wrong_last_number,
    end_twice,
    end_of_nobody,
    start_twice,
    skip_an_epoch,
    two_leaders,
)
