"""A log as files, made in memory: entry by entry, signed when a test says so."""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from gateway import ledger
from gateway.ledger import checkpoints, merkle, notes, tiles
from gateway.ledger.checkpoints import Checkpoint
from gateway.ledger.verification import Report, Trust, verify

ORIGIN = "goodgate/0123456789abcdef"
FIRST = notes.Signer.from_seed(ORIGIN, b"1" * 32)
SECOND = notes.Signer.from_seed(ORIGIN, b"2" * 32)
STRANGER = notes.Signer.from_seed(ORIGIN, b"9" * 32)
WITNESS = notes.Signer.from_seed("auditors.example/w", b"w" * 32, notes.COSIGNATURE)
HOUR_US = 1_700_000_000_000_000
POLICY = "sha256:00112233445566aa"
POLICY_FILES = [("team.yaml", "rules: []\n")]
POLICY_PATH = "policies/00112233445566aa.json"


class Folder(dict[str, bytes]):
    """Files by path, read as a source."""

    def read(self, path: str) -> bytes | None:
        """Return a file's bytes."""
        return self.get(path)

    def paths(self) -> Iterable[str]:
        """Return all paths."""
        return list(self)


class Log:
    """A log that grows by what a test puts in it."""

    def __init__(self, signer: notes.Signer = FIRST) -> None:
        self.lines: list[bytes] = []
        self.hashes: list[bytes] = []
        self.notes: list[str] = []
        self.signer = signer
        self.policies = {POLICY_PATH: ledger.policy_document(POLICY_FILES)}
        self._seq: dict[str, int] = {}
        self._tree = tiles.Tree.empty()

    def add(self, *leaves: ledger.Leaf) -> "Log":
        """Append entries as they are."""
        return self.add_bytes(*map(ledger.encode, leaves))

    def add_bytes(self, *lines: bytes) -> "Log":
        """Append what may be no entries."""
        self.lines += lines
        self.hashes += map(merkle.leaf_hash, lines)
        self._tree.extend(self.hashes[self._tree.size :])
        return self

    def next(self, replica: str = "r1") -> dict[str, Any]:
        """Return the stamp of a replica's next entry, as fields."""
        self._seq[replica] = self._seq.get(replica, 0) + 1
        return {"replica": replica, "replica_seq": self._seq[replica]}

    def sign(self, *also: notes.Signer) -> "Log":
        """Make a checkpoint of what is there."""
        made = Checkpoint(origin=ORIGIN, size=len(self.lines), root=self._tree.root())
        self.notes.append(checkpoints.sign(made, self.signer, *also))
        return self

    def begin(self, replica: str = "r1") -> "Log":
        """Start a gateway and put a policy in force on it."""
        self.add(start(**self.next(replica)))
        return self.add(policy(f"p-{replica}", **self.next(replica)))

    def call(self, number: int, replica: str = "r1") -> "Log":
        """Make a call and settle it."""
        self.add(intent(number, **self.next(replica)))
        return self.add(settle(number, **self.next(replica)))

    def end(self, replica: str = "r1", **changed: Any) -> "Log":
        """End a series by itself."""
        stamp = self.next(replica)
        return self.add(end(replica, stamp["replica_seq"], **{**stamp, **changed}))

    def folder(self, *, first_bundle: int = 0) -> Folder:
        """Return the files of an export at the newest checkpoint, with its manifest."""
        newest = checkpoints.read(self.notes[-1], ORIGIN)[0]
        files = Folder({"checkpoint": self.notes[-1].encode(), "log.json": b"{}", **self.policies})
        files["checkpoints.jsonl"] = b"".join(
            json.dumps(each).encode() + b"\n" for each in self.notes
        )
        tree = tiles.Tree.empty()
        touched = tree.extend(self.hashes[: newest.size])
        for level, number, width in tiles.hash_tiles(newest.size):
            packed = touched[level, number]
            files[tiles.path(level, number, width)] = tiles.plain(packed)
            if level == 0 and number >= first_bundle:
                first = number * tiles.WIDTH
                lines = self.lines[first : first + width]
                files[tiles.path("entries", number, width)] = tiles.bundle(lines)
        manifest(files, self.signer, newest.size)
        return files


def manifest(files: Folder, signer: notes.Signer, size: int) -> None:
    """Sign the manifest of a folder, anew."""
    files.pop("manifest", None)
    listed = "".join(
        f"{sha256(data).hexdigest()} {len(data)} {path}\n" for path, data in sorted(files.items())
    )
    text = f"goodgate manifest v1\n{ORIGIN}\n{size}\n{listed}"
    files["manifest"] = f"{text}\n{signer.sign(text)}".encode()


def trust(**given: Any) -> Trust:
    """Return trust in the first key, and what is given."""
    return Trust(**{"vkey": FIRST.verifier.vkey, "whole_folder": True, **given})


def report(log: Log, **given: Any) -> Report:
    """Return what verifying an export of a log says."""
    return verify(log.folder(), trust(**given))


