"""The commands, put together. Imported only when one of them runs: `serve` has no part in it."""

from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import audit, credit, demo, developer, keys, likeness, policy, task, wins

_HELP = """
An LLM gateway whose usage figures cannot be gamed.

\b
goodgate serve                                    # a gateway that answers on :8080
goodgate keys create --principal alice --team payments --data ./data
goodgate task start PROJ-123                      # with GOODGATE_URL and GOODGATE_KEY set

Exit codes: 0 done, 1 the answer is no, 2 wrong use.
"""  # \b is typer's mark for "do not re-wrap"


def _version(wanted: bool) -> None:  # noqa: FBT001  # how typer hands it over
    if wanted:
        print(f"goodgate {__version__}")
        raise typer.Exit(0)


def build() -> typer.Typer:
    """Return every command under the one name."""
    program = typer.Typer(
        name="goodgate",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    program.callback(help=_HELP)(about)
    program.command(
        "serve",
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(serve)
    program.command("demo")(demo.run)
    program.command("doctor")(developer.check_up)
    program.command("env")(developer.env)
    program.command("run", context_settings={"allow_interspersed_args": False})(developer.run)
    program.add_typer(task.group, name="task")
    program.add_typer(keys.group, name="keys")
    program.add_typer(policy.group, name="policy")
    program.add_typer(likeness.group, name="likeness")
    program.add_typer(audit.group, name="audit")
    program.add_typer(credit.group, name="credit")
    program.add_typer(wins.group, name="wins")
    return program


def about(
    *,
    version: Annotated[  # its callback has answered
        bool,
        typer.Option("--version", is_eager=True, callback=_version, help="Print the version."),
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def serve() -> None:
    """Serve calls. `goodgate serve --help` lists its options."""
    raise AssertionError("`serve` is taken by cli.main before any command here is looked at")
