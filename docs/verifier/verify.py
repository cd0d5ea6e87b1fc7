"""
Verify an export of a Goodgate ledger with nothing but Python's standard library.

Written from format.md alone (whose sections are named); what is standard is in tlog.py beside it.
"""

import argparse
import base64
import json
import re
import sys
from bisect import bisect_left
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import tlog
from tlog import HASH, INT, NUM, STR, TEXT, listed, need

Read = Callable[[str], bytes]
# Entries (section 1): one regular expression for each kind knows its canonical bytes.
ROW = rf"\[{TEXT},{TEXT},{TEXT},{INT},{INT},{INT},{TEXT}\]"
TYPES = {"#": INT, "~": "[12]", "!": "true|false", "?": f"{TEXT}|null", "#?": f"{INT}|null"}
TYPES |= {"*": listed(TEXT), "**": listed(ROW), "%": listed(rf"\[{TEXT},{TEXT}\]")}
CALL = """catalogue cluster? evidence likeness? model_requested policy principal received_at_us#
 request_id root_id route rules* stream! task_id task_source team tenant """
CAME = """cache_read_tokens# cache_write_tokens# completion cost_usd first_token_ms#? input_tokens#
latency_ms# output_tokens# prices reasoning_tokens# request_id settled_at_us# status# usage_basis"""
OF = "at_us# beneficiaries* catalogue policy root_id team"
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
    "outcome": f"""{OF} author creator event=merged|closed|accepted|reverted|reopened|reversed
 evidence linked_by=tracker|keyword|branch|trailer|ambiguous|nothing occurred_at_us# reviewers*
 subject task_id tracker""",
    "valuation": f"{OF} by_bot! team_size# value valued_by weights%",
}
USED = "attempt_id n policy replica replica_seq request_id schema"
SHAPES: dict[str, re.Pattern[str]] = {}
for kind, fields in KINDS.items():
    found = [f'"kind":"(?P<kind>{kind})"']
    for field in f"{fields} attempt_id n# replica replica_seq# schema~".split():
        name, mark, words = re.findall(r"([a-z0-9_]+)([^a-z=]*)=?(.*)", field)[0]
        group = f"?P<{name}>" if name in USED or len(fields) < 80 else "?:"
        value = f"({group}{TYPES.get(mark) or words or STR})"
        found.append(f'"{name}":' + (value if mark else f'"{value}"'))
    SHAPES[kind] = re.compile(r"\{" + ",".join(sorted(found)) + r"\}")
PROMISE = rf"v=1; request=([!-:<-~]+); replica=([!-:<-~]+); seq={NUM}; by={NUM}; leaf=({HASH}); "
PROMISE += rf"at={NUM}/{NUM}; path=((?:{HASH},(?!;))*{HASH}|); key=([0-9a-f]{{8}}); sig=(\S+)"


