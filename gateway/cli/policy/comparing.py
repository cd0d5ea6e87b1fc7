"""`goodgate policy diff`: what a change of policies means, in words."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway.policy import PolicySet
    from gateway.rehearsal.differences.difference import Change

_DIGEST = re.compile(r"sha256:[0-9a-f]{16}")
_STYLES = {"stricter": "yellow", "looser": "green", "": ""}


def diff(
    context: typer.Context,
    old: Annotated[
        str, typer.Argument(metavar="OLD", help="A file, a folder, or sha256:… with --data.")
    ],
    new: Annotated[str, typer.Argument(metavar="NEW", help="As OLD.")],
    *,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """
    Say in words what changed from OLD to NEW, most important first.

    Where a rule stands, and how a condition is spaced, is no difference.

    \b
    goodgate policy diff policies/ new-policies/
    git worktree add ../main main && goodgate policy diff ../main/policies policies/
    goodgate policy diff sha256:4d2f77d562676f37 policies/ --data ./data

    Exit code 0: no difference. 1: differences. 2: one of them cannot be used.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command needs a compiler of conditions.
    from gateway.rehearsal.differences.difference import difference  # noqa: PLC0415  # as above

    folder = data or Desk.of(context).settings.data
    found = difference(*(_loaded(each, folder) for each in (old, new)))
    if as_json:
        terminal.as_json(msgspec.to_builtins(found))
    else:
        _show(found.changes)
    return 1 if found.changes else 0


def _loaded(what: str, data: Path | None) -> "PolicySet":
    """Return a policy set; raises WrongUse with every mistake in it."""
    from gateway import policy  # noqa: PLC0415  # as above
    from gateway.app import sources  # noqa: PLC0415  # as above

    try:
        if _DIGEST.fullmatch(what):
            return policy.load(_kept(what, data))
        path = Path(what)
        if not path.exists():
            raise WrongUse(f"{what}: there is no such file or folder of policies")
        return policy.load(sources.policy_files(path))
    except ConfigError as error:
        raise WrongUse(str(error)) from None


def _kept(digest: str, data: Path | None) -> list[tuple[str, str]]:
    from gateway.stores.sqlite.reading import Reading  # noqa: PLC0415  # as above

    if data is None:
        raise WrongUse(f"{digest} is kept in a data folder: name it with --data DIR")
    files = Reading(data).policy_files(digest)
    if files is None:
        raise WrongUse(f"{digest} was never in force here: no such policies are in {data}")
    return files


def _show(changes: Sequence["Change"]) -> None:
    if not changes:
        print("no difference")
        return
    if not sys.stdout.isatty():
        for change in changes:
            print(terminal.plain(change.line))
            for part in change.parts:
                print(f"    {terminal.plain(part)}")
        return
    # Imported here: in a pipe nobody should wait 40 ms for colours.
    from rich.console import Console  # noqa: PLC0415  # only a terminal needs it
    from rich.text import Text  # noqa: PLC0415  # as above

    console = Console(highlight=False)
    for change in changes:
        words = terminal.plain(change.line.removeprefix(f"{change.subject}: "))
        subject = (f"{terminal.plain(change.subject)}: ", "bold")
        said = Text.assemble(subject, (words, _STYLES[change.direction]))
        console.print(said, soft_wrap=True)
        for part in change.parts:
            console.print(Text(f"    {terminal.plain(part)}", "dim"), soft_wrap=True)
