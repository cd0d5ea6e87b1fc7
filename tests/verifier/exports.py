"""
Exports made of nothing but the pure room: what a small fleet's ledger looks like, signed.

Two gateways and two sequencers, one of them lost, a command, everything that can be a leaf. The
same seed makes the same bytes. `publish` signs leaves anew: what an operator who holds the key
can do, and what the trial of mutations does in their place.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import msgspec

from gateway import ledger
from gateway.ledger import checkpoints, merkle, notes, promises, proofs, tiles
from tests.verifier.fleet import FIRST_POLICY, SECOND_POLICY, START_US, Fleet, Story, digest_of

ORIGIN = "goodgate/0123456789abcdef"

Files = dict[str, bytes]


def signer(number: int, name: str = ORIGIN, kind: int = notes.ED25519) -> notes.Signer:
    """Return one of a row of keys."""
    seed = hashlib.sha256(f"key {number} of {name}".encode()).digest()
    return notes.Signer.from_seed(name, seed, kind)


WITNESS = signer(0, "witness.example/w", notes.COSIGNATURE)


@dataclass(frozen=True)
class Export:
    """A log as it is published, and what is needed to publish it differently."""

    lines: tuple[bytes, ...]
    sizes: tuple[int, ...]
    """Of its checkpoints; the last is all of it."""
    texts: Mapping[str, bytes]
    """Policy documents by digest."""
    keys: tuple[notes.Signer, ...]
    """In their order; `rotated` says where each but the first begins."""
    rotated: tuple[int, ...] = ()
    first_bundle: int = 0
    files: Files = field(default_factory=dict)

    @property
    def vkey(self) -> str:
        """Of the first key."""
        return self.keys[0].verifier.vkey


def some_sizes(seed: int, count: int, rotated: Sequence[int]) -> list[int]:
    """Return sizes of checkpoints, up to all of it."""
    pick = random.Random(seed)
    inner = pick.sample(range(1, count), min(count - 1, 4 + count // 90))
    # As a gateway does it: the rotation is in the very next checkpoint.
    return sorted({*inner, count, *(each + 1 for each in rotated)})


def make(
    folder: Path | None,
    *,
    seed: int,
    calls: int = 370,
    rotations: int = 0,
    retire: int = 0,
    schema_1: int = 0,
) -> Export:
    """
    Make an export, write it into a folder unless that is None, and return it.

    `retire` is how many bundles are retired (and left out); `schema_1` how many calls an earlier
    release made.
    """
    keys = [signer(number) for number in range(rotations + 1)]
    pairs = [(a.verifier.vkey, b.verifier.vkey) for a, b in pairwise(keys)]
    leaves, rotated = Story(seed).told(calls, pairs)
    early = list(_early(seed, schema_1))
    leaves, rotated = early + leaves, [each + len(early) for each in rotated]
    lines = [ledger.encode(each) for each in leaves]
    if retire:
        lines += _retired(lines, retire * tiles.WIDTH, leaves)
    made = Export(
        lines=tuple(lines),
        sizes=tuple(some_sizes(seed, len(lines), rotated)),
        texts={
            digest_of(each): ledger.policy_document(each) for each in (FIRST_POLICY, SECOND_POLICY)
        },
        keys=tuple(keys),
        rotated=tuple(rotated),
        first_bundle=retire,
    )
    made = publish(made)
    if folder is not None:
        write(folder, made.files)
    return made


def _early(seed: int, calls: int) -> Iterator[ledger.Leaf]:
    """Yield leaves of a release without a tree: their numbers have gaps."""
    fleet = Fleet(seed + 1)
    for _ in range(calls):
        fleet.numbers["r0"] = fleet.numbers.get("r0", 0) + 1
        fleet.begin("r0")
        fleet.settle("r0", next(iter(fleet.open.values())))
    for leaf in fleet.leaves:
        yield msgspec.structs.replace(leaf, schema=1)


def _retired(lines: Sequence[bytes], size: int, leaves: Sequence[ledger.Leaf]) -> Iterator[bytes]:
    """Yield the leaf that says what was retired."""
    last = max(each.replica_seq for each in leaves if each.replica == "s2")
    yield ledger.encode(
        ledger.Retirement(
            at_us=START_US + 10**12,
            attempt_id="retirement_1",
            replica="s2",
            replica_seq=last + 1,
            root=notes.to_base64(merkle.root([merkle.leaf_hash(each) for each in lines[:size]])),
            size=size,
        )
    )


def signers_of(made: Export, size: int, before: int) -> list[notes.Signer]:
    """Return who signs a checkpoint: both, where it is the first to cover a rotation."""
    now, then = (sum(each < at for each in made.rotated) for at in (size, before))
    return list(made.keys[then : now + 1])


def publish(made: Export) -> Export:
    """Return the export with its files made, and everything signed, anew."""
    tree = tiles.Tree.empty()
    stored: dict[tuple[int, int], bytes] = {}
    files: Files = {}
    signed: list[str] = []
    before = 0
    for size in made.sizes:
        hashes = [merkle.leaf_hash(each) for each in made.lines[before:size]]
        stored |= tree.extend(hashes)
        checkpoint = checkpoints.Checkpoint(origin=ORIGIN, size=size, root=tree.root())
        signed.append(checkpoints.sign(checkpoint, *signers_of(made, size, before)))
        before = size
    for level, number, width in tiles.hash_tiles(before):
        files[tiles.path(level, number, width)] = tiles.plain(stored[level, number])
        if level == 0 and number >= made.first_bundle:
            at = number * tiles.WIDTH
            data = tiles.bundle(made.lines[at : at + width])
            files[tiles.path("entries", number, width)] = data
    files["checkpoint"] = signed[-1].encode()
    files["checkpoints.jsonl"] = b"".join(
        json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in signed
    )
    for digest, text in made.texts.items():
        files[f"policies/{digest[7:]}.json"] = text
    log = {"first_bundle": made.first_bundle, "format": 1, "origin": ORIGIN, "vkey": made.vkey}
    files["log.json"] = json.dumps(log).encode()
    files["manifest"] = manifest(files, before, made.keys[len(made.rotated)])
    return replace(made, files=files)


def manifest(files: Files, size: int, key: notes.Signer) -> bytes:
    """Return the manifest of files."""
    listed = "".join(
        f"{hashlib.sha256(data).hexdigest()} {len(data)} {path}\n"
        for path, data in sorted(files.items())
        if path != "manifest"
    )
    text = f"goodgate manifest v1\n{ORIGIN}\n{size}\n{listed}"
    return f"{text}\n{key.sign(text)}".encode()


def promise(made: Export, index: int, *, by_s: int | None = None) -> str:
    """Return the promise of an entry, given in a group of up to 5."""
    first = max(0, index - index % 5)
    group = [msgspec.json.decode(each) for each in made.lines[first : first + 5]]
    promised = [
        promises.Promised(
            request_id=leaf.get("request_id", leaf["attempt_id"]),
            replica=leaf["replica"],
            replica_seq=leaf["replica_seq"],
            leaf=merkle.leaf_hash(line),
        )
        for leaf, line in zip(group, made.lines[first:], strict=False)
    ]
    key = made.keys[sum(each <= index for each in made.rotated)]
    by_s = START_US // 1_000_000 + 86_400 if by_s is None else by_s
    return promises.make(key, ORIGIN, by_s, promised)[index - first]


def receipt(made: Export, index: int, size: int) -> str:
    """Return the receipt of an entry under one of the checkpoints."""
    hashes = [merkle.leaf_hash(each) for each in made.lines[:size]]
    stored = tiles.Tree.empty().extend(hashes)
    path = tiles.Reader(size, lambda level, number: stored[level, number]).inclusion(index)
    return proofs.Receipt(
        index=index, path=tuple(path), checkpoint=note(made, size), extra=made.lines[index]
    ).encode()


def note(made: Export, size: int) -> str:
    """Return the checkpoint of that size."""
    return str(json.loads(made.files["checkpoints.jsonl"].split(b"\n")[made.sizes.index(size)]))


def write(folder: Path, files: Files) -> None:
    """Write files into a folder."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
