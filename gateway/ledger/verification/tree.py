"""
The tree, computed again from the entries: their hashes, every tile, the root at each checkpoint.

Entries come in bundles of 256. What is kept of them is one hash for each full bundle.
"""

from collections.abc import Callable, Iterator, Sequence

from gateway.ledger import merkle, tiles
from gateway.ledger.verification.files import Files
from gateway.ledger.verification.leaves import request_id
from gateway.ledger.verification.report import Source, Wrong
from gateway.ledger.verification.retained import Signed

_HASH = merkle.HASH_BYTES


class Bundle:
    """The entries of a level 0 tile, up to the first that is not what its hash says."""

    __slots__ = ("first", "hashes", "lines", "path", "wrong")

    def __init__(self, number: int, width: int) -> None:
        """Begin with none."""
        self.first = number * tiles.WIDTH
        self.path = tiles.path("entries", number, width)
        self.lines: list[bytes] = []
        """Empty for entries that are not to be had."""
        self.hashes: list[bytes] = []
        self.wrong: Wrong | None = None
        """What is wrong with the entry behind these."""


class Bundles:
    """The entries of a log of some size, one bundle after the other."""

    def __init__(self, files: Files, archives: Sequence[Source], size: int) -> None:
        """Read them from a log's files; those of retired periods from archives."""
        self._files = files
        self._archives = archives
        self._size = size
        self.retired = 0
        """Entries below this index are not in the log itself."""
        self.unread = 0
        """Entries below this index are nowhere to be had."""

    def __iter__(self) -> Iterator[Bundle]:
        """Yield each bundle as far as it agrees with its tile."""
        for number in range(-(-self._size // tiles.WIDTH)):
            width = min(tiles.WIDTH, self._size - number * tiles.WIDTH)
            yield self._bundle(number, width)

    def _bundle(self, number: int, width: int) -> Bundle:
        bundle = Bundle(number, width)
        path = tiles.path(0, number, width)
        tile = self._files.read(path)
        if tile is None or len(tile) != width * _HASH:
            what = "is missing" if tile is None else f"does not have {width} hashes"
            raise Wrong("tile", f"this tile {what}", where=path, index=bundle.first)
        data = self._entries(bundle, width)
        if data is None:
            bundle.hashes = split(tile)
            return bundle
        bundle.lines, rest = _lines(data)
        bundle.hashes = [merkle.leaf_hash(line) for line in bundle.lines]
        if b"".join(bundle.hashes) != tile or rest:
            self._cut(bundle, tile, path, rest)
        return bundle

    def _entries(self, bundle: Bundle, width: int) -> bytes | None:
        data = self._files.read(bundle.path)
        if data is not None:
            return data
        if width < tiles.WIDTH or self.retired != bundle.first:
            raise Wrong(
                "bundle", "this bundle of entries is missing", where=bundle.path, index=bundle.first
            )
        self.retired += width
        for archive in self._archives:
            data = archive.read(bundle.path)
            if data is not None:
                return data
        self.unread = self.retired
        return None

    def _cut(self, bundle: Bundle, tile: bytes, path: str, rest: int) -> None:
        """Keep of a bundle what agrees with its tile, and say what is wrong with the next."""
        stated = split(tile)
        at = next(
            (
                at
                for at, pair in enumerate(zip(bundle.hashes, stated, strict=False))
                if _differ(pair)
            ),
            min(len(bundle.hashes), len(stated)),
        )
        bundle.wrong = wrong = self._blame(bundle, stated, at, path, rest)
        line = bundle.lines[at] if at < len(bundle.lines) else b""
        wrong.at(bundle.first + at, bundle.path, request_id(line))
        del bundle.lines[at:], bundle.hashes[at:]

    def _blame(
        self, bundle: Bundle, stated: Sequence[bytes], at: int, path: str, rest: int
    ) -> Wrong:
        if at == len(stated):
            return Wrong("bundle", f"the bundle goes on after its {at} entries")
        if at == len(bundle.lines):
            cut = f": {rest} bytes of it are left" if rest else ""
            return Wrong("bundle", f"this entry is missing from its bundle{cut}")
        if self._is_tile_of(bundle, bundle.hashes):
            what = f"{path} does not hold the hash of this entry, and the tiles above it do"
            return Wrong("tile", what, where=path)
        return Wrong(
            "hash",
            f"this is not the entry whose hash stands in {path}: it was changed, dropped or put"
            " in another's place",
        )

    def _is_tile_of(self, bundle: Bundle, hashes: Sequence[bytes]) -> bool:
        """Whether the tile above says that these are the hashes."""
        number = bundle.first // tiles.WIDTH
        above = number // tiles.WIDTH
        full = self._size // tiles.WIDTH
        width = min(tiles.WIDTH, full - above * tiles.WIDTH)
        if number >= full or len(hashes) != tiles.WIDTH:
            return False
        tile = self._files.read(tiles.path(1, above, width)) or b""
        at = number % tiles.WIDTH * _HASH
        return merkle.root(hashes) == tile[at : at + _HASH]


class Growing:
    """The tree as it grows with the entries, and the roots it has on the way."""

    def __init__(self, roots: dict[int, list[Signed]]) -> None:
        """Begin with no entries, and checkpoints by size."""
        self._tree = tiles.Tree.empty()
        self._sizes = iter(sorted(size for size in roots if size))
        self._roots = roots
        self._next = next(self._sizes, 0)
        self._agreed = 0
        """The size of the last checkpoint whose root was right."""
        self._full: list[bytes] = []
        """Roots of the full bundles."""

    @property
    def size(self) -> int:
        """How many entries there are so far."""
        return self._tree.size

    def add(self, hashes: Sequence[bytes], take: Callable[[int], object]) -> None:
        """Take entries, and at the size of each checkpoint compare the root; raises Wrong."""
        at, first = 0, self.size
        while at < len(hashes):
            stop = min(len(hashes), self._next - first) if self._next > first + at else len(hashes)
            for index in range(at, stop):
                take(index)
            self._extend(hashes[at:stop])
            at = stop
            if self.size == self._next:
                self._compare()

    def root_at(self, full: int) -> bytes:
        """Return the root of the tree of the entries in the first full bundles."""
        return merkle.root(self._full[:full])

    def tiles_above(self) -> Iterator[tuple[str, bytes, int]]:
        """Yield path and bytes of each tile above level 0, and the index it begins with."""
        level, hashes = 1, self._full
        while hashes:
            above: list[bytes] = []
            for at in range(0, len(hashes), tiles.WIDTH):
                row = hashes[at : at + tiles.WIDTH]
                path = tiles.path(level, at // tiles.WIDTH, len(row))
                yield path, b"".join(row), at << (level * tiles.HEIGHT)
                above += [merkle.root(row)] if len(row) == tiles.WIDTH else []
            level, hashes = level + 1, above

    def _extend(self, hashes: Sequence[bytes]) -> None:
        full = self.size // tiles.WIDTH
        touched = self._tree.extend(hashes)
        if self.size // tiles.WIDTH > full:
            self._full.append(tiles.node(touched[0, full], tiles.HEIGHT, 0))

    def _compare(self) -> None:
        root = self._tree.root()
        for each in self._roots[self.size]:
            if each.root != root:
                raise Wrong(
                    "root",
                    f"the {self.size:,} entries up to this one have another root than {each.where}"
                    f" states; up to {self._agreed:,} they are what was signed",
                    where=each.where,
                    index=each.place,
                )
        self._agreed, self._next = self.size, next(self._sizes, 0)


def split(tile: bytes) -> list[bytes]:
    """Return the hashes of a tile."""
    return [tile[at : at + _HASH] for at in range(0, len(tile), _HASH)]


def _lines(data: bytes) -> tuple[list[bytes], int]:
    """Return the entries of a bundle, and how many bytes behind them are none."""
    found: list[bytes] = []
    at, end = 0, len(data)
    while at + 2 <= end:
        stop = at + 2 + (data[at] << 8 | data[at + 1])
        if stop > end:
            break
        found.append(data[at + 2 : stop])
        at = stop
    return found, end - at


def _differ(pair: tuple[bytes, bytes]) -> bool:
    return pair[0] != pair[1]
