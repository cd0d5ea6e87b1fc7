"""Tiles and bundles: the layout of tlog-tiles, the growing tree, and proofs read from it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import merkle, tiles

Store = dict[tuple[int, int], bytes]


def hashes(count: int, start: int = 0) -> list[bytes]:
    return [merkle.leaf_hash(index.to_bytes(4, "big")) for index in range(start, start + count)]


LEAVES = hashes(1_100)
LARGE = hashes(65_537)


def grown(leaves: list[bytes], run: int = 512) -> tuple[tiles.Tree, Store]:
    """A tree grown in runs, and what a store has of it."""
    tree, store = tiles.Tree.empty(), Store()
    for at in range(0, len(leaves), run):
        store |= tree.extend(leaves[at : at + run])
    return tree, store


def restore(size: int, store: Store) -> tiles.Tree:
    return tiles.Tree.restore(size, lambda level, number: store[level, number])


def reader(size: int, store: Store) -> tiles.Reader:
    return tiles.Reader(size, lambda level, number: store[level, number])


@pytest.fixture(scope="module")
def large() -> tuple[tiles.Tree, Store]:
    return grown(LARGE)


@pytest.mark.parametrize(
    ("level", "number", "width", "known"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 1_234_067, 256, "tile/1/x001/x234/067"),  # the example of the specification
        (0, 1_067, 5, "tile/0/x001/067.p/5"),
        (63, 999, 255, "tile/63/999.p/255"),
        ("entries", 1_000, 1, "tile/entries/x001/000.p/1"),
        ("entries", 2**63 - 1, 256, "tile/entries/x009/x223/x372/x036/x854/x775/807"),
    ],
)
def test_a_tile_has_one_path(level: tiles.Level, number: int, width: int, known: str) -> None:
    assert tiles.path(level, number, width) == known
    assert tiles.parse_path(known) == (level, number, width)


@given(
    st.one_of(st.just("entries"), st.integers(0, 63)),
    st.integers(0, 2**63 - 1),
    st.integers(1, 256),
)
def test_every_path_is_read_back(level: tiles.Level, number: int, width: int) -> None:
    assert tiles.parse_path(tiles.path(level, number, width)) == (level, number, width)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tile/0/0",
        "tile/0/1000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/0/x001/x002",
        "tile/0/000.p/0",
        "tile/0/000.p/05",
        "tile/0/000.p/256",
        "tile/0/000.p/300",
        "tile/0/000.p/",
        "tile/0/000 ",
        "tile/0/000\n",
        "tile/0/00\N{ARABIC-INDIC DIGIT ONE}",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
    ],
)
def test_what_is_no_path_of_a_tile_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        tiles.parse_path(text)


@pytest.mark.parametrize(
    ("level", "number", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_a_tile_that_cannot_be_has_no_path(level: int, number: int, width: int) -> None:
    with pytest.raises(ValueError, match="tile"):
        tiles.path(level, number, width)


def test_a_bundle_is_entries_behind_their_lengths() -> None:
    assert tiles.bundle([b"ab", b"", b"c" * 258]) == b"\0\2ab\0\0\1\2" + b"c" * 258
    assert tiles.bundle([]) == b""


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_every_bundle_is_read_back(entries: list[bytes]) -> None:
    assert tiles.lines(tiles.bundle(iter(entries))) == entries


def test_an_entry_has_up_to_65535_bytes() -> None:
    assert tiles.lines(tiles.bundle([b"x" * 65_535])) == [b"x" * 65_535]
    with pytest.raises(ValueError, match="65535 bytes, not 65536"):
        tiles.bundle([b"x" * 65_536])


def test_a_bundle_of_257_entries_is_refused() -> None:
    assert len(tiles.lines(tiles.bundle([b"x"] * 256))) == 256
    with pytest.raises(ValueError, match="256 entries, not 257"):
        tiles.bundle([b"x"] * 257)
    with pytest.raises(ValueError, match="256 entries"):
        tiles.lines(b"\0\1x" * 257)


@pytest.mark.parametrize(("cut", "match"), [(1, "1 bytes short"), (3, "ends within byte 4")])
def test_a_bundle_that_was_cut_off_is_refused(cut: int, match: str) -> None:
    whole = tiles.bundle([b"ab", b"cd"])
    with pytest.raises(ValueError, match=match):
        tiles.lines(whole[:-cut])


def test_a_full_tile_is_packed_with_its_254_inner_nodes() -> None:
    tile = b"".join(LEAVES[:256])
    packed = tiles.pack(tile)
    assert len(packed) == 510 * 32
    assert tiles.plain(packed) == tile
    for level in range(9):
        for number in range(256 >> level):
            inside = LEAVES[number << level : (number + 1) << level]
            assert tiles.node(packed, level, number) == merkle.root(inside)


@pytest.mark.parametrize("width", [1, 2, 3, 100, 255])
def test_an_unfinished_tile_is_packed_as_it_is(width: int) -> None:
    tile = b"".join(LEAVES[:width])
    assert tiles.pack(tile) == tiles.plain(tile) == tile
    for level in range(9):
        for number in range(width >> level):
            inside = LEAVES[number << level : (number + 1) << level]
            assert tiles.node(tile, level, number) == merkle.root(inside)
        with pytest.raises(ValueError, match=f"no node {width >> level} of level {level}"):
            tiles.node(tile, level, width >> level)


@pytest.mark.parametrize(("level", "number"), [(-1, 0), (9, 0), (0, -1), (0, 256), (8, 1)])
def test_a_full_tile_has_no_other_nodes(level: int, number: int) -> None:
    with pytest.raises(ValueError, match="a tile of 256 hashes has no node"):
        tiles.node(tiles.pack(b"".join(LEAVES[:256])), level, number)


@pytest.mark.parametrize("size", [0, 31, 33, 257 * 32])
def test_what_is_no_tile_is_not_packed(size: int) -> None:
    with pytest.raises(ValueError, match=f"not {size} bytes"):
        tiles.pack(b"x" * size)


@pytest.mark.parametrize("size", [0, 31, 33, 256 * 32, 509 * 32, 511 * 32])
def test_what_is_no_packed_tile_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        tiles.plain(b"x" * size)


def test_the_tiles_of_a_tree_are_those_of_the_specification() -> None:
    assert list(tiles.hash_tiles(256)) == [(0, 0, 256), (1, 0, 1)]
    found = list(tiles.hash_tiles(70_000))
    assert found[:273] == [(0, number, 256) for number in range(273)]
    assert found[273:] == [(0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.hash_tiles(0)) == []


@pytest.mark.parametrize("size", [-1, 2**63])
def test_an_impossible_size_has_no_tiles(size: int) -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        list(tiles.hash_tiles(size))
    with pytest.raises(ValueError, match="0 to 2"):
        tiles.Tree.restore(size, lambda _level, _number: b"")


def test_a_tree_grows_as_the_recursion_does_and_can_be_restored_at_any_size() -> None:
    tree, frontier, store = tiles.Tree.empty(), merkle.Frontier(), Store()
    assert tree.root() == merkle.EMPTY
    for size, leaf in enumerate(LEAVES, 1):
        store |= tree.extend([leaf])
        frontier.append(leaf)
        assert tree.size == size
        assert tree.root() == frontier.root() == merkle.root(LEAVES[:size])
        restored = restore(size, store)
        assert (restored.size, restored.root()) == (size, tree.root())
        if size % 37 == 0:
            more = LEAVES[:300]
            assert restored.extend(more) == tree.copy().extend(more)
            assert restored.root() == merkle.root([*LEAVES[:size], *more])


def test_what_a_tree_writes_is_each_tile_it_has(large: tuple[tiles.Tree, Store]) -> None:
    for leaves, store in ((LARGE, large[1]), (LEAVES, grown(LEAVES, 1)[1])):
        expected = list(tiles.hash_tiles(len(leaves)))
        assert {(level, number) for level, number, _ in expected} == set(store)
        for level, number, width in expected:
            start = number << 8 * (level + 1)
            plain = b"".join(
                merkle.root(leaves[start + (at << 8 * level) : start + ((at + 1) << 8 * level)])
                for at in range(width)
            )
            assert store[level, number] == tiles.pack(plain)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_the_runs_a_tree_grows_by_do_not_matter(runs: list[int]) -> None:
    leaves = LARGE[: sum(runs)]
    tree, store, at = tiles.Tree.empty(), Store(), 0
    for run in runs:
        touched = tree.extend(leaves[at : at + run])
        assert bool(touched) == bool(run)
        store |= touched
        at += run
    whole, written = grown(leaves, len(leaves) or 1)
    assert store == written
    assert tree.root() == whole.root() == merkle.root(leaves)


def test_a_copy_grows_by_itself() -> None:
    tree, _ = grown(LEAVES[:300])
    before, twin = tree.root(), tree.copy()
    twin.extend(LEAVES[300:900])
    assert (tree.size, tree.root()) == (300, before)
    assert twin.root() == merkle.root(LEAVES[:900])


def test_a_tree_is_restored_from_tiles_that_have_grown_since() -> None:
    _, store = grown(LEAVES)
    for size in (1, 255, 256, 257, 1_000):
        assert restore(size, store).root() == merkle.root(LEAVES[:size])


def test_a_tree_is_not_restored_from_a_tile_that_is_behind() -> None:
    _, store = grown(LEAVES[:10])
    with pytest.raises(ValueError, match=r"tile/0/000 has 10 hashes, .* of 11 leaves needs 11"):
        restore(11, store)


def test_a_tree_takes_hashes_only() -> None:
    tree = tiles.Tree.empty()
    with pytest.raises(ValueError, match="32 bytes"):
        tree.extend([LEAVES[0], b"short"])
    assert (tree.size, tree.root()) == (0, merkle.EMPTY)


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537])
def test_the_third_level_of_tiles_begins_where_it_should(
    size: int, large: tuple[tiles.Tree, Store]
) -> None:
    tree, store = grown(LARGE[:size], 4_096)
    root = merkle.root(LARGE[:size])
    assert tree.root() == reader(size, store).root() == root
    assert ((2, 0) in store) == (size >= 65_536)
    assert reader(65_537, large[1]).root(size) == root


def test_proofs_read_from_tiles_verify_at_every_earlier_size() -> None:
    _, store = grown(LEAVES)
    read = reader(len(LEAVES), store)
    roots = [merkle.root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]
    chosen = random.Random(6962)
    for size in range(1, len(LEAVES) + 1):
        index = chosen.randrange(size)
        assert read.root(size) == roots[size]
        path = read.inclusion(index, size)
        assert merkle.is_included(read.leaf_hash(index), index, size, path, roots[size])
        proof = read.consistency(index, size)
        assert merkle.is_consistent(index, roots[index], size, roots[size], proof)
    assert read.root() == roots[-1]
    assert read.leaf_hash(1_099) == LEAVES[1_099]
    assert read.inclusion(7) == read.inclusion(7, len(LEAVES))
    assert read.consistency(7) == read.consistency(7, len(LEAVES))


def test_a_proof_of_a_large_tree_verifies(large: tuple[tiles.Tree, Store]) -> None:
    tree, store = large
    read = reader(tree.size, store)
    for index in (0, 255, 256, 40_000, 65_535, 65_536):
        assert read.leaf_hash(index) == LARGE[index]
        path = read.inclusion(index)
        assert merkle.is_included(LARGE[index], index, tree.size, path, tree.root())
        old = read.root(index)
        assert merkle.is_consistent(
            index, old, tree.size, tree.root(), read.consistency(index, tree.size)
        )


def test_tiles_used_last_are_not_read_again() -> None:
    _, store = grown(LEAVES)
    asked: list[tuple[int, int]] = []

    def read(level: int, number: int) -> bytes:
        asked.append((level, number))
        return store[level, number]

    cached = tiles.Reader(len(LEAVES), read, cached=2)
    cached.leaf_hash(0)
    cached.leaf_hash(1)
    assert asked == [(0, 0)]
    cached.leaf_hash(256)
    cached.leaf_hash(0)
    cached.leaf_hash(512)
    cached.leaf_hash(256)
    assert asked == [(0, 0), (0, 1), (0, 2), (0, 1)]


@pytest.mark.parametrize(
    ("level", "number"), [(-1, 0), (0, 1_100), (0, -1), (10, 1), (11, 0), (64, 0)]
)
def test_a_subtree_that_is_not_complete_is_refused(level: int, number: int) -> None:
    _, store = grown(LEAVES)
    with pytest.raises(ValueError, match="1100 leaves has no node"):
        reader(1_100, store).nodes(level, number)


def test_a_reader_knows_nothing_beyond_its_size() -> None:
    _, store = grown(LEAVES)
    read = reader(1_000, store)
    for ask in (
        lambda: read.inclusion(0, 1_001),
        lambda: read.consistency(1, 1_001),
        lambda: read.root(1_001),
    ):
        with pytest.raises(ValueError, match="1000 leaves, not 1001"):
            ask()
    for ask in (lambda: read.inclusion(1_000), lambda: read.leaf_hash(1_000)):
        with pytest.raises(ValueError, match="1000"):
            ask()
    assert read.root() == merkle.root(LEAVES[:1_000])
