"""Verifying a log's files: tiles, bundles, checkpoints, policies, manifest, periods retired."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import ledger
from gateway.errors import ConfigError
from gateway.ledger import merkle, notes, rollups, tiles
from gateway.ledger.verification import WRONG, Report, Sums, verify
from tests.unit.ledger.exported import (
    FIRST,
    ORIGIN,
    POLICY,
    POLICY_FILES,
    POLICY_PATH,
    SECOND,
    STRANGER,
    WITNESS,
    Folder,
    Log,
    adjust,
    found,
    intent,
    manifest,
    policy,
    refusal,
    report,
    retirement,
    rotation,
    settle,
    trust,
)


def log(calls: int = 3) -> Log:
    """Return a log of some calls, signed before and after the last."""
    made = Log().begin()
    for number in range(calls - 1):
        made.call(number)
    return made.sign().call(calls - 1).sign()


LONG = log(300)
"""602 entries: three bundles, the last one partial."""


def first(files: Folder, *, size: int = 602, sign: bool = True, **given: Any) -> tuple[Any, ...]:
    """Return index, kind, file and words of what is wrong with files, the manifest made anew."""
    if sign:
        manifest(files, FIRST, size)
    said = verify(files, trust(**given))
    assert said.verdict == WRONG
    assert said.first is not None
    return said.first.index, said.first.kind, said.first.where, said.first.what


def test_a_log_is_consistent_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []

    said = verify(LONG.folder(), trust(), lambda done, of: told.append((done, of)))

    assert (said.verdict, said.first, said.size) == ("consistent, unwitnessed", None, 602)
    assert (said.origin, said.checkpoints, said.open_calls) == (ORIGIN, 2, 0)
    assert notes.from_base64(said.root) == merkle.root(LONG.hashes)
    assert told == [(256, 602), (512, 602), (602, 602)]


def test_a_log_of_no_entries_is_consistent() -> None:
    assert report(Log().sign()).first is None


def test_a_changed_entry_is_named() -> None:
    files = LONG.folder()
    lines = tiles.lines(files["tile/entries/001"])
    lines[44] = lines[44].replace(b'"payments"', b'"platform"')
    files["tile/entries/001"] = tiles.bundle(lines)

    index, kind, where, what = first(files)

    assert (index, kind, where) == (300, "hash", "tile/entries/001")
    assert "tile/0/001" in what


@pytest.mark.parametrize("move", ["dropped", "swapped", "doubled"])
def test_an_entry_out_of_its_place_is_named(move: str) -> None:
    files = LONG.folder()
    lines = tiles.lines(files["tile/entries/000"])
    if move == "dropped":
        del lines[7]
    elif move == "swapped":
        lines[7], lines[8] = lines[8], lines[7]
    else:
        lines.insert(7, lines[6])
        del lines[-1]
    files["tile/entries/000"] = tiles.bundle(lines)

    assert first(files)[:3] == (7, "hash", "tile/entries/000")


def test_a_bundle_that_ends_early_or_late_is_named() -> None:
    path = "tile/entries/002.p/90"
    files = LONG.folder()
    lines = tiles.lines(files[path])
    files[path] = tiles.bundle(lines[:80])
    assert first(files) == (592, "bundle", path, "this entry is missing from its bundle")

    files[path] = tiles.bundle(lines)[:-1]
    assert first(files)[:2] == (601, "bundle")
    assert "bytes of it are left" in first(files)[3]

    files[path] = tiles.bundle([*lines, b"{}"])
    assert first(files) == (602, "bundle", path, "the bundle goes on after its 90 entries")

    files[path] = tiles.bundle(lines) + b"\0"
    assert first(files)[:2] == (602, "bundle")


def test_an_entry_that_is_wrong_in_itself_comes_before_a_later_one_with_another_hash() -> None:
    made = log()
    made.add(intent(9, replica="r1", replica_seq=12), intent(10, replica="r1", replica_seq=13))
    files = made.sign().folder()
    lines = tiles.lines(files["tile/entries/000.p/10"])
    files["tile/entries/000.p/10"] = tiles.bundle([*lines[:9], b"{}"])

    assert first(files, size=10)[:2] == (8, "gap")


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/90", "tile/1/000.p/2"])
def test_a_tile_that_is_missing_or_other_is_named(path: str) -> None:
    files = LONG.folder()
    right = files.pop(path)
    index, kind, where, _ = first(files)
    assert (kind, where) == ("tile", path)
    assert index == (512 if "90" in path else 0)

    files[path] = right + right
    assert first(files)[1:3] == ("tile", path)


def test_a_full_tile_with_a_wrong_hash_is_told_from_a_wrong_entry() -> None:
    files = LONG.folder()
    tile = files["tile/0/001"]
    files["tile/0/001"] = tile[:320] + bytes(32) + tile[352:]

    index, kind, where, what = first(files)

    assert (index, kind, where) == (266, "tile", "tile/0/001")
    assert "the tiles above it do" in what

    del files["tile/1/000.p/2"]
    assert first(files)[:2] == (266, "hash")


def test_tiles_of_higher_levels_are_computed() -> None:
    files = LONG.folder()
    files["tile/1/000.p/2"] = bytes(64)

    assert first(files) == (
        0, "tile", "tile/1/000.p/2", "this tile does not hold the hashes of those below",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["tile/0/003", "tile/0/000.p/5", "tile/entries/003", "tile/x"])
def test_a_file_of_no_such_tree_is_named(path: str) -> None:
    files = Folder({**LONG.folder(), path: b""})

    assert first(files)[1:3] == ("file", path)
    assert verify(files, trust(whole_folder=False)).first is None


def test_entries_changed_with_all_their_tiles_have_another_root() -> None:
    files, other = LONG.folder(), Log().begin()
    for number in range(300):
        other.call(number + (1000 if number > 270 else 0))
    forged = other.sign().folder()
    for path in ("checkpoint", "checkpoints.jsonl"):
        forged[path] = files[path]

    index, kind, where, what = first(forged)

    assert (index, kind, where) == (599, "root", "checkpoints.jsonl:1")
    assert "up to 0 they are" in what


def test_the_last_checkpoint_that_agrees_is_told() -> None:
    files = log().folder()
    lines = files["checkpoints.jsonl"].splitlines()
    wrong = json.loads(lines[1]).replace(
        files["checkpoint"].decode().split("\n")[2], "A" * 43 + "="
    )
    files["checkpoints.jsonl"] = lines[0] + b"\n" + json.dumps(wrong).encode() + b"\n"
    files["checkpoint"] = wrong.encode()

    index, kind, _, what = first(files, size=8)

    assert (index, kind) == (7, "root")
    assert "up to 6 they are what was signed" in what


BAD_NOTES: dict[str, Callable[[Folder], Any]] = {
    "no checkpoint": lambda files: files.pop("checkpoint"),
    "no note": lambda files: files.update({"checkpoint": b"\xff"}),
    "other log": lambda files: files.update(
        {"checkpoint": files["checkpoint"].replace(ORIGIN.encode(), b"goodgate/else")}
    ),
    "none retained": lambda files: files.pop("checkpoints.jsonl"),
    "no line": lambda files: files.update({"checkpoints.jsonl": b"{}\n"}),
    "no utf-8": lambda files: files.update({"checkpoints.jsonl": b'"\xff"\n'}),
    "order": lambda files: files.update(
        {"checkpoints.jsonl": b"\n".join(files["checkpoints.jsonl"].split(b"\n")[1::-1]) + b"\n"}
    ),
    "twice": lambda files: files.update(
        {
            "checkpoints.jsonl": files["checkpoints.jsonl"].split(b"\n")[0]
            + b"\n"
            + files["checkpoints.jsonl"]
        }
    ),
    "last missing": lambda files: files.update(
        {"checkpoints.jsonl": files["checkpoints.jsonl"].split(b"\n")[0]}
    ),
}


@pytest.mark.parametrize("name", BAD_NOTES)
def test_checkpoints_that_cannot_be_read_come_first(name: str) -> None:
    files = log().folder()
    BAD_NOTES[name](files)

    index, kind, where, _ = first(files, size=8)

    assert (index, kind) == (None, "checkpoint")
    assert where.startswith("checkpoint")


def test_a_log_that_goes_on_while_it_is_read_is_judged_by_its_checkpoint() -> None:
    made = log()
    files = made.folder()
    files["checkpoints.jsonl"] = made.call(9).sign().folder()["checkpoints.jsonl"]

    assert verify(files, trust(whole_folder=False)).first is None
    assert first(files, size=8)[1] == "checkpoint"


def test_a_checkpoint_nobody_signed_is_named() -> None:
    made = log()
    made.signer = STRANGER
    made.call(9).sign().signer = FIRST
    made.call(10).sign()

    assert found(made)[:2] == (9, "signature")


def test_the_newest_checkpoint_is_checked_itself() -> None:
    files = log().folder()
    files["checkpoint"] = files["checkpoint"][:-8] + b"AAAAAAA\n"

    assert first(files, size=8)[1] in {"checkpoint", "signature"}


@pytest.mark.parametrize("vkey", ["", "nonsense", WITNESS.verifier.vkey])
def test_a_key_that_is_none_of_a_log_is_refused(vkey: str) -> None:
    assert found(log(), vkey=vkey)[:2] == (None, "key")


def test_checkpoints_kept_from_earlier_hold_the_log_to_them() -> None:
    made = log()
    kept = made.notes[0]
    assert report(made, checkpoints=[kept]).first is None

    index, kind, what = found(log(2), checkpoints=[made.notes[1]])
    assert (index, kind) == (6, "truncated")
    assert "were cut off" in what

    fork = Log().begin().call(7).call(8).sign().notes[0]
    index, kind, what = found(made, checkpoints=[kept, fork])
    assert (index, kind) == (5, "root")
    assert "the checkpoint given (2)" in what

    made.signer = STRANGER
    unsigned = made.sign().notes.pop()
    made.signer = FIRST
    assert found(made, checkpoints=[unsigned])[1] == "signature"
    assert found(made, checkpoints=["no note"])[1] == "checkpoint"


def cosigned(made: Log, at: int, line: str = "") -> Log:
    """Return a log one of whose checkpoints a witness cosigned."""
    parsed = notes.Note.parse(made.notes[at])
    line = line or WITNESS.cosign(parsed.text, 1_700_000_000)
    made.notes[at] = parsed.with_signature(line).encode()
    return made


def test_a_log_is_witnessed_when_a_trusted_witness_cosigned_it() -> None:
    witness = WITNESS.verifier.vkey
    said = report(cosigned(log(), 1), witnesses=[witness])
    assert said.verdict == "consistent, witnessed by 1"
    assert (said.witnesses, said.witnessed) == (["auditors.example/w"], 8)

    earlier = report(cosigned(log(), 0), witnesses=[witness])
    assert (earlier.verdict, earlier.witnessed) == ("consistent, witnessed by 1", 6)

    assert report(log(), witnesses=[witness]).verdict == "consistent, unwitnessed"
    assert report(cosigned(log(), 1)).verdict == "consistent, unwitnessed"


def test_a_wrong_cosignature_or_key_of_a_witness_is_named() -> None:
    wrong = WITNESS.cosign("another text\n", 1_700_000_000)
    witness = WITNESS.verifier.vkey

    assert found(cosigned(log(), 1, wrong), witnesses=[witness])[:2] == (7, "witness")
    assert found(log(), witnesses=["x"])[:2] == (None, "witness")
    assert found(log(), witnesses=[FIRST.verifier.vkey])[:2] == (None, "witness")


def test_the_texts_of_policies_are_those_put_in_force() -> None:
    path = POLICY_PATH
    files = log().folder()
    right = files.pop(path)
    assert first(files, size=8)[:3] == (1, "policy", path)

    files[path] = ledger.policy_document([("team.yaml", "rules: [all]\n")])
    assert "put in force" in first(files, size=8)[3]

    files[path] = right
    manifest(files, FIRST, 8)
    assert verify(files, trust(policy_digest=lambda _: POLICY)).policies == 1
    assert "has the digest sha256:x" in first(files, size=8, policy_digest=lambda _: "sha256:x")[3]


def test_one_digest_may_stand_for_several_texts() -> None:
    made = log()
    hashed = ledger.policy_sha256([("team.yaml", "# a comment\nrules: []\n")])
    made.add(policy("again", files_sha256=hashed, **made.next())).sign()

    assert report(made).first is None


def test_policies_this_version_cannot_load_are_counted() -> None:
    def too_old(files: list[tuple[str, str]]) -> str:
        assert files == POLICY_FILES
        raise ConfigError("no such rule")

    said = report(log(), policy_digest=too_old)

    assert (said.first, said.policies_not_recomputed) == (None, 1)


@pytest.mark.parametrize("document", [b'[["a", "b"]]', b"[1]", b"\xff", b'[["b","x"],["a","y"]]'])
def test_a_policy_document_is_canonical(document: bytes) -> None:
    made = log()
    digest = "sha256:00000000000000aa"
    hashed = sha256(document).hexdigest()
    made.add(policy("x", digest=digest, files_sha256=hashed, **made.next())).sign()
    made.policies["policies/00000000000000aa.json"] = document

    index, kind, what = found(made)

    assert (index, kind, what) == (8, "policy", "this is no document of names and texts")


BAD_MANIFESTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "signature": (lambda data: data[:-9] + b"AAAAAAA=\n", "cannot be used"),
    "other hash": (lambda data: data.replace(b"\n", b"\n0", 3), "not signed by"),
    "no text": (lambda _: b"", "cannot be used"),
    "no utf-8": (lambda _: b"\xff", "cannot be used"),
}


@pytest.mark.parametrize("name", BAD_MANIFESTS)
def test_a_manifest_that_was_changed_is_refused(name: str) -> None:
    change, words = BAD_MANIFESTS[name]
    files = log().folder()
    files["manifest"] = change(files["manifest"])

    index, kind, where, what = first(files, sign=False)

    assert (index, kind, where) == (None, "manifest", "manifest")
    assert words in what


def signed_manifest(text: str) -> bytes:
    """Return a manifest of any text, signed."""
    return f"{text}\n{FIRST.sign(text)}".encode()


@pytest.mark.parametrize(
    "text",
    [
        f"goodgate manifest v1\n{ORIGIN}\n9\n",
        f"goodgate manifest v2\n{ORIGIN}\n8\n",
        f"goodgate manifest v1\n{ORIGIN}\n8\nx\n",
        f"goodgate manifest v1\n{ORIGIN}\n8\n{'0' * 64} 1 b\n{'0' * 64} 1 a\n",
        f"goodgate manifest v1\n{ORIGIN}\n8\n{'0' * 64} 1 a\n{'0' * 64} 1 a\n",
        f"goodgate manifest v1\n{ORIGIN}\n8\n{'0' * 64} 1 manifest\n",
    ],
)
def test_a_manifest_of_another_form_is_refused(text: str) -> None:
    files = log().folder()
    files["manifest"] = signed_manifest(text)

    assert first(files, sign=False)[1:3] == ("manifest", "manifest")


def test_exactly_the_listed_files_are_there() -> None:
    files = log().folder()
    whole = Folder(files)
    assert first(Folder({**whole, "notes.txt": b"x"}), sign=False)[1:3] == ("manifest", "notes.txt")
    assert "differs" in first(Folder({**whole, "log.json": b"[]"}), sign=False)[3]

    del files["log.json"]
    assert first(files, sign=False)[2:] == ("log.json", "this file is missing")
    del files["manifest"]
    assert "this has none" in first(files, sign=False)[3]
    assert verify(files, trust(whole_folder=False)).first is None


def retired(*, rotate: bool = False) -> tuple[Log, Folder]:
    """Return a log whose first 256 entries were retired, and the export that has them."""
    made = Log().begin().call(0).sign()
    if rotate:
        made.add(rotation(FIRST, SECOND, **made.next()))
        made.signer = SECOND
        made.sign(FIRST)
    else:
        made.add(refusal(500, **made.next()))
    for number in range(1, 140):
        made.call(number)
    archive = made.sign().folder()
    made.add(retirement(made, 256, **made.next()))
    return made.sign(), archive


def hot(made: Log, **given: Any) -> Report:
    """Return what verifying the hot store's export of a retired log says."""
    return verify(made.folder(first_bundle=1), trust(**given))