class Log:
    """What the entries so far have said (section 2), and what is being looked at."""

    def __init__(self) -> None:
        self.what, self.entry, self.index, self.begun = "the log", "", -1, False
        self.first = self.epoch = self.covered = self.newest_us = self.open = self.unknown = 0
        self.last, self.seen = dict[str, int](), dict[str, str]()
        self.policies: dict[str, tuple[int, set[str]]] = {}
        self.ended, self.silent, self.old = set[str](), set[str](), set[str]()
        self.keys, self.rotated, self.tops = list[tlog.Key](), list[int](), list[bytes]()
        self.promised: dict[tuple[str, str], bytes] = {}  # hashes, by series and number
        self.met: dict[tuple[str, str], tuple[int, bytes]] = {}  # index and hash there is

    def take(self, text: str) -> tuple[str, str]:
        """Add an entry and return its place: series and number."""
        self.entry = text
        kind = text.partition('"kind":"')[2].partition('"')[0]
        if kind not in SHAPES or not (found := SHAPES[kind].fullmatch(text)):
            raise ValueError("not the canonical bytes of an entry of a known kind")
        e = found.groupdict()
        name, number, n, attempt = e["replica"], int(e["replica_seq"]), int(e["n"]), e["attempt_id"]
        at = re.search(r'at_us":([0-9]+)', text) if self.promised else None
        last, self.newest_us = self.last.get(name, 0), max(self.newest_us, int(at[1]) if at else 0)
        if old := e["schema"] == "1":
            need(not self.begun and kind in "intent settle refusal reveal", "schema 1, too late")
            self.old.add(name)
        else:
            need(name not in self.silent, f"series {name} had ended")
            fits = number == last + 1 or (self.first and not last and number > 1)
            need(fits, f"number {number} of series {name}, which had come to {last}")
            need((kind == "replica_start") == (number == 1), "a series has one start, as number 1")
            self.last[name] = number
        unique = f"{attempt} {'call' if kind in ('intent', 'refusal') else kind} {n}"
        need(unique not in self.seen, "attempt, kind and n were used before")
        least, most = (kind == "adjust", n if kind in "adjust cost_hour valuation" else 0)
        need(least <= n <= most, f"n is {n}")
        self.seen[unique] = kind
        if kind in ("settle", "adjust"):
            before = self.seen.get(f"{attempt} {'call' if kind == 'settle' else 'settle'} 0")
            fits = before in ("intent", "settle") or (self.first and not before)
            need(fits, "it settles no intent, or adjusts no settle")
            self.open, self.unknown = self.open - (before == "intent"), self.unknown + (not before)
        elif kind in ("intent", "refusal", "outcome", "valuation"):
            known = old or e["policy"] in self.policies
            need(known or self.first, f"policy {e['policy']} was never put in force")
            self.open, self.unknown = self.open + (kind == "intent"), self.unknown + (not known)
        elif kind == "replica_start":
            epoch, sequencer = int(e["epoch"]), e["role"] == "sequencer"
            fits = epoch == self.epoch + 1 or (self.first and not self.epoch)
            fits = fits and name == f"s{epoch}" if sequencer else epoch == 0
            need(fits, f"{e['role']} {name} of epoch {epoch}, after epoch {self.epoch}")
            self.silent.add(f"s{epoch - 1}")
            self.epoch, self.begun = max(epoch, self.epoch), self.begun or not sequencer
        elif kind == "replica_end":
            ended, came = e["ended"], self.last.get(e["ended"])
            known = ended in self.last or ended in self.old or self.first > 0
            need(known and ended not in self.ended, f"series {ended} had no start, or had ended")
            need(came in (None, int(e["last_seq"])), f"series {ended} had come to {came}")
            self.ended, self.silent = self.ended | {ended}, self.silent | {ended}
        elif kind == "policy":
            need(re.fullmatch("sha256:[0-9a-f]{16}", e["digest"]), "a digest that is none")
            self.policies.setdefault(e["digest"], (self.index, set()))[1].add(e["files_sha256"])
        elif kind == "rotation" and e["what"] == "signing_key":
            key, new = tlog.key_of(e["previous"]), tlog.key_of(e["current"])
            fits = [key] == self.keys[-1:] or not self.keys
            need(fits and key[::2] == new[::2], "it replaces a key that was not in use")
            self.keys = [*(self.keys or [key]), new]
            self.rotated.append(self.index)
        elif kind == "retirement":
            count, rest = divmod(int(e["size"]), 256)
            need(0 < count <= len(self.tops) and not rest, "a size that cannot be retired")
            need(tlog.root_of(self.tops[:count]) == tlog.unbase64(e["root"]), "another root")
            self.covered = max(self.covered, count * 256)
        return name, e["replica_seq"]

    def owes(self, promise: re.Match[str], origin: str, keys: Sequence[tlog.Key]) -> bool:
        """Whether a promise is pending; one that is broken or forged is refused."""
        request, name, number, by, leaf, index, count, path, key_id, signature = promise.groups()
        self.index, self.what = -1, f"the promise to {request}"
        hashed = sha256(f"\0{request} {name} {number} {leaf}".encode()).digest()
        steps = [tlog.unbase64(each) for each in re.findall(HASH, path)]
        root = base64.b64encode(tlog.climb(hashed, int(index), int(count), steps)).decode()
        made = [key for key in keys if key[1].hex() == key_id]
        need(made, "its key is none of the log's")
        text = f"goodgate promise v1\n{origin}\n{by}\n{count}\n{root}\n"
        tlog.check_signature(made[0][3], text, tlog.unbase64(signature))
        self.index, found = self.met.get((name, number), (-1, None))
        gone = name in self.ended or self.newest_us > int(by) * 1_000_000
        away = self.first and int(number) <= self.last.get(name, int(number))
        need(found == tlog.unbase64(leaf) or (not found and (away or not gone)), "it is broken")
        return not found


