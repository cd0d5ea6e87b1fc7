"""
The tree: what commits to every entry in its place, and what proves one of them.

RFC 6962 section 2.1 with SHA-256: a leaf is hashed behind a zero byte, two nodes behind a one
byte, and a tree splits at the largest power of two below its size. A proof is worked out from
the hashes of complete subtrees alone, which never change once they are there: `Nodes` asks for
the one of level `l` (2**l leaves) and number `n`, whatever keeps it. What asks for something
impossible is refused with `ValueError`; a proof that does not fit is False, never an exception.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
EMPTY: bytes = sha256(b"").digest()
"""The root of a tree of no leaves."""

Nodes: TypeAlias = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of an entry's bytes as a leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees, one beside the other."""
    return sha256(b"\1" + left + right).digest()


def level_above(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of neighbours by pairs; a last one without a neighbour is left out."""
    # Pasting 64 bytes and hashing them is all the work a tree is: no call per pair but these.
    return [
        sha256(b"\1" + left + right).digest()
        for left, right in zip(hashes[::2], hashes[1::2], strict=False)
    ]


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    if not hashes:
        return EMPTY
    while len(hashes) > 1:
        above = level_above(hashes)
        # What has no neighbour rises as it is: the same tree as the RFC's recursion.
        hashes = [*above, hashes[-1]] if len(hashes) % 2 else above
    return hashes[0]


def root_at(size: int, nodes: Nodes) -> bytes:
    """Return the root of the tree's first leaves."""
    check_size(size)
    return _span(0, size, nodes) if size else EMPTY


def peaks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """
    Yield level and number of the complete subtrees the leaves from start to stop fall into.

    The largest comes first; `start` has to be a multiple of a power of two of at least their
    number, as in every tree and every right half of one.
    """
    at = start
    for level in range((stop - start).bit_length() - 1, -1, -1):
        if (stop - start) >> level & 1:
            yield level, at >> level
            at += 1 << level


def inclusion(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path of a leaf in the tree of that size (RFC 6962 section 2.1.1)."""
    check_size(size)
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf of index {index}")
    return _path(index, 0, size, nodes)


def consistency(old: int, new: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the new tree begins with the old one (RFC 6962 section 2.1.2)."""
    check_size(new)
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} leaves does not begin with one of {old}")
    if old in {0, new}:
        return []
    base = _trailing_zeros(old)
    last = (old >> base) - 1
    # When the old tree is one complete subtree, its root is known to whoever asks.
    seed = [nodes(base, last)] if last else []
    return seed + _path(old - 1, base, new, nodes)


def implied_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root a leaf hash and its path come to, or None when they cannot belong there."""
    if not 0 <= index < size <= SIZE_MAX or not _all_hashes((leaf, *path)):
        return None
    inner = (index ^ (size - 1)).bit_length()
    if len(path) != inner + (index >> inner).bit_count():
        return None
    return _climb(leaf, path[:inner], index, path[inner:])


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path shows that a leaf hash stands at the index of the tree with that root."""
    return implied_root(leaf, index, size, path) == root


def is_consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the tree with the new root begins with the one of the old."""
    if not 0 <= old <= new <= SIZE_MAX or not _all_hashes((old_root, new_root, *path)):
        return False
    if old == new:
        return not path and old_root == new_root
    if old == 0:
        return not path and old_root == EMPTY
    base = _trailing_zeros(old)
    inner = ((old - 1) ^ (new - 1)).bit_length() - base
    seeds = [old_root] if old == 1 << base else list(path[:1])
    rest = path if old == 1 << base else path[1:]
    last = (old - 1) >> base
    if not seeds or len(rest) != inner + (last >> inner).bit_count():
        return False
    sides, border = rest[:inner], rest[inner:]
    lefts = [each for level, each in enumerate(sides) if last >> level & 1]
    return (
        _climb(seeds[0], (), 0, [*lefts, *border]) == old_root
        and _climb(seeds[0], sides, last, border) == new_root
    )


class Frontier:
    """A tree as its right edge: enough to let it grow and to name its root, 64 hashes at most."""

    __slots__ = ("_nodes", "size")

    def __init__(self, size: int = 0, nodes: Iterable[bytes] = ()) -> None:
        """Go on from the hashes of its complete subtrees, the largest first."""
        check_size(size)
        self.size = size
        self._nodes = list(nodes)
        if len(self._nodes) != size.bit_count() or not _all_hashes(self._nodes):
            raise ValueError(f"the right edge of {size} leaves is {size.bit_count()} hashes")

    @property
    def nodes(self) -> tuple[bytes, ...]:
        """The hashes of its complete subtrees, the largest first."""
        return tuple(self._nodes)

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf hash."""
        if len(leaf_hash) != HASH_BYTES:
            raise ValueError(f"a hash has {HASH_BYTES} bytes, not {len(leaf_hash)}")
        for _ in range(_trailing_zeros(self.size + 1)):
            leaf_hash = node_hash(self._nodes.pop(), leaf_hash)
        self._nodes.append(leaf_hash)
        self.size += 1

    def extend(self, hashes: Iterable[bytes]) -> None:
        """Add leaf hashes, in order."""
        for each in hashes:
            self.append(each)

    def root(self) -> bytes:
        """Return the root as it is now."""
        return _fold(self._nodes) if self._nodes else EMPTY

    def copy(self) -> "Frontier":
        """Return one that grows by itself."""
        return Frontier(self.size, self._nodes)


def _path(index: int, base: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path of the complete subtree of level `base` in which a leaf stands."""
    # Below the level where its way and the last leaf's part, every sibling is complete.
    inner = (index ^ (size - 1)).bit_length()
    path = [nodes(level, (index >> level) ^ 1) for level in range(base, inner - 1)]
    if inner:
        path.append(_span(((index >> (inner - 1)) + 1) << (inner - 1), size, nodes))
    # Above it, siblings are on the left only.
    path += [
        nodes(level, (index >> level) - 1)
        for level in range(inner, index.bit_length())
        if index >> level & 1
    ]
    return path


def _span(start: int, stop: int, nodes: Nodes) -> bytes:
    return _fold([nodes(level, number) for level, number in peaks(start, stop)])


def _fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees that shrink from left to right."""
    found = hashes[-1]
    for left in reversed(hashes[:-1]):
        found = node_hash(left, found)
    return found


def _climb(seed: bytes, sides: Sequence[bytes], index: int, border: Sequence[bytes]) -> bytes:
    """Return the root above a node: `sides` stand where the bits of its index say."""
    for level, side in enumerate(sides):
        seed = node_hash(side, seed) if index >> level & 1 else node_hash(seed, side)
    for side in border:
        seed = node_hash(side, seed)
    return seed


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _all_hashes(hashes: Iterable[bytes]) -> bool:
    return all(len(each) == HASH_BYTES for each in hashes)


def check_size(size: int) -> None:
    """Refuse what is not the size of a tree."""
    if not 0 <= size <= SIZE_MAX:
        raise ValueError(f"a tree has 0 to 2**63 - 1 leaves, not {size}")
