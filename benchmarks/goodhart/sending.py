"""Calls and trackers' messages over HTTP, many at a time, and how each was answered."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
from msgspec import Struct

from benchmarks.goodhart.model import Request, Result, Scene

AT_ONCE: Final = 48
"""Calls under way."""
PATHS: Final = {
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
    "embeddings": "/v1/embeddings",
    "count_tokens": "/v1/messages/count_tokens",
    "batches": "/v1/batches",
}
_OK: Final = 200


class Answer(Struct, frozen=True):
    """What the gateway said of a call."""

    status: int
    evidence: str
    """How well its task was known, by `x-goodgate-evidence`."""


class Door(Struct, frozen=True, kw_only=True):
    """Where gateways are, and who may ask."""

    urls: Sequence[str]
    keys: Mapping[str, Sequence[str]]
    """By principal."""
    tracker: str
    secret: str


async def send(door: Door, requests: Sequence[Request]) -> list[Answer]:
    """Send calls, the earlier first, and return how each was answered."""
    async with _session() as session:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, request: Request) -> Answer:
            async with gate:
                return await _call(session, door, number, request)

        return list(await asyncio.gather(*(one(*each) for each in enumerate(requests))))


async def tell(door: Door, scenes: Sequence[Scene]) -> list[int]:
    """Have the tracker say what came of tasks, one scene's after the other; return statuses."""
    async with _session() as session:
        gate = asyncio.Semaphore(8)

        async def all_of(number: int, scene: Scene) -> list[int]:
            async with gate:
                url = door.urls[number % len(door.urls)]
                return [await _tell(session, door, url, scene, each) for each in scene.results]

        told = await asyncio.gather(*(all_of(*each) for each in enumerate(scenes)))
    return [status for some in told for status in some]


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60)
    )


async def _call(
    session: aiohttp.ClientSession, door: Door, number: int, request: Request
) -> Answer:
    place = number if request.replica is None else request.replica
    url = door.urls[place % len(door.urls)] + PATHS[request.route]
    async with session.post(url, data=request.body, headers=_headers(door, request)) as reply:
        answer = Answer(reply.status, reply.headers.get("x-goodgate-evidence", ""))
        if request.hangs_up and reply.status == _OK:
            reply.close()
        else:
            await reply.read()
        return answer


def _headers(door: Door, request: Request) -> dict[str, str]:
    held = door.keys[request.principal]
    named = {
        "authorization": f"Bearer {held[request.key % len(held)]}",
        "content-type": "application/json",
        "x-task-id": request.task,
        "x-session-id": request.session,
        **request.headers,
    }
    return {name: value for name, value in named.items() if value}


async def _tell(
    session: aiohttp.ClientSession, door: Door, url: str, scene: Scene, result: Result
) -> int:
    data: dict[str, Any] = {
        "event_id": f"{result.task}-{result.event}-{result.number}",
        "kind": result.event,
        # Their order is that of the list: what is undone and done again stands.
        "at": time.time() + min(result.number, 200) / 1_000,
        "subject": f"{scene.prefix}-pull-{result.task}",
        "tasks": [result.task],
        "author": {"handle": result.author},
        "reviewers": [{"handle": each} for each in result.reviewers],
        "url": f"https://tracker.example/{result.task}",
    }
    body = json.dumps({"type": "goodgate.outcome", "data": data}).encode()
    id_, sent_at = os.urandom(8).hex(), str(int(time.time()))
    secret = door.secret if result.is_signed else "some other secret of nobody"
    signed = f"{id_}.{sent_at}.".encode() + body
    mac = hmac.digest(secret.encode(), signed, hashlib.sha256)
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json",
    }
    async with session.post(f"{url}/webhooks/{door.tracker}", data=body, headers=headers) as reply:
        await reply.read()
        return reply.status
