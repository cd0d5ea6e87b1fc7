"""The verifier of docs/verifier on its own, and beside the gateway's: one verdict, one entry."""

import ast
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway import ledger
from gateway.ledger import notes, verification
from tests.verifier import (
    denying,
    edits,
    exports,
    mutations,
    verifiers,
)
from tests.verifier.verifiers import Case

LONG = exports.make(None, seed=7)
SMALL = exports.make(None, seed=3, calls=8)
ROTATED = exports.make(None, seed=5, calls=30, rotations=2)
RETIRED = exports.make(None, seed=7, retire=1)
FOLDER = verifiers.SCRIPT.parent
tlog = verifiers.INDEPENDENT.tlog


def of(made: exports.Export, **kept: list[str]) -> Case:
    return Case(made.files, made.vkey, **kept)


def resealed(made: exports.Export, files: exports.Files) -> exports.Files:
    """Return files with a manifest that fits."""
    return files | {"manifest": exports.manifest(files, made.sizes[-1], made.keys[-1])}


def indexes(made: exports.Export, kind: str) -> list[int]:
    return [index for index, line in enumerate(made.lines) if edits.leaf_of(line)["kind"] == kind]


def edited(made: exports.Export, index: int, **changes: object) -> exports.Export:
    """Return the log with an entry changed, everything signed anew."""
    line = edits.line_of(edits.leaf_of(made.lines[index]) | changes)
    lines = (*made.lines[:index], line, *made.lines[index + 1 :])
    return exports.publish(replace(made, lines=lines))


