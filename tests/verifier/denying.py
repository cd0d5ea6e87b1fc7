"""
What an operator could deny, were it not for what callers and auditors kept.
"""

import random
from collections.abc import Callable, Sequence

from tests.verifier import exports
from tests.verifier.edits import (
    Undrawn,
    changed,
    kinds,
    leaf_of,
    line_of,
    open_series,
    pick_leaf,
    resigned,
    upto,
)
from tests.verifier.exports import Export, Files
from tests.verifier.fleet import START_US
from tests.verifier.verifiers import Case

DASH = "\N{EM DASH}"
"""What signature lines begin with."""


def _honest_edit(pick: random.Random, made: Export) -> tuple[int, Files]:
    """Return the index of an entry that was edited so that nothing in the log contradicts it."""
    index, leaf = pick_leaf(pick, made, kinds("intent", "settle", "refusal", "reveal", "erasure"))
    names = {
        "intent": ["team", "provider", "task_id", "received_at_us"],
        "settle": ["cost_usd", "input_tokens"],
        "refusal": ["code", "team"],
        "reveal": ["reason", "auditor"],
        "erasure": ["salts", "auditor"],
    }
    name = pick.choice(names[leaf["kind"]])
    leaf[name] = leaf[name] + 1 if isinstance(leaf[name], int) else f"{leaf[name]}1"
    return index, changed(made, index, line_of(leaf))


def fork_against_checkpoint(pick: random.Random, made: Export) -> Case:
    index, files = _honest_edit(pick, made)
    size = pick.choice([each for each in made.sizes if each > index])
    return Case(files, made.vkey, kept=[exports.note(made, size)])


def fork_against_receipt(pick: random.Random, made: Export) -> Case:
    index, files = _honest_edit(pick, made)
    size = pick.choice([each for each in made.sizes if each > index])
    about = pick.choice([index, pick.randrange(size)])
    return Case(files, made.vkey, receipts=[exports.receipt(made, about, size)])


def fork_against_promise(pick: random.Random, made: Export) -> Case:
    index, files = _honest_edit(pick, made)
    return Case(files, made.vkey, promises=[exports.promise(made, index)])


def cut_against_checkpoint(pick: random.Random, made: Export) -> Case:
    sizes = sorted(pick.sample(made.sizes, 2))
    earlier = upto(made, sizes[0])
    if len(earlier.rotated) != len(made.rotated):
        raise Undrawn
    files = exports.publish(earlier).files
    return Case(files, made.vkey, kept=[exports.note(made, sizes[1])])


def dropped_against_promise(_: random.Random, made: Export) -> Case:
    """Drop the last entry of a series that is open; its promise was due while the log went on."""
    series = open_series(made)
    index = max(at for at, each in enumerate(map(leaf_of, made.lines)) if each["replica"] == series)
    leaf = leaf_of(made.lines[index])
    if leaf["kind"] not in ("refusal", "settle", "intent") or index in made.rotated:
        raise Undrawn
    due = exports.promise(made, index, by_s=START_US // 1_000_000)
    lines = made.lines[:index] + made.lines[index + 1 :]
    rotated = tuple(each - (each > index) for each in made.rotated)
    if leaf["kind"] == "intent" and any(
        leaf_of(each).get("attempt_id") == leaf["attempt_id"] for each in lines
    ):
        raise Undrawn
    return Case(resigned(made, lines, rotated=rotated), made.vkey, promises=[due])


def forged_claim(pick: random.Random, made: Export) -> Case:
    """Change a promise or a receipt itself."""
    index = pick.randrange(len(made.lines))
    size = pick.choice([each for each in made.sizes if each > index])
    text = pick.choice([exports.promise(made, index), exports.receipt(made, index, size)])
    at = pick.randrange(len(text))
    other = text[:at] + pick.choice("A0=+ \n;é") + text[at + 1 :]
    if other == text:
        raise Undrawn
    if text.startswith("c2sp"):
        if text.count(DASH) > 1 and at > text.index(DASH):
            raise Undrawn  # of two signatures at a rotation, the one of the key in use is enough
        return Case(made.files, made.vkey, receipts=[other])
    return Case(made.files, made.vkey, promises=[other])


AGAINST_KEPT: Sequence[Callable[[random.Random, Export], Case]] = (
    fork_against_checkpoint,
    fork_against_receipt,
    fork_against_promise,
    cut_against_checkpoint,
    dropped_against_promise,
    forged_claim,
)