def test_entries_of_a_retired_period_are_checked_by_their_hashes() -> None:
    made, archive = retired()

    said = hot(made)
    assert (said.first, said.retired, said.unread) == (None, 256, 256)

    whole = hot(made, archives=[archive])
    assert (whole.first, whole.retired, whole.unread) == (None, 256, 0)
    assert whole.open_series == ["r1"]


def test_what_refers_to_entries_that_are_not_there_is_no_offence() -> None:
    made, _ = retired()
    other = "sha256:" + "1" * 16
    made.add(adjust(1, **made.next()), settle(900, **made.next()))
    made.add(intent(901, policy=other, **made.next()))
    made.add(intent(902, replica="r7", replica_seq=40))
    made.add(ledger.ReplicaEnd(
        at_us=1, attempt_id="r8", ended="r8", last_cost_seq=0, last_seq=3, reason="lost",
        **made.next(),
    ))  # fmt: skip
    made.sign()
    assert hot(made).first is None

    made.add(intent(903, replica="r8", replica_seq=4)).sign()
    first = hot(made).first
    assert first is not None
    assert (first.index, first.kind) == (289, "end")


def test_missing_entries_need_a_retirement_that_covers_them() -> None:
    made = log(300)
    first = hot(made).first
    assert first is not None
    assert (first.index, first.kind) == (0, "bundle")

    made, archive = retired()
    files = made.folder()
    del files["tile/entries/001.p/28"]
    said = verify(files, trust(archives=[archive])).first
    assert said is not None
    assert (said.index, said.kind, said.where) == (256, "bundle", "tile/entries/001.p/28")