HONEST: dict[str, Callable[[], Case]] = {
    "three bundles": lambda: of(LONG),
    "a small one": lambda: of(SMALL),
    "two rotations, trusting the first key": lambda: of(ROTATED),
    "two rotations, trusting the second key": lambda: replace(
        of(ROTATED), vkey=ROTATED.keys[1].verifier.vkey
    ),
    "two rotations, trusting the last key": lambda: replace(
        of(ROTATED), vkey=ROTATED.keys[2].verifier.vkey
    ),
    "a retired period": lambda: of(RETIRED),
    "entries of an earlier release": lambda: of(exports.make(None, seed=9, calls=8, schema_1=4)),
    "exactly one bundle": lambda: of(exports.publish(edits.upto(LONG, 256))),
    "one entry": lambda: of(
        exports.publish(replace(SMALL, lines=SMALL.lines[:1], sizes=(1,), texts={}))
    ),
    "every checkpoint kept": lambda: of(
        ROTATED, kept=[exports.note(ROTATED, size) for size in ROTATED.sizes]
    ),
    "receipts": lambda: of(
        LONG, receipts=[exports.receipt(LONG, size // 2, size) for size in LONG.sizes]
    ),
    "receipts of a retired period": lambda: of(
        RETIRED, receipts=[exports.receipt(RETIRED, 17, RETIRED.sizes[-1])]
    ),
    "promises kept": lambda: of(
        ROTATED, promises=[exports.promise(ROTATED, index) for index in range(len(ROTATED.lines))]
    ),
    "a promise of a retired period": lambda: of(RETIRED, promises=[exports.promise(RETIRED, 17)]),
    "a promise that is not due": lambda: of(
        exports.publish(edits.upto(SMALL, SMALL.sizes[-2])),
        promises=[exports.promise(SMALL, len(SMALL.lines) - 4)],
    ),
    "an unknown cosignature": lambda: replace(
        of(SMALL),
        files=resealed(
            SMALL,
            SMALL.files
            | {
                "checkpoint": SMALL.files["checkpoint"]
                + exports.WITNESS.cosign(
                    notes.Note.parse(SMALL.files["checkpoint"]).text, 1_795_000_000
                ).encode()
            },
        ),
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_log_is_consistent_to_both(name: str) -> None:
    case = HONEST[name]()
    one, other = verifiers.independent(case), verifiers.gateways(case)
    assert not one.wrong, one.how
    assert not other.wrong, other.how


WRONG: dict[str, tuple[Callable[[], Case], int | None]] = {
    "no such log": (lambda: Case({}, SMALL.vkey), None),
    "another log's key": (lambda: replace(of(SMALL), vkey=exports.signer(8).verifier.vkey), None),
    "an edited bundle": (
        lambda: of(replace(LONG, files=LONG.files | _bundle_with(300, b"{}"))),
        300,
    ),
    "an edited bundle and its tile": (lambda: of(replace(LONG, files=_edited_tile(300))), None),
    "a log of a key nobody vouched for": (
        lambda: replace(
            of(exports.publish(replace(SMALL, keys=(exports.signer(9),)))), vkey=SMALL.vkey
        ),
        None,
    ),
    "a settle that is there again": (
        lambda: of(edited(LONG, indexes(LONG, "settle")[9], attempt_id=_attempt(LONG, 8))),
        indexes(LONG, "settle")[9],
    ),
    "a policy nobody put in force": (
        lambda: of(edited(LONG, indexes(LONG, "intent")[5], policy="sha256:0000000000000000")),
        indexes(LONG, "intent")[5],
    ),
    "another number of a series": (
        lambda: of(edited(LONG, 402, replica_seq=9_999)),
        402,
    ),
    "a third sequencer": (lambda: of(edited(LONG, 0, epoch=3, replica="s3")), 0),
    "an end that lies": (
        lambda: of(edited(LONG, indexes(LONG, "replica_end")[0], last_seq=7)),
        indexes(LONG, "replica_end")[0],
    ),
    "a policy text that was altered": (
        lambda: of(exports.publish(replace(LONG, texts=dict.fromkeys(LONG.texts, b"[]")))),
        indexes(LONG, "policy")[0],
    ),
    "a retired period nothing says was": (
        lambda: of(exports.publish(replace(LONG, first_bundle=1))),
        0,
    ),
    "a retired root that is another": (
        lambda: of(edited(RETIRED, len(RETIRED.lines) - 1, root=notes.to_base64(bytes(32)))),
        len(RETIRED.lines) - 1,
    ),
    "a retired size that is none": (
        lambda: of(edited(RETIRED, len(RETIRED.lines) - 1, size=255)),
        len(RETIRED.lines) - 1,
    ),
    "a number past what doubles hold": (
        lambda: of(edited(LONG, indexes(LONG, "erasure")[0], salts=10**17)),
        indexes(LONG, "erasure")[0],
    ),
    "checkpoint lines that are no JSON": (
        lambda: of(replace(SMALL, files=SMALL.files | {"checkpoints.jsonl": b"[" * 90_000})),
        None,
    ),
    "a policy that leads out of the folder": (
        lambda: of(edited(SMALL, indexes(SMALL, "policy")[0], digest="sha256:../../../../etc/x")),
        indexes(SMALL, "policy")[0],
    ),
    "a promise of another log": (
        lambda: of(SMALL, promises=[exports.promise(_foreign(), 9)]),
        None,
    ),
    "a receipt of another log": (
        lambda: of(SMALL, receipts=[exports.receipt(_foreign(), 9, _foreign().sizes[-1])]),
        None,
    ),
}


def _foreign() -> exports.Export:
    made = exports.make(None, seed=8, calls=8)
    return exports.publish(replace(made, keys=(exports.signer(9),)))


def _attempt(made: exports.Export, number: int) -> str:
    return str(edits.leaf_of(made.lines[indexes(made, "settle")[number]])["attempt_id"])


def _bundle_with(index: int, line: bytes) -> exports.Files:
    first = index - index % 256
    lines = [*LONG.lines[first:index], line, *LONG.lines[index + 1 : first + 256]]
    return {f"tile/entries/{first // 256:03}": edits.framed(lines)}


def _edited_tile(index: int) -> exports.Files:
    """Return files of an edit by whoever has no key: entries and tiles fit, signatures do not."""
    made = edited(LONG, index, at_us=1)
    signed = {name: LONG.files[name] for name in ("checkpoint", "checkpoints.jsonl", "manifest")}
    return made.files | signed


def _huge() -> exports.Files:
    text = f"{exports.ORIGIN}\n{2**62}\n{notes.to_base64(bytes(32))}\n"
    note = f"{text}\n{exports.signer(0).sign(text)}"
    lines = json.dumps(note).encode() + b"\n"
    return SMALL.files | {"checkpoint": note.encode(), "checkpoints.jsonl": lines}


@pytest.mark.parametrize("name", WRONG)
def test_both_name_the_same_entry(name: str) -> None:
    make, index = WRONG[name]
    case = make()
    one, other = verifiers.independent(case), verifiers.gateways(case)
    assert one.wrong, other.how
    assert other.wrong, one.how
    assert one.index == other.index, (one.how, other.how)
    if index is not None:
        assert one.index == index, one.how


@pytest.mark.parametrize(
    "mutation",
    mutations.EVERY,
    ids=lambda each: each.__name__,
)
def test_both_name_the_same_entry_of_each_mutation(
    mutation: Callable[[random.Random, exports.Export], object],
) -> None:
    pick = random.Random(mutation.__name__)
    for _ in range(4):
        case = mutations.draw(pick, mutation)
        one, other = verifiers.independent(case), verifiers.gateways(case)
        assert one.wrong, other.how
        assert other.wrong, one.how
        assert one.index == other.index, (one.how, other.how)


def test_an_edited_entry_signed_anew_is_consistent_to_who_kept_nothing() -> None:
    """The fork neither can see; the reason for witnesses, receipts and promises."""
    pick = random.Random(1)
    case = mutations.draw(pick, denying.fork_against_checkpoint)
    assert verifiers.independent(case).wrong
    forgetful = replace(case, kept=())
    assert not verifiers.independent(forgetful).wrong
    assert not verifiers.gateways(forgetful).wrong


def test_a_size_that_no_folder_holds_ends_at_once() -> None:
    case = of(replace(SMALL, files=_huge()))
    assert verifiers.independent(case).wrong
    assert verifiers.gateways(case).wrong


def test_a_witness_is_counted_and_a_false_one_refused() -> None:
    text = notes.Note.parse(LONG.files["checkpoint"]).text
    line = exports.WITNESS.cosign(text, 1_795_000_000)
    vkey = exports.WITNESS.verifier.vkey
    found = {}
    for name, added in (
        ("true", line),
        ("false", line.replace(line[-20:-10], "A" * 10)),
        ("no", ""),
    ):
        files = LONG.files | {"checkpoint": LONG.files["checkpoint"] + added.encode()}
        files = resealed(LONG, files)
        said = verifiers.INDEPENDENT.verify(
            files.__getitem__, set(files), tlog.key_of(LONG.vkey), witnesses=[tlog.key_of(vkey)]
        )
        trust = verification.Trust(vkey=LONG.vkey, witnesses=[vkey], whole_folder=True)
        found[name] = said, verification.verify(verifiers.Memory(files), trust)
    assert found["true"][0]["witnesses"] == ["witness.example/w"]
    assert found["true"][1].verdict == "consistent, witnessed by 1"
    assert found["false"][0]["verdict"] == "wrong"
    assert found["false"][1].verdict != "consistent, witnessed by 1"
    assert found["no"][0]["witnesses"] == []
    assert found["no"][1].verdict == verification.CONSISTENT


def test_both_list_the_same() -> None:
    case = of(LONG)
    said = verifiers.INDEPENDENT.verify(
        case.files.__getitem__, set(case.files), tlog.key_of(case.vkey)
    )
    trust = verification.Trust(vkey=case.vkey, whole_folder=True)
    report = verification.verify(verifiers.Memory(case.files), trust)
    assert said["entries"] == report.size == len(LONG.lines)
    assert said["checkpoints"] == report.checkpoints == len(LONG.sizes)
    assert said["root"] == report.root
    assert said["series without end"] == sorted(report.open_series) != []
    assert said["open calls"] == report.open_calls == 3
    assert said["erasures"] == report.erasures == 1


STRUCTS = [
    ledger.Intent,
    ledger.Settle,
    ledger.Adjust,
    ledger.Refusal,
    ledger.ReplicaStart,
    ledger.ReplicaEnd,
    ledger.PolicyInForce,
    ledger.Rotation,
    ledger.CostHour,
    ledger.Reveal,
    ledger.Erasure,
    ledger.Retirement,
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda each: each.__name__)
def test_the_format_has_every_field_the_gateway_writes(struct: type[msgspec.Struct]) -> None:
    page = (FOLDER / "format.md").read_text()
    fields = {each.name: each for each in msgspec.structs.fields(struct)}
    kind = fields["kind"].default
    assert f"**{kind}**" in page
    for name in fields:
        assert f"`{name}`" in page, name
    known = re.findall(r'"([a-z0-9_]+)":', verifiers.INDEPENDENT.SHAPES[kind].pattern)
    assert known == sorted(fields)


def test_it_is_short_and_of_the_standard_library_alone() -> None:
    for script in ("verify.py", "tlog.py"):
        text = (FOLDER / script).read_text()
        assert len(text.splitlines()) < 300
        for each in ast.walk(ast.parse(text)):
            names = [] if not isinstance(each, ast.Import) else [one.name for one in each.names]
            names += [each.module or ""] if isinstance(each, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in {*sys.stdlib_module_names, "tlog"}, name


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    # -I -S: nothing of this environment's packages can be imported.
    return subprocess.run(
        [sys.executable, "-S", "-E", str(verifiers.SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    made = exports.make(tmp_path / "log", seed=2, calls=8)
    kept, receipt, promises = (tmp_path / name for name in ("old", "a.tlog-proof", "promises"))
    kept.write_text(exports.note(made, made.sizes[1]))
    receipt.write_text(exports.receipt(made, 3, made.sizes[-1]))
    promises.write_text(f"{exports.promise(made, 3)}\n\n{exports.promise(made, 4)}\n")
    against = ("--from", kept, "--receipt", receipt, "--promises", promises)
    good = run(tmp_path / "log", "--key", made.vkey, *against)
    assert good.returncode == 0, good.stdout + good.stderr
    last = good.stdout.splitlines()[-1]
    assert last.startswith(f"consistent, unwitnessed: {len(made.lines)} entries, ")
    other = edited(made, 5, at_us=1)
    exports.write(tmp_path / "log", other.files)
    bad = run(tmp_path / "log", "--key", made.vkey, *against, "--json")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["verdict"] == "wrong"


def test_the_command_names_the_entry(tmp_path: Path) -> None:
    at = indexes(SMALL, "settle")[0]
    request_id = edits.leaf_of(SMALL.lines[at])["request_id"]
    made = edited(SMALL, at, n=1)
    exports.write(tmp_path, made.files)
    found = run(tmp_path, "--key", made.vkey)
    assert found.returncode == 1
    assert found.stdout.startswith(f"wrong: entry {at} (settle {request_id}): tile/entries/000.p/")


def test_wrong_use_is_2(tmp_path: Path) -> None:
    vkey, witness = SMALL.vkey, exports.WITNESS.verifier.vkey
    uses: list[tuple[object, ...]] = [
        (),
        (tmp_path, "--key", "nonsense"),
        (tmp_path, "--key", witness),
        (tmp_path / "nowhere", "--key", vkey),
        (tmp_path, "--key", vkey, "--from", tmp_path / "nowhere"),
        (tmp_path, "--key", vkey, "--witness", vkey),
    ]
    assert [run(*each).returncode for each in uses] == [2] * len(uses)
