"""Receipts: what a developer keeps of an entry, and an auditor checks with a public key alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.ledger import checkpoints, merkle
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.notes import Signer, to_base64
from gateway.ledger.proofs import Receipt

ORIGIN = "goodgate/0123456789abcdef"
LOG = Signer.from_seed(ORIGIN, bytes(32))
OTHER = Signer.from_seed(ORIGIN, b"\1" * 32)
ENTRIES = [f'{{"n":{n}}}'.encode() for n in range(5)]
HASHES = [merkle.leaf_hash(each) for each in ENTRIES]


def node(level: int, number: int) -> bytes:
    return merkle.root(HASHES[number << level : (number + 1) << level])


def receipt(index: int, size: int = 5, *, carries: bool = True, signer: Signer = LOG) -> Receipt:
    root = merkle.root(HASHES[:size])
    return Receipt(
        index=index,
        path=tuple(merkle.inclusion(index, size, node)),
        checkpoint=checkpoints.sign(Checkpoint(origin=ORIGIN, size=size, root=root), signer),
        extra=ENTRIES[index] if carries else None,
    )


@pytest.mark.parametrize("carries", [True, False])
@pytest.mark.parametrize(
    ("index", "size"), [(n, size) for size in range(1, 6) for n in range(size)]
)
def test_a_receipt_is_read_back_and_verifies(index: int, size: int, *, carries: bool) -> None:
    made = receipt(index, size, carries=carries)
    read = Receipt.parse(made.encode())
    assert read == made
    read.verify(ENTRIES[index], LOG.verifier, ORIGIN)


def test_a_receipt_is_written_as_the_specification_says() -> None:
    made = receipt(3, 4)
    assert made.encode() == (
        "c2sp.org/tlog-proof@v1\n"
        f"extra {to_base64(ENTRIES[3])}\n"
        "index 3\n"
        f"{to_base64(HASHES[2])}\n"
        f"{to_base64(merkle.node_hash(HASHES[0], HASHES[1]))}\n"
        "\n" + made.checkpoint
    )
    assert receipt(0, 1, carries=False).encode().startswith("c2sp.org/tlog-proof@v1\nindex 0\n\n")


def test_a_receipt_shows_its_entry() -> None:
    assert receipt(2).leaf == ENTRIES[2]
    with pytest.raises(ValueError, match="does not carry its entry"):
        _ = receipt(2, carries=False).leaf


@given(st.binary(max_size=80))
def test_any_entry_is_carried(entry: bytes) -> None:
    made = replace(receipt(2), extra=entry)
    assert Receipt.parse(made.encode()).leaf == entry


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (replace(receipt(2), checkpoint="x"), "a note is"),
        (receipt(2, signer=OTHER), "not signed by goodgate/0123456789abcdef"),
        (replace(receipt(2), extra=ENTRIES[3]), "another entry"),
        (replace(receipt(2), extra=b""), "another entry"),
        (replace(receipt(2), index=5), "entry 5 of a log of 5 entries"),
        (replace(receipt(2), index=3), "at index 3"),
        (replace(receipt(2), index=-1), "at index -1"),
        (replace(receipt(2), path=receipt(3).path), "does not lead"),
        (replace(receipt(2), path=receipt(2).path[:-1]), "does not lead"),
        (replace(receipt(2), path=(*receipt(2).path, HASHES[0])), "does not lead"),
        (replace(receipt(2), path=(b"", b"", b"")), "does not lead"),
        (replace(receipt(2), checkpoint=receipt(2, 4).checkpoint), "does not lead"),
        (
            replace(receipt(2), checkpoint=receipt(2).checkpoint.replace("\n5\n", "\n6\n")),
            "not signed by",
        ),
    ],
)
def test_a_receipt_that_is_wrong_says_how(wrong: Receipt, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        wrong.verify(ENTRIES[2], LOG.verifier, ORIGIN)


def test_a_receipt_proves_its_entry_and_its_log_only() -> None:
    with pytest.raises(ValueError, match="another entry"):
        receipt(2).verify(ENTRIES[1], LOG.verifier, ORIGIN)
    with pytest.raises(ValueError, match="at index 2"):
        receipt(2, carries=False).verify(ENTRIES[1], LOG.verifier, ORIGIN)
    with pytest.raises(ValueError, match="not of goodgate/another"):
        receipt(2).verify(ENTRIES[2], LOG.verifier, "goodgate/another")


TEXT = receipt(2).encode()
PATH_LINE = to_base64(HASHES[3])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "an empty line"),
        (TEXT.replace("\n\n", "\n"), "an empty line"),
        (TEXT.replace("@v1", "@v2"), "begins with"),
        ("\n" + TEXT, "begins with|an empty line"),
        (TEXT.replace("index 2\n", ""), "no index"),
        (TEXT.replace("index 2", "index: 2"), "no index"),
        (TEXT.replace("index 2", "index 02"), "leading zeros"),
        (TEXT.replace("index 2", "index -2"), "leading zeros"),
        (TEXT.replace("extra ", "extra"), "no index"),
        (TEXT.replace("extra ", "extra  "), "base64"),
        (TEXT.replace("index", "extra e30=\nindex"), "no index"),
        (TEXT.replace(PATH_LINE, PATH_LINE[:-1]), "base64"),
        (TEXT.replace(PATH_LINE, to_base64(b"x")), "32 bytes"),
        (TEXT.replace("\n\n", "\n\n\n", 1), "three lines|a note is"),
        (TEXT + "more", "to its end"),
        (TEXT.replace("\n5\n", "\n05\n"), "leading zeros"),
        ("c2sp.org/tlog-proof@v1\n\n" + receipt(2).checkpoint, "no index"),
    ],
)
def test_what_is_no_receipt_is_refused(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Receipt.parse(text)


def holds(text: bytes) -> bool:
    try:
        Receipt.parse(text.decode()).verify(ENTRIES[2], LOG.verifier, ORIGIN)
    except ValueError:
        return False
    return True


def test_the_receipt_whose_bits_are_changed_below_holds() -> None:
    assert holds(TEXT.encode())


@given(st.integers(0, len(TEXT.encode()) - 1), st.integers(0, 7))
def test_no_bit_of_a_receipt_can_be_changed(at: int, bit: int) -> None:
    changed = bytearray(TEXT.encode())
    changed[at] ^= 1 << bit
    assert not holds(bytes(changed))
