"""What docs/verifier/tlog.py makes of the standards: signatures, and where tiles are."""

import random

import pytest

from tests.verifier import exports, verifiers

tlog = verifiers.INDEPENDENT.tlog

# RFC 8032, section 7.1, tests 1 to 3: public key, message, signature.
SIGNED = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
)


@pytest.mark.parametrize(("key", "message", "signature"), SIGNED, ids=["empty", "one byte"])
def test_signatures_are_those_of_rfc_8032(key: str, message: str, signature: str) -> None:
    text = bytes.fromhex(message).decode()
    made = bytes.fromhex(signature)
    tlog.check_signature(bytes.fromhex(key), text, made)
    for at in (0, 31, 32, 63):
        other = bytearray(made)
        other[at] ^= 1
        with pytest.raises(ValueError, match="signature"):
            tlog.check_signature(bytes.fromhex(key), text, bytes(other))


def test_a_second_way_to_write_a_signature_is_refused() -> None:
    """S and S + L would both satisfy the equation."""
    key, _, signature = SIGNED[0]
    made = bytes.fromhex(signature)
    above = (int.from_bytes(made[32:], "little") + tlog.ORDER).to_bytes(32, "little")
    with pytest.raises(ValueError, match="signature"):
        tlog.check_signature(bytes.fromhex(key), "", made[:32] + above)


def test_signatures_agree_with_a_library_on_whatever_is_signed() -> None:
    pick = random.Random(4)
    for number in range(20):
        signer = exports.signer(number)
        text = pick.randbytes(number).hex()
        key = tlog.key_of(signer.verifier.vkey)
        tlog.check_signature(key[3], text, signer.sign_bytes(text.encode()))
        with pytest.raises(ValueError, match="not true"):
            tlog.check_signature(key[3], text + "x", signer.sign_bytes(text.encode()))


@pytest.mark.parametrize(
    ("number", "path"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")],
)
def test_tiles_are_where_the_specification_has_them(number: int, path: str) -> None:
    assert tlog.tile(0, number, 256) == f"tile/0/{path}"
    assert tlog.tile("entries", number, 7) == f"tile/entries/{path}.p/7"
