"""What holds for every command: help, exit codes, and errors without a trace."""

import subprocess
import sys

import pytest

from gateway import __version__
from tests.unit.cli.conftest import Command

COMMANDS = (
    (),
    ("demo",),
    ("doctor",),
    ("env",),
    ("run",),
    ("task",),
    ("task", "start"),
    ("task", "stop"),
    ("task", "list"),
    ("task", "token"),
    ("task", "import"),
    ("keys",),
    ("keys", "create"),
    ("keys", "list"),
    ("keys", "rotate"),
    ("keys", "revoke"),
    ("policy",),
    ("policy", "check"),
    ("likeness",),
    ("likeness", "judge"),
    ("likeness", "explain"),
    ("audit",),
    ("audit", "query"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "goodgate")
def test_every_command_explains_itself(run: Command, command: tuple[str, ...]) -> None:
    code, out, err = run(*command, "--help")

    assert (code, err) == (0, "")
    assert out.lstrip().startswith(" ".join(("Usage: goodgate", *command)))
    if len(command) != 1 or command[0] in ("demo", "doctor", "env", "run"):
        assert "--json" in out or not command


def test_help_lists_every_command_and_what_exit_codes_mean(run: Command) -> None:
    _, out, _ = run("--help")

    names = ("serve", "demo", "doctor", "env", "run", "task", "keys", "policy", "audit", "likeness")
    for name in names:
        assert f"\n  {name} " in out
    assert "0 done, 1 the answer is no, 2 wrong use" in out


def test_version_is_printed(run: Command) -> None:
    assert run("--version") == (0, f"goodgate {__version__}\n", "")


@pytest.mark.parametrize(
    "argv", [("nonsense",), ("keys", "nonsense"), ("--nonsense",), ("task", "stop", "--nonsense")]
)
def test_what_is_no_command_is_wrong_use(run: Command, argv: tuple[str, ...]) -> None:
    code, out, err = run(*argv)

    assert (code, out) == (2, "")
    assert err.startswith("goodgate: error: No such")
    assert "--help" in err


def test_a_variable_of_the_wrong_kind_is_wrong_use(run: Command) -> None:
    code, _, err = run("keys", "list", GOODGATE_PORT="eighty")

    assert (code, "GOODGATE_PORT must be a number" in err) == (2, True)


def imported_by(statement: str) -> set[str]:
    """Return the top-level modules a fresh interpreter holds after a statement."""
    script = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split("\n")[-2].split())


def test_the_way_to_serve_loads_no_command_framework() -> None:
    assert not {"typer", "rich", "click"} & imported_by("import gateway.cli")


def test_a_developers_command_loads_neither_the_server_nor_a_database() -> None:
    """It runs in every shell prompt and git hook: it must be quick."""
    statement = (
        "from gateway import cli\n"
        "cli.main(['env', '--task', 'P-1', '--offline'], {'GOODGATE_KEY': 'gg_x'})"
    )

    loaded = imported_by(statement)

    assert not {"rich", "aiohttp", "uvicorn", "apsw", "starlette", "cel_expr_python"} & loaded
