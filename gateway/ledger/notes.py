"""
Signed notes: a text, and who stands behind it (C2SP signed-note and tlog-cosignature).

A signature names its key by name and id, and says nothing until it is checked against a key
one trusts already: a `Verifier`. Two kinds are known: 0x01, Ed25519 over the text, and 0x04,
the Ed25519 cosignature of a witness, which states a time too. A wrong signature is False or
None, never an exception; a text that is no note is refused with `ValueError`.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

ED25519 = 0x01
COSIGNATURE = 0x04
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100
NUMBER_MAX = 2**63 - 1
_TIME_BYTES = 8
_DASH = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


def to_base64(data: bytes) -> str:
    """Return bytes as base64 (RFC 4648 section 4)."""
    return b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """Return the bytes a base64 text stands for; one that is not written canonically is refused."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if to_base64(data) != text:
        raise ValueError("not base64 as it is written")
    return data


def from_decimal(text: str) -> int:
    """Return the number below 2**63 a text stands for; leading zeros are refused."""
    if not _NUMBER.fullmatch(text) or (number := int(text)) > NUMBER_MAX:
        raise ValueError("not a number from 0 to 2**63 - 1 without leading zeros")
    return number


class Verifier(Struct, frozen=True, kw_only=True):
    """A public key with its name: what a signature is checked against."""

    name: str
    key_id: bytes
    """The first 4 bytes of SHA-256 over name, newline, kind and key."""
    kind: int
    key: bytes

    def __post_init__(self) -> None:
        """Refuse what no verifier key can be."""
        _check_name(self.name)
        if self.kind not in {ED25519, COSIGNATURE}:
            raise ValueError(f"a key of kind {self.kind:#04x} is not known, but 0x01 and 0x04")
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"an Ed25519 key has {KEY_BYTES} bytes, not {len(self.key)}")
        if self.key_id != _key_id(self.name, self.kind, self.key):
            raise ValueError("the key id is not the one of this name and key")

    @classmethod
    def of(cls, name: str, key: bytes, kind: int = ED25519) -> "Verifier":
        """Return the verifier of a public key under a name."""
        return cls(name=name, key_id=_key_id(name, kind, key), kind=kind, key=key)

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Return the verifier a vkey stands for: `<name>+<8 hex digits>+<base64>`."""
        # The name has no plus; base64 may.
        name, key_id, material = (*vkey.split("+", 2), "", "")[:3]
        if not _KEY_ID.fullmatch(key_id):
            raise ValueError("a verifier key is written <name>+<8 hex digits>+<base64>")
        try:
            key = from_base64(material)
        except ValueError:
            raise ValueError("the last part of a verifier key is not base64") from None
        if not key:
            raise ValueError("a verifier key ends before its key")
        return cls(name=name, key_id=bytes.fromhex(key_id), kind=key[0], key=key[1:])

    @property
    def vkey(self) -> str:
        """The text it is handed round as."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(bytes([self.kind]) + self.key)}"

    def verify_bytes(self, message: bytes, signature: bytes) -> bool:
        """Whether the key made this Ed25519 signature of these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Signer:
    """A private key with its name. It signs, and never shows itself."""

    __slots__ = ("_key", "verifier")

    def __init__(self, key: Ed25519PrivateKey, verifier: Verifier) -> None:
        """Sign with a key as the verifier says (`from_seed`)."""
        self._key = key
        self.verifier = verifier

    def __repr__(self) -> str:
        """Name the public half."""
        return f"Signer({self.verifier.vkey})"

    @classmethod
    def from_seed(cls, name: str, seed: bytes, kind: int = ED25519) -> "Signer":
        """Return the signer whose private key is these 32 bytes (RFC 8032)."""
        if len(seed) != KEY_BYTES:
            raise ValueError(f"the seed of a key has {KEY_BYTES} bytes, not {len(seed)}")
        key = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(key, Verifier.of(name, key.public_key().public_bytes_raw(), kind))

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of bytes: 64 bytes."""
        return self._key.sign(message)

    def sign(self, text: str) -> str:
        """Return the signature line of a note's text, with its newline (kind 0x01)."""
        self._check(ED25519, text)
        return self._line(self._key.sign(text.encode()))

    def cosign(self, text: str, at_s: int) -> str:
        """Return the cosignature line of a checkpoint's text at a Unix time (kind 0x04)."""
        self._check(COSIGNATURE, text)
        if not 0 <= at_s <= NUMBER_MAX:
            raise ValueError(f"a cosignature states a Unix time in seconds, not {at_s}")
        stamp = at_s.to_bytes(_TIME_BYTES, "big")
        return self._line(stamp + self._key.sign(_cosigned(text, at_s)))

    def _check(self, kind: int, text: str) -> None:
        if self.verifier.kind != kind:
            raise ValueError(f"this takes a key of kind {kind:#04x}, not {self.verifier.kind:#04x}")
        _check_text(text)

    def _line(self, signature: bytes) -> str:
        return _line(self.verifier.name, self.verifier.key_id, signature)


