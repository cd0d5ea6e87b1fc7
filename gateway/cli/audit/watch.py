"""`goodgate audit watch`: the small witness an auditor runs somewhere else."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import terminal
from gateway.cli.desk import Desk
from gateway.cli.remote import Remote
from gateway.cli.terminal import WrongUse
from gateway.errors import GatewayError
from gateway.web.api_times import length_s

if TYPE_CHECKING:
    from gateway.cli.audit.state import State
    from gateway.ledger import notes
    from gateway.ledger.verification import Source

_CHECKPOINT = "checkpoint"
_COSIGNATURES = "/api/log/cosignatures"


def watch(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="The gateway's URL, or an export's folder.")
    ],
    *,
    key: Annotated[str, typer.Option(metavar="VKEY", help="The log's public key.")],
    state: Annotated[
        Path, typer.Option(metavar="DIR", help="What the witness remembers: never lose it.")
    ],
    every: Annotated[str, typer.Option(metavar="10s", help="How often to look.")] = "10s",
    once: Annotated[bool, typer.Option("--once", help="Look once, and be done.")] = False,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The witness's, at first use: auditors.example/w.")
    ] = "",
) -> int:
    """
    Follow a log's checkpoints, refuse a fork, and cosign what goes on from all that was seen.

    \b
    goodgate audit watch https://gateway:8080 --key goodgate/0f…+5c… --state ./witness
    goodgate audit watch ./export --key goodgate/0f…+5c… --state ./witness --once

    A gateway is asked with GOODGATE_KEY, a key of role auditor. Exit code 1: the log was cut or
    forked; both checkpoints are kept in DIR/evidence-*.txt.
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    # Imported here: no other command keeps a witness's folder.
    from gateway.cli.audit.state import State  # noqa: PLC0415  # as above

    desk = Desk.of(context)
    wait_s = length_s(every)
    verifier = _verifier(key)
    log = _Watched(source, desk.settings.key)
    with State(state, name) as kept:
        terminal.say(f"this witness's key, for auditors (--witness): {kept.signer.verifier.vkey}")
        watching = Watching(log, verifier, kept, desk)
        try:
            return watching.look_once() if once else watching.look_on(wait_s)
        except KeyboardInterrupt:
            return 0


class _Watched:
    """A log, by a URL or in a folder."""

    def __init__(self, where: str, key: str) -> None:
        is_url = where.startswith(("http://", "https://"))
        self.remote = Remote(where, key) if is_url else None
        self._folder = Path(where)

    def open(self) -> "Source":
        """Return the log's files as they are now; raises GatewayError."""
        from gateway.cli.audit import sources  # noqa: PLC0415  # as in `watch`

        if self.remote is not None:
            return sources.gateway(self.remote)
        return sources.FolderSource(self._folder)


class Watching:
    """A witness at work on one log."""

    def __init__(self, log: _Watched, key: "notes.Verifier", state: "State", desk: Desk) -> None:
        self._log = log
        self._key = key
        self._state = state
        self._desk = desk
        self._handed = ""
        """The note whose cosignature the gateway has."""

    def look_on(self, wait_s: int) -> int:
        """Look again and again; return 1 when the log is refused."""
        while True:
            try:
                if not self._look():
                    return 1
            except GatewayError as error:
                terminal.say(f"nothing was cosigned: {error}")
            pause(wait_s)

    def look_once(self) -> int:
        """Look once; return 1 when nothing could be cosigned."""
        try:
            return 0 if self._look() else 1
        except GatewayError as error:
            terminal.say_error(f"nothing was cosigned: {error}")
            return 1

    def _look(self) -> bool:
        """Look, and cosign; False: the log is refused. Raises GatewayError."""
        from gateway.ledger import witness  # noqa: PLC0415  # as in `watch`

        source, known = self._log.open(), self._state.last()
        latest = source.read(_CHECKPOINT) or b""
        try:
            found = witness.follow(known, latest, self._key, source.read)
        except witness.Unproven as unproven:
            raise terminal.Unreachable(str(unproven)) from None
        except witness.Refused as why:
            kept = self._state.accuse(witness.evidence(why, known, latest))
            terminal.say_error(f"REFUSED: {why}")
            terminal.say(f"both checkpoints are in {kept}: show them to other auditors")
            return False
        note = known
        if found.is_new:
            signer, now_s = self._state.signer, int(self._desk.clock())
            note, _ = witness.cosign(found, signer, now_s)
            # What was signed is remembered before anybody sees the signature.
            self._state.keep(note)
            print(f"cosigned {found.checkpoint.size:,} entries", flush=True)
        line = witness.line_of(note, self._state.signer.verifier)
        self._hand_over(note, found.checkpoint.size, line)
        return True

    def _hand_over(self, note: str, size: int, line: str) -> None:
        """Give the gateway the cosignature, once; a folder gets none."""
        if self._log.remote is None or self._handed == note:
            return
        try:
            self._log.remote.ask("POST", _COSIGNATURES, body={"size": size, "line": line})
        except GatewayError as error:
            terminal.say(f"cosigned, and the gateway did not take it (it is in --state): {error}")
            return
        self._handed = note


def pause(wait_s: float) -> None:
    """Wait until it is time to look again."""
    time.sleep(wait_s)


def _verifier(vkey: str) -> "notes.Verifier":
    from gateway.ledger import notes  # noqa: PLC0415  # as in `watch`

    try:
        found = notes.Verifier.parse(vkey.strip())
    except ValueError as wrong:
        raise WrongUse(f"--key is no public key of a log: {wrong}") from None
    if found.kind != notes.ED25519:
        raise WrongUse("--key is the key of a witness: give the log's own")
    return found
