"""
What an operator could do to bytes, policies, keys and checkpoints, who signs them all anew.
"""

import json
import random
from collections.abc import Callable, Sequence

from gateway.ledger import notes
from tests.verifier import exports
from tests.verifier.edits import (
    Undrawn,
    changed,
    kinds,
    leaf_of,
    line_of,
    pick_leaf,
    remanifested,
    resigned,
)
from tests.verifier.exports import Export, Files
from tests.verifier.tampering import (
    change_checkpoints,
    delete_byte,
    delete_file,
    flip_bit,
    old_checkpoint,
    splice_logs,
    swap_files,
)


def unknown_policy(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, kinds("intent", "refusal"))
    policy = f"sha256:{pick.getrandbits(64):016x}"
    return changed(made, index, line_of(leaf | {"policy": policy}))


def policy_before_it_was(pick: random.Random, made: Export) -> Files:
    """Drop the leaf that put a policy in force, and close the gap by an erasure."""
    _, leaf = pick_leaf(pick, made, kinds("policy"))
    digest = leaf["digest"]
    leaves = [leaf_of(each) for each in made.lines]
    if not any(each.get("policy") == digest for each in leaves):
        raise Undrawn
    lines = list(made.lines)
    for at, each in enumerate(leaves):
        if each["kind"] == "policy" and each["digest"] == digest:
            erasure = {name: each[name] for name in ("attempt_id", "at_us", "n", "schema")}
            erasure |= {name: each[name] for name in ("replica", "replica_seq")}
            erasure |= {"kind": "erasure", "auditor": "root", "reason": "", "salts": 1}
            lines[at] = line_of(erasure)
    return resigned(made, lines)


def altered_policy_text(pick: random.Random, made: Export) -> Files:
    digest = pick.choice(sorted(made.texts))
    texts = {**made.texts, digest: made.texts[digest].replace(b"require-task", b"require-tasks")}
    return resigned(made, made.lines, texts=texts)


def dropped_policy_text(pick: random.Random, made: Export) -> Files:
    digest = pick.choice(sorted(made.texts))
    texts = {name: text for name, text in made.texts.items() if name != digest}
    return resigned(made, made.lines, texts=texts)


def not_canonical(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, lambda _: True)
    line = line_of(leaf)
    first = min(leaf)
    shuffled = sorted(leaf)
    pick.shuffle(shuffled)
    other = pick.choice(
        [
            line.replace(b'","', b'", "', 1),
            line.replace(b'"schema":2', b'"schema":2.0'),
            line.replace(b'"schema":2', b'"schema":02'),
            line.replace(b'"schema":2', b'"schema":2e0'),
            line.replace(b'"replica":"', b'"replica":"\\u0072', 1).replace(b"\\u0072r", b"\\u0072"),
            b'{"' + first.encode() + b'":"",' + line[1:],
            line + b"\n",
            b"\xef\xbb\xbf" + line,
            json.dumps({name: leaf[name] for name in shuffled}, separators=(",", ":")).encode(),
        ]
    )
    return changed(made, index, other)


def not_of_its_kind(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, lambda _: True)
    name = pick.choice(sorted(leaf))
    other = pick.choice(
        [
            leaf | {"kind": pick.choice(["cost_intent", "decision", "Intent", ""])},
            leaf | {"note": "one more"},
            {each: value for each, value in leaf.items() if each != name},
            leaf | {name: pick.choice([None, 1.5, {}, [1], True])},
            leaf | {"n": str(leaf["n"])},
            leaf | {"kind": None},
            leaf | {"n": True},
            leaf | {"schema": 3},
            leaf | {"replica_seq": 10**20},
        ]
    )
    line = line_of(other)
    if leaf.get(name, "") is None or (isinstance(leaf[name], bool) and len(line) > 1):
        # null and true may be what the field can hold.
        raise Undrawn
    if name in ("first_token_ms", "cluster", "likeness", "coalesced_into", "stream"):
        raise Undrawn
    return changed(made, index, line)


def no_json(pick: random.Random, made: Export) -> Files:
    index, _ = pick_leaf(pick, made, lambda _: True)
    line = pick.choice(
        [b"", b"\xff", b"[" * 60_000, b"{}", b"null", b'"', b'{"kind":"intent"}', b"1" * 5000]
    )
    return changed(made, index, line)


def wrong_n(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, lambda each: each["kind"] != "cost_hour")
    return changed(made, index, line_of(leaf | {"n": 0 if leaf["kind"] == "adjust" else 1}))