def check(log: Log, read: Read, paths: set[str], key: tlog.Key, asked: Any) -> dict[str, Any]:
    """Do what section 7 says, in its order; ValueError says what is wrong first."""

    def get(path: str, index: int = -1) -> bytes:
        log.what, log.index, log.entry = path, index, ""
        need(path in paths, "it is missing")
        return read(path)

    newest = tlog.checkpoint_of(get("checkpoint").decode(), key[0])
    log.index = newest[0] - 1
    seen_by = [each[0] for each in asked["witnesses"] if tlog.is_by(newest[2], each)]
    *lines, end = get("checkpoints.jsonl").decode().split("\n")
    notes = [tlog.checkpoint_of(json.loads(line), key[0]) for line in lines]
    need(all(one[0] < after[0] for one, after in pairwise(notes)), "its sizes do not grow")
    need(not end and notes and notes[-1][2][0] == newest[2][0], "its last is not the newest")
    size, log.what, due, used = newest[0], "what you kept", dict[int, set[bytes]](), set[str]()
    need(size <= 256 * len(paths), f"the files cannot hold {size} entries")
    proofs = [tlog.proof_of(each, key[0]) for each in asked["receipts"]]
    own = [match for each in asked["promises"] if (match := re.fullmatch(PROMISE, each))]
    need(len(own) == len(asked["promises"]), "a promise that is none")
    kept = [tlog.checkpoint_of(each, key[0]) for each in asked["kept"]] + [one[3] for one in proofs]
    log.promised = {(each[2], each[3]): tlog.unbase64(each[5]) for each in own}
    for count, root, _ in (*notes, *kept):
        log.index = size if count > size else -1
        need(count <= size, f"a checkpoint of {count} entries, where there are {size}")
        due.setdefault(count, set()).add(root)
    need(due.get(0, {tlog.root_of()}) == {tlog.root_of()}, "the root of no entries")
    tiles = [(at, min(256, size - at)) for at in range(0, size, 256)]
    there = (at for at, width in tiles if tlog.tile("entries", at // 256, width) in paths)
    log.first = min(there, default=0)
    for at, width in tiles:
        bundle, path = tlog.tile("entries", at // 256, width), tlog.tile(0, at // 256, width)
        used |= {bundle, path}
        hashes = get(path, at)
        need(len(hashes) == 32 * width, "its length is not that of its hashes")
        data, row, pos = read(bundle) if bundle in paths else b"", list[bytes](), 0
        for log.index in range(at, at + width):
            row.append(digest := hashes[32 * len(row) : 32 * len(row) + 32])
            if at >= log.first:
                log.what, log.entry, start = bundle, "", pos + 2
                pos = start + int.from_bytes(data[pos:start], "big")
                need(start <= pos <= len(data), "the bundle ends before it")
                need(sha256(b"\0" + data[start:pos]).digest() == digest, "the tile differs")
                if (place := log.take(data[start:pos].decode())) in log.promised:
                    log.met[place] = log.index, digest
            fits = log.index + 1 not in due or due[log.index + 1] == {tlog.root_of(row, log.tops)}
            need(fits, "a checkpoint of the entries up to this one has another root")
        log.index, log.entry = at + width, ""
        need(pos == len(data), "something follows its last entry")
        log.tops += [tlog.root_of(row)] * (width == 256)
    log.index, log.what = log.covered, "the folder"
    need(log.covered >= log.first, f"no retirement covers the entries below {log.first}")
    level, row = 1, log.tops
    while row:
        parts = [row[at : at + 256] for at in range(0, len(row), 256)]
        for number, part in enumerate(parts):
            used.add(path := tlog.tile(level, number, len(part)))
            hashes = get(path, number * 256 ** (level + 1))
            need(hashes == b"".join(part), "it does not hold the hashes of those below")
        level, row = level + 1, [tlog.root_of(part) for part in parts if len(part) == 256]
    for policy, (index, files) in log.policies.items():
        text = get(f"policies/{policy[7:]}.json", index)
        need(sha256(text).hexdigest() in files, "this is not the text that was put in force")
    log.index, log.what, before, keys = -1, "the folder", 0, log.keys or [key]
    stray = sorted(each for each in paths - used if each.startswith("tile/"))
    need(not stray, f"a log of this size has no {stray[:1]!a}")
    need(key in keys, "no rotation vouches for the trusted key")
    for count, _, note in (*notes, newest, *kept):
        log.index, log.what = count - 1, f"the checkpoint of {count}"
        now = bisect_left(log.rotated, count)
        for one in keys[min(before, now) : now + 1] if count > log.first else ():
            need(tlog.is_by(note, one), f"it is not signed by key {one[1].hex()}")
        before = now
    manifest = tlog.note_of(get("manifest").decode())
    need(tlog.is_by(manifest, keys[-1]), "the key in use did not sign it")
    read_all = ((path, get(path)) for path in sorted(paths - {"manifest"}))
    lines = [f"{sha256(data).hexdigest()} {len(data)} {path}" for path, data in read_all]
    lines, log.what = ["goodgate manifest v1", key[0], str(size), *lines, ""], "manifest"
    for says, line in zip_longest(manifest[0].split("\n"), lines):
        need(says == line, f"it says {says!a}, where {line!a} belongs")
    for extra, index, steps, (count, root, _) in proofs:
        log.index, log.what = index, "the receipt"
        need(index < count, "its checkpoint is of fewer entries")
        at, width = tiles[index // 256]
        hashed = read(tlog.tile(0, at // 256, width))[32 * (index - at) :][:32]
        same = extra in (None, hashed) and tlog.climb(hashed, index, count, steps) == root
        need(same, "its path or entry is another's")
    said = {"verdict": "consistent", "entries": size, "checkpoints": len(notes)}
    said |= {"root": newest[2][0].split("\n")[2], "witnesses": seen_by}
    said |= {"series without end": sorted(log.last.keys() - log.silent), "open calls": log.open}
    said |= {"promises pending": sum(log.owes(match, key[0], keys) for match in own)}
    erasures = list(log.seen.values()).count("erasure")
    return said | {"erasures": erasures, "refer to what was retired": log.unknown}


def verify(read: Read, paths: set[str], key: tlog.Key, **asked: Sequence[Any]) -> dict[str, Any]:
    """Return what is found; `asked`: witnesses (keys); kept, promises and receipts (texts)."""
    log, nothing = Log(), dict.fromkeys(("witnesses", "kept", "promises", "receipts"), ())
    try:
        return check(log, read, paths, key, nothing | asked)
    except (ValueError, RecursionError, OSError) as wrong:
        said = {"verdict": "wrong", "index": log.index if log.index >= 0 else None}
        named = dict(re.findall(rf'"(kind|request_id)":"({STR})"', log.entry))
        return said | {"kind": "", "request_id": ""} | named | {"how": f"{log.what}: {wrong}"}


def main() -> int:
    parser = argparse.ArgumentParser(description="Verify an export of a Goodgate ledger.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--key", required=True, type=tlog.key_of, help="a verifier key of the log")
    parser.add_argument("--witness", action="append", default=[], type=tlog.key_of)
    parser.add_argument("--from", action="append", default=[], help="a checkpoint you kept")
    parser.add_argument("--receipt", action="append", default=[], help="a .tlog-proof")
    parser.add_argument("--promises", help="x-goodgate-receipt headers, one a line")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder, kept = given.folder, getattr(given, "from")
    try:
        texts = [Path(each).read_text("utf-8") for each in (*kept, *given.receipt)]
        promises = Path(given.promises).read_text("utf-8").split("\n") if given.promises else []
        need(folder.is_dir() and given.key[2] == 1, f"{folder} is no folder, or --key no log's")
        need(all(each[2] == 4 for each in given.witness), "--witness takes a witness's key")
    except (OSError, ValueError) as wrong:
        parser.error(str(wrong))
    paths = {each.relative_to(folder).as_posix() for each in folder.rglob("*") if not each.is_dir()}
    asked = {"witnesses": given.witness, "promises": [each for each in promises if each]}
    asked |= {"kept": texts[: len(kept)], "receipts": texts[len(kept) :]}
    said = verify(lambda path: (folder / path).read_bytes(), paths, given.key, **asked)
    if said["verdict"] == "wrong":
        entry = "entry {index} ({kind} {request_id}): " if said["index"] is not None else ""
        told = "wrong: " + ascii((entry + "{how}").format(**said))[1:-1]
    else:
        told = "".join(f"{name}: {value!a}\n" for name, value in list(said.items())[5:])
        by = f"witnessed by {len(said['witnesses'])}" if said["witnesses"] else "unwitnessed"
        told += f"consistent, {by}: {said['entries']:,} entries, "
        told += f"{said['checkpoints']:,} checkpoints, root {said['root']}"
    print(json.dumps(said) if given.json else told)
    return int(said["verdict"] == "wrong")


if __name__ == "__main__":
    sys.exit(main())
