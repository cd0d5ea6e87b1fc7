"""The tree and its proofs: the reference tree of Certificate Transparency, and RFC 6962 itself."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import merkle

ENTRIES = [
    bytes.fromhex(each)
    for each in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEFT_PAIR = "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
SECOND_PAIR = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
THIRD_PAIR = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
LAST_PAIR = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
LEFT_HALF = "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
RIGHT_HALF = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
LEAF_0 = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"

SIZES = 130


def tree_hash(leaves: tuple[bytes, ...]) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there, over leaf hashes."""
    return _tree_hash(leaves)


@cache
def _tree_hash(leaves: tuple[bytes, ...]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    k = half(len(leaves))
    return sha256(b"\1" + _tree_hash(leaves[:k]) + _tree_hash(leaves[k:])).digest()


def half(size: int) -> int:
    """The largest power of two below a size."""
    k = 1
    while 2 * k < size:
        k *= 2
    return k


def path(index: int, leaves: tuple[bytes, ...]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), tree_hash(leaves[k:])]
    return [*path(index - k, leaves[k:]), tree_hash(leaves[:k])]


def subproof(old: int, leaves: tuple[bytes, ...], *, known: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if known else [tree_hash(leaves)]
    k = half(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], known=known), tree_hash(leaves[k:])]
    return [*subproof(old - k, leaves[k:], known=False), tree_hash(leaves[:k])]


def nodes_of(leaves: Sequence[bytes]) -> merkle.Nodes:
    """The complete subtrees of a tree, and an error for any other."""

    def nodes(level: int, number: int) -> bytes:
        inside = tuple(leaves[number << level : (number + 1) << level])
        assert len(inside) == 1 << level
        return tree_hash(inside)

    return nodes


LEAVES = tuple(merkle.leaf_hash(str(index).encode()) for index in range(SIZES))
NODES = nodes_of(LEAVES)
REFERENCE = [merkle.leaf_hash(each) for each in ENTRIES]
REFERENCE_NODES = nodes_of(REFERENCE)


@pytest.mark.parametrize("size", range(9))
def test_the_reference_tree_has_its_known_roots(size: int) -> None:
    frontier = merkle.Frontier()
    frontier.extend(REFERENCE[:size])
    assert merkle.root(REFERENCE[:size]).hex() == ROOTS[size]
    assert merkle.root_at(size, REFERENCE_NODES).hex() == ROOTS[size]
    assert frontier.root().hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "known"),
    [
        (0, 1, []),
        (0, 2, [LEAF_1]),
        (1, 2, [LEAF_0]),
        (2, 3, [LEFT_PAIR]),
        (1, 5, [LEAF_0, SECOND_PAIR, LEAF_4]),
        (0, 8, [LEAF_1, SECOND_PAIR, RIGHT_HALF]),
        (5, 8, [LEAF_4, LAST_PAIR, LEFT_HALF]),
    ],
)
def test_the_reference_tree_has_its_known_paths(index: int, size: int, known: list[str]) -> None:
    found = merkle.inclusion(index, size, REFERENCE_NODES)
    assert [each.hex() for each in found] == known
    root = bytes.fromhex(ROOTS[size])
    assert merkle.is_included(REFERENCE[index], index, size, found, root)


@pytest.mark.parametrize(
    ("old", "new", "known"),
    [
        (1, 1, []),
        (1, 8, [LEAF_1, SECOND_PAIR, RIGHT_HALF]),
        (2, 5, [SECOND_PAIR, LEAF_4]),
        (2, 8, [SECOND_PAIR, RIGHT_HALF]),
        (6, 8, [THIRD_PAIR, LAST_PAIR, LEFT_HALF]),
    ],
)
def test_the_reference_tree_has_its_known_consistency(old: int, new: int, known: list[str]) -> None:
    found = merkle.consistency(old, new, REFERENCE_NODES)
    assert [each.hex() for each in found] == known
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new])
    assert merkle.is_consistent(old, roots[0], new, roots[1], found)


