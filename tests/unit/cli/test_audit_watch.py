"""`goodgate audit watch`: an auditor's own witness, in a folder of its own."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from gateway.cli.audit import state
from gateway.cli.audit.state import State
from gateway.errors import ConfigError
from gateway.ledger import notes
from gateway.ledger.notes import Note, Verifier
from tests.unit.cli.conftest import Command, Scripted
from tests.unit.ledger.exported import FIRST, STRANGER, WITNESS, Folder, Log

WATCHING = import_module("gateway.cli.audit.watch")
"""The module; its package gives the command under the same name."""
KEY = FIRST.verifier.vkey
COSIGNATURES = "/api/log/cosignatures"
NAME = "auditors.example/w"


def log(calls: int, first: int = 0) -> Log:
    """Return a log of some calls, signed."""
    made = Log().begin()
    for number in range(first, first + calls):
        made.call(number)
    return made.sign()


def show(folder: Path, made: Log) -> str:
    """Show a log in a folder."""
    for path, data in made.folder().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return str(folder)


def serve(scripted: Scripted, files: Folder) -> None:
    """Serve a log as a gateway does."""
    scripted.answers.clear()
    scripted.says(f"POST {COSIGNATURES}", {"size": 0, "witness": NAME})
    for path, data in files.items():
        scripted.says(f"GET /api/log/{path}", data)


def handed(scripted: Scripted) -> list[dict[str, object]]:
    """Return the cosignatures a gateway was given."""
    return [json.loads(body) for line, _, body in scripted.asked if line.startswith("POST")]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return where a witness will keep what it knows."""
    return tmp_path / "witness"


@pytest.fixture
def look(run: Command, home: Path) -> Callable[..., tuple[int, str, str]]:
    """Return a function that looks once at a log."""

    def once(source: str, *more: str, **environ: str) -> tuple[int, str, str]:
        argv = ("audit", "watch", source, "--key", KEY, "--state", str(home), "--once", *more)
        return run(*argv, **environ)

    return once


Look = Callable[..., tuple[int, str, str]]


def test_a_log_is_cosigned_once_for_each_size(look: Look, home: Path, tmp_path: Path) -> None:
    source = show(tmp_path / "export", log(3))

    code, out, err = look(source, "--name", NAME)

    assert (code, out) == (0, "cosigned 8 entries\n")
    vkey = err.partition("--witness): ")[2].strip()
    witness = Verifier.parse(vkey)
    assert witness.name == NAME
    note = Note.parse((home / "checkpoint").read_text())
    assert note.cosigned_at(witness) is not None
    assert note.signed_by(FIRST.verifier)

    assert look(source) == (0, "", err)
    show(tmp_path / "export", log(200))
    assert look(source) == (0, "cosigned 402 entries\n", err)


def test_the_folder_and_its_files_are_nobody_elses(look: Look, home: Path, tmp_path: Path) -> None:
    look(show(tmp_path / "export", log(3)))

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert sorted(file.name for file in home.iterdir()) == ["checkpoint", "key", "lock", "name"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in home.iterdir()} == {0o600}
    assert (home / "name").read_text().startswith("witness/")


@pytest.mark.parametrize("shown", [log(2), log(3, first=7), log(90, first=7)])
def test_a_fork_is_refused_and_both_notes_are_kept(
    look: Look, home: Path, tmp_path: Path, shown: Log
) -> None:
    look(show(tmp_path / "export", log(3)))
    known = (home / "checkpoint").read_text()
    source = show(tmp_path / "other", shown)

    code, out, err = look(source)

    assert (code, out) == (1, "")
    assert "goodgate: error: REFUSED: " in err
    (evidence,) = home.glob("evidence-*.txt")
    assert str(evidence) in err
    assert stat.S_IMODE(evidence.stat().st_mode) == 0o600
    text = evidence.read_text()
    assert known in text
    assert shown.notes[-1] in text
    assert (home / "checkpoint").read_text() == known

    assert look(source)[0] == 1
    assert len(list(home.glob("evidence-*.txt"))) == 1


