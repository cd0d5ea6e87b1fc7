"""
The tree in pieces of fixed size, as C2SP tlog-tiles lays them out for static serving.

A tile holds up to 256 neighbouring hashes of tree level 0, 8, 16, ...; a bundle holds the
entries of a level 0 tile. The stored form of a full tile is packed: behind its hashes stand
the 254 nodes between them and its root, so that a proof reads and never hashes. Unfinished
tiles are stored plain and are replaced as they grow. Nothing here keeps or fetches: a store
is written to with what `Tree.extend` returns, and read through a function.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from struct import Struct as Layout
from typing import Literal, TypeAlias

from gateway.ledger import merkle

WIDTH = 256
HEIGHT = 8
"""Levels of the tree within a tile."""
LEVELS = 64
ENTRY_BYTES_MAX = 65_535
_TILE_BYTES = WIDTH * merkle.HASH_BYTES
_PACKED_BYTES = (2 * WIDTH - 2) * merkle.HASH_BYTES
_LENGTH = Layout(">H")
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<number>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)

Level: TypeAlias = int | Literal["entries"]
Read: TypeAlias = Callable[[int, int], bytes]
"""Returns the packed tile of a level and number."""


def path(level: Level, number: int, width: int = WIDTH) -> str:
    """Return where a tile or an entry bundle is served: `tile/0/x001/067.p/5`."""
    if level != "entries" and not 0 <= level < LEVELS:
        raise ValueError(f"a tile has a level from 0 to {LEVELS - 1}, not {level}")
    if not 0 <= number < 1 << 63 or not 1 <= width <= WIDTH:
        raise ValueError(f"there is no tile of number {number} and width {width}")
    groups = f"{number % 1000:03}"
    while number := number // 1000:
        groups = f"x{number % 1000:03}/{groups}"
    return f"tile/{level}/{groups}" + ("" if width == WIDTH else f".p/{width}")


def parse_path(text: str) -> tuple[Level, int, int]:
    """Return level, number and width of a tile's path; anything else is refused."""
    found = _PATH.fullmatch(text)
    if found is None:
        raise ValueError("not the path of a tile")
    level: Level = "entries" if found["level"] == "entries" else int(found["level"])
    number = int(found["number"].replace("x", "").replace("/", ""))
    parsed = (level, number, int(found["width"] or WIDTH))
    # One tile has one path: no zero too many, and no `.p/256`.
    if path(*parsed) != text:
        raise ValueError("not the path of a tile as it is written")
    return parsed


def bundle(lines: Iterable[bytes]) -> bytes:
    """Return the bundle of up to 256 entries, each behind its length as two bytes."""
    parts: list[bytes] = []
    for each in lines:
        if len(each) > ENTRY_BYTES_MAX:
            raise ValueError(f"an entry has up to {ENTRY_BYTES_MAX} bytes, not {len(each)}")
        parts += (_LENGTH.pack(len(each)), each)
    if len(parts) > 2 * WIDTH:
        raise ValueError(f"a bundle holds up to {WIDTH} entries, not {len(parts) // 2}")
    return b"".join(parts)