def test_the_example_of_the_rfc_is_followed_to_the_letter() -> None:
    # Section 2.1.3: a to j are nodes of a tree of seven leaves.
    a, b, c, d, e, f, j = LEAVES[:7]
    g, h, i = merkle.node_hash(a, b), merkle.node_hash(c, d), merkle.node_hash(e, f)
    k, last = merkle.node_hash(g, h), merkle.node_hash(i, j)
    assert merkle.inclusion(0, 7, NODES) == [b, h, last]
    assert merkle.inclusion(3, 7, NODES) == [c, g, last]
    assert merkle.inclusion(4, 7, NODES) == [f, j, k]
    assert merkle.inclusion(6, 7, NODES) == [i, k]
    assert merkle.consistency(3, 7, NODES) == [c, d, g, last]
    assert merkle.consistency(4, 7, NODES) == [last]
    assert merkle.consistency(6, 7, NODES) == [i, j, k]


def test_every_path_up_to_130_leaves_is_the_one_of_the_rfc_and_verifies() -> None:
    for size in range(1, SIZES + 1):
        leaves = LEAVES[:size]
        root = tree_hash(leaves)
        assert merkle.root(leaves) == merkle.root_at(size, NODES) == root
        for index in range(size):
            found = merkle.inclusion(index, size, NODES)
            assert found == path(index, leaves)
            assert merkle.is_included(leaves[index], index, size, found, root)


def test_every_consistency_up_to_130_leaves_is_the_one_of_the_rfc_and_verifies() -> None:
    roots = [merkle.root(LEAVES[:size]) for size in range(SIZES + 1)]
    for new in range(SIZES + 1):
        assert merkle.consistency(0, new, NODES) == []
        assert merkle.is_consistent(0, merkle.EMPTY, new, roots[new], [])
        for old in range(1, new + 1):
            found = merkle.consistency(old, new, NODES)
            assert found == subproof(old, LEAVES[:new], known=True)
            assert merkle.is_consistent(old, roots[old], new, roots[new], found)


def test_every_root_up_to_1100_leaves_is_the_one_of_the_recursion() -> None:
    leaves = [merkle.leaf_hash(index.to_bytes(4, "big")) for index in range(1_100)]

    @cache
    def recursion(start: int, stop: int) -> bytes:
        if stop - start == 1:
            return leaves[start]
        k = start + half(stop - start)
        return sha256(b"\1" + recursion(start, k) + recursion(k, stop)).digest()

    frontier = merkle.Frontier()
    for size, leaf in enumerate(leaves, 1):
        frontier.append(leaf)
        assert frontier.root() == recursion(0, size) == merkle.root(leaves[:size])


def changed(proof: list[bytes]) -> list[list[bytes]]:
    """A proof changed in every way that matters."""
    other = merkle.leaf_hash(b"another")
    flips = [
        [*proof[:at], bytes([proof[at][0] ^ 1]) + proof[at][1:], *proof[at + 1 :]]
        for at in range(len(proof))
    ]
    dropped = [[*proof[:at], *proof[at + 1 :]] for at in range(len(proof))]
    swapped = [
        [*proof[:at], proof[at + 1], proof[at], *proof[at + 2 :]] for at in range(len(proof) - 1)
    ]
    cut = [[*proof[:at], proof[at][:31], *proof[at + 1 :]] for at in range(len(proof))]
    return [*flips, *dropped, *swapped, *cut, [*proof, other], [other, *proof]]


def test_a_changed_path_another_leaf_index_or_root_is_not_included() -> None:
    for size in range(1, 34):
        root = tree_hash(LEAVES[:size])
        for index in range(size):
            found = merkle.inclusion(index, size, NODES)
            leaf = LEAVES[index]
            assert not any(
                merkle.is_included(leaf, index, size, each, root) for each in changed(found)
            )
            assert [
                at for at in range(-1, size + 2) if merkle.is_included(leaf, at, size, found, root)
            ] == [index]
            assert not merkle.is_included(LEAVES[index + 1], index, size, found, root)
            assert not merkle.is_included(leaf, index, size, found, LEAVES[99])
            assert not merkle.is_included(leaf[:-1], index, size, found, root)


