"""`goodgate audit receipt`: nothing is shown or kept that does not verify."""

import json
import re
from pathlib import Path

import pytest

from gateway.ledger import notes, promises
from gateway.ledger.promises import Promise
from gateway.ledger.proofs import Receipt
from tests.stores.ledgers import NOW
from tests.unit.cli import folders
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.cli.folders import Folder, request_id

LATER = 10**12


def receipt_of(run: Command, folder: Folder, number: int, *argv: str) -> str:
    code, out, _ = run("audit", "receipt", request_id(number), *argv, "--data", str(folder))
    assert code == 0
    return out


def test_a_receipt_is_printed_once_it_verifies(run: Command, kept_folder: Folder) -> None:
    code, out, err = run(
        "audit", "receipt", request_id(3), "--data", str(kept_folder), "--key", kept_folder.vkey
    )

    verifier = notes.Verifier.parse(kept_folder.vkey)
    found = Receipt.parse(out)
    found.verify(found.leaf, verifier, verifier.name)
    assert code == 0
    assert json.loads(found.leaf)["request_id"] == request_id(3)
    assert "verified: entry" in err


def test_without_a_key_of_ones_own_it_says_whose_word_was_taken(
    run: Command, kept_folder: Folder
) -> None:
    _, _, err = run("audit", "receipt", request_id(3), "--data", str(kept_folder))

    assert "give --key" in err


def test_a_receipt_is_kept_and_checked_offline(
    run: Command, kept_folder: Folder, tmp_path: Path
) -> None:
    out = tmp_path / "mine"
    receipt_of(run, kept_folder, 3, "--out", str(out))

    code, shown, err = run(
        "audit", "receipt", "--check", f"{out}.tlog-proof", "--key", kept_folder.vkey, "--json"
    )

    assert code == 0, err
    found = json.loads(shown)
    assert (found["verified"], found["entry"]["kind"]) == (True, "settle")
    code, shown, _ = run(
        "audit", "receipt", "--check", f"{out}.tlog-proof", "--key", kept_folder.vkey
    )
    assert re.search(r"^kind +settle$", shown, re.MULTILINE)


@pytest.mark.parametrize("leaf", ["intent", "settle"])
def test_either_entry_can_be_asked_for(run: Command, kept_folder: Folder, leaf: str) -> None:
    found = json.loads(receipt_of(run, kept_folder, 3, "--leaf", leaf, "--json"))

    assert found["entry"]["kind"] == leaf


def test_a_receipt_that_was_tampered_with_is_not_shown(
    run: Command, kept_folder: Folder, tmp_path: Path
) -> None:
    genuine = receipt_of(run, kept_folder, 3)
    other = Receipt.parse(receipt_of(run, kept_folder, 4))
    parsed = Receipt.parse(genuine)
    forged = [
        genuine.replace("index ", "index 1"),
        Receipt(
            index=parsed.index, path=parsed.path, checkpoint=parsed.checkpoint, extra=other.extra
        ).encode(),
        "\n".join(line for line in genuine.split("\n") if not line.startswith("extra")),
        genuine[:-10],
        "",
    ]
    file = tmp_path / "x.tlog-proof"
    for text in forged:
        file.write_text(text)
        code, out, err = run("audit", "receipt", "--check", str(file), "--key", kept_folder.vkey)
        assert (code, out) == (1, ""), text
        assert "does not verify" in err


def test_what_a_lying_gateway_gives_is_neither_printed_nor_kept(
    run: Command, kept_folder: Folder, scripted: Scripted, tmp_path: Path
) -> None:
    genuine = receipt_of(run, kept_folder, 4)
    line = f"GET /api/receipts/{request_id(3)}"
    environ = {"GOODGATE_URL": scripted.url, "GOODGATE_KEY": "gg_x"}
    argv = ("audit", "receipt", request_id(3), "--key", kept_folder.vkey)
    argv += ("--out", str(tmp_path / "mine"))

    scripted.says(line, genuine.encode())
    another = run(*argv, **environ)
    scripted.says(line, genuine.replace("index ", "index 1").encode())
    forged = run(*argv, **environ)

    assert another[:2] == forged[:2] == (1, "")
    assert "another call" in another[2]
    assert list(tmp_path.iterdir()) == []


