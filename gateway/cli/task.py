"""`goodgate task`: what a key is working on, and the catalogue of what there is."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from gateway import tasks
from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.cli.terminal import WrongUse
from gateway.web.api_times import length_s

group = typer.Typer(no_args_is_help=True, help="Start, stop, list and import tasks.")

TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task, such as PROJ-123.")]
_COLUMNS = ("id", "title", "status", "team", "root", "value", "problem")
_LOOK_S = 0.5
FILE_BYTES_MAX = 50 * 1024 * 1024


@group.command("list")
def listing(
    context: typer.Context,
    *,
    status: Annotated[
        Literal["open", "closed", "all"], typer.Option(help="Which tasks to list.")
    ] = "open",
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """List your tasks; the active one stands first, marked with a star."""
    found = Desk.of(context).asked(data).ask("GET", "/api/tasks", query={"status": status})
    if as_json:
        terminal.as_json(found)
        return 0
    rows = [["*" if task["active"] else "", *(task[name] for name in _COLUMNS)] for task in found]
    terminal.table(["active", *_COLUMNS], rows)
    if not found:
        terminal.say("no task is yours: an admin imports them with `goodgate task import FILE`")
    return 0


@group.command()
def start(context: typer.Context, task: TaskId, *, as_json: AsJson = False) -> int:
    """
    Make a task the active one of your key: calls that name none count for it.

    \b
    goodgate task start PROJ-123
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    wish = {"task": _canonical(task)}
    started = Desk.of(context).remote().ask("POST", "/api/tasks/start", body=wish)
    if as_json:
        terminal.as_json(started)
        return 0
    print(f"{started['id']} started: {terminal.plain(started['title']) or 'no title'}")
    if started["said"]:
        terminal.say(f"warning: {started['said']}")
    return 0


@group.command()
def stop(context: typer.Context, *, as_json: AsJson = False) -> int:
    """Leave your key with no active task."""
    stopped = Desk.of(context).remote().ask("POST", "/api/tasks/stop")
    if as_json:
        terminal.as_json(stopped)
    elif stopped["stopped"]:
        print(f"{stopped['stopped']} stopped")
    else:
        print("no task was active")
    return 0


@group.command()
def sync(
    context: typer.Context,
    tracker: Annotated[str, typer.Argument(metavar="TRACKER", help="As goodgate.yaml names it.")],
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it is finished.")] = True,
    as_json: AsJson = False,
) -> int:
    """
    Have the gateway read a tracker's tasks, and what came of them, page by page (admins).

    \b
    goodgate task sync forge

    What has not changed since last time is not read again; limits of the tracker are waited for.
    Whoever leaves does not stop it. Exit code 1: it ended before all was read.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    from gateway.cli.audit import copying  # noqa: PLC0415  # no other command here waits so long

    remote = Desk.of(context).remote()
    found = remote.ask("POST", "/api/tasks/sync", body={"tracker": tracker})
    with copying.bar(f"Syncing {tracker}") as shown:
        step = copying.on(shown)
        while wait and found["state"] in ("running", "waiting"):
            step(found["finished"], found["projects"])
            time.sleep(_LOOK_S)
            found = remote.ask("GET", "/api/tasks/sync")[tracker]
    if as_json:
        terminal.as_json(found)
    else:
        print(
            f"{tracker}: {found['state']}; {found['pages']} pages ({found['unchanged']} unchanged),"
            f" {found['tasks']} tasks, {found['outcomes']} outcomes"
        )
        if found["waiting_until"]:
            until = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found["waiting_until"]))
            terminal.say(f"the tracker's limit holds until {until}")
        if found["error"]:
            terminal.say_error(found["error"])
    return int(found["state"] == "failed")


@group.command()
def token(
    context: typer.Context,
    task: TaskId,
    *,
    ttl: Annotated[str, typer.Option(metavar="8h", help="How long it holds: 30m, 8h, 7d.")] = "8h",
    as_json: AsJson = False,
) -> int:
    """
    Print a signed credential that names a task, for your key alone.

    \b
    OPENAI_API_KEY="$GOODGATE_KEY~$(goodgate task token PROJ-123)" python script.py
    """  # noqa: D301  # as above
    wish = {"task": _canonical(task), "ttl_s": length_s(ttl)}
    made = Desk.of(context).remote().ask("POST", "/api/tasks/token", body=wish)
    if as_json:
        terminal.as_json(made)
        return 0
    print(made["credential"])
    terminal.say(f"names {made['task']} until {made['expires_at']}; put it behind your key and a ~")
    return 0


@group.command("import")
def take_in(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="YAML, CSV or JSON.")],
    *,
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """
    Read catalogues into the registry (admins). A broken file changes nothing.

    \b
    tasks:
      - {id: PROJ-123, title: Login times out, status: open, members: [alice]}
    """  # noqa: D301  # as above
    asked = Desk.of(context).asked(data)
    texts = [(path, _bytes_of(path)) for path in files]
    done: list[dict[str, Any]] = []
    for path, raw in texts:
        query = {"name": path.name}
        done.append(asked.ask("POST", "/api/tasks/import", query=query, raw=raw))
    if as_json:
        warnings = [warning for one in done for warning in one["warnings"]]
        total = sum(one["tasks"] for one in done)
        terminal.as_json({"tasks": total, "warnings": warnings, "files": done})
        return 0
    for one in done:
        for warning in one["warnings"]:
            terminal.say(f"warning: {warning}")
        print(f"{terminal.plain(one['file'])}: {one['tasks']} tasks imported")
    return 0


def _canonical(text: str) -> str:
    task_id = tasks.canonical(text)
    if not task_id:
        raise WrongUse(
            f"{text!r} can be no task id: letters, digits, dot, dash and underscore, up to 128"
        )
    return task_id


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise WrongUse(f"{path} is larger than 50 MiB: import it in parts")
        return path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}") from None
