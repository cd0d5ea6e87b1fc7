"""`goodgate likeness`: verdicts line by line, and why two prompts are alike."""

import io
import json
import sys
from pathlib import Path

import pytest
import rich.progress

from gateway import cli
from gateway.cli import likeness
from tests.unit.cli.conftest import Command
from tests.unit.cli.test_main import imported_by

ASK = "Write a function that parses the date of an invoice and returns it in UTC."
PAIRS = [
    (ASK, ASK, "exact"),
    (ASK, f"  {ASK.upper()} ", "exact"),
    (ASK, f"Hi! {ASK} Thanks a lot.", "near"),
    (ASK, ASK.replace("invoice", "contract"), "new"),
    (ASK, "yes", "short"),
]


def lines(pairs: list[tuple[str, str, str]]) -> str:
    return "".join(json.dumps({"earlier": a, "later": b}) + "\n" for a, b, _ in pairs)


def fed(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_each_line_gets_a_verdict_in_order(run: Command, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(lines(PAIRS))

    code, out, err = run("likeness", "judge", str(file))

    found = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [each["verdict"] for each in found] == [wanted for *_, wanted in PAIRS]
    assert all(set(each) == {"verdict", "reason"} for each in found)
    assert all(isinstance(each["reason"], str) for each in found)
    assert run("likeness", "judge", str(file), "--json")[1] == out


def test_standard_input_is_judged(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fed(monkeypatch, lines(PAIRS[:2]).encode())

    code, out, _ = run("likeness", "judge", "-")

    assert (code, len(out.splitlines())) == (0, 2)


def test_what_a_line_holds_besides_and_blank_lines_are_left_alone(
    run: Command, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    line = json.dumps({"kind": "salt", "earlier": ASK, "later": ASK})
    file.write_bytes(b"\xef\xbb\xbf" + f"{line}\r\n\n  \n{line}".encode())

    code, out, _ = run("likeness", "judge", str(file))

    assert code == 0
    assert [json.loads(each)["verdict"] for each in out.splitlines()] == ["exact", "exact"]


def test_nothing_is_judged_to_nothing(run: Command, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").touch()

    assert run("likeness", "judge", str(tmp_path / "none.jsonl")) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{broken", "line 3 is no such JSON object: JSON is malformed"),
        (b'{"earlier": "a"}', "missing required field `later`; write {"),
        (b'{"earlier": "a", "later": 1}', "Expected `str`, got `int` - at `$.later`"),
        (b'["a", "b"]', "Expected `object`, got `array`"),
        (b'{"earlier": "a", "later": "secret \xff"}', "line 3 is no such JSON object: it is not"),
        (b'{"earlier": "a", "later": "secret"} x', "line 3 is no such JSON object"),
    ],
)  # fmt: skip
def test_a_bad_line_is_wrong_use_and_nothing_before_it_is_lost(
    run: Command, tmp_path: Path, line: bytes, said: str
) -> None:
    file = tmp_path / "pairs.jsonl"
    good = lines(PAIRS[:2]).encode()
    file.write_bytes(good + line + b"\n" + good)

    code, out, err = run("likeness", "judge", str(file))

    assert code == 2
    assert [json.loads(each)["verdict"] for each in out.splitlines()] == ["exact", "exact"]
    assert said in err
    assert "secret" not in err
    assert len(err.splitlines()) == 1


def test_a_line_without_end_is_not_read_to_its_end(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likeness, "LINE_BYTES_MAX", 200)
    fed(monkeypatch, lines(PAIRS[:1]).encode() + b" " * 100_000)

    code, out, err = run("likeness", "judge", "-")

    assert (code, len(out.splitlines())) == (2, 1)
    assert "line 2 is longer than 200 bytes" in err


def test_a_long_file_is_read_a_line_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands before a line is answered before the line is read."""
    asked: list[int] = []
    source = io.BytesIO(lines(PAIRS[:1] * 3).encode())
    read = source.readline

    def readline(size: int = -1) -> bytes:
        asked.append(answered())
        return read(size)

    def answered() -> int:
        return len(out.getvalue().splitlines())

    out = io.StringIO()
    monkeypatch.setattr(source, "readline", readline)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(source))
    monkeypatch.setattr(sys, "stdout", out)

    assert cli.main(["likeness", "judge", "-"], {}) == 0
    assert asked == [0, 1, 2, 3]


def test_a_long_file_shows_how_far_it_is_when_its_verdicts_go_elsewhere(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(lines(PAIRS))
    seen: list[float] = []
    advance = rich.progress.Progress.advance

    def counted(bar: rich.progress.Progress, job: rich.progress.TaskID, count: float = 1) -> None:
        seen.append(count)
        advance(bar, job, count)

    monkeypatch.setattr(rich.progress.Progress, "advance", counted)
    monkeypatch.setattr(likeness, "LONG_BYTES", 1)
    monkeypatch.setenv("TERM", "dumb")

    assert run("likeness", "judge", str(file))[0] == 0
    assert seen == []
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    code, out, _ = run("likeness", "judge", str(file))

    assert (code, len(out.splitlines())) == (0, len(PAIRS))
    assert sum(seen) == file.stat().st_size


@pytest.mark.parametrize("command", [("judge", "nowhere"), ("explain", "nowhere", "-")])
def test_a_file_that_is_not_there_is_wrong_use(
    run: Command, tmp_path: Path, command: tuple[str, ...]
) -> None:
    code, out, err = run("likeness", *command)

    assert (code, out) == (2, "")
    assert "nowhere cannot be read: No such file" in err
    assert run("likeness", "judge", str(tmp_path))[0] == 2


def explained(
    run: Command, tmp_path: Path, earlier: str, later: str, *options: str
) -> tuple[int, str]:
    (tmp_path / "a").write_text(earlier)
    (tmp_path / "b").write_text(later)
    code, out, err = run("likeness", "explain", str(tmp_path / "a"), str(tmp_path / "b"), *options)
    assert err == ""
    return code, out


def test_two_prompts_that_are_alike_are_explained_with_exit_code_0(
    run: Command, tmp_path: Path
) -> None:
    code, out = explained(run, tmp_path, ASK, f"Hello! {ASK}\n")

    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()][:4] == [
        *("earlier", "later", "verdict", "because"),
    ]
    assert "write a function that parses the date of an invoice" in out
    assert "\nverdict: near: the later says what the earlier said, dressed up\n" in out
    code, out = explained(run, tmp_path, ASK, f"{ASK.upper()}!")
    assert (code, "\nverdict: exact: " in out, "differs" in out) == (0, True, False)


def test_two_prompts_that_are_not_are_explained_by_what_decided_with_exit_code_1(
    run: Command, tmp_path: Path
) -> None:
    code, out = explained(run, tmp_path, f"{ASK} Issue 123.", f"{ASK} Issue 124.")

    assert code == 1
    assert "\nverdict: new: the later asks for something else\n" in out
    assert "\nbecause: a number differs\ndiffers: 123  ->  124\n" in out
    code, out = explained(run, tmp_path, ASK, "\x1b")
    assert code == 1
    assert "\nlater:   (nothing)\nverdict: short: the later says too little" in out


def test_an_explanation_can_be_had_as_json(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = explained(run, tmp_path, f"{ASK} Issue 123.", f"{ASK} Issue 124.", "--json")

    found = json.loads(out)
    assert (code, found["verdict"], found["reason"]) == (1, "new", "a number differs")
    assert (found["earlier_words"], found["later_words"]) == ("123", "124")
    assert found["earlier"].endswith("123")
    fed(monkeypatch, f"{ASK} Issue 123.".encode())
    code, out, _ = run("likeness", "explain", "-", str(tmp_path / "b"), "--json")
    assert (code, json.loads(out)) == (1, found)


def test_lacking_files_of_text_are_wrong_use(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    (tmp_path / "b").write_text(ASK)

    code, _, err = run("likeness", "explain", str(tmp_path / "a"), str(tmp_path / "b"))
    assert (code, "is not UTF-8: convert it" in err) == (2, True)
    code, _, err = run("likeness", "explain", "-", "-")
    assert (code, "only one of the two can be standard input" in err) == (2, True)
    monkeypatch.setattr(likeness, "LINE_BYTES_MAX", 10)
    code, _, err = run("likeness", "explain", str(tmp_path / "b"), str(tmp_path / "b"))
    assert (code, "is longer than 10 bytes" in err) == (2, True)


def test_other_commands_do_not_load_what_comparing_needs() -> None:
    assert not {"numpy"} & imported_by("from gateway.cli import application; application.build()")
