"""`goodgate likeness`: are two prompts alike? Answered here, with no gateway running."""

import json
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson
from gateway.cli.terminal import WrongUse

if TYPE_CHECKING:
    from gateway.likeness.explanation import Explanation

group = typer.Typer(no_args_is_help=True, help="Ask whether prompts are alike, and why.")

LINE_BYTES_MAX = 64 * 1024 * 1024
LONG_BYTES = 4 * 1024 * 1024
"""A file of more takes long enough to say how far it is."""
_STDIN = "-"
_UTF8_MARK = b"\xef\xbb\xbf"
_MEANS: Mapping[str, str] = {
    "exact": "the later says what the earlier said, to the letter of the normal form",
    "near": "the later says what the earlier said, dressed up",
    "new": "the later asks for something else",
    "short": "the later says too little to be compared",
}


class Pair(msgspec.Struct):
    """One line of a file to judge; what else it holds is left alone."""

    earlier: str
    later: str


@group.callback()
def about() -> None:
    """Ask whether prompts are alike, and why."""


@group.command()
def judge(
    file: Annotated[str, typer.Argument(metavar="FILE.jsonl", help="Or - for standard input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as it always does.")] = True,
) -> int:
    """
    Judge pairs of prompts as the line would two user messages for one task.

    Reads lines {"earlier": "…", "later": "…"} and prints a line for each, in their order:
    {"verdict": "exact|near|new|short", "reason": "…"}

    \b
    goodgate likeness judge pairs.jsonl > verdicts.jsonl
    generate-pairs | goodgate likeness judge -
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    assert as_json
    # Imported here: it brings numpy and a dictionary, and no other command needs them.
    from gateway.likeness import explanation  # noqa: PLC0415  # as above

    with _opened(file) as source, _progress(file) as passed:
        for pair in _pairs(source, passed):
            verdict = explanation.judge_pair(pair.earlier, pair.later)
            # A line at a time, so that whoever asks through a pipe is answered at once.
            print(json.dumps({"verdict": verdict.kind, "reason": verdict.reason}), flush=True)
    return 0


@group.command()
def explain(
    earlier: Annotated[str, typer.Argument(metavar="A", help="A file, or - for standard input.")],
    later: Annotated[str, typer.Argument(metavar="B", help="A file, or - for standard input.")],
    *,
    as_json: AsJson = False,
) -> int:
    """
    Say whether B is a repeat of A, in which words they differ, and what decided it.

    \b
    goodgate likeness explain monday.txt tuesday.txt
    pbpaste | goodgate likeness explain monday.txt - --json

    Exit code 0: alike (exact or near). 1: not alike.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    if earlier == later == _STDIN:
        raise WrongUse("only one of the two can be standard input")
    # Imported here: it brings numpy and a dictionary, and no other command needs them.
    from gateway.likeness import explanation  # noqa: PLC0415  # as above

    found = explanation.explain(_text(earlier), _text(later))
    if as_json:
        said = msgspec.structs.asdict(found)
        terminal.as_json({"verdict": said.pop("kind"), **said})
    else:
        _show(found)
    return 0 if found.kind in ("near", "exact") else 1


def _show(found: "Explanation") -> None:
    """Print what was compared, what it is, and which words decided it."""
    print(f"earlier: {terminal.plain(found.earlier) or '(nothing)'}")
    print(f"later:   {terminal.plain(found.later) or '(nothing)'}")
    print(f"verdict: {found.kind}: {_MEANS[found.kind]}")
    print(f"because: {found.reason}")
    if found.earlier_words or found.later_words:
        was = terminal.plain(found.earlier_words) or "(nothing)"
        came = terminal.plain(found.later_words) or "(nothing)"
        print(f"differs: {was}  ->  {came}")


def _pairs(source: BinaryIO, passed: Callable[[int], object]) -> Iterator[Pair]:
    """Yield the pairs of a file, holding one line of it at a time; blank lines hold none."""
    number = 0
    while line := source.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise WrongUse(f"line {number} is longer than {LINE_BYTES_MAX} bytes: shorten it")
        passed(len(line))
        text = line.removeprefix(_UTF8_MARK) if number == 1 else line
        if text.strip():
            yield _pair(text, number)


def _pair(line: bytes, number: int) -> Pair:
    try:
        return msgspec.json.decode(line, type=Pair)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        why = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        wanted = '{"earlier": "…", "later": "…"}'
        raise WrongUse(f"line {number} is no such JSON object: {why}; write {wanted}") from None


@contextmanager
def _opened(file: str) -> Generator[BinaryIO]:
    """Yield a file's bytes; standard input stays open."""
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            source = stack.enter_context(Path(file).open("rb"))
        except OSError as error:
            raise WrongUse(f"{file} cannot be read: {error.strerror}") from None
        yield source


def _text(file: str) -> str:
    with _opened(file) as source:
        data = source.read(LINE_BYTES_MAX + 1)
    if len(data) > LINE_BYTES_MAX:
        raise WrongUse(f"{file} is longer than {LINE_BYTES_MAX} bytes: shorten it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongUse(f"{file} is not UTF-8: convert it") from None


@contextmanager
def _progress(file: str) -> Generator[Callable[[int], object]]:
    """Yield what to call with the bytes read: a bar, if a long file's verdicts go elsewhere."""
    size = 0 if file == _STDIN else Path(file).stat().st_size
    if size < LONG_BYTES or sys.stdout.isatty() or not sys.stderr.isatty():
        yield int
        return
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.progress import Progress  # noqa: PLC0415  # as above

    # What is printed meanwhile is the answer, and not to go through the bar.
    with Progress(transient=True, console=Console(stderr=True), redirect_stdout=False) as bar:
        job = bar.add_task("judging", total=size)
        yield lambda count: bar.advance(job, count)