def test_an_archive_that_was_changed_or_is_of_another_history_is_found() -> None:
    made, archive = retired()
    changed = Folder(archive)
    changed["tile/entries/000"] = changed["tile/entries/000"].replace(b"payments", b"platform", 1)
    first = hot(made, archives=[Folder(), changed]).first
    assert first is not None
    assert (first.index, first.kind) == (2, "hash")

    fork = Folder({"checkpoint": log(50).notes[-1].encode()})
    first = hot(made, archives=[archive, fork]).first
    assert first is not None
    assert (first.kind, first.where) == ("root", "the checkpoint of archive 2")


def test_keys_rotated_in_a_retired_period_are_told_and_known_with_its_archive() -> None:
    made, archive = retired(rotate=True)

    current = hot(made, vkey=SECOND.verifier.vkey)
    assert (current.first, current.unvouched) == (None, 1)

    first = hot(made).first
    assert first is not None
    assert first.kind == "signature"

    known = hot(made, archives=[archive])
    assert (known.first, known.unvouched, known.rotations) == (None, 0, 1)

    kept = hot(made, vkey=SECOND.verifier.vkey, checkpoints=[made.notes[0]]).first
    assert kept is not None
    assert "--archive" in kept.what

    made.add(rotation(SECOND, STRANGER, attempt_id="more", **made.next()))
    made.signer = STRANGER
    last = hot(made.sign(SECOND)).first
    assert last is not None
    assert (last.kind, "--archive" in last.what) == ("key", True)