def test_a_changed_proof_or_root_is_not_consistent() -> None:
    roots = [merkle.root(LEAVES[:size]) for size in range(34)]
    for new in range(34):
        for old in range(new + 1):
            found = merkle.consistency(old, new, NODES)
            right = (old, roots[old], new, roots[new])
            assert not any(merkle.is_consistent(*right, each) for each in changed(found))
            assert not merkle.is_consistent(old, LEAVES[99], new, roots[new], found)
            assert old == 0 or not merkle.is_consistent(old, roots[old], new, LEAVES[99], found)
            assert not merkle.is_consistent(old, roots[old][:-1], new, roots[new], found)


def test_a_fork_is_not_consistent_with_what_it_forks_from() -> None:
    forked = [*LEAVES[:20], merkle.leaf_hash(b"another"), *LEAVES[21:40]]
    for old in range(1, 40):
        proof = merkle.consistency(old, 40, nodes_of(forked))
        roots = merkle.root(LEAVES[:old]), merkle.root(forked)
        assert merkle.is_consistent(old, roots[0], 40, roots[1], proof) == (old <= 20)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (3, 2), (1, 2**63), (2**63, 2**63)])
def test_impossible_sizes_are_not_consistent(old: int, new: int) -> None:
    assert not merkle.is_consistent(old, LEAVES[0], new, LEAVES[0], [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (0, 2**63)])
def test_a_leaf_that_cannot_be_has_no_path_and_implies_no_root(index: int, size: int) -> None:
    assert merkle.implied_root(LEAVES[0], index, size, [LEAVES[1]] * 63) is None
    with pytest.raises(ValueError, match="lea"):
        merkle.inclusion(index, size, NODES)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3), (1, 2**63), (-2, -1)])
def test_impossible_consistency_is_refused(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="leaves"):
        merkle.consistency(old, new, NODES)


@pytest.mark.parametrize("size", [-1, 2**63])
def test_an_impossible_size_has_no_root(size: int) -> None:
    with pytest.raises(ValueError, match="0 to 2"):
        merkle.root_at(size, NODES)
    with pytest.raises(ValueError, match="0 to 2"):
        merkle.Frontier(size)


def test_the_largest_tree_has_a_path_of_63_hashes() -> None:
    # Every complete subtree of one level looks the same, so no leaf has to be kept.
    level = [merkle.leaf_hash(b"x")]
    for _ in range(63):
        level.append(merkle.node_hash(level[-1], level[-1]))
    size = 2**63 - 1

    def nodes(at: int, number: int) -> bytes:
        assert (number + 1) << at <= size
        return level[at]

    found = merkle.inclusion(12345, size, nodes)
    assert len(found) == 63
    root = merkle.root_at(size, nodes)
    assert merkle.is_included(level[0], 12345, size, found, root)
    old = merkle.root_at(2**62 + 1, nodes)
    proof = merkle.consistency(2**62 + 1, size, nodes)
    assert merkle.is_consistent(2**62 + 1, old, size, root, proof)


@given(st.lists(st.binary(max_size=9), max_size=70), st.data())
def test_a_frontier_goes_on_from_what_it_kept(entries: list[bytes], data: st.DataObject) -> None:
    hashes = [merkle.leaf_hash(each) for each in entries]
    cut = data.draw(st.integers(0, len(hashes)))
    first = merkle.Frontier()
    first.extend(hashes[:cut])
    kept = merkle.Frontier(first.size, first.nodes)
    twin = kept.copy()
    twin.extend(hashes[cut:])
    assert (kept.size, kept.root()) == (cut, merkle.root(hashes[:cut]))
    assert (twin.size, twin.root()) == (len(hashes), merkle.root(hashes))
    assert len(twin.nodes) == len(hashes).bit_count()


@pytest.mark.parametrize("nodes", [(), (b"x" * 31,), (b"x" * 32, b"x" * 32)])
def test_a_frontier_that_does_not_fit_its_size_is_refused(nodes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="the right edge of 4 leaves is 1 hashes"):
        merkle.Frontier(4, nodes)


def test_a_frontier_takes_hashes_only() -> None:
    frontier = merkle.Frontier()
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        frontier.append(b"abc")
    assert frontier.root() == merkle.EMPTY


def test_leaves_and_nodes_are_told_apart() -> None:
    pair = LEAVES[0] + LEAVES[1]
    assert merkle.leaf_hash(pair) != merkle.node_hash(LEAVES[0], LEAVES[1])
    assert merkle.leaf_hash(b"") == bytes.fromhex(LEAF_0)