def lines(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle; what is cut off or too long is refused."""
    found: list[bytes] = []
    at, end = 0, len(bundle)
    while at < end:
        start = at + _LENGTH.size
        if start > end or len(found) == WIDTH:
            raise ValueError(f"a bundle ends within byte {at} or has more than {WIDTH} entries")
        at = start + _LENGTH.unpack_from(bundle, at)[0]
        found.append(bundle[start:at])
    if at != end:
        raise ValueError(f"the last entry of a bundle is {at - end} bytes short")
    return found


def pack(hashes: bytes) -> bytes:
    """Return the stored form of a tile: behind a full one stand its inner nodes, lowest first."""
    if not 0 < len(hashes) <= _TILE_BYTES or len(hashes) % merkle.HASH_BYTES:
        raise ValueError(f"a tile has 1 to {WIDTH} hashes, not {len(hashes)} bytes")
    if len(hashes) < _TILE_BYTES:
        return hashes
    row = _split(hashes)
    rows = [hashes]
    for _ in range(1, HEIGHT):
        row = merkle.level_above(row)
        rows.append(b"".join(row))
    return b"".join(rows)


def plain(packed: bytes) -> bytes:
    """Return the tile alone, as tlog-tiles serves it."""
    _width(packed)
    return packed[:_TILE_BYTES]


def node(packed: bytes, level: int, number: int) -> bytes:
    """Return a node within a packed tile: level 0 is its hashes, level 8 a full one's root."""
    width = _width(packed)
    if not 0 <= level <= HEIGHT or not 0 <= number < width >> level:
        raise ValueError(f"a tile of {width} hashes has no node {number} of level {level}")
    if width < WIDTH and level:
        size = merkle.HASH_BYTES << level
        return merkle.root(_split(packed[number * size : (number + 1) * size]))
    if level == HEIGHT:
        return merkle.node_hash(*_split(packed[-2 * merkle.HASH_BYTES :]))
    at = (2 * WIDTH - (2 * WIDTH >> level) + number) * merkle.HASH_BYTES
    return packed[at : at + merkle.HASH_BYTES]


def hash_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield level, number and width of each hash tile of a tree: the full ones, then the edge."""
    merkle.check_size(size)
    level = 0
    while size:
        for number in range(size >> HEIGHT):
            yield level, number, WIDTH
        if size % WIDTH:
            yield level, size >> HEIGHT, size % WIDTH
        size >>= HEIGHT
        level += 1


class Tree:
    """The tree as it grows: in memory are its unfinished tiles, one of each level, and no more."""

    __slots__ = ("_edge", "size")

    def __init__(self, size: int, edge: Sequence[Sequence[bytes]]) -> None:
        """Go on from the hashes of the unfinished tile of each level (`empty`, `restore`)."""
        self.size = size
        self._edge = [_Unfinished(each) for each in edge]

    @classmethod
    def empty(cls) -> "Tree":
        """Return a tree of no leaves."""
        return cls(0, ())

    @classmethod
    def restore(cls, size: int, read: Read) -> "Tree":
        """Return the tree of that size; asks for the unfinished tile of each level."""
        merkle.check_size(size)
        edge: list[list[bytes]] = []
        rest = size
        while rest:
            width = rest % WIDTH
            hashes = _split(plain(read(len(edge), rest >> HEIGHT))) if width else []
            if len(hashes) < width:
                raise ValueError(
                    f"the tile {path(len(edge), rest >> HEIGHT)} has {len(hashes)} hashes, and a"
                    f" tree of {size} leaves needs {width}: the store has lost some"
                )
            # A store may be ahead of the size asked for.
            edge.append(hashes[:width])
            rest >>= HEIGHT
        return cls(size, edge)

    def root(self) -> bytes:
        """Return the root as it is now."""
        peaks = [hashed for tile in reversed(self._edge) for hashed in tile.peaks()]
        return merkle.Frontier(self.size, peaks).root()

    def extend(self, leaf_hashes: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
        """Add leaf hashes; return each tile that changed, packed, by level and number."""
        if not {merkle.HASH_BYTES}.issuperset(map(len, leaf_hashes)):
            raise ValueError(f"a leaf hash has {merkle.HASH_BYTES} bytes")
        touched: dict[tuple[int, int], bytes] = {}
        below = self.size
        self.size += len(leaf_hashes)
        level = 0
        while leaf_hashes:
            if level == len(self._edge):
                self._edge.append(_Unfinished(()))
            tile = self._edge[level]
            number = below >> HEIGHT
            roots: list[bytes] = []
            for full, its_root in tile.take(leaf_hashes):
                touched[level, number] = full
                number += 1
                roots.append(its_root)
            if tile.width:
                touched[level, number] = tile.plain()
            leaf_hashes = roots
            below >>= HEIGHT
            level += 1
        return touched

    def copy(self) -> "Tree":
        """Return one that grows by itself."""
        twin = Tree(self.size, ())
        twin._edge = [each.copy() for each in self._edge]
        return twin


class Reader:
    """Proofs over a tree of some size, from its tiles; those used last are kept."""

    def __init__(self, size: int, read: Read, cached: int = 64) -> None:
        """Read packed tiles of a tree of `size` leaves, and keep up to `cached` of them."""
        self.size = size
        self._tile = lru_cache(maxsize=cached)(read)
        self._computed = lru_cache(maxsize=HEIGHT * cached)(self._node)

    def nodes(self, level: int, number: int) -> bytes:
        """Return the hash of a complete subtree (`merkle.Nodes`)."""
        if level < 0 or not 0 <= number < self.size >> level:
            raise ValueError(f"a tree of {self.size} leaves has no node {number} of level {level}")
        within = level % HEIGHT
        packed = self._tile(level // HEIGHT, number >> (HEIGHT - within))
        if len(packed) < _PACKED_BYTES:
            return self._computed(level, number)
        # As `node` does: a proof comes here some thirty times.
        at = (2 * WIDTH - (2 * WIDTH >> within) + number % (WIDTH >> within)) * merkle.HASH_BYTES
        return packed[at : at + merkle.HASH_BYTES]

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the path of a leaf in the tree, or in an earlier one of it."""
        return merkle.inclusion(index, self._within(size), self.nodes)

    def consistency(self, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree, or an earlier one of it, begins with the old one."""
        return merkle.consistency(old, self._within(new), self.nodes)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the tree, or of an earlier one of it."""
        return merkle.root_at(self._within(size), self.nodes)

    def leaf_hash(self, index: int) -> bytes:
        """Return the hash of a leaf."""
        return self.nodes(0, index)

    def _within(self, size: int | None) -> int:
        if size is not None and size > self.size:
            raise ValueError(f"this tree has {self.size} leaves, not {size}")
        return self.size if size is None else size

    def _node(self, level: int, number: int) -> bytes:
        within = level % HEIGHT
        packed = self._tile(level // HEIGHT, number >> (HEIGHT - within))
        return node(packed, within, number % (WIDTH >> within))


class _Unfinished:
    """The tile of a level that is being filled, with the nodes its hashes already make."""

    __slots__ = ("_rows",)

    def __init__(self, hashes: Sequence[bytes]) -> None:
        self._rows: list[list[bytes]] = [[] for _ in range(HEIGHT)]
        self._add(hashes)

    @property
    def width(self) -> int:
        return len(self._rows[0])

    def peaks(self) -> Iterator[bytes]:
        """Yield the roots of its complete subtrees, the largest first."""
        return (row[-1] for row in reversed(self._rows) if len(row) % 2)

    def plain(self) -> bytes:
        return b"".join(self._rows[0])

    def take(self, hashes: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Add hashes; yield each tile that is full by them, packed, and its root."""
        at = 0
        while at < len(hashes):
            room = WIDTH - self.width
            self._add(hashes[at : at + room])
            at += room
            if self.width == WIDTH:
                packed = b"".join(map(b"".join, self._rows))
                yield packed, merkle.node_hash(*self._rows[-1])
                self._rows = [[] for _ in range(HEIGHT)]

    def copy(self) -> "_Unfinished":
        twin = _Unfinished(())
        twin._rows = [row.copy() for row in self._rows]
        return twin

    def _add(self, hashes: Sequence[bytes]) -> None:
        self._rows[0] += hashes
        for row, above in pairwise(self._rows):
            above.extend(merkle.level_above(row[2 * len(above) :]))


def _width(packed: bytes) -> int:
    """Return how many hashes a packed tile has; what is no packed tile is refused."""
    if len(packed) == _PACKED_BYTES:
        return WIDTH
    width, rest = divmod(len(packed), merkle.HASH_BYTES)
    if rest or not 0 < width < WIDTH:
        raise ValueError(f"a packed tile does not have {len(packed)} bytes")
    return width


def _split(hashes: bytes) -> list[bytes]:
    step = merkle.HASH_BYTES
    return [hashes[at : at + step] for at in range(0, len(hashes), step)]
