"""
The log for those who check it: its files, receipts of calls, and what witnesses send back.

The files are those of an export, so that one verifier reads both. Nothing here is believed by
whoever checks: all of it is proven by the checkpoint and the key they have.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gateway import reports
from gateway.errors import InvalidRequest, NotFound
from gateway.ledger import decision_log, notes, proofs, tiles
from gateway.web.api_terms import Api, Ask, Document, body_of, count_of, query_of

COSIGNATURES_MAX = 16
"""Kept of one checkpoint: nobody can fill the ledger with lines nobody can check."""
LINE_MAX = 512
UNSEQUENCED_S = 60.0
"""An entry younger than this may still wait for its place in the tree."""
SIZE_MAX = 10**12 - 1
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
JSON_LINES = "application/jsonl"
BYTES = "application/octet-stream"
_COSIGNATURE_BYTES = 8 + notes.SIGNATURE_BYTES
_MEDIA = {".json": JSON, ".jsonl": JSON_LINES}
_WHICH: Mapping[str, reports.Which] = {"settle": "settle", "intent": "intent"}
_SUFFIX = re.compile(r"\.jsonl?$")


class Cosignature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/log/cosignatures."""

    size: int
    """Of the checkpoint it is for."""
    line: str
    """The signature line, as C2SP signed-note writes it."""


async def key(api: Api, ask: Ask) -> dict[str, str]:
    """Return which log this is, and the public key that signs it."""
    query_of(ask, ())
    name = await asyncio.to_thread(api.reading.log)
    return {"origin": name.origin, "vkey": name.vkey}


async def checkpoint(api: Api, ask: Ask) -> Document:
    """Return the newest checkpoint, or that of a size, for anybody who wants to keep it."""
    size = _size(ask)
    note = await asyncio.to_thread(lambda: reports.LogFiles(api.reading, size=size).note)
    return Document(body=note.encode(), media_type=TEXT)


async def files(api: Api, ask: Ask) -> list[str]:
    """Return the paths of the log's files at the newest checkpoint, or at one of a size."""
    size = _size(ask)
    return await asyncio.to_thread(lambda: sorted(reports.LogFiles(api.reading, size=size).paths()))


async def file(api: Api, ask: Ask) -> Document:
    """Return one file of the log."""
    size, path = _size(ask), ask.place["path"]
    body = await asyncio.to_thread(lambda: reports.LogFiles(api.reading, size=size).read(path))
    if body is None:
        raise NotFound("the log has no such file: GET /api/log/files lists those there are")
    suffix = _SUFFIX.search(path)
    media = BYTES if path.startswith("tile/") else _MEDIA[suffix[0]] if suffix else TEXT
    return Document(body=body, media_type=media, is_final=_is_full_tile(path))


async def manifest(api: Api, ask: Ask) -> Document:
    """Return the signed list of the log's files at the newest checkpoint, or at one of a size."""
    text = await asyncio.to_thread(_manifest, api, _size(ask))
    return Document(body=text.encode(), media_type=TEXT)


async def receipt(api: Api, ask: Ask) -> Document:
    """Return the receipt of a call of the caller's own; of any, to those who may audit."""
    which = _WHICH.get(query_of(ask, ("leaf",)).get("leaf", "settle"))
    if which is None:
        raise InvalidRequest("leaf is settle or intent (which stands for the refusal, too)")
    try:
        found = await asyncio.to_thread(_receipt, api, ask, which)
    except NotFound:
        made_ms = decision_log.received_ms(ask.place["id"])
        if made_ms is None or abs(api.clock() - made_ms / 1_000) > UNSEQUENCED_S:
            raise
        await api.flush()
        found = await asyncio.to_thread(_receipt, api, ask, which)
    return Document(body=found.encode().encode(), media_type=TEXT)


async def cosign(api: Api, ask: Ask) -> dict[str, Any]:
    """Keep a witness's cosignature. Whether it is true is for those who know the witness."""
    wish = body_of(ask, Cosignature)
    line = wish.line.removesuffix("\n")
    name, _, signature = _signature(line)
    kept = await asyncio.to_thread(_checkpoint, api, wish.size)
    log = await asyncio.to_thread(api.reading.log)
    if name == log.origin:
        raise InvalidRequest("this is no witness: its key has the log's own name")
    if len(signature) != _COSIGNATURE_BYTES:
        raise InvalidRequest("a cosignature is 8 bytes of time and 64 of Ed25519 (kind 0x04)")
    others = [each for each in kept.signatures if each[0] != log.origin]
    if kept.with_signature(line) != kept:
        if len(others) >= COSIGNATURES_MAX:
            raise InvalidRequest(
                f"{COSIGNATURES_MAX} witnesses have cosigned this checkpoint, and no more are kept"
            )
        await api.ledger.cosign(wish.size, line + "\n")
    return {"size": wish.size, "witness": name}


def _manifest(api: Api, size: int | None) -> str:
    return reports.signed_manifest(reports.LogFiles(api.reading, size=size), api.signers())


def _signature(line: str) -> tuple[str, bytes, bytes]:
    if len(line) > LINE_MAX or "\n" in line:
        raise InvalidRequest(f"a signature line is one line of up to {LINE_MAX} characters")
    try:
        (found,) = notes.Note.parse(f"-\n\n{line}\n").signatures
    except ValueError as wrong:
        raise InvalidRequest(f"this is no signature line: {wrong}") from None
    return found


def _checkpoint(api: Api, size: int) -> notes.Note:
    note = reports.note_of(api.reading, size) if 0 <= size <= SIZE_MAX else None
    if note is None:
        raise NotFound("there is no checkpoint of this size: cosign one this log has signed")
    return notes.Note.parse(note)


def _receipt(api: Api, ask: Ask, which: reports.Which) -> proofs.Receipt:
    caller = ask.caller
    theirs = None if caller.may("audit") else api.reading.commitments(caller.principal.id)
    return reports.receipt(api.reading, ask.place["id"], which, theirs)


def _size(ask: Ask) -> int | None:
    query = query_of(ask, ("size",))
    return count_of(query, "size", 1, SIZE_MAX) if "size" in query else None


def _is_full_tile(path: str) -> bool:
    try:
        return tiles.parse_path(path)[2] == tiles.WIDTH
    except ValueError:
        return False