def test_what_cannot_be_judged_is_not_cosigned(look: Look, home: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, out, err = look(str(empty))
    assert (code, out) == (1, "")
    assert "nothing was cosigned" in err

    strange = Log(STRANGER).begin().sign()
    assert "audit verify" in look(show(tmp_path / "strange", strange))[2]
    assert not (home / "checkpoint").exists()
    assert look(str(tmp_path / "nowhere"))[0] == 2


def test_a_gateway_is_given_the_cosignature(look: Look, home: Path, scripted: Scripted) -> None:
    serve(scripted, log(3).folder())

    code, out, _ = look(scripted.url, GOODGATE_KEY="gg_auditor")

    assert (code, out) == (0, "cosigned 8 entries\n")
    note = (home / "checkpoint").read_text()
    (given,) = handed(scripted)
    assert given["size"] == 8
    assert note.endswith(str(given["line"]))
    assert scripted.asked[0][1]["authorization"] == "Bearer gg_auditor"


def test_a_gateway_that_takes_no_cosignature_is_told_and_asked_again(
    look: Look, home: Path, scripted: Scripted
) -> None:
    serve(scripted, log(3).folder())
    no = {"error": {"code": "not_allowed", "message": "ask an auditor"}}
    scripted.says(f"POST {COSIGNATURES}", no, status=403)

    code, _, err = look(scripted.url, GOODGATE_KEY="gg_x")
    assert code == 0
    assert "did not take it (it is in --state): ask an auditor" in err
    note = (home / "checkpoint").read_text()

    serve(scripted, log(3).folder())
    assert look(scripted.url, GOODGATE_KEY="gg_x")[:2] == (0, "")
    assert (home / "checkpoint").read_text() == note
    first, again = handed(scripted)
    assert first == again


def test_what_was_signed_is_remembered_before_it_is_shown(
    look: Look, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(scripted, log(3).folder())
    synced: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(len(handed(scripted)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    look(scripted.url, GOODGATE_KEY="gg_x")

    assert len(synced) >= 4
    assert set(synced) == {0}
    assert len(handed(scripted)) == 1


def test_it_looks_again_until_the_log_is_refused(
    run: Command, home: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def steps() -> Iterator[Callable[[], None]]:
        yield lambda: None
        yield lambda: serve(scripted, log(5).folder())
        yield scripted.answers.clear
        yield lambda: serve(scripted, log(5, first=50).folder())

    coming = steps()

    def pause(wait_s: float) -> None:
        waited.append(wait_s)
        next(coming)()

    monkeypatch.setattr(WATCHING, "pause", pause)
    serve(scripted, log(3).folder())

    code, out, err = run(
        "audit", "watch", scripted.url, "--key", KEY, "--state", str(home), "--every", "1m",
        GOODGATE_KEY="gg_x",
    )  # fmt: skip

    assert code == 1
    assert out == "cosigned 8 entries\ncosigned 12 entries\n"
    assert waited == [60, 60, 60, 60]
    assert "nothing was cosigned: nothing here" in err
    assert "REFUSED" in err
    assert [each["size"] for each in handed(scripted)] == [8, 12]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--key", "x"), "--key is no public key of a log"),
        (("--key", WITNESS.verifier.vkey), "--key is the key of a witness"),
        (("--every", "soon"), "no length of time"),
        (("--name", "with space"), "--name cannot be used"),
    ],
)
def test_what_cannot_be_used_is_told(
    look: Look, tmp_path: Path, argv: tuple[str, ...], words: str
) -> None:
    code, out, err = look(show(tmp_path / "export", log(1)), *argv)

    assert (code, out) == (2, "")
    assert words in err


def test_a_witness_keeps_its_name_and_key(home: Path) -> None:
    with State(home, NAME) as first:
        made = first.signer.verifier
    with State(home) as again:
        assert again.signer.verifier == made
        assert again.signer.verifier.kind == notes.COSIGNATURE
    with pytest.raises(Exception, match="this witness is named"):
        State(home, "other/w")


def test_one_witness_works_in_a_folder(home: Path) -> None:
    with State(home), pytest.raises(ConfigError, match="another witness works in this folder"):
        State(home)
    with State(home) as later:
        assert later.last() == ""


def test_a_folder_others_can_look_into_is_refused(home: Path) -> None:
    home.mkdir(mode=0o755)

    with pytest.raises(ConfigError, match="chmod 700"):
        State(home)

    home.chmod(0o700)
    State(home).__exit__(None, None, None)
    with pytest.raises(ConfigError, match="cannot be used"):
        State(home / "name" / "below")


def test_what_it_forgot_or_cannot_write_stops_a_witness(home: Path) -> None:
    with State(home) as held:
        (home / state.LAST).write_bytes(b"\xff")
        with pytest.raises(ConfigError, match="put the file back"):
            held.last()
        (home / ".checkpoint.new").mkdir()
        with pytest.raises(ConfigError, match="nothing was cosigned"):
            held.keep("a note\n")


def test_ctrl_c_ends_it_quietly(
    run: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pause(_wait_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WATCHING, "pause", pause)
    source = show(tmp_path / "export", log(3))

    code, out, _ = run("audit", "watch", source, "--key", KEY, "--state", str(home))

    assert (code, out) == (0, "cosigned 8 entries\n")
