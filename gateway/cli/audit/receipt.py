"""
`goodgate audit receipt`: the proof that a call is in the ledger, checked before it is shown.

A receipt that does not verify is never printed or kept. With the promise the reply carried
(`x-goodgate-receipt`) it is found out whether it was kept.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import typer
from msgspec import Struct

from gateway.cli import terminal
from gateway.cli.desk import AsJson, Asked, Data, Database, Desk
from gateway.cli.terminal import Answered, Unreachable, WrongUse
from gateway.errors import GatewayError, NotFound, ReceiptPending
from gateway.ledger import checkpoints, merkle, notes, projection
from gateway.ledger.promises import Promise
from gateway.ledger.proofs import Receipt

SUFFIX = ".tlog-proof"
FILE_BYTES_MAX = 1_000_000
_LAST_S = 253_402_300_799
"""The end of the year 9999: no later moment can be written."""
_HEADER = re.compile(r"^\s*(?:x-goodgate-receipt:)?\s*(v=1;.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_NOT_YET = frozenset((NotFound.code, ReceiptPending.code))

_REPLACED = "where the log's key was replaced since, give both with --key (your auditors know it)"

Which = Literal["intent", "settle"]
Trusted: TypeAlias = Sequence[notes.Verifier]
"""Public keys of the log."""


class Proof(Struct, frozen=True, kw_only=True):
    """A receipt that verifies, and the entry it proves."""

    text: str
    receipt: Receipt
    entry: dict[str, Any]
    size: int
    """Of the checkpoint it ends in."""


def receipt(  # noqa: PLR0913  # one argument for each option
    context: typer.Context,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="From `x-request-id`.")
    ] = "",
    *,
    leaf: Annotated[
        Literal["intent", "settle"] | None,
        typer.Option(help="Which entry: what it came to, or that it was sent (or refused)."),
    ] = None,
    promise: Annotated[
        str,
        typer.Option(metavar="TEXT|FILE", help="What `x-goodgate-receipt` said: was it kept?"),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the receipt in FILE.tlog-proof.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a kept receipt; asks nobody.")
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="VKEY",
            help="A public key of the log, as you have it; may be given"
            " again, for one that replaced it.",
        ),
    ] = None,
    data: Data = None,
    database: Database = "",
    as_json: AsJson = False,
) -> int:
    """
    Prove that a call is in the ledger, with a receipt to keep.

    \b
    goodgate audit receipt req_0192… --out mine --key goodgate/…
    goodgate audit receipt req_0192… --promise headers.txt
    goodgate audit receipt --check mine.tlog-proof --key goodgate/…
    """  # noqa: D301  # \b is typer's mark for "do not re-wrap", not an escape
    if (check is None) == (not request_id):
        raise WrongUse("name the request id of a call, or a kept receipt with --check FILE")
    if check is not None:
        if not keys:
            raise WrongUse("--check needs the log's public key, as you have it: --key VKEY")
        _show(_checked(_text_of(check), _trusted(keys)), as_json=as_json)
        return 0
    desk = Desk.of(context)
    asked = desk.asked(data, database)
    trusted = _trusted(keys or [_named_key(asked)])
    if promise:
        promised = _promise(promise, request_id, trusted)
        return _redeem(asked, promised, trusted, desk.clock(), out, as_json=as_json)
    proof = _fetched(asked, request_id, leaf or "settle", trusted)
    _hand_out(proof, out, as_json=as_json)
    return 0


def _redeem(  # what a promise says, and what to do with its receipt
    asked: Asked,
    promised: Promise,
    trusted: Trusted,
    now_s: float,
    out: Path | None,
    *,
    as_json: bool,
) -> int:
    """Say whether a promise was kept; 1 unless it was."""
    request_id = promised.promised.request_id
    try:
        proof = _fetched(asked, request_id, "intent", trusted)
    except GatewayError as error:
        if error.code not in _NOT_YET:
            raise
        is_due = promised.by_s < now_s
        by = projection.iso(min(promised.by_s, _LAST_S) * 1_000_000)
        said = f"it was due by {by}, and the log does not show the entry: {error}"
        if not is_due:
            said = f"not kept yet; it is due by {by}: {error}"
        return _judged("BROKEN" if is_due else "pending", said, as_json=as_json)
    entry = proof.entry
    same_place = (entry["replica"], entry["replica_seq"]) == (
        promised.promised.replica,
        promised.promised.replica_seq,
    )
    if merkle.leaf_hash(proof.receipt.leaf) != promised.promised.leaf or not same_place:
        said = f"the log holds another entry for {request_id} than was promised; keep both"
        return _judged("BROKEN", said, as_json=as_json)
    if out is not None:
        _keep(proof, out)
    return _judged("kept", f"entry {proof.receipt.index} is what was promised", as_json=as_json)


def _judged(verdict: str, said: str, *, as_json: bool) -> int:
    if as_json:
        terminal.as_json({"promise": verdict.lower(), "said": said})
    else:
        print(verdict)
        terminal.say(said)
    return 0 if verdict == "kept" else 1


def _fetched(asked: Asked, request_id: str, which: Which, trusted: Trusted) -> Proof:
    """Return a receipt the gateway gave, once it is verified and about this call."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", request_id):
        raise WrongUse("a request id is letters, digits, dash and underscore: see x-request-id")
    text = asked.document(f"/api/receipts/{request_id}", query={"leaf": which})
    proof = _checked(text.decode(errors="replace"), trusted)
    if proof.entry.get("request_id") != request_id:
        raise Unreachable("the receipt is genuine, and one of another call: it is not shown")
    return proof