def calls(made: Log) -> Log:
    """Add a call given up as lost and adjusted, and a refusal."""
    made.add(intent(50, **made.next()), settle(50, completion="unknown_crash", **made.next()))
    made.add(adjust(50, cost_usd="0.02", **made.next()), refusal(51, **made.next()))
    return made


def stored(made: Log) -> rollups.Rollups:
    """Return the rollups a store has of a log."""
    return rollups.fold([ledger.decode(line) for line in made.lines])  # type: ignore[misc]  # no costs


def test_rollups_are_the_fold_of_the_entries() -> None:
    made = calls(log()).sign()
    kept = stored(made)
    size = len(made.lines)

    said = verify(made.folder(), trust(), kept=lambda _: Sums(rollups=kept))
    assert (said.first, said.rollups) == (None, "equal")

    calls_past = [ledger.encode(refusal(60, **made.next())), ledger.encode(made_end(made))]
    past = rollups.fold([ledger.decode(line) for line in (*made.lines, *calls_past)])  # type: ignore[misc]
    asked: list[int] = []

    def ahead(at: int) -> Sums:
        asked.append(at)
        return Sums(rollups=past, beyond=calls_past)

    assert verify(made.folder(), trust(), kept=ahead).rollups == "equal"
    assert asked == [size]


