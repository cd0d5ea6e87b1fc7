"""
Verify an export of a Goodgate ledger with nothing but Python's standard library.

Written from format.md alone (sections named are its), and sharing no line with Goodgate: two
programs have to be wrong in the same way before a wrong ledger passes.
"""

import argparse
import base64
import functools
import json
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import sha256, sha512
from itertools import accumulate, pairwise, zip_longest
from pathlib import Path
from typing import Any

P, ORDER = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]
Key = tuple[str, bytes, int, bytes]  # name, key id, kind, public key
Note = tuple[str, list[tuple[str, bytes, bytes]]]  # text; name, key id, signature of each line
Checkpoint = tuple[int, bytes, Note]  # size, root


def need(fact: object, otherwise: str) -> None:
    if not fact:
        raise ValueError(otherwise)


# Ed25519 (RFC 8032), in extended coordinates.
def add(p: Point, q: Point) -> Point:
    a, b, c = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P, p[3] * q[3] % P
    e, f, g, h = b - a, 2 * (p[2] * q[2] - D * c) % P, 2 * (p[2] * q[2] + D * c) % P, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


@functools.lru_cache(maxsize=64)
def doublings(key: bytes, sign: int) -> list[Point]:
    """Return sign * 2^i * key for 253 i."""
    y, odd = int.from_bytes(key, "little") % 2**255, key[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    need(y < P and x * x % P == square and (x or not odd), "a key that is no point of the curve")
    x = sign * (x if x % 2 == odd else -x) % P
    return list(accumulate(range(252), lambda p, _: add(p, p), initial=(x, y, 1, x * y % P)))


@functools.lru_cache(maxsize=4096)
def check_signature(key: bytes, message: str, signature: bytes) -> None:
    """Refuse a signature unless R is the very bytes of sB - kA."""
    hashed, point = sha512(signature[:32] + key + message.encode()).digest(), (0, 1, 1, 0)
    s, k = int.from_bytes(signature[32:], "little"), int.from_bytes(hashed, "little") % ORDER
    for scalar, points in (s % ORDER, doublings(b"X" + b"f" * 31, 1)), (k, doublings(key, -1)):
        for digit, each in zip(reversed(f"{scalar:b}"), points, strict=False):
            point = add(point, each) if digit == "1" else point
    x, y = (each * pow(point[2], -1, P) % P for each in point[:2])
    same = (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]
    need(same and len(signature) == 64 and s < ORDER, "a signature is not true")


# Keys, notes, checkpoints (section 3).
def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    need(base64.b64encode(data).decode() == text, "base64 that no encoder writes")
    return data


def key_of(vkey: str) -> Key:
    name, key_id, material = (*vkey.split("+", 2), "", "")[:3]
    data = unbase64(material)
    made = sha256(name.encode() + b"\n" + data).digest()[:4]
    need(made.hex() == key_id and len(data) == 33, "not a verifier key: <name>+<key id>+<base64>")
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
    lines = re.fullmatch(r"(.+)\n(0|[1-9][0-9]{0,18})\n([\w+/]{43}=)\n", note[0])
    if not lines or lines[1] != origin:
        raise ValueError(f"not a checkpoint of {origin}")
    return int(lines[2]), unbase64(lines[3]), note


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


# Entries (section 1): one regular expression for each kind knows its canonical bytes.
STR = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))[^"\\\x00-\x1f]*+)*+'
INT = r"(?:0|-?(?:[1-9][0-9]{0,14}|[1-8][0-9]{15}))"
ROW = rf'\["{STR}","{STR}","{STR}",{INT},{INT},{INT},"{STR}"\]'
TYPES = {"#": INT, "!": "true|false", "?": f'"{STR}"|null', "#?": f"{INT}|null"}
TYPES |= {"*": rf'\[(?:"{STR}"(?:,"{STR}")*+)?\]', "**": rf"\[(?:{ROW}(?:,{ROW})*+)?\]"}
CALL = """catalogue cluster? evidence likeness? model_requested policy principal received_at_us#
 request_id root_id route rules* stream! task_id task_source team tenant """
CAME = """cache_read_tokens# cache_write_tokens# completion cost_usd first_token_ms#? input_tokens#
 latency_ms# output_tokens# prices reasoning_tokens# request_id settled_at_us# status# usage_basis"""
KINDS = {
    "intent": f"""{CALL} coalesced_into? decision=forwarded|coalesced|reused model_served prices
 provider reserved_cost_usd reserved_input_tokens# reserved_output_tokens# retry_count# units*""",
    "settle": CAME,
    "adjust": f"{CAME} reason",
    "refusal": f"{CALL} code",
    "replica_start": "at_us# epoch# previous role=gateway|sequencer|command version",
    "replica_end": "at_us# ended last_cost_seq# last_seq# reason=stopped|crashed|lost",
    "policy": "at_us# digest files_sha256",
    "rotation": "at_us# current previous what=signing_key|secret|pepper",
    "cost_hour": "hour# rows**",
    "reveal": "at_us# auditor filters reason",
    "erasure": "at_us# auditor reason salts#",
    "retirement": "at_us# root size#",
}
USED = """at_us attempt_id current digest ended epoch files_sha256 last_seq n policy previous role
 received_at_us replica replica_seq request_id root schema settled_at_us size what"""


def shape(fields: str) -> re.Pattern[str]:
    found = ['"kind":"[a-z_]+"']
    for field in f"{fields} attempt_id n# replica replica_seq# schema#".split():
        name, mark, words = re.findall(r"([a-z0-9_]+)([^a-z=]*)=?(.*)", field)[0]
        group = f"?P<{name}>" if name in USED.split() else "?:"
        value = f"({group}{TYPES.get(mark) or words or STR})"
        found.append(f'"{name}":' + (value if mark else f'"{value}"'))
    return re.compile(r"\{" + ",".join(sorted(found)) + r"\}")


SHAPES = {kind: shape(fields) for kind, fields in KINDS.items()}
NUM, HASH = "(0|[1-9][0-9]{0,18})", "[A-Za-z0-9+/]{43}="
PROOF = rf"c2sp.org/tlog-proof@v1\n(?:extra (\S+)\n)?index {NUM}\n((?:{HASH}\n)*)\n((?s:.*))"
PROMISE = rf"""v=1; request=([!-:<-~]+); replica=([!-:<-~]+); seq={NUM}; by={NUM}; leaf=({HASH});
 at={NUM}/{NUM}; path=((?:{HASH}(?:,(?=\S)|(?=;)))*); key=([0-9a-f]{{8}}); sig=(\S+)""".replace(
    "\n", ""
)


class Log:
    """What the entries so far have said (section 2), and what is being looked at."""

    def __init__(self) -> None:
        self.what, self.entry, self.index = "--key", "", -1
        self.first = self.epoch = self.begun = self.covered = self.newest_us = 0
        self.open = self.unknown = self.erasures = 0
        self.last: dict[str, int] = {}  # the number each series has come to
        self.seen: dict[str, str] = {}  # kind, by attempt, kind (of intents and refusals: call), n
        self.policies: dict[str, tuple[int, set[str]]] = {}
        self.ended, self.silent, self.old = set[str](), set[str](), set[str]()
        self.keys, self.rotated, self.tops = list[Key](), list[int](), list[bytes]()

    def take(self, text: str) -> tuple[str, str]:
        """Add an entry and return its place in its series."""
        self.entry = text
        kind = (re.search('"kind":"([a-z_]+)"', text) or ("", ""))[1]
        if kind not in SHAPES or not (found := SHAPES[kind].fullmatch(text)):
            raise ValueError("not the canonical bytes of an entry of a known kind")
        e = found.groupdict("0")
        name, number, n, old = e["replica"], int(e["replica_seq"]), int(e["n"]), e["schema"] == "1"
        at_us = [e.get(each, "0") for each in ("at_us", "received_at_us", "settled_at_us")]
        self.newest_us = max(self.newest_us, *map(int, at_us))
        if old:
            early = not self.begun and kind in ("intent", "settle", "refusal", "reveal")
            need(early, "schema 1, where it can no longer be")
            self.old.add(name)
        else:
            last = self.last.get(name, 0)
            need(e["schema"] == "2" and name not in self.silent, f"series {name} had ended")
            fits = number == last + 1 or (self.first and not last and number > 1)
            need(fits, f"number {number} of series {name}, which had come to {last}")
            need((kind == "replica_start") == (number == 1), "a series has one start, as number 1")
            self.last[name] = number
        unique = f"{e['attempt_id']} {'call' if kind in ('intent', 'refusal') else kind} {n}"
        need(unique not in self.seen, "attempt, kind and n were used before")
        need(n > 0 if kind == "adjust" else n == 0 or (kind == "cost_hour" and n > 0), f"n is {n}")
        self.seen[unique] = kind
        self.erasures += kind == "erasure"
        if kind in ("settle", "adjust"):
            begun = self.seen.get(f"{e['attempt_id']} {'call' if kind == 'settle' else 'settle'} 0")
            fits = begun in ("intent", "settle") or (self.first and not begun)
            need(fits, "it settles no intent, or adjusts no settle")
            self.unknown += not begun
            self.open -= begun == "intent"
        elif kind in ("intent", "refusal"):
            known = old or e["policy"] in self.policies
            need(known or self.first, f"policy {e['policy']} was never put in force")
            self.unknown += not known
            self.open += kind == "intent"
        elif kind == "replica_start":
            epoch, sequencer = int(e["epoch"]), e["role"] == "sequencer"
            fits = epoch == self.epoch + 1 or (self.first and not self.epoch)
            fits = fits and name == f"s{epoch}" if sequencer else epoch == 0
            need(fits, f"{e['role']} {name} of epoch {epoch}, after epoch {self.epoch}")
            self.silent.add(f"s{epoch - 1}")
            self.epoch, self.begun = max(epoch, self.epoch), self.begun or not sequencer
        elif kind == "replica_end":
            ended, came = e["ended"], self.last.get(e["ended"])
            fits = ended not in self.ended and (came or self.first or ended in self.old)
            need(fits, f"series {ended} had no start, or had ended")
            need(came in (None, int(e["last_seq"])), f"series {ended} had come to {came}")
            self.ended.add(ended)
            self.silent.add(ended)
        elif kind == "policy":
            need(re.fullmatch("sha256:[0-9a-f]{16}", e["digest"]), "a digest that is none")
            self.policies.setdefault(e["digest"], (self.index, set()))[1].add(e["files_sha256"])
        elif kind == "rotation" and e["what"] == "signing_key":
            key, new = key_of(e["previous"]), key_of(e["current"])
            self.keys = self.keys or [key]
            fits = key == self.keys[-1] and (key[0], key[2]) == (new[0], 1) and new[2] == 1
            need(fits, "it replaces a key that was not in use")
            self.keys.append(new)
            self.rotated.append(self.index)
        elif kind == "retirement":
            count, rest = divmod(int(e["size"]), 256)
            fits = 0 < count <= len(self.tops) and not rest
            fits = fits and root_of(self.tops[:count]) == unbase64(e["root"])
            need(fits, "a size that cannot be retired, or not the root of that size")
            self.covered = max(self.covered, count * 256)
        return name, e["replica_seq"]


def check(
    log: Log, read: Callable[[str], bytes], paths: set[str], asked: dict[str, Any]
) -> dict[str, Any]:
    """Do what section 7 says, in its order; ValueError says what is wrong first."""

    def get(path: str) -> bytes:
        log.what = path
        need(path in paths, "it is missing")
        return read(path)

    key, used = key_of(asked["key"]), set[str]()
    newest = checkpoint_of(get("checkpoint").decode(), key[0])
    *lines, end = get("checkpoints.jsonl").decode().split("\n")
    notes = [checkpoint_of(json.loads(line), key[0]) for line in lines]
    need(all(one[0] < after[0] for one, after in pairwise(notes)), "its sizes do not grow")
    need(not end and notes and notes[-1][2][0] == newest[2][0], "its last is not the newest")
    size, log.what = newest[0], "what you kept"
    need(size <= 256 * len(paths), f"its files cannot hold {size} entries")
    proofs = [found for each in asked["receipts"] if (found := re.fullmatch(PROOF, each))]
    own = [found for each in asked["promises"] if (found := re.fullmatch(PROMISE, each))]
    given = len(asked["receipts"]) + len(asked["promises"])
    need(len(proofs) + len(own) == given, "a receipt or promise that is none")
    kept = [checkpoint_of(each, key[0]) for each in (*asked["kept"], *(one[4] for one in proofs))]
    promised = {(each[2], each[3]): unbase64(each[5]) for each in own}
    sought, due = dict.fromkeys(promised.values(), False), dict[int, set[bytes]]()
    for each in (*notes, *kept):
        need(each[0] <= size, f"a checkpoint of {each[0]} entries, where there are {size}")
        due.setdefault(each[0], set()).add(each[1])
    need(due.get(0, {root_of()}) == {root_of()}, "the root of no entries")
    tiles = [(at, min(256, size - at)) for at in range(0, size, 256)]
    there = (at for at, width in tiles if tile("entries", at // 256, width) in paths)
    log.first = min(there, default=0)
    for at, width in tiles:
        path, row, pos = tile("entries", at // 256, width), list[bytes](), 0
        used |= {path, tile(0, at // 256, width)}
        hashes, data = get(tile(0, at // 256, width)), read(path) if path in paths else b""
        need(len(hashes) == 32 * width, "its length is not that of its hashes")
        for log.index in range(at, at + width):
            row.append(digest := hashes[32 * len(row) : 32 * len(row) + 32])
            if digest in sought:
                sought[digest] = True
            if at >= log.first:
                log.what, log.entry = path, ""
                start, pos = pos + 2, pos + 2 + int.from_bytes(data[pos : pos + 2], "big")
                need(start <= pos <= len(data), "the bundle ends before it")
                need(
                    sha256(b"\0" + data[start:pos]).digest() == digest, "the tile has another hash"
                )
                place = log.take(data[start:pos].decode())
                need(promised.get(place, digest) == digest, "a promise names another entry here")
            if log.index + 1 in due and due[log.index + 1] != {root_of(row, log.tops)}:
                log.what, log.index = f"the checkpoint of {log.index + 1}", -1
                raise ValueError("its root is not that of the entries")
        log.index = -1
        need(pos == len(data), "something follows its last entry")
        log.tops += [root_of(row)] * (width == 256)
    level, row = 1, log.tops
    while row:
        parts = [row[at : at + 256] for at in range(0, len(row), 256)]
        for number, part in enumerate(parts):
            used.add(path := tile(level, number, len(part)))
            need(get(path) == b"".join(part), "it does not hold the hashes of those below")
        level, row = level + 1, [root_of(part) for part in parts if len(part) == 256]
    log.what = "the folder"
    stray = sorted(each for each in paths - used if each.startswith("tile/"))
    need(not stray, f"a log of this size has no {stray[:1]!a}")
    need(log.covered >= log.first, f"no retirement covers the entries below {log.first}")
    for digest, (log.index, texts) in log.policies.items():
        text = get(f"policies/{digest[7:]}.json")
        need(sha256(text).hexdigest() in texts, "this is not the text that was put in force")
    log.index, log.what, before, keys = -1, "the keys", 0, log.keys or [key]
    need(key in keys, "no rotation vouches for the trusted key")
    for each in (*notes, newest, *kept):
        now, log.what = bisect_left(log.rotated, each[0]), f"the checkpoint of {each[0]}"
        for one in keys[min(before, now) : now + 1] if each[0] > log.first else ():
            need(is_by(each[2], one), f"it is not signed by key {one[1].hex()}")
        before = now
    seen_by = [each for each in asked["witnesses"] if is_by(newest[2], key_of(each))]
    manifest = note_of(get("manifest").decode())
    need(is_by(manifest, keys[-1]), "the key in use did not sign it")
    files = ((path, get(path)) for path in sorted(paths - {"manifest"}))
    lines = [f"{sha256(data).hexdigest()} {len(data)} {path}" for path, data in files]
    lines, log.what = ["goodgate manifest v1", key[0], str(size), *lines, ""], "manifest"
    for says, line in zip_longest(manifest[0].split("\n"), lines):
        need(says == line, f"it says {says!a}, where {line!a} belongs")
    for proof, (count, root, _) in zip(proofs, kept[len(asked["kept"]) :], strict=True):
        index, log.what = int(proof[2]), f"the receipt of entry {proof[2]}"
        need(index < count, "its checkpoint is of fewer entries")
        at, width = tiles[index // 256]
        leaf = read(tile(0, at // 256, width))[32 * (index - at) :][:32]
        same = proof[1] is None or sha256(b"\0" + unbase64(proof[1])).digest() == leaf
        path = [unbase64(each) for each in proof[3].split()]
        need(same and climb(leaf, index, count, path) == root, "its path or entry is another's")
    for each in own:
        request, name, number, by, leaf, index, count, path, key_id, signature = each.groups()
        log.what, made = (
            f"the promise to {request}",
            [one for one in keys if one[1].hex() == key_id],
        )
        need(made, "its key is none of the log's")
        hashed = sha256(f"\0{request} {name} {number} {leaf}".encode()).digest()
        root = climb(hashed, int(index), int(count), list(map(unbase64, re.findall(HASH, path))))
        text = f"goodgate promise v1\n{key[0]}\n{by}\n{count}\n{base64.b64encode(root).decode()}\n"
        check_signature(made[0][3], text, unbase64(signature))
        over = name in log.ended or log.newest_us > int(by) * 1_000_000
        need(sought[unbase64(leaf)] or not over, f"broken: {name} has no entry {number}")
    said = {"verdict": "consistent", "entries": size, "checkpoints": len(notes)}
    said |= {"root": base64.b64encode(newest[1]).decode(), "witnesses": seen_by}
    said |= {"series without end": sorted(log.last.keys() - log.ended), "open calls": log.open}
    said |= {"promises pending": list(sought.values()).count(False), "erasures": log.erasures}
    return said | {"not known because of a retirement": log.unknown}


def verify(read: Callable[[str], bytes], paths: set[str], key: str, **asked: Any) -> dict[str, Any]:
    """Return what is found; `asked`: witnesses, kept checkpoints, promises, receipts (texts)."""
    log, nothing = Log(), dict.fromkeys(("witnesses", "kept", "promises", "receipts"), ())
    try:
        return check(log, read, paths, {"key": key, **nothing, **asked})
    except (ValueError, RecursionError, OSError) as wrong:
        index, how = (
            (log.index, f"{log.what}: {wrong}")
            if log.index >= 0
            else (None, f"{log.what}: {wrong}")
        )
        named = (re.search(f'"{each}":"({STR})"', log.entry) for each in ("kind", "request_id"))
        kind, request = (each[1] if each and index is not None else "" for each in named)
        return {"verdict": "wrong", "index": index, "kind": kind, "request_id": request, "how": how}


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an export of a Goodgate ledger.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", required=True, help="a verifier key of the log")
    parser.add_argument("--witness", action="append", default=[], help="that of a witness")
    parser.add_argument("--from", action="append", default=[], help="a checkpoint you kept")
    parser.add_argument("--receipt", action="append", default=[], help="a .tlog-proof")
    parser.add_argument("--promises", help="x-goodgate-receipt headers, one a line")
    parser.add_argument("--json", action="store_true")
    given = vars(parser.parse_args())
    try:
        need(given["folder"].is_dir(), f"{given['folder']} is no folder")
        kinds = [key_of(each)[2] for each in (given["key"], *given["witness"])]
        need(kinds == [1] + [4] * len(given["witness"]), "a witness's key for a log's, or a log's")
        kept, proofs = (
            [Path(each).read_text() for each in given[it]] for it in ("from", "receipt")
        )
        promises = Path(given["promises"]).read_text().splitlines() if given["promises"] else []
    except (OSError, ValueError) as wrong:
        parser.error(str(wrong))
    files = {
        each.relative_to(given["folder"]).as_posix(): each for each in given["folder"].rglob("*")
    }
    paths = {path for path, each in files.items() if not each.is_dir()}
    asked = {"witnesses": given["witness"], "kept": kept, "promises": promises, "receipts": proofs}
    found = verify(lambda path: files[path].read_bytes(), paths, given["key"], **asked)
    told = [f"{name}: {value}" for name, value in list(found.items())[5:]]
    if found["verdict"] == "wrong":
        entry = "entry {index} ({kind} {request_id}): " if found["index"] is not None else ""
        told = [ascii(f"wrong: {entry.format(**found)}{found['how']}")[1:-1]]
    else:
        by = f"witnessed by {len(found['witnesses'])}" if found["witnesses"] else "unwitnessed"
        entries = f"{found['entries']:,} entries, {found['checkpoints']:,} checkpoints"
        told.append(f"consistent, {by}: {entries}, root {found['root']}")
    print(json.dumps(found) if given["json"] else "\n".join(told))
    return int(found["verdict"] == "wrong")


if __name__ == "__main__":
    sys.exit(main())