class Note(Struct, frozen=True, kw_only=True):
    """A text with its signatures, none of them believed yet."""

    text: str
    """With its last newline."""
    signatures: tuple[tuple[str, bytes, bytes], ...]
    """Key name, key id and signature of each line."""

    @classmethod
    def parse(cls, data: bytes | str) -> "Note":
        """Return the note these bytes are; what the specification forbids is refused."""
        whole = _decoded(data)
        text, blank, lines = whole.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise ValueError("a note is a text, an empty line, and signature lines to its end")
        found = tuple(map(_signature, lines.removesuffix("\n").split("\n")))
        if len(found) > SIGNATURES_MAX:
            raise ValueError(f"a note has up to {SIGNATURES_MAX} signatures, not {len(found)}")
        return cls(text=text + "\n", signatures=found)

    def encode(self) -> str:
        """Return the note as it is written; `parse` returns the same note."""
        return f"{self.text}\n{''.join(_line(*each) for each in self.signatures)}"

    def signed_by(self, verifier: Verifier) -> bool:
        """Whether the key signed the text, and no signature in its name is wrong."""
        message = self.text.encode()
        made = [verifier.verify_bytes(message, each) for each in self._made_by(verifier)]
        return verifier.kind == ED25519 and bool(made) and all(made)

    def cosigned_at(self, verifier: Verifier) -> int | None:
        """Return when (Unix seconds) the witness last cosigned, None unless all of its are true."""
        times: list[int] = []
        for each in self._made_by(verifier):
            at_s = int.from_bytes(each[:_TIME_BYTES], "big")
            message = _cosigned(self.text, at_s)
            if at_s > NUMBER_MAX or not verifier.verify_bytes(message, each[_TIME_BYTES:]):
                return None
            times.append(at_s)
        return max(times, default=None) if verifier.kind == COSIGNATURE else None

    def with_signature(self, line: str) -> "Note":
        """Return the note with one more signature line; a key's first one stands."""
        made = _signature(line.removesuffix("\n"))
        if made[:2] in {each[:2] for each in self.signatures}:
            return self
        return Note(text=self.text, signatures=(*self.signatures, made))

    def _made_by(self, verifier: Verifier) -> Iterator[bytes]:
        """Yield each signature in the name of a key; others' are ignored, as they have to be."""
        for name, key_id, signature in self.signatures:
            if (name, key_id) == (verifier.name, verifier.key_id):
                yield signature


def _key_id(name: str, kind: int, key: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:KEY_ID_BYTES]


def _line(name: str, key_id: bytes, signature: bytes) -> str:
    return f"{_DASH}{name} {to_base64(key_id + signature)}\n"


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Return key name, key id and signature of a line."""
    dash, name, encoded = line[:2], *(*line[2:].split(" "), "", "")[:2]
    if f"{dash}{name} {encoded}" != line or dash != _DASH:
        raise ValueError("a signature line is a dash, a key name and base64, a space between them")
    _check_name(name)
    try:
        data = from_base64(encoded)
    except ValueError:
        raise ValueError(f"the signature of {name} is not base64") from None
    if len(data) <= KEY_ID_BYTES:
        raise ValueError(f"the signature of {name} ends before it begins")
    return name, data[:KEY_ID_BYTES], data[KEY_ID_BYTES:]


def _cosigned(text: str, at_s: int) -> bytes:
    """Return what a witness signs (tlog-cosignature, Ed25519 signed message)."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _decoded(data: bytes | str) -> str:
    try:
        whole = data.decode() if isinstance(data, bytes) else data
        size = len(whole.encode())
    except UnicodeError:
        raise ValueError("a note is UTF-8") from None
    if size > NOTE_BYTES_MAX:
        raise ValueError(f"a note has up to {NOTE_BYTES_MAX} bytes, not {size}")
    if _CONTROL.search(whole):
        raise ValueError("a note has no control characters but newlines")
    return whole


def _check_text(text: str) -> None:
    if not _decoded(text).endswith("\n"):
        raise ValueError("the text of a note ends in a newline")


def _check_name(name: str) -> None:
    if not name or "+" in name or _CONTROL.search(name) or any(each.isspace() for each in name):
        raise ValueError("the name of a key is not empty and has no space, plus or control in it")
