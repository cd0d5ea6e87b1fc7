"""`goodgate audit verify`: exports, stores and gateways checked from the command line."""

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway import ledger
from gateway.cli.audit import sources
from gateway.cli.audit.verify import sums
from gateway.errors import ConfigError
from gateway.ledger import notes, promises, rollups
from gateway.ledger.promises import Promised
from gateway.stores.sqlite.ledger import Ledger
from gateway.stores.sqlite.reading import Reading
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.ledger.exported import (
    FIRST,
    HOUR_US,
    ORIGIN,
    POLICY,
    POLICY_FILES,
    SECOND,
    WITNESS,
    Folder,
    Log,
    intent,
    refusal,
    retirement,
    rotation,
    settle,
)

KEY = FIRST.verifier.vkey


def log() -> Log:
    """Return a log of three calls, signed twice."""
    made = Log().begin().call(0).call(1).sign().call(2).sign()
    made.policies = dict(made.policies)
    return made


def write(folder: Path, files: Folder) -> str:
    """Write files, and return the folder's name."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return str(folder)


@pytest.fixture
def export(tmp_path: Path) -> str:
    """Return the folder of an export."""
    return write(tmp_path / "export", log().folder())


def test_an_export_is_verified_with_nothing_but_the_key(run: Command, export: str) -> None:
    code, out, err = run("audit", "verify", export, "--key", KEY)

    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "consistent, unwitnessed"
    assert f"  log           {ORIGIN}" in lines
    assert f"  key           {KEY}" in lines
    assert any(line.startswith("  entries       8, root ") for line in lines)
    assert "  no end        1 replicas: what they wrote last could be missing (r1)" in lines


def test_the_first_wrong_entry_is_named_and_the_code_is_1(run: Command, tmp_path: Path) -> None:
    files = log().folder()
    path = "tile/entries/000.p/8"
    files[path] = files[path].replace(b'"cost_usd":"0.01"', b'"cost_usd":"0.02"', 1)
    folder = write(tmp_path / "export", files)

    code, out, _ = run("audit", "verify", folder, "--key", KEY)

    assert code == 1
    assert out.startswith(f"wrong: entry 3 (req_0) in {path}: this is not the entry whose hash")


def test_a_finding_about_no_entry_names_the_file(run: Command, export: str) -> None:
    (Path(export) / "stray").write_bytes(b"")

    code, out, _ = run("audit", "verify", export, "--key", KEY)

    assert code == 1
    assert out.startswith("wrong: in stray: the manifest does not list this file\n")


def test_json_says_all_of_it(run: Command, export: str) -> None:
    code, out, _ = run("audit", "verify", export, "--key", KEY, "--json")

    said = json.loads(out)
    assert (code, said["verdict"], said["first"]) == (0, "consistent, unwitnessed", None)
    assert (said["size"], said["key_given"], said["policies_not_recomputed"]) == (8, True, 1)


def test_the_key_may_be_in_a_file(run: Command, export: str, tmp_path: Path) -> None:
    file = tmp_path / "log.vkey"
    file.write_text(f"{KEY}\n")

    assert run("audit", "verify", export, "--key-file", str(file))[0] == 0


def test_without_a_key_nothing_is_said_but_on_a_terminal(
    run: Command, export: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run("audit", "verify", export)
    assert (code, out) == (2, "")
    assert "give --key or --key-file" in err

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    code, _, err = run("audit", "verify", export)
    assert code == 2
    assert "names no key itself" in err

    (Path(export) / "log.json").write_bytes(b"nothing")
    assert "names no key itself" in run("audit", "verify", export)[2]


def test_the_logs_own_key_is_used_on_a_terminal_and_said_loudly(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = log().folder()
    files.pop("manifest")
    files["log.json"] = json.dumps({"vkey": KEY}).encode()
    folder = write(tmp_path / "export", files)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    _, out, err = run("audit", "verify", folder)

    assert out.startswith("wrong: in manifest")
    assert "key not given: this only shows that the log agrees with itself" in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--key", "x"), "--key is no public key"),
        (("--key", WITNESS.verifier.vkey), "--key is a witness's key"),
        (("--key", KEY, "--witness", "x"), "--witness is no public key"),
        (("--key", KEY, "--witness", KEY), "--witness is a log's key"),
        (("--key", KEY, "--key-file", "f"), "choose one"),
        (("--key-file", "/nowhere/f"), "cannot be read"),
        (("--key", KEY, "--data", "d"), "FOLDER does not go with --data"),
        (("--key", KEY, "--database", "postgresql://h/d"), "FOLDER does not go with"),
        (("--key", KEY, "--promises", __file__), "holds no promise"),
        (("--key", KEY, "--from", "/nowhere/c"), "cannot be read"),
        (("--key", KEY, "--archive", "/nowhere"), "there is no such folder"),
        (("--key", KEY, "--archive", __file__), "is a file"),
    ],
)
def test_what_cannot_be_used_is_told(
    run: Command, export: str, argv: tuple[str, ...], words: str
) -> None:
    code, out, err = run("audit", "verify", export, *argv)

    assert (code, out) == (2, "")
    assert words in err


def test_witnesses_checkpoints_promises_and_receipts_are_taken(
    run: Command, tmp_path: Path
) -> None:
    made = log()
    parsed = notes.Note.parse(made.notes[0])
    made.notes[0] = parsed.with_signature(WITNESS.cosign(parsed.text, 5)).encode()
    folder = write(tmp_path / "export", made.folder())
    kept = tmp_path / "kept"
    kept.write_text(made.notes[0])
    held = tmp_path / "promises"
    by_s = HOUR_US // 1_000_000 + 86_400
    there = Promised(request_id="req_0", replica="r1", replica_seq=3, leaf=made.hashes[2])
    later = Promised(request_id="req_9", replica="r1", replica_seq=90, leaf=bytes(32))
    told = promises.make(FIRST, ORIGIN, by_s, [there, later])
    held.write_text(f"HTTP/1.1 200 OK\nX-Goodgate-Receipt: {told[0]}\r\n\n{told[1]}\n")

    code, out, _ = run(
        "audit", "verify", folder, "--key", KEY, "--witness", WITNESS.verifier.vkey,
        "--from", str(kept), "--promises", str(held),
    )  # fmt: skip

    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "consistent, witnessed by 1 (up to entry 5 of 8)"
    assert "  witnesses     auditors.example/w" in lines
    assert "  promises      1 kept, req_9 not due yet" in lines

    bad = tmp_path / "r.tlog-proof"
    bad.write_text("nothing")
    code, out, _ = run(
        "audit", "verify", folder, "--key", KEY, "--receipt", str(bad), "--promises", str(held)
    )
    assert code == 1
    assert out.startswith("wrong: in receipt 1: this receipt cannot be used")


def test_many_names_are_cut_short(run: Command, tmp_path: Path) -> None:
    made = Log()
    for number in range(8):
        made.begin(f"r{number}")
    folder = write(tmp_path / "export", made.sign().folder())

    _, out, _ = run("audit", "verify", folder, "--key", KEY)

    assert "(r0, r1, r2, r3, r4 and 3 more)" in out


def test_a_retired_period_is_read_from_its_archive(run: Command, tmp_path: Path) -> None:
    made = Log().begin().call(0).sign()
    made.add(rotation(FIRST, SECOND, **made.next()))
    made.signer = SECOND
    made.sign(FIRST).add(refusal(500, **made.next()))
    for number in range(1, 130):
        made.call(number)
    archive = write(tmp_path / "2026-10", made.sign().folder())
    made.add(retirement(made, 256, **made.next())).sign()
    hot = write(tmp_path / "hot", made.folder(first_bundle=1))

    code, out, _ = run("audit", "verify", hot, "--key", SECOND.verifier.vkey)
    assert code == 0
    assert (
        "  retired       entries below 256 were checked by hash alone;"
        " 1 of their checkpoints have an earlier key: give --archive" in out
    )

    code, out, _ = run("audit", "verify", hot, "--key", KEY, "--archive", archive)
    assert code == 0
    assert "  retired       entries below 256, read from archives" in out
    assert "  key changes   1 (the log vouches for each)" in out


async def fill(folder: Path) -> None:
    """Put three calls into a store."""
    store = Ledger.open(folder, secret=b"s" * 32, key=b"1" * 32)
    store.start(asyncio.get_running_loop())
    store.policy_in_force(POLICY, POLICY_FILES)
    for number in range(3):
        for make in (intent, settle):
            replica, seq = store.stamp()
            await store.append(make(number, replica=replica, replica_seq=seq))
    await store.flush()
    store.close()


def test_a_store_is_verified_with_its_rollups(run: Command, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    asyncio.run(fill(folder))
    vkey = Reading(folder).log().vkey

    code, out, _ = run("audit", "verify", "--data", str(folder), "--key", vkey)
    assert (code, out.splitlines()[0]) == (0, "consistent, unwitnessed")
    assert "  rollups       equal" in out.splitlines()

    assert run("audit", "verify", "--key", vkey, GOODGATE_DATA=str(folder))[:2] == (code, out)


def test_rollups_are_read_at_one_size_or_not_at_all() -> None:
    sizes = iter([5, 6, 7, 7])
    lines: list[tuple[int, int]] = []
    calm = SimpleNamespace(
        size=lambda: next(sizes),
        rollups=rollups.Rollups,
        lines=lambda first, count: lines.append((first, count)) or [b"a"],
    )
    found = sums(calm, 3)  # type: ignore[arg-type]  # what is read of it
    assert found is not None
    assert (found.beyond, lines) == ([b"a"], [(3, 4)])

    endless = iter(range(100))
    busy = SimpleNamespace(size=lambda: next(endless), rollups=rollups.Rollups)
    assert sums(busy, 3) is None  # type: ignore[arg-type]  # as above

    still = SimpleNamespace(size=lambda: 3, rollups=rollups.Rollups)
    assert sums(still, 3).beyond == ()  # type: ignore[arg-type,union-attr]  # as above


def test_a_gateway_is_read_at_one_checkpoint(run: Command, scripted: Scripted) -> None:
    made = log()
    files = made.folder()
    for path, data in files.items():
        scripted.says(f"GET /api/log/{path}", data)

    code, out, err = run(
        "audit", "verify", "--key", KEY, GOODGATE_URL=scripted.url, GOODGATE_KEY="gg_x"
    )

    assert (code, err) == (0, "")
    assert out.startswith("consistent, unwitnessed\n")
    asked = [line for line, _, _ in scripted.asked]
    assert asked[0] == "GET /api/log/checkpoint"
    assert {line.partition("?")[2] for line in asked[1:]} == {"size=8"}


def test_a_gateway_that_lacks_a_file_is_wrong_and_one_that_says_no_is_told(
    run: Command, scripted: Scripted
) -> None:
    scripted.says("GET /api/log/checkpoint", log().folder()["checkpoint"])
    given = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_x"}

    code, out, _ = run("audit", "verify", "--key", KEY, **given)
    assert code == 1
    assert "checkpoints.jsonl: the last of the checkpoints is not the newest one" in out

    no = {"error": {"code": "not_allowed", "message": "ask an auditor"}}
    scripted.says("GET /api/log/checkpoints.jsonl", no, status=403)
    code, out, err = run("audit", "verify", "--key", KEY, **given)
    assert (code, out) == (1, "")
    assert "ask an auditor" in err


def test_a_folder_gives_its_files_and_nothing_outside(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "export"
    (folder / "tile" / "0").mkdir(parents=True)
    (folder / "tile" / "0" / "000.p").write_bytes(b"x")
    (folder / "out").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    source = sources.FolderSource(folder)

    assert source.read("tile/0/000.p") == b"x"
    assert source.read("tile/0/000.p/5") is None
    assert source.read("nothing") is None
    assert source.read("a\0b") is None
    for path in ("link", "out/secret", "../secret", "/etc/hostname"):
        with pytest.raises(ConfigError, match="leads out of its folder"):
            source.read(path)
    for path in ("pipe", "tile"):
        with pytest.raises(ConfigError, match="no plain file"):
            source.read(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        source.read("loop")
    assert sorted(source.paths()) == ["link", "loop", "out", "pipe", "tile/0/000.p"]


def test_a_file_no_export_has_by_its_size_is_not_read(tmp_path: Path) -> None:
    for name in ("tile", "manifest"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(sources.FILE_BYTES_MAX + 1)
    source = sources.FolderSource(tmp_path)

    with pytest.raises(ConfigError, match="67,108,865 bytes"):
        source.read("tile")
    assert source.read("manifest") is not None


def test_a_policy_is_computed_from_its_texts(run: Command, tmp_path: Path) -> None:
    from gateway import policy  # noqa: PLC0415  # only this test compiles one

    files = [("p.yaml", "version: 1\nrules: []\n")]
    try:
        digest = policy.load(files).digest
    except ConfigError:
        pytest.fail("this text is to be a policy")
    made = Log()
    made.add(ledger.ReplicaStart(
        at_us=1, attempt_id="r1", role="gateway", version="1", **made.next()
    ))  # fmt: skip
    made.add(ledger.PolicyInForce(
        at_us=1, attempt_id="p", digest=digest, files_sha256=ledger.policy_sha256(files),
        **made.next(),
    ))  # fmt: skip
    made.policies = {f"policies/{digest[7:]}.json": ledger.policy_document(files)}
    folder = write(tmp_path / "export", made.sign().folder())

    code, out, _ = run("audit", "verify", folder, "--key", KEY, "--json")

    said = json.loads(out)
    assert (code, said["policies"], said["policies_not_recomputed"]) == (0, 1, 0)
