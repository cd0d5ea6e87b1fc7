"""
The command line: arguments in, exit codes out.

0 done · 1 the answer is no · 2 wrong use. Every command asks the routes a developer's
machine would ask, over HTTP or (with `--data`) over the stores of a folder, so that there
is one answer to every question. `serve` never imports the framework the others use.
"""

import os
import sys
from collections.abc import Mapping, Sequence

from gateway.errors import GatewayError

_WRONG_USE = 2


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command the arguments name and return its exit code."""
    if argv[:1] == ["serve"]:
        from gateway.cli import serve  # noqa: PLC0415  # it must start without the framework

        return serve.main(list(argv[1:]), environ)
    try:
        return _command(list(argv), environ)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _command(argv: list[str], environ: Mapping[str, str]) -> int:
    # Imported here: `serve` passes through this module.
    import typer  # noqa: PLC0415  # as above
    from typer.exceptions import TyperException  # noqa: PLC0415  # as above

    from gateway import settings  # noqa: PLC0415  # as above
    from gateway.cli import application, desk, terminal  # noqa: PLC0415  # as above

    try:
        here = desk.Desk(settings=settings.from_environment(environ), environ=environ)
    except GatewayError as error:
        terminal.say_error(error)
        return _WRONG_USE
    command = typer.main.get_command(application.build())
    try:
        code = command.main(argv, prog_name="goodgate", standalone_mode=False, obj=here)
        sys.stdout.flush()
    except TyperException as error:
        terminal.say_error(error.format_message())
        terminal.say("`--help` behind any command shows what it takes")
        return error.exit_code
    except terminal.WrongUse as error:
        terminal.say_error(error)
        return _WRONG_USE
    except GatewayError as error:
        terminal.say_error(error)
        return _WRONG_USE if error.code == "invalid_request" else 1
    return int(code or 0)