def found(log: Log, **given: Any) -> tuple[int | None, str, str]:
    """Return index, kind and words of the first thing wrong with a log, for sure something."""
    first = report(log, **given).first
    assert first is not None
    return first.index, first.kind, first.what


def intent(number: int, **given: Any) -> ledger.Intent:
    """Return the intent of a call."""
    fields: dict[str, Any] = {
        "attempt_id": f"att_{number}",
        "catalogue": "sha256:c",
        "cluster": None,
        "coalesced_into": None,
        "decision": "forwarded",
        "evidence": "verified",
        "likeness": None,
        "model_requested": "gpt",
        "model_served": "gpt-5",
        "policy": POLICY,
        "prices": "sha256:p",
        "principal": "c0ffee",
        "provider": "openai",
        "received_at_us": HOUR_US + number,
        "request_id": f"req_{number}",
        "reserved_cost_usd": "0.1",
        "reserved_input_tokens": 10,
        "reserved_output_tokens": 20,
        "retry_count": 0,
        "root_id": "PROJ-1",
        "route": "chat",
        "rules": ("require-task",),
        "stream": False,
        "task_id": "PROJ-2",
        "task_source": "header",
        "team": "payments",
        "tenant": "t",
    }
    return ledger.Intent(**{**fields, **given})


def settle(number: int, **given: Any) -> ledger.Settle:
    """Return the settle of a call."""
    return ledger.Settle(**{**_figures(number), **given})


def adjust(number: int, **given: Any) -> ledger.Adjust:
    """Return the adjust of a call."""
    return ledger.Adjust(**{**_figures(number), "reason": "late", **given})


def _figures(number: int) -> dict[str, Any]:
    return {
        "attempt_id": f"att_{number}",
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "completion": "complete",
        "cost_usd": "0.01",
        "first_token_ms": 5,
        "input_tokens": 10,
        "latency_ms": 9,
        "output_tokens": 3,
        "prices": "sha256:p",
        "reasoning_tokens": 0,
        "request_id": f"req_{number}",
        "settled_at_us": HOUR_US + number + 1,
        "status": 200,
        "usage_basis": "provider",
    }


def refusal(number: int, **given: Any) -> ledger.Refusal:
    """Return a refused call."""
    fields: dict[str, Any] = {
        "attempt_id": f"att_{number}",
        "catalogue": "sha256:c",
        "code": "task_closed",
        "evidence": "verified",
        "likeness": None,
        "model_requested": "gpt",
        "policy": POLICY,
        "principal": "c0ffee",
        "received_at_us": HOUR_US + number,
        "request_id": f"req_{number}",
        "root_id": "PROJ-1",
        "route": "chat",
        "rules": ("require-task",),
        "stream": False,
        "task_id": "PROJ-2",
        "task_source": "header",
        "team": "payments",
        "tenant": "t",
    }
    return ledger.Refusal(**{**fields, **given})


def start(**given: Any) -> ledger.ReplicaStart:
    """Return the start of a gateway's series, or of what is given."""
    fields = {"at_us": HOUR_US, "attempt_id": given["replica"], "role": "gateway", "version": "1"}
    return ledger.ReplicaStart(**{**fields, **given})


def sequencer(epoch: int, **given: Any) -> ledger.ReplicaStart:
    """Return the start of a sequencer's series."""
    name = f"s{epoch}"
    return start(**{"replica": name, "role": "sequencer", "epoch": epoch, **given})


def end(ended: str, last_seq: int, /, **given: Any) -> ledger.ReplicaEnd:
    """Return the end of a series."""
    fields = {"at_us": HOUR_US, "attempt_id": ended, "last_cost_seq": 0, "reason": "stopped"}
    return ledger.ReplicaEnd(**{**fields, "ended": ended, "last_seq": last_seq, **given})


def policy(attempt_id: str, /, **given: Any) -> ledger.PolicyInForce:
    """Return that the policy was put in force."""
    files_sha256 = ledger.policy_sha256(POLICY_FILES)
    fields = {"at_us": HOUR_US, "digest": POLICY, "files_sha256": files_sha256}
    return ledger.PolicyInForce(**{**fields, "attempt_id": attempt_id, **given})


def rotation(previous: notes.Signer, current: notes.Signer, /, **given: Any) -> ledger.Rotation:
    """Return that the signing key was replaced."""
    fields = {"at_us": HOUR_US, "attempt_id": "rotation", "what": "signing_key"}
    keys = {"previous": previous.verifier.vkey, "current": current.verifier.vkey}
    return ledger.Rotation(**{**fields, **keys, **given})


def retirement(log: Log, size: int, /, **given: Any) -> ledger.Retirement:
    """Return that the entries below a size were retired."""
    root = notes.to_base64(merkle.root(log.hashes[:size]))
    fields = {"at_us": HOUR_US, "attempt_id": f"retired_{size}", "root": root, "size": size}
    return ledger.Retirement(**{**fields, **given})
