"""Checkpoints: three lines, written in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import checkpoints, merkle
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.notes import Signer, to_base64

ORIGIN = "goodgate/0123456789abcdef"
LOG = Signer.from_seed(ORIGIN, bytes(32))
NEXT = Signer.from_seed(ORIGIN, bytes(31) + b"\1")
ROOT = merkle.leaf_hash(b"x")
ROOT_TEXT = to_base64(ROOT)
MADE = Checkpoint(origin=ORIGIN, size=1, root=ROOT)


def test_the_example_of_the_specification_is_read() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    line = (
        "\N{EM DASH} example.com/behind-the-sofa "
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    found, note = checkpoints.read(f"{text}\n{line}".encode(), "example.com/behind-the-sofa")
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert found.root.hex()[:8] == "0ac5186a"
    assert found.text == note.text == text


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1),
    st.integers(1, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
)
def test_every_checkpoint_is_read_back(origin: str, size: int, root: bytes) -> None:
    made = Checkpoint(origin=origin, size=size, root=root)
    assert Checkpoint.parse(made.text) == made
    found, note = checkpoints.read(checkpoints.sign(made, LOG), origin)
    assert found == made
    assert note.signed_by(LOG.verifier)


def test_a_checkpoint_is_signed_by_each_signer() -> None:
    note = checkpoints.sign(MADE, LOG, NEXT)
    found, read = checkpoints.read(note, ORIGIN)
    assert found == MADE
    assert note == read.encode() == f"{MADE.text}\n{LOG.sign(MADE.text)}{NEXT.sign(MADE.text)}"
    assert read.signed_by(LOG.verifier)
    assert read.signed_by(NEXT.verifier)


def test_a_checkpoint_needs_a_signer() -> None:
    with pytest.raises(ValueError, match="nobody signs"):
        checkpoints.sign(MADE)


def test_an_empty_tree_has_a_checkpoint_of_its_own_root_only() -> None:
    empty = Checkpoint(origin=ORIGIN, size=0, root=merkle.EMPTY)
    assert Checkpoint.parse(empty.text) == empty
    with pytest.raises(ValueError, match="empty tree"):
        Checkpoint(origin=ORIGIN, size=0, root=ROOT)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "three lines"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT}", "three lines"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT}\n\n", "three lines"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT}\nmore\n", "three lines"),
        (f"{ORIGIN}\n1\n", "three lines"),
        (f"\n1\n{ROOT_TEXT}\n", "origin"),
        (f"{ORIGIN}\n01\n{ROOT_TEXT}\n", "leading zeros"),
        (f"{ORIGIN}\n-1\n{ROOT_TEXT}\n", "leading zeros"),
        (f"{ORIGIN}\n1 \n{ROOT_TEXT}\n", "leading zeros"),
        (f"{ORIGIN}\n\n{ROOT_TEXT}\n", "leading zeros"),
        (f"{ORIGIN}\n{2**63}\n{ROOT_TEXT}\n", "2\\*\\*63"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT[:-1]}\n", "base64"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT} \n", "base64"),
        (f"{ORIGIN}\n1\n{ROOT_TEXT[:-2]}B=\n", "base64"),
        (f"{ORIGIN}\n1\n{to_base64(ROOT[:-1])}\n", "32 bytes, not 31"),
        (f"{ORIGIN}\n1\n\n", "32 bytes, not 0"),
        (f"{ORIGIN}\n0\n{ROOT_TEXT}\n", "empty tree"),
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [("", 1, ROOT), ("a\nb", 1, ROOT), ("a", -1, ROOT), ("a", 2**63, ROOT), ("a", 1, b"")],
)
def test_what_no_tree_can_be_is_refused(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError, match=r"origin|leaves|bytes"):
        Checkpoint(origin=origin, size=size, root=root)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(ValueError, match=f"one of {ORIGIN}, not of goodgate/another"):
        checkpoints.read(checkpoints.sign(MADE, LOG), "goodgate/another")


def test_a_key_signs_a_checkpoint_once() -> None:
    with pytest.raises(ValueError, match="signed the checkpoint twice"):
        checkpoints.read(checkpoints.sign(MADE, LOG, LOG), ORIGIN)
