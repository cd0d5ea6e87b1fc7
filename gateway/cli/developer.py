"""What a developer types beside the task: `env`, `run` and `doctor`."""

import os
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import typer

from gateway import tasks
from gateway.cli import doctor, terminal
from gateway.cli.desk import AsJson, Desk
from gateway.cli.remote import Remote
from gateway.cli.terminal import Answered, WrongUse

Shell: TypeAlias = Literal["sh", "fish", "powershell"]
TaskId = Annotated[str, typer.Option("--task", metavar="ID", help="The task, such as PROJ-123.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Do not ask the gateway whether the task can be used.")
]
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126


def variables(remote: Remote, key: str, task_id: str) -> dict[str, str]:
    """
    Return what SDKs and agents read from their environment, by name.

    Each SDK's own variable names a header for all its calls. What reads only the older
    `…_API_BASE` can send no header of its own, so there the task is in the path.
    """
    url, header = remote.url, f"X-Task-Id: {task_id}"
    by_path = f"{url}/t/{task_id}"
    return {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{by_path}/v1",
        "OPENAI_API_KEY": key,
        "OPENAI_CUSTOM_HEADERS": header,
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_BASE": by_path,
        "ANTHROPIC_AUTH_TOKEN": key,
        "ANTHROPIC_API_KEY": key,
        "ANTHROPIC_CUSTOM_HEADERS": header,
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": key,
        "GEMINI_CLI_CUSTOM_HEADERS": header,
        "TASK_ID": task_id,
    }


def exports(found: Mapping[str, str], shell: Shell) -> str:
    """Return the lines that set variables in a shell, each value quoted for it."""
    return "\n".join(_EXPORT[shell](name, value) for name, value in found.items())


def env(
    context: typer.Context,
    *,
    task: TaskId,
    shell: Annotated[Shell, typer.Option("--shell", help="Whose syntax to print.")] = "sh",
    offline: Offline = False,
    as_json: AsJson = False,
) -> int:
    """
    Print the variables that point SDKs and agents at the gateway, for one task.

    \b
    eval "$(goodgate env --task PROJ-123)"                       # bash, zsh
    goodgate env --task PROJ-123 --shell fish | source           # fish
    goodgate env --task PROJ-123 --shell powershell | iex        # PowerShell

    Codex reads its header from config.toml: env_http_headers = {"X-Task-Id" = "TASK_ID"}.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    found = _prepare(desk, task, offline=offline)
    if as_json:
        terminal.as_json(found)
    else:
        print(exports(found, shell))
    return 0


def run(
    context: typer.Context,
    *,
    task: TaskId,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD…")],
    offline: Offline = False,
    as_json: AsJson = False,
) -> int:
    """
    Run a command with those variables set; its exit code becomes this one's.

    \b
    goodgate run --task PROJ-123 -- claude
    goodgate run --task PROJ-123 -- python script.py

    With --json, print what would be run instead of running it.
    """  # noqa: D301  # as above
    desk = Desk.of(context)
    found = _prepare(desk, task, offline=offline)
    if as_json:
        terminal.as_json({"command": command, "environment": found})
        return 0
    try:
        os.execvpe(command[0], command, {**desk.environ, **found})  # noqa: S606  # the user's own
    except FileNotFoundError:
        terminal.say_error(f"there is no command {command[0]!r} on the PATH")
        return _NOT_FOUND
    except OSError as error:
        terminal.say_error(f"{command[0]!r} cannot be run: {error.strerror}")
        return _NOT_EXECUTABLE


def check_up(context: typer.Context, *, as_json: AsJson = False) -> int:
    """
    Check everything between this machine and an answered call; say what to mend.

    \b
    GOODGATE_URL=https://gateway.example GOODGATE_KEY=gg_… goodgate doctor
    """  # noqa: D301  # as above
    desk = Desk.of(context)
    lines = doctor.examine(desk.remote(), desk.clock)
    if as_json:
        terminal.as_json([msgspec.structs.asdict(line) for line in lines])
    else:
        doctor.show(lines)
    return 1 if any(line.state == "fail" for line in lines) else 0


def _prepare(desk: Desk, task: str, *, offline: bool) -> dict[str, str]:
    """Return the variables for a task; a task the gateway refuses raises Answered."""
    task_id = tasks.canonical(task)
    if not task_id:
        raise WrongUse(
            f"{task!r} can be no task id: letters, digits, dot, dash and underscore,"
            " up to 128 of them"
        )
    if not desk.settings.key:
        raise WrongUse("the SDKs need a key: set GOODGATE_KEY to yours")
    remote = desk.remote()
    if not offline:
        _warn(remote.ask("GET", f"/api/tasks/{task_id}"))
    return variables(remote, desk.settings.key.strip(), task_id)


def _warn(found: Mapping[str, Any]) -> None:
    problem, said = str(found.get("problem", "")), str(found.get("said", ""))
    if not found.get("usable", False):
        raise Answered(400, f"task_{problem or 'unknown'}", said)
    if problem:
        terminal.say(f"warning: {said}")


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str) -> str:
    # PowerShell takes typographic quotes for plain ones, so those are doubled too.
    escaped = "".join(char * 2 if char in _POWERSHELL_QUOTES else char for char in value)
    return f"$env:{name} = '{escaped}'"


_POWERSHELL_QUOTES = "'\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\u201a\u201b"
_EXPORT = {"sh": _sh, "fish": _fish, "powershell": _powershell}