def _checked(text: str, trusted: Trusted) -> Proof:
    """Return a receipt that verifies by one of the keys; raises Answered for every other."""
    said = ""
    for verifier in trusted:
        try:
            found = Receipt.parse(text)
            found.verify(found.leaf, verifier, verifier.name)
            entry = msgspec.json.decode(found.leaf, type=dict[str, Any])
            size = checkpoints.read(found.checkpoint, verifier.name)[0].size
        except (ValueError, msgspec.MsgspecError) as wrong:
            said = said or str(wrong)
            continue
        return Proof(text=text, receipt=found, entry=entry, size=size)
    raise Answered(400, "wrong_receipt", f"this receipt does not verify: {said}; {_REPLACED}")


def _hand_out(proof: Proof, out: Path | None, *, as_json: bool) -> None:
    if out is None and not as_json:
        print(proof.text, end="")
        terminal.say(_verified(proof))
        return
    if out is not None:
        _keep(proof, out)
    _show(proof, as_json=as_json)


def _show(proof: Proof, *, as_json: bool) -> None:
    if as_json:
        found = {"verified": True, "index": proof.receipt.index, "size": proof.size}
        terminal.as_json({**found, "entry": proof.entry})
        return
    terminal.table(("field", "value"), list(proof.entry.items()))
    terminal.say(_verified(proof))


def _verified(proof: Proof) -> str:
    return f"verified: entry {proof.receipt.index} of a log of {proof.size:,}, as signed"


def _keep(proof: Proof, out: Path) -> None:
    path = out if out.name.endswith(SUFFIX) else out.with_name(out.name + SUFFIX)
    try:
        path.write_text(proof.text, encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"{path} cannot be written: {error.strerror}") from None
    terminal.say(f"{path} holds the receipt: keep it; it is checked with --check")


def _named_key(asked: Asked) -> str:
    terminal.say("checked by the key the gateway names itself: give --key to rely on your own copy")
    return str(asked.ask("GET", "/api/log/key")["vkey"])


def _trusted(vkeys: Sequence[str]) -> Trusted:
    return [_verifier(each) for each in vkeys]


def _verifier(vkey: str) -> notes.Verifier:
    try:
        found = notes.Verifier.parse(vkey.strip())
    except ValueError as wrong:
        raise WrongUse(f"--key is no public key of a log: {wrong}") from None
    if found.kind != notes.ED25519:
        raise WrongUse("--key is the key of a witness: give the log's own")
    return found


def _promise(given: str, request_id: str, trusted: Trusted) -> Promise:
    """Return the promise given as a text or in a file (of headers, say), once it is verified."""
    found = _HEADER.search(given) or _HEADER.search(_text_of(Path(given)))
    if found is None:
        raise WrongUse("--promise holds no promise: it is what `x-goodgate-receipt` says")
    try:
        promise = Promise.parse(found[1])
    except ValueError as wrong:
        raise WrongUse(f"--promise cannot be read: {wrong}") from None
    if promise.promised.request_id != request_id:
        raise WrongUse(f"this promise is about {promise.promised.request_id}, another call")
    if not any(promise.verify(each, each.name) for each in trusted):
        keys = " or ".join(each.vkey for each in trusted)
        raise Answered(400, "wrong_promise", f"this promise was not signed by {keys}; {_REPLACED}")
    return promise


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        raise WrongUse(f"{path} cannot be read: {error.strerror}") from None
