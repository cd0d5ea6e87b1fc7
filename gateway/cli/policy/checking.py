"""`goodgate policy check`: are these files usable? Answered here, with no gateway running."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Desk
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from gateway import policy


def check(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATHS", help="Files and folders; else GOODGATE_POLICIES."),
    ] = None,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The goodgate.yaml that `route` rules must fit; else GOODGATE_CONFIG.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """
    Say whether policies can be used; every mistake as file:line:col.

    \b
    goodgate policy check policies/
    goodgate policy check policies/ --config goodgate.yaml
    goodgate policy check policies/ && curl -X POST …/-/reload
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command needs a compiler of conditions.
    from gateway import policy  # noqa: PLC0415  # as above

    desk = Desk.of(context)
    try:
        files = _files(paths or [], desk.settings.policies)
        loaded = policy.load(files)
        notes = [*loaded.notes, *_against(loaded, config or desk.settings.config, desk)]
    except ConfigError as error:
        mistakes = str(error).splitlines()
        if as_json:
            terminal.as_json({"usable": False, "mistakes": mistakes})
        else:
            terminal.say_error(error)
        return 1
    names = [name for name, _ in files]
    if as_json:
        found = {
            "usable": True,
            "mistakes": [],
            "notes": notes,
            "policy": loaded.digest,
            "files": names,
        }
        terminal.as_json(found)
    else:
        print(f"{', '.join(terminal.plain(name) for name in names)}: usable, {loaded.digest}")
        for note in notes:
            print(f"note: {terminal.plain(note)}")
    return 0


def _against(loaded: "policy.PolicySet", config: Path | None, desk: Desk) -> tuple[str, ...]:
    """Return the notes on rules that send calls elsewhere, held against goodgate.yaml if known."""
    if config is None or not any(rule.route for rule in loaded.rules):
        return ()  # nobody needs the secrets that goodgate.yaml names to check other rules
    from gateway import settings  # noqa: PLC0415  # as above
    from gateway.app import sources  # noqa: PLC0415  # as below

    return sources.against(loaded, settings.load(config, desk.environ))


def _files(paths: Sequence[Path], default: Path | None) -> list[tuple[str, str]]:
    # Imported here: the composition root brings the whole server with it.
    from gateway.app import sources  # noqa: PLC0415  # as above

    chosen: Sequence[Path | None] = paths or [default]
    return [file for path in chosen for file in sources.policy_files(path)]