def made_end(made: Log) -> ledger.ReplicaEnd:
    """Return the end of r1."""
    stamp = made.next()
    return ledger.ReplicaEnd(
        at_us=1, attempt_id="r1", ended="r1", last_cost_seq=0, last_seq=stamp["replica_seq"],
        reason="stopped", **stamp,
    )  # fmt: skip


def test_rollups_that_differ_are_named() -> None:
    made = calls(log()).sign()
    for change, words in (
        (lambda kept: next(iter(kept.sums.values())).__setattr__("calls", 99), "(99, "),
        (lambda kept: kept.rules.clear(), "rule require-task"),
        (lambda kept: kept.sums.clear(), "not there"),
        (lambda kept: kept.rules.update({rollups.RuleKey(0, "r", "t", "d"): 1}), "come to nothing"),
    ):
        kept = stored(made)
        change(kept)
        said = verify(made.folder(), trust(), kept=lambda _, kept=kept: Sums(rollups=kept)).first
        assert said is not None
        assert said.kind == "rollups"
        assert words in said.what


def test_rollups_that_cannot_be_compared_say_why() -> None:
    made, _ = retired()
    unread = verify(made.folder(first_bundle=1), trust(), kept=lambda _: None)
    assert "entries below 256" in unread.rollups

    busy = verify(log().folder(), trust(), kept=lambda _: None)
    assert "written faster" in busy.rollups

    unknown = ledger.encode(settle(900, replica="r1", replica_seq=50))
    ahead = Sums(rollups=stored(log()), beyond=[unknown])
    assert verify(log().folder(), trust(), kept=lambda _: ahead).rollups == "equal"

    spoilt = Sums(rollups=stored(log()), beyond=[b"{}"])
    said = verify(log().folder(), trust(), kept=lambda _: spoilt).first
    assert said is not None
    assert said.what == "an entry past the checkpoint cannot be read"


