"""Promises: one signature for a group, and a header that cannot be changed."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.ledger import merkle, notes, promises
from gateway.ledger.notes import Signer, to_base64
from gateway.ledger.promises import Promise, Promised

ORIGIN = "goodgate/0123456789abcdef"
LOG = Signer.from_seed(ORIGIN, bytes(32))
OTHER = Signer.from_seed(ORIGIN, b"\1" * 32)
BY_S = 1_795_086_400


class Counting(Signer):
    """A signer that counts."""

    signed: int = 0

    def sign_bytes(self, message: bytes) -> bytes:
        self.signed += 1
        return super().sign_bytes(message)


def record(n: int = 1) -> Promised:
    return Promised(
        request_id=f"req_{n:04}",
        replica="r0a1b2c3d",
        replica_seq=n,
        leaf=merkle.leaf_hash(b"%d" % n),
    )


def group(size: int) -> list[Promised]:
    return [record(n) for n in range(1, size + 1)]


def headers(size: int) -> list[str]:
    return promises.make(LOG, ORIGIN, BY_S, group(size))


def test_a_promise_is_written_as_documented() -> None:
    first, second = group(2)
    leaf = to_base64(first.leaf)
    hashed = [
        merkle.leaf_hash(
            f"{each.request_id} {each.replica} {each.replica_seq} {to_base64(each.leaf)}".encode()
        )
        for each in (first, second)
    ]
    root = to_base64(merkle.node_hash(*hashed))
    message = f"goodgate promise v1\n{ORIGIN}\n{BY_S}\n2\n{root}\n".encode()
    assert headers(2)[0] == (
        f"v=1; request=req_0001; replica=r0a1b2c3d; seq=1; by={BY_S}; leaf={leaf}; at=0/2;"
        f" path={to_base64(hashed[1])}; key={LOG.verifier.key_id.hex()};"
        f" sig={to_base64(LOG.sign_bytes(message))}"
    )
    assert "; at=0/1; path=; key=" in headers(1)[0]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 13, 64])
def test_every_promise_of_a_group_verifies(size: int) -> None:
    made = headers(size)
    read = [Promise.parse(each) for each in made]
    assert [each.promised for each in read] == group(size)
    assert [(each.index, each.size, each.by_s) for each in read] == [
        (index, size, BY_S) for index in range(size)
    ]
    assert all(each.verify(LOG.verifier, ORIGIN) for each in read)
    assert [each.encode() for each in read] == made
    assert len({each.signature for each in read}) == 1


def test_a_group_costs_one_signature_and_none_costs_nothing() -> None:
    signer = Counting.from_seed(ORIGIN, bytes(32))
    assert isinstance(signer, Counting)
    assert promises.make(signer, ORIGIN, BY_S, []) == []
    assert signer.signed == 0
    assert len(promises.make(signer, ORIGIN, BY_S, group(8))) == 8
    assert signer.signed == 1


@given(st.integers(1, 20), st.data())
def test_a_promise_of_another_record_place_time_or_path_does_not_verify(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = Promise.parse(headers(size)[index])
    other = record(99)
    wrong = [
        replace(made, promised=other),
        replace(made, promised=replace(made.promised, replica_seq=98)),
        replace(made, promised=replace(made.promised, request_id="req_x")),
        replace(made, promised=replace(made.promised, replica="rx")),
        replace(made, promised=replace(made.promised, leaf=other.leaf)),
        replace(made, by_s=BY_S + 1),
        replace(made, size=size + 1),
        replace(made, index=size),
        replace(made, path=(*made.path, other.leaf)),
        replace(made, path=(other.leaf, *made.path[1:])),
        replace(made, signature=made.signature[1:] + b"x"),
        replace(made, key_id=b"abcd"),
    ]
    assert made.verify(LOG.verifier, ORIGIN)
    assert not any(each.verify(LOG.verifier, ORIGIN) for each in wrong)
    assert all(Promise.parse(each.encode()) == each for each in wrong)


def test_a_promise_is_one_of_its_log_and_key_only() -> None:
    made = Promise.parse(headers(3)[1])
    assert not made.verify(LOG.verifier, "goodgate/another")
    assert not made.verify(OTHER.verifier, ORIGIN)
    # Signed by the very key, but as a witness: that is another statement.
    witness = Signer.from_seed(ORIGIN, bytes(32), notes.COSIGNATURE)
    claimed = replace(made, key_id=witness.verifier.key_id)
    assert not claimed.verify(witness.verifier, ORIGIN)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("v=1", "v=2", "version"),
        ("v=1; ", "", "parts"),
        ("; seq=2", "", "parts"),
        ("; seq=2", "; seq=2; seq=2", "parts"),
        ("replica=", "Replica=", "parts"),
        ("; by=", ";by=", "parts"),
        ("request=req_0002", "request=", "visible ASCII"),
        ("request=req_0002", "request=req 2", "visible ASCII"),
        ("request=req_0002", "request=reqé", "visible ASCII"),
        ("replica=r0a1b2c3d", "replica=r\n", "visible ASCII"),
        ("seq=2", "seq=02", "leading zeros"),
        ("seq=2", "seq=0", "from 1, not 0"),
        ("by=17", "by=017", "leading zeros"),
        ("at=1/3", "at=1", "leading zeros"),
        ("at=1/3", "at=1/3/3", "leading zeros"),
        ("at=1/3", "at=01/3", "leading zeros"),
        ("path=", "path=,", "not written"),
        ("path=", "path=YQ==,", "a hash has 32 bytes"),
        ("path=", "path=!", "base64"),
        ("leaf=", "leaf=AAAA", "32 bytes, not 35"),
        ("leaf=", "leaf==", "base64"),
        ("key=", "key=00", "4 bytes"),
        ("key=", "key=x", "cannot be read"),
        ("sig=", "sig=AAAA", "signature 64"),
        ("sig=", "sig=?", "base64"),
    ],
)
def test_what_is_no_promise_is_refused(old: str, new: str, match: str) -> None:
    whole = headers(3)[1]
    assert old in whole
    with pytest.raises(ValueError, match=match):
        Promise.parse(whole.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "v=1", "; " * 9, "x" * 9_000])
def test_any_other_text_is_no_promise(text: str) -> None:
    with pytest.raises(ValueError, match="promise"):
        Promise.parse(text)


def test_the_id_of_a_key_is_written_in_lower_case() -> None:
    whole = headers(1)[0]
    key = LOG.verifier.key_id.hex()
    assert key != key.upper()
    with pytest.raises(ValueError, match="not written as"):
        Promise.parse(whole.replace(f"key={key}", f"key={key.upper()}"))


@pytest.mark.parametrize(
    ("request_id", "replica", "replica_seq", "leaf"),
    [
        ("", "r", 1, b"x" * 32),
        ("a;b", "r", 1, b"x" * 32),
        ("a b", "r", 1, b"x" * 32),
        ("a" * 257, "r", 1, b"x" * 32),
        ("a", "r\n", 1, b"x" * 32),
        ("a", "r", 0, b"x" * 32),
        ("a", "r", 2**63, b"x" * 32),
        ("a", "r", 1, b"x" * 31),
    ],
)
def test_a_record_that_cannot_be_promised_is_refused(
    request_id: str, replica: str, replica_seq: int, leaf: bytes
) -> None:
    with pytest.raises(ValueError, match=r"visible ASCII|counted from 1|32 bytes"):
        Promised(request_id=request_id, replica=replica, replica_seq=replica_seq, leaf=leaf)


def test_a_header_of_a_large_group_can_still_be_read() -> None:
    promised: Sequence[Promised] = group(512)
    made = promises.make(LOG, ORIGIN, BY_S, promised)
    longest = max(made, key=len)
    assert len(longest) < 1_000
    assert Promise.parse(longest).verify(LOG.verifier, ORIGIN)
