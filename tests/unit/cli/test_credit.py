"""`goodgate credit recompute`: an auditor's own figures, from an export and a key."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway import ledger, policy
from gateway.errors import ConfigError
from gateway.ledger import notes, tiles
from gateway.ledger.merkle import leaf_hash
from gateway.reports.crediting import stated
from tests.unit.cli.conftest import Command
from tests.unit.credit import stories
from tests.unit.ledger.exported import FIRST, Folder, Log, start
from tests.unit.ledger.exported import policy as put_in_force

KEY = FIRST.verifier.vkey
FILES = [("goodgate.yaml", "version: 1\ncredit: {saturation: 4}\nrules: []\n")]
DIGEST = policy.load(FILES).digest


def log(*leaves: ledger.Leaf) -> Log:
    """Return a signed log of a gateway that made these leaves, under one policy."""
    made = Log()
    made.policies = {f"policies/{DIGEST[7:]}.json": ledger.policy_document(FILES)}
    names = {"digest": DIGEST, "files_sha256": ledger.policy_sha256(FILES)}
    made.add(start(**made.next()), put_in_force("p", **names, **made.next()))
    for leaf in leaves:
        changes: dict[str, Any] = dict(made.next())
        if hasattr(leaf, "policy"):
            changes["policy"] = DIGEST
        made.add(msgspec.structs.replace(leaf, **changes))
    return made.sign()


WORK = [
    *stories.ACCEPTED,
    *stories.call(1, range(8)),
    *stories.call(2, {1}, root_id="NEW-1", task_id="NEW-1"),
]


def written(folder: Path, files: Folder) -> str:
    """Write files, and return the folder's name."""
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return str(folder)


def test_the_first_entries_alone_can_be_asked_for(run: Command, tmp_path: Path) -> None:
    """As they were when a report was made of them."""
    export = written(tmp_path, log(*WORK).folder())
    given = ("credit", "recompute", export, "--key", KEY, "--json", "--entries")
    code, out, _ = run(*given, "6")
    assert code == 0
    assert [each["root_id"] for each in json.loads(out)["roots"]] == ["PAY-1"]
    shown = run("credit", "recompute", export, "--key", KEY, "--entries", "6")[1]
    tree = tiles.Tree.empty()
    tree.extend([leaf_hash(line) for line in log(*WORK).lines[:6]])
    assert f"from the first 6 of 8 entries, tree {notes.to_base64(tree.root())}" in shown
    code, _, err = run(*given, "9")
    assert code == 2
    assert "there are 8 entries" in err


def test_credit_is_worked_out_again_from_an_export(run: Command, tmp_path: Path) -> None:
    export = written(tmp_path, log(*WORK).folder())
    code, out, err = run("credit", "recompute", export, "--key", KEY, "--as-of", "2026-12-24")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == [
        *("root", "team", "month", "settled", "provisional", "reversed", "value", "accepted"),
        *("units", "calls", "cost_usd", "notes"),
    ]
    assert lines[2].split() == [
        *("PAY-1", "payments", "2026-11", "0.8647", "0.0000", "0.0000", "1", "1"),
        *("8", "1", "0.5", "thin"),
    ]
    assert lines[3] == (
        "credit settled 0.864664716763, provisional 0, reversed 0; 1 USD for all calls of 2 roots"
    )
    assert lines[4].startswith("from the first 8 of 8 entries, tree ")


def test_json_is_the_same_bytes_for_the_same_moment(run: Command, tmp_path: Path) -> None:
    export = written(tmp_path, log(*WORK).folder())
    asked = ("credit", "recompute", export, "--key", KEY, "--as-of", "2026-12-24", "--json")
    first, again = run(*asked), run(*asked)
    assert first == again
    found = json.loads(first[1])
    assert found["teams"][0]["settled"] == "0.864664716763"
    assert found["as_of_us"] == 1_798_070_400_000_000


def test_without_a_moment_it_is_that_of_the_newest_entry(run: Command, tmp_path: Path) -> None:
    export = written(tmp_path, log(*WORK).folder())
    _, out, _ = run("credit", "recompute", export, "--key", KEY, "--json")
    found = json.loads(out)
    assert found["as_of_us"] == stories.NOW_US + stories.DAY_US
    assert found["teams"][0]["provisional"] == "0.864664716763"


def test_of_a_log_that_is_wrong_nothing_is_worked_out(run: Command, tmp_path: Path) -> None:
    files = log(*WORK).folder()
    files["tile/entries/000.p/8"] = files["tile/entries/000.p/8"].replace(b'"merged"', b'"closed"')
    code, out, err = run("credit", "recompute", written(tmp_path, files), "--key", KEY)
    assert (code, out) == (1, "")
    assert "nothing was worked out, the log is wrong: " in err


def test_missing_entries_are_named() -> None:
    files = log(*WORK).folder()
    del files["tile/entries/000.p/8"]
    with pytest.raises(
        ConfigError, match=r"tile/entries/000\.p/8 is not there: credit needs every"
    ):
        stated(files, 8)


def test_a_root_whose_policy_s_text_is_missing_is_unscored() -> None:
    made = log(*WORK)
    made.policies = {}
    [_, found] = stated(made.folder(), 8).roots
    assert found.unscored == "the policy it was accepted under is not to be had"


def test_an_empty_log_has_no_credit() -> None:
    found = stated(Folder(), 0)
    assert (found.as_of_us, found.roots) == (0, ())
