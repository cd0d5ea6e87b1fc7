"""`goodgate audit key` and `rotate-key`: what signs the ledger, and its replacement."""

import os
import secrets as random
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli import stores, terminal
from gateway.cli.desk import AsJson, Data, Database, Desk
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError
from gateway.ledger import notes


def key(
    context: typer.Context, *, data: Data = None, database: Database = "", as_json: AsJson = False
) -> int:
    """Print which log it is, and the public key that signs it."""
    found = Desk.of(context).asked(data, database).ask("GET", "/api/log/key")
    if as_json:
        terminal.as_json(found)
    else:
        terminal.records(("origin", "vkey"), [found])
    return 0


def rotate_key(
    context: typer.Context,
    *,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The folder of a stopped server.")
    ],
    as_json: AsJson = False,
) -> int:
    """
    Replace the key that signs the ledger. Stop the server first.

    \b
    goodgate audit rotate-key --data ./data
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    desk = Desk.of(context)
    if desk.settings.ledger_key:
        raise WrongUse(
            "the key comes from GOODGATE_LEDGER_KEY, so no file is replaced: set"
            " GOODGATE_LEDGER_KEY_PREVIOUS to it, GOODGATE_LEDGER_KEY to 64 new hexadecimal digits"
            " (`openssl rand -hex 32`) on every gateway, and restart them"
        )
    where, lock = stores.Where(folder=data), stores.hold(data)
    try:
        origin, in_use = stores.opened(where).log()
        seed = stores.signing_key(where, desk.settings)
        if seed is None:
            raise ConfigError(f"{data}: the ledger's signing key is not here: nothing to replace")
        if notes.Signer.from_seed(origin, seed).verifier.vkey != in_use:
            raise ConfigError(
                f"{data}: the ledger is still signed by {in_use}, and the key here is another:"
                " start `goodgate serve` once, which records that rotation, before the next"
            )
        fresh = _replace(data, origin)
    finally:
        os.close(lock)
    if as_json:
        terminal.as_json({"origin": origin, "previous": in_use, "vkey": fresh.verifier.vkey})
        return 0
    print(fresh.verifier.vkey)
    terminal.say("this is the new public key: give it to your auditors")
    terminal.say("the next start of `goodgate serve` records the change as an entry, and signs it")
    terminal.say(f"with both keys; whoever trusts {in_use} can follow it")
    return 0


def _replace(folder: Path, origin: str) -> notes.Signer:
    """Put a new key in the place of the old one, and return it. No step loses a key."""
    seed = random.token_bytes(notes.KEY_BYTES)
    fresh = folder / f".{stores.LEDGER_KEY}.{random.token_hex(8)}"
    current, previous = folder / stores.LEDGER_KEY, folder / stores.PREVIOUS_KEY
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(seed.hex().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if previous.exists():
            older = notes.Signer.from_seed(origin, bytes.fromhex(previous.read_text().strip()))
            previous.rename(folder / f"{stores.LEDGER_KEY}.{older.verifier.key_id.hex()}.retired")
        # A second name first: were the old key moved away, a start in between would make one up.
        previous.hardlink_to(current)
        fresh.replace(current)
        directory = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder}: its keys cannot be replaced: {error}") from None
    return notes.Signer.from_seed(origin, seed)
