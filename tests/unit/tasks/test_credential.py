"""Task credentials: bound to a key, a task and a time, and nobody else can make one."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.tasks import TaskCredentials, credential

SEED = b"s" * 32
NOW = 1_800_000_000.0


@pytest.fixture
def credentials() -> TaskCredentials:
    """Return an issuer and verifier."""
    return TaskCredentials(SEED)


def b64(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(payload: bytes, seed: bytes = SEED) -> str:
    """Return a credential over any payload."""
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(payload)
    return f"gt1.{b64(payload)}.{b64(signature)}"


def test_a_credential_names_its_task_to_its_key_until_it_expires(
    credentials: TaskCredentials,
) -> None:
    """Issued in any spelling, it names the canonical id."""
    text = credentials.issue(key_id="abc", task_id="proj-1", expires_at=NOW + 10)

    assert text.startswith("gt1.")
    assert credentials.verify(text, key_id="abc", now=NOW) == "PROJ-1"
    assert TaskCredentials(SEED).verify(text, key_id="abc", now=NOW + 9.9) == "PROJ-1"
    with pytest.raises(InvalidRequest, match="goodgate task token"):
        credentials.verify(text, key_id="abc", now=NOW + 10)


def test_a_credential_is_worth_nothing_beside_another_key(credentials: TaskCredentials) -> None:
    """Not even when its signature was found good before."""
    text = credentials.issue(key_id="abc", task_id="PROJ-1", expires_at=NOW + 10)
    credentials.verify(text, key_id="abc", now=NOW)

    with pytest.raises(InvalidRequest):
        credentials.verify(text, key_id="abd", now=NOW)


def test_the_payload_is_canonical_json(credentials: TaskCredentials) -> None:
    """Anyone with the public key can check one."""
    text = credentials.issue(key_id="abc", task_id="PROJ-1", expires_at=NOW + 0.5)
    payload = base64.urlsafe_b64decode(text.split(".")[1] + "==")

    assert payload == b'{"expires_at":1800000000,"key_id":"abc","task_id":"PROJ-1"}'


def test_a_credential_is_issued_only_for_an_id(credentials: TaskCredentials) -> None:
    """The caller is told what one looks like."""
    with pytest.raises(InvalidRequest, match="PROJ-123"):
        credentials.issue(key_id="abc", task_id="no id", expires_at=NOW)


PAYLOAD = b'{"expires_at":1900000000,"key_id":"abc","task_id":"PROJ-1"}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gt1.",
        "gt1.a",
        "gt1.a.b.c",
        "gt2." + signed(PAYLOAD)[4:],
        signed(PAYLOAD, seed=b"t" * 32),
        signed(PAYLOAD)[:-4],
        signed(PAYLOAD) + "AAAA",
        signed(PAYLOAD) + ".x",
        signed(PAYLOAD).replace(".", ".\u00e9", 1),
        signed(b"not json"),
        signed(b'{"expires_at":1900000000,"key_id":"abc"}'),
        signed(b'{"expires_at":1900000000,"key_id":"abc","task_id":"P","role":"admin"}'),
        f"gt1.{b64(PAYLOAD)}.{b64(bytes(64))}",
        "gt1." + "A" * 1100,
    ],
)
def test_anything_else_is_refused_with_the_remedy_and_no_echo(
    credentials: TaskCredentials, text: str
) -> None:
    """One message for all of them."""
    with pytest.raises(InvalidRequest, match="`goodgate task token TASK`") as caught:
        credentials.verify(text, key_id="abc", now=NOW)

    assert "PROJ-1" not in str(caught.value)


@given(st.data())
def test_no_changed_character_passes(data: st.DataObject) -> None:
    """Every byte of the payload and the signature counts."""
    text = signed(PAYLOAD)
    at = data.draw(st.integers(4, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != text[at]))

    forged = text[:at] + other + text[at + 1 :]

    # The last character of base64 has bits that carry nothing; nothing it names changes by them.
    try:
        assert TaskCredentials(SEED).verify(forged, key_id="abc", now=NOW) == "PROJ-1"
    except InvalidRequest:
        return
    assert at in (len(text) - 1, text.index(".", 4) - 1)


def test_the_memory_of_good_signatures_is_bounded(
    credentials: TaskCredentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest is forgotten, and verified again when it comes back."""
    monkeypatch.setattr(credential, "KEPT_MAX", 2)
    texts = [
        credentials.issue(key_id="abc", task_id=f"P-{number}", expires_at=NOW + 9)
        for number in range(3)
    ]

    for text in (*texts, texts[0]):
        assert credentials.verify(text, key_id="abc", now=NOW).startswith("P-")

    assert len(credentials._verified) == 2


def test_a_payload_decodes_to_what_was_encoded() -> None:
    """The fields stand in the order of their names, as canonical JSON wants."""
    names = credential._Payload.__struct_fields__

    assert list(names) == sorted(names)
    assert msgspec.json.decode(PAYLOAD).keys() == set(names)
