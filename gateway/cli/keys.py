"""`goodgate keys`: credentials for people and programs."""

from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Data, Desk
from gateway.web.api_times import length_s

group = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke keys (admins).")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="A key's id: see `goodgate keys list`.")]
_COLUMNS = ("id", "principal", "team", "role", "models", "created_at", "expires_at", "revoked_at")


@group.command()
def create(  # one argument for each option
    context: typer.Context,
    *,
    principal: Annotated[str, typer.Option(metavar="NAME", help="Whose key it is.")],
    team: Annotated[str, typer.Option(metavar="TEAM", help="The team they belong to.")],
    role: Annotated[
        Literal["developer", "admin", "auditor"], typer.Option(help="What the key may do.")
    ] = "developer",
    models: Annotated[
        str, typer.Option(metavar="A,B", help="The only models it may use; else all.")
    ] = "",
    expires: Annotated[
        str, typer.Option(metavar="90d", help="How long it lives: 12h, 90d, 4w; else for ever.")
    ] = "",
    data: Data = None,
    as_json: AsJson = False,
) -> int:
    """
    Make a key. It is shown this once, and kept only as a keyed hash.

    \b
    goodgate keys create --principal alice --team payments
    goodgate keys create --principal root --team ops --role admin --data ./data
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    wish: dict[str, Any] = {
        "principal": principal,
        "team": team,
        "role": role,
        "models": [name.strip() for name in models.split(",") if name.strip()],
    }
    if expires:
        wish["expires_in_s"] = length_s(expires)
    made = Desk.of(context).asked(data).ask("POST", "/api/keys", body=wish)
    _show_once(made, as_json=as_json)
    return 0


@group.command("list")
def listing(context: typer.Context, *, data: Data = None, as_json: AsJson = False) -> int:
    """List the keys, newest first. Secrets are not kept, so none is shown."""
    keys = Desk.of(context).asked(data).ask("GET", "/api/keys")
    if as_json:
        terminal.as_json(keys)
    else:
        terminal.records(_COLUMNS, keys)
    return 0


@group.command()
def rotate(
    context: typer.Context, key_id: KeyId, *, data: Data = None, as_json: AsJson = False
) -> int:
    """Make a new key alike and revoke the old one at once."""
    made = Desk.of(context).asked(data).ask("POST", _path(key_id, "rotate"))
    _show_once(made, as_json=as_json)
    return 0


@group.command()
def revoke(
    context: typer.Context, key_id: KeyId, *, data: Data = None, as_json: AsJson = False
) -> int:
    """Revoke a key. Running servers refuse it within five seconds."""
    done = Desk.of(context).asked(data).ask("POST", _path(key_id, "revoke"))
    if as_json:
        terminal.as_json(done)
    else:
        print(f"{done['id']} revoked")
    return 0


def _path(key_id: str, verb: str) -> str:
    return f"/api/keys/{quote(key_id, safe='')}/{verb}"


def _show_once(made: dict[str, Any], *, as_json: bool) -> None:
    """Print the credential alone on standard output, and what it is beside it."""
    if as_json:
        terminal.as_json(made)
        return
    print(made["key"])
    until = f", until {made['expires_at']}" if made.get("expires_at") else ""
    terminal.say(
        f"key {made['id']} for {made['principal']} ({made['team']}, {made['role']}{until})"
    )
    terminal.say("it is shown this once: store it now, for example as GOODGATE_KEY")
