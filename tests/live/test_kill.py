"""
Kill the server at random moments under load: no answered call is lost, none is there twice.

`GOODGATE_KILLS=100` says how often; the seed is printed.
"""

import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.live.raw import post
from tests.live.server import RunningGateway, Site, chat

KILLS = int(os.getenv("GOODGATE_KILLS", "100"))
CALLERS = 32
LIFE_S = (0.05, 0.45)
"""How long the server lives under load, at least and at most."""


@dataclass
class Seen:
    """What the callers know: a call is answered when its whole reply arrived."""

    answered: list[str] = field(default_factory=list)
    begun: int = 0


def test_no_answered_call_is_lost_and_none_is_recorded_twice(site: Site) -> None:
    seed = int(os.getenv("GOODGATE_SEED", "") or random.SystemRandom().getrandbits(32))
    print(f"GOODGATE_SEED={seed} GOODGATE_KILLS={KILLS}")
    chance, seen = random.Random(seed), Seen()

    for life in range(KILLS):
        gateway = RunningGateway(site, {})
        gateway.start()
        try:
            asyncio.run(_live(gateway, seen, chance.uniform(*LIFE_S), life))
        finally:
            gateway.kill()
    with site.running() as gateway:  # its start settles what the last crash left open
        gateway.stop()

    entries = site.entries()
    times = Counter(entry["request_id"] for entry in entries)
    completions = {entry["request_id"]: entry["completion"] for entry in entries}
    print(f"{seen.begun} begun, {len(seen.answered)} answered, {len(entries)} recorded")
    assert len(seen.answered) > 5 * KILLS
    assert [request_id for request_id in seen.answered if request_id not in times] == []
    assert [request_id for request_id, count in times.items() if count > 1] == []
    assert {completions[request_id] for request_id in seen.answered} == {"complete"}
    assert set(completions.values()) <= {"complete", "cancelled", "truncated", "unknown_crash"}
    leaves = Counter((leaf["attempt_id"], leaf["kind"]) for leaf in site.leaves())
    assert set(leaves.values()) == {1}
    assert sum(kind == "intent" for _, kind in leaves) == len(entries)


async def _live(gateway: RunningGateway, seen: Seen, life_s: float, life: int) -> None:
    """Load the server from many callers, kill it in the middle, and see the callers end."""
    callers = [
        asyncio.ensure_future(_caller(gateway, seen, f"{life}-{number}", stream=number % 2 == 0))
        for number in range(CALLERS)
    ]
    await asyncio.wait(callers, timeout=life_s)
    gateway.kill()
    await asyncio.gather(*callers)


async def _caller(gateway: RunningGateway, seen: Seen, name: str, *, stream: bool) -> None:
    """Call again and again until the server is gone."""
    headers = {
        "authorization": f"Bearer {gateway.site.keys['alice']}",
        "x-task-id": "PROJ-1",
    }
    number = 0
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    except OSError:
        return
    try:
        while True:
            body = chat(f"Question {name}-{number}", model="sim", max_tokens=8, stream=stream)
            writer.write(post("/v1/chat/completions", body, headers))
            number += 1
            seen.begun += 1
            request_id = await _answer(reader, stream=stream)
            seen.answered.append(request_id)
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, *, stream: bool) -> str:
    """Read one reply whole and return its request id."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    assert head.startswith(b"http/1.1 200"), head
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    if b"content-length" in fields:
        body = await reader.readexactly(int(fields[b"content-length"]))
    else:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    if stream:
        assert body.endswith(b"data: [DONE]\n\n")
    else:
        assert json.loads(body)["object"] == "chat.completion"
    return fields[b"x-request-id"].decode()