def as_schema_1(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, kinds("intent", "settle", "refusal", "reveal"))
    return changed(made, index, line_of(leaf | {"schema": 1}))


def key_from_nowhere(pick: random.Random, made: Export) -> Files:
    """Sign from some size on with a key that no rotation names."""
    at = pick.choice(made.sizes) - 1
    rotated = tuple(sorted({*made.rotated, at}))
    if len(rotated) == len(made.rotated):
        raise Undrawn
    place = rotated.index(at) + 1
    keys = (*made.keys[:place], exports.signer(99), *made.keys[place:])
    return resigned(made, made.lines, keys=keys, rotated=rotated)


def rotation_by_one(pick: random.Random, made: Export) -> Files:
    """Sign the first checkpoint that covers a rotation with the new key alone, or the old one."""
    if not made.rotated:
        raise Undrawn
    at = pick.choice(made.rotated)
    size = next(each for each in made.sizes if each > at)
    lines = made.files["checkpoints.jsonl"].splitlines(keepends=True)
    place = made.sizes.index(size)
    text, _, signed = json.loads(lines[place]).partition("\n\n")
    one = pick.choice(signed.splitlines(keepends=True))
    lines[place] = json.dumps(f"{text}\n\n{one}", ensure_ascii=False).encode() + b"\n"
    return remanifested(made, made.files | {"checkpoints.jsonl": b"".join(lines)})


def rotation_of_another(pick: random.Random, made: Export) -> Files:
    index, leaf = pick_leaf(pick, made, kinds("erasure"))
    keys = [exports.signer(number).verifier.vkey for number in (50, 51)]
    rotation = {
        name: leaf[name]
        for name in ("at_us", "attempt_id", "n", "replica", "replica_seq", "schema")
    }
    rotation |= {"kind": "rotation", "what": "signing_key", "previous": keys[0], "current": keys[1]}
    if made.rotated and index < made.rotated[0]:
        raise Undrawn
    return changed(made, index, line_of(rotation))


def sizes_that_do_not_grow(pick: random.Random, made: Export) -> Files:
    files = change_checkpoints(pick, made)
    lines = files["checkpoints.jsonl"].splitlines()
    sizes = [int(json.loads(each).split("\n")[1]) for each in lines]
    if sizes == sorted(set(sizes)) and sizes[-1] == made.sizes[-1]:
        raise Undrawn  # one was dropped: a gateway need not keep them all
    return remanifested(made, files)


def wrong_root(pick: random.Random, made: Export) -> Files:
    """Sign a root that is not that of the entries."""
    place = pick.randrange(len(made.sizes))
    size = made.sizes[place]
    root = pick.randbytes(32)
    text = f"{exports.ORIGIN}\n{size}\n{notes.to_base64(root)}\n"
    before = made.sizes[place - 1] if place else 0
    note = text + "\n" + "".join(key.sign(text) for key in exports.signers_of(made, size, before))
    lines = made.files["checkpoints.jsonl"].splitlines(keepends=True)
    lines[place] = json.dumps(note, ensure_ascii=False).encode() + b"\n"
    files = made.files | {"checkpoints.jsonl": b"".join(lines)}
    if place == len(made.sizes) - 1:
        files["checkpoint"] = note.encode()
    return remanifested(made, files)


def signed_file(pick: random.Random, made: Export) -> Files:
    """Change a tile, a bundle or a checkpoint, and list it in the manifest as it is."""
    name = pick.choice(
        [flip_bit, delete_byte, swap_files, delete_file, old_checkpoint, splice_logs]
    )
    files = name(pick, made)
    same = ("log.json", "manifest")
    if all(files.get(each) == data for each, data in made.files.items() if each not in same):
        raise Undrawn
    return remanifested(made, files)


def stray_tile(pick: random.Random, made: Export) -> Files:
    path = pick.choice(["tile/0/999", "tile/entries/000.p/1", "tile/5/000", "tile/0/000.p/9"])
    return remanifested(made, made.files | {path: bytes(32)})


SIGNED: Sequence[Callable[[random.Random, Export], Files]] = (
    unknown_policy,
    policy_before_it_was,
    altered_policy_text,
    dropped_policy_text,
    not_canonical,
    not_of_its_kind,
    no_json,
    wrong_n,
    as_schema_1,
    key_from_nowhere,
    rotation_by_one,
    rotation_of_another,
    sizes_that_do_not_grow,
    wrong_root,
    signed_file,
    stray_tile,
)
