"""
What a transparency log is made of, by the standards: a verifier's ground, in the standard library.

Ed25519 (RFC 8032), signed notes and checkpoints (C2SP signed-note, tlog-checkpoint and
tlog-cosignature), trees and their files (RFC 6962, C2SP tlog-tiles). What is wrong, or cannot be
read, raises ValueError.
"""

import base64
import functools
import re
from collections.abc import Sequence
from hashlib import sha256, sha512
from itertools import accumulate

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = b"X" + b"f" * 31  # y is 4/5
Point = tuple[int, int, int, int]
# Canonical JSON (RFC 8785): what stands between quotes, a string, an integer.
STR = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+'
TEXT = f'"{STR}"'
INT = r"(?:0|-?(?:[1-9][0-9]{0,14}|[1-8][0-9]{15}))"
NUM, HASH = "(0|[1-9][0-9]{0,18})", "[A-Za-z0-9+/]{43}="
Key = tuple[str, bytes, int, bytes]
"""Name, key id, kind (1 of a log, 4 of a witness), public key."""
Note = tuple[str, list[tuple[str, bytes, bytes]]]
"""Text; name, key id and signature of each signature line."""
Checkpoint = tuple[int, bytes, Note]
"""Size, root, and the note it was read from."""


def need(fact: object, otherwise: str) -> None:
    if not fact:
        raise ValueError(otherwise)


def listed(item: str) -> str:
    return rf"\[(?:{item}(?:,{item})*+)?\]"


# Ed25519 (RFC 8032), in extended coordinates: (x, y, z, t). The second point of an addition is
# prepared for it, so that tables of multiples save the work.
def add(p: Point, q: Point) -> Point:
    a, b, c, d = (p[1] - p[0]) * q[0] % P, (p[1] + p[0]) * q[1] % P, p[3] * q[2] % P, p[2] * q[3]
    e, f, g, h = b - a, (d - c) % P, (d + c) % P, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def prepared(p: Point) -> Point:
    return (p[1] - p[0]) % P, (p[1] + p[0]) % P, 2 * D * p[3] % P, 2 * p[2] % P


@functools.lru_cache(maxsize=64)
def multiples(key: bytes, sign: int) -> list[list[Point]]:
    """Return sign * 16^i * j * key, prepared, for 64 i and 16 j."""
    y, odd = int.from_bytes(key, "little") % 2**255, key[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and x * x % P == square and (x or not odd), "a key that is no point of the curve")
    x = sign * (x if x % 2 == odd else -x) % P
    point, rows = (x, y, 1, x * y % P), list[list[Point]]()
    for _ in range(64):
        row = list(accumulate([prepared(point)] * 16, add, initial=(0, 1, 1, 0)))
        point = row.pop()
        rows.append([prepared(each) for each in row])
    return rows


@functools.lru_cache(maxsize=4096)
def check_signature(key: bytes, message: str, signature: bytes) -> None:
    """Refuse a signature unless R is the very bytes of sB - kA."""
    hashed, point = sha512(signature[:32] + key + message.encode()).digest(), (0, 1, 1, 0)
    s, k = int.from_bytes(signature[32:], "little"), int.from_bytes(hashed, "little") % ORDER
    need(len(signature) == 64 and s < ORDER, "a signature is none")
    for of_base, of_key in zip(multiples(BASE, 1), multiples(key, -1), strict=True):
        point = add(add(point, of_base[s & 15]), of_key[k & 15])
        s, k = s >> 4, k >> 4
    x, y = (each * pow(point[2], -1, P) % P for each in point[:2])
    same = (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]
    need(same, "a signature is not true")


# Keys, notes, checkpoints (section 3).
def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 that no encoder writes")
    return data


def key_of(vkey: str) -> Key:
    name, key_id, material = (*vkey.split("+", 2), "", "")[:3]
    data = unbase64(material)
    made = sha256(name.encode() + b"\n" + data).digest()[:4]
    need(made.hex() == key_id and len(data) == 33, "not a verifier key")
    return name, made, data[0], data[1:]


def note_of(whole: str) -> Note:
    text, blank, tail = whole.rpartition("\n\n")
    need(blank and not re.search(r"[\x00-\x09\x0b-\x1f]", whole), "not a signed note")
    lines = [re.fullmatch(r"\u2014 ([^\s+]+) (\S{7,})", line) for line in tail.split("\n")[:-1]]
    found = [(line[1], unbase64(line[2])) for line in lines if line]
    need(tail[-1:] == "\n" and len(found) == len(lines) <= 100, "a signature line that is none")
    return text + "\n", [(name, data[:4], data[4:]) for name, data in found]


def is_by(note: Note, key: Key) -> bool:
    """Whether the key signed or cosigned; an untrue signature in its name spoils the note."""
    made = [each[2] for each in note[1] if each[:2] == key[:2]]
    for each in made:
        time = f"cosignature/v1\ntime {int.from_bytes(each[:8], 'big')}\n" if key[2] == 4 else ""
        check_signature(key[3], time + note[0], each[8:] if time else each)
    return bool(made)


def checkpoint_of(whole: object, origin: str) -> Checkpoint:
    note = note_of(str(whole))
    lines = re.fullmatch(rf"(.+)\n{NUM}\n({HASH})\n", note[0])
    if not lines or lines[1] != origin:
        raise ValueError(f"not a checkpoint of {origin}")
    return int(lines[2]), unbase64(lines[3]), note


def proof_of(text: str, origin: str) -> tuple[bytes | None, int, list[bytes], Checkpoint]:
    """Return the hash of the entry (when it is there), index, path and checkpoint of a receipt."""
    lines = rf"c2sp\.org/tlog-proof@v1\n(?:extra (\S+)\n)?index {NUM}\n((?:{HASH}\n)*)\n(.*)"
    found = re.fullmatch(lines, text, re.DOTALL)
    if not found:
        raise ValueError("not a receipt")
    leaf = None if found[1] is None else sha256(b"\0" + unbase64(found[1])).digest()
    path = [unbase64(each) for each in found[3].split()]
    return leaf, int(found[2]), path, checkpoint_of(found[4], origin)


# The tree (sections 3 and 6).
def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(*rows: list[bytes]) -> bytes:
    """Return the root over hashes; further rows stand before the first, each a tile higher."""
    found: list[bytes] = []
    for row in rows:
        found = row + found
        while len(found) > 1:  # one without a neighbour rises as it is
            found = [*map(node, found[::2], found[1::2]), *(found[-1:] if len(found) % 2 else ())]
    return found[0] if found else sha256().digest()


def climb(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a path (RFC 6962 section 2.1.1) leads to."""
    need(index < size and bool(path) == (size > 1), "a path that does not belong to this index")
    half = 1 << (size - 1).bit_length() >> 1  # the left subtree of a tree of this size
    if size == 1:
        return leaf
    if index < half:
        return node(climb(leaf, index, half, path[:-1]), path[-1])
    return node(path[-1], climb(leaf, index - half, size - half, path[:-1]))


def tile(level: int | str, number: int, width: int) -> str:
    *groups, last = (f"{int(each):03d}" for each in f"{number:,}".split(","))
    path = "/".join([f"tile/{level}", *(f"x{each}" for each in groups), last])
    return path if width == 256 else f"{path}.p/{width}"