def test_a_promise_that_was_kept(run: Command, kept_folder: Folder, tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text(f"HTTP/1.1 200 OK\r\nX-Goodgate-Receipt: {kept_folder.promise}\r\nd: e\r\n")

    for given in (kept_folder.promise, str(headers)):
        code, out, _ = run(
            "audit", "receipt", request_id(0), "--promise", given, "--data", str(kept_folder),
            "--out", str(tmp_path / "proof"), "--key", kept_folder.vkey,
        )  # fmt: skip
        assert (code, out) == (0, "kept\n")
    kept = Receipt.parse((tmp_path / "proof.tlog-proof").read_text())
    assert json.loads(kept.leaf)["kind"] == "intent"


def promise(folder: Folder, number: int, *, by_s: int = LATER, **changes: object) -> str:
    """Return a promise the log's key made, kept or not."""
    parsed = Promise.parse(folder.promise).promised
    fields = {name: getattr(parsed, name) for name in parsed.__struct_fields__}
    made = promises.Promised(**{**fields, "request_id": request_id(number), **changes})
    return promises.make(folders.signer(folder), folder.reading.log().origin, by_s, [made])[0]


@pytest.mark.parametrize(
    ("number", "by_s", "changes", "verdict"),
    [
        (0, LATER, {"leaf": bytes(32)}, "broken"),
        (0, LATER, {"replica_seq": 99}, "broken"),
        (0, LATER, {"replica": "r0"}, "broken"),
        (9_999, int(NOW) - 1_000_000_000, {}, "broken"),
        (9_999, LATER, {}, "pending"),
    ],
)
def test_a_promise_that_was_not_kept(  # each is another way to break it
    run: Command,
    kept_folder: Folder,
    number: int,
    by_s: int,
    changes: dict[str, object],
    verdict: str,
) -> None:
    text = promise(kept_folder, number, by_s=by_s, **changes)
    argv = ("audit", "receipt", request_id(number), "--promise", text, "--data", str(kept_folder))

    code, out, _ = run(*argv)
    json_code, shown, _ = run(*argv, "--json")

    assert (code, json_code) == (1, 1)
    assert out.strip().lower() == verdict == json.loads(shown)["promise"]


def test_a_promise_of_another_key_holds_nobody_to_anything(
    run: Command, kept_folder: Folder
) -> None:
    other = notes.Signer.from_seed(kept_folder.reading.log().origin, b"o" * 32)
    made = Promise.parse(kept_folder.promise).promised
    text = promises.make(other, other.verifier.name, LATER, [made])[0]
    argv = ("audit", "receipt", request_id(0), "--promise", text, "--data", str(kept_folder))

    code, out, err = run(*argv)

    assert (code, out) == (1, "")
    assert "was not signed by" in err
    trusting = run(*argv, "--key", kept_folder.vkey, "--key", other.verifier.vkey)
    assert trusting[:2] == (0, "kept\n"), "of a log whose key was replaced"


@pytest.mark.parametrize(
    "argv",
    [
        (),
        (request_id(0), "--check", "x"),
        ("--check", "x.tlog-proof"),
        ("--check", "/nowhere", "--key", "KEY"),
        (request_id(0), "--key", "nonsense"),
        (request_id(0), "--promise", "/nowhere"),
        (request_id(1), "--promise", "PROMISE"),
        ("../keys",),
        (request_id(0), "--leaf", "refusal"),
    ],
)
def test_wrong_use_is_told(run: Command, kept_folder: Folder, argv: tuple[str, ...]) -> None:
    stand_for = {"KEY": kept_folder.vkey, "PROMISE": kept_folder.promise}
    given = [stand_for.get(each, each) for each in argv]

    code, out, err = run("audit", "receipt", *given, "--data", str(kept_folder))

    assert (code, out) == (2, "")
    assert err.count("goodgate: error: ") == 1


def test_a_witness_s_key_is_not_the_log_s(run: Command, kept_folder: Folder) -> None:
    witness = notes.Signer.from_seed("w", b"w" * 32, notes.COSIGNATURE).verifier.vkey

    code, _, err = run(
        "audit", "receipt", request_id(0), "--key", witness, "--data", str(kept_folder)
    )

    assert code == 2
    assert "witness" in err


def test_an_unknown_call_is_told_in_the_gateway_s_words(run: Command, kept_folder: Folder) -> None:
    code, out, err = run("audit", "receipt", request_id(9_999), "--data", str(kept_folder))

    assert (code, out) == (1, "")
    assert "no entry is kept under this request id" in err
