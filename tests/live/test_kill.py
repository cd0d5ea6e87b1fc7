"""
Kill the server at random moments under load: no answered call is lost, none is there twice.

`GOODGATE_KILLS=200` says how often; the seed is printed.
"""

import asyncio
import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field

from gateway import ledger
from gateway.stores.sqlite.reading import Reading
from tests.faults import story
from tests.live.fork_server import ForkServer, forking
from tests.live.raw import post
from tests.live.server import Site, chat, command

KILLS = int(os.getenv("GOODGATE_KILLS", "200"))
WITHOUT_GUARD = 12
"""Kills of a gateway that acknowledges what it has not written."""
CALLERS = 32
ANSWERS_MAX = 60
"""How many answers are given before the server is to die, at most; then it has a little longer."""
LONGER_S = 0.02
PATIENCE_S = 10.0
LOOKS = 10
"""Each so many lives, somebody keeps the newest checkpoint."""


@dataclass
class Seen:
    """What the callers know: a call is answered when its whole reply arrived."""

    answered: list[str] = field(default_factory=list)
    begun: int = 0
    enough: int = 0
    """How many answers there are to be before the next kill."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    checkpoints: set[str] = field(default_factory=set)


def test_no_answered_call_is_lost_and_none_is_recorded_twice(site: Site) -> None:
    seen = lived(site, KILLS)

    wrong = faults(site, seen)

    assert wrong == []
    assert len(seen.answered) > 5 * KILLS
    key = Reading(site.data).log().vkey
    said = command("audit", "verify", "--data", str(site.data), "--key", key).stdout
    assert "consistent, unwitnessed" in said


def test_kills_find_a_gateway_out_that_answers_before_it_writes(site: Site) -> None:
    seen = lived(site, WITHOUT_GUARD, "acknowledge")

    wrong = faults(site, seen)

    assert [each for each in wrong if each.endswith("is lost")]


def lived(site: Site, kills: int, *guard: str) -> Seen:
    """Let a gateway live and die so many times, and settle what the last crash left open."""
    seed = int(os.getenv("GOODGATE_SEED", "") or random.SystemRandom().getrandbits(32))
    print(f"GOODGATE_SEED={seed} GOODGATE_KILLS={kills}")
    chance, seen = random.Random(seed), Seen()
    with (site.folder / "stderr.log").open("a") as stderr, forking(site, stderr, *guard) as server:
        for life in range(kills):
            server.start()
            seen.enough = len(seen.answered) + chance.randint(0, ANSWERS_MAX)
            asyncio.run(_live(server, site, seen, chance.uniform(0, LONGER_S), life))
            if life % LOOKS == 0:
                seen.checkpoints.update(story.checkpoints(site.data)[-1:])
    with site.running() as gateway:
        gateway.stop()
    return seen


def faults(site: Site, seen: Seen) -> list[str]:
    """Return what is wrong with what the gateways recorded."""
    reading = Reading(site.data)
    entries = reading.rows(ledger.Query(limit=10**9))
    times = Counter(str(entry["request_id"]) for entry in entries)
    completions = {str(entry["request_id"]): entry["completion"] for entry in entries}
    print(f"{seen.begun} begun, {len(seen.answered)} answered, {len(entries)} recorded")
    wrong = [f"{each} was answered and is lost" for each in seen.answered if each not in times]
    wrong += [f"{each} is there {count} times" for each, count in times.items() if count > 1]
    wrong += [
        f"{each} was answered and is {completions[each]}"
        for each in seen.answered
        if completions.get(each, "complete") != "complete"
    ]
    ends = set(completions.values()) - {"complete", "cancelled", "truncated", "unknown_crash"}
    wrong += [f"a call ended as {each}" for each in ends]

    lines = reading.leaves()
    leaves = [json.loads(line) for line in lines]
    unique = Counter((leaf["attempt_id"], leaf["kind"], leaf["n"]) for leaf in leaves)
    wrong += [f"the leaf {key} is there {n} times" for key, n in unique.items() if n > 1]
    if sum(leaf["kind"] == "intent" for leaf in leaves) != len(entries):
        wrong.append("there are other intents than entries")
    wrong += [f"set aside: {reason}" for reason, _ in reading.clashes()]
    return (
        wrong + story.of_series(leaves) + story.of_checkpoints(site.data, lines, seen.checkpoints)
    )


async def _live(server: ForkServer, site: Site, seen: Seen, longer_s: float, life: int) -> None:
    """Load the server from many callers, kill it in the middle, and see the callers end."""
    seen.told = asyncio.Event()
    callers = [
        asyncio.ensure_future(
            _caller(server, site, seen, f"{life}-{number}", stream=number % 2 == 0)
        )
        for number in range(CALLERS)
    ]
    async with asyncio.timeout(PATIENCE_S):
        while len(seen.answered) < seen.enough:
            await seen.told.wait()
            seen.told.clear()
    await asyncio.wait(callers, timeout=longer_s)
    server.kill()
    await asyncio.gather(*callers)


async def _caller(server: ForkServer, site: Site, seen: Seen, name: str, *, stream: bool) -> None:
    """Call again and again until the server is gone."""
    headers = {"authorization": f"Bearer {site.keys['alice']}", "x-task-id": "PROJ-1"}
    number = 0
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
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
            seen.told.set()
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
