"""How the commands speak: tables in pipes and on terminals, and pipes that close."""

import subprocess
import sys
from decimal import Decimal

import pytest

from gateway import cli
from gateway.cli import demo, serve, terminal
from gateway.cli.demo import Counted


def test_in_a_pipe_columns_are_aligned_and_nothing_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.table(("a", "bb"), [("long cell", None), (1, ["x", "y"])])

    assert capsys.readouterr().out == "a          bb\nlong cell  -\n1          x, y\n"


def test_on_a_terminal_markup_of_somebody_elses_is_only_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")

    terminal.table(("title",), [("[red]not red[/red] \x1b[2J",)])

    out = capsys.readouterr().out
    assert "[red]not red[/red]" in out
    assert "\x1b[2J" not in out


def test_json_survives_any_encoding_of_the_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.as_json({"title": "Grüße"})

    assert capsys.readouterr().out.isascii()


def test_an_error_of_many_lines_has_the_prefix_on_each(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_error("a.yaml:1:1: one\na.yaml:2:1: two\x07")

    assert capsys.readouterr().err == (
        "goodgate: error: a.yaml:1:1: one\ngoodgate: error: a.yaml:2:1: two\ufffd\n"
    )


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = (
        "import sys, os; from gateway import cli\n"
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
        "sys.exit(cli.main(['--help'], {}))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (1, "")


def test_serve_is_handed_over_with_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def main(*given: object) -> int:
        seen.append(given)
        return 0

    monkeypatch.setattr(serve, "main", main)

    assert cli.main(["serve", "--port", "0"], {"GOODGATE_DATA": "x"}) == 0
    assert seen == [(["--port", "0"], {"GOODGATE_DATA": "x"})]


def test_the_demo_shows_credit_beside_the_ranking(capsys: pytest.CaptureFixture[str]) -> None:
    found = Counted(
        raw=[{"rank": 1, "person": "mallory", "calls": 9, "tokens": 99}],
        tasks=[{"task": "P-1", "calls": 1, "tokens": 2, "cost_usd": str(Decimal("0.1"))}],
        refused={"task_required": 8},
        unlinked=[],
        credit=[
            {"task": "P-1", "accepted": 1, "credit": "0.995", "calls": 1, "cost_usd": "0.1"},
        ],
        repeats=20,
    )

    demo._show(found, 10)

    out = capsys.readouterr().out
    assert "a ranking of people by tokens" in out
    assert "mallory's 20 repeats" in out
    assert "recognised" in out
    assert "0.995" in out
    assert "that is no credit" in out