@pytest.mark.parametrize("cost", ["", "much", "NaN", "Infinity", "²", "1e9999999999"])
def test_an_amount_that_is_none_is_named(cost: str) -> None:
    made = Log().begin()
    made.add(intent(1, **made.next()), settle(1, cost_usd=cost, **made.next())).sign()

    said = verify(made.folder(), trust(), kept=lambda _: None).first

    assert said is not None
    assert (said.index, said.kind) == (3, "leaf")


def test_a_settle_of_a_retired_call_counts_not() -> None:
    made, _ = retired()
    made.add(settle(900, **made.next())).sign()

    assert verify(made.folder(first_bundle=1), trust(), kept=lambda _: None).first is None


SMALL = log().folder()


@given(st.sampled_from(sorted(SMALL)), st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=300)
def test_every_changed_byte_of_an_export_is_found(path: str, at: int, by: int) -> None:
    files = Folder(SMALL)
    data = bytearray(files[path])
    data[at % len(data)] ^= by
    files[path] = bytes(data)

    assert verify(files, trust()).verdict == WRONG


@given(st.sampled_from(sorted(SMALL)), st.binary(max_size=300))
def test_hostile_files_are_findings(path: str, data: bytes) -> None:
    files = Folder({**SMALL, path: data})

    assert verify(files, trust()).verdict == WRONG
    assert verify(files, trust(whole_folder=False)).verdict
