"""
Reloads under load, half of them broken: no call fails, and none is decided by two versions.

Each version of the policy says its number in three places: in the message of a refusal, in a note
and in a header of what is permitted. What a reply carries must be of one version, and of the
one whose digest it names.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping

from gateway import policy
from tests.live.raw import post
from tests.live.server import RunningGateway, Site, chat

RELOADS = 200
CALLERS = 25
CALLS_PER_S = 500
VERSION = """\
version: 1
rules:
  - id: no-gpt-5
    when: call.model == "gpt-5"
    effect: forbid
    message: Version {number}.
  - id: say-which
    effect: permit
    obligations:
      note: version {number}
      reply_headers: {{x-policy-version: "{number}"}}
"""
BROKEN = (
    "version: 1\nrules:\n  - id: broken\n    when: task.evidnce == 'none'\n    effect: forbid\n",
    "version: 1\nrules: [",
    "version: 1\nrulez: []\n",
    "",
)

Seen = list[tuple[int, Mapping[str, str], str]]
"""Of each reply: status, headers, and the error's message."""


def test_no_call_fails_and_none_is_decided_by_two_versions(site: Site) -> None:
    texts = [VERSION.format(number=number) for number in range(RELOADS // 2 + 1)]
    digests = {
        policy.load([("policies/rules.yaml", text)]).digest: str(number)
        for number, text in enumerate(texts)
    }
    site.policy(texts[0])

    with site.running() as gateway:
        seen, reloads = asyncio.run(_reload_under_load(gateway, texts))
        said = gateway.ask("/health/ready", key="").json["reload"]
        metrics = gateway.ask("/metrics", key="").body.decode()

    print(f"{len(seen)} calls over {RELOADS} reloads: {Counter(status for status, *_ in seen)}")
    assert reloads == {200: RELOADS // 2, 400: RELOADS // 2}
    assert len(seen) > CALLERS * RELOADS
    assert {status for status, *_ in seen} == {200, 400}
    for status, headers, message in seen:
        number = digests[headers["x-goodgate-policy"]]
        if status == 400:
            assert f"Version {number}. " in message
        else:
            assert headers["x-goodgate-note"] == f"version {number}"
            assert headers["x-policy-version"] == number
    versions = {headers["x-goodgate-policy"] for _, headers, _ in seen}
    assert len(versions) > RELOADS // 3, "the load saw hardly any reload"
    assert not said["succeeded"], "the last one was broken, and readiness must say so"
    assert "rules.yaml:1:1" in said["error"]
    assert "goodgate_policy_reload_success 0.0" in metrics


async def _reload_under_load(
    gateway: RunningGateway, texts: list[str]
) -> tuple[Seen, Mapping[int, int]]:
    """Return what the callers saw while every version was put in place, each with a broken one."""
    seen: Seen = []
    over = asyncio.Event()
    callers = [
        asyncio.ensure_future(_caller(gateway, number, seen, over)) for number in range(CALLERS)
    ]
    statuses: Counter[int] = Counter()
    rules = gateway.site.policies / "rules.yaml"
    try:
        for number, text in enumerate(texts[1:]):
            for content in (text, BROKEN[number % len(BROKEN)]):
                draft = rules.with_suffix(".draft")
                draft.write_text(content)
                draft.replace(rules)
                answer = await asyncio.to_thread(
                    gateway.ask, "/-/reload", key="admin", method="POST"
                )
                statuses[answer.status] += 1
                await _more(seen)
    finally:
        over.set()
        await asyncio.gather(*callers)
    return seen, statuses


async def _more(seen: Seen) -> None:
    """Return once each caller has been answered about once more: no version goes unseen."""
    enough = len(seen) + CALLERS
    async with asyncio.timeout(10):
        while len(seen) < enough:
            await _at(asyncio.get_running_loop().time() + 0.01)


async def _at(due_s: float) -> None:
    loop = asyncio.get_running_loop()
    turn: asyncio.Future[None] = loop.create_future()
    loop.call_at(due_s, turn.set_result, None)
    await turn


async def _caller(gateway: RunningGateway, caller: int, seen: Seen, over: asyncio.Event) -> None:
    """Call at a steady pace, every other time what the policy forbids, until it is over."""
    loop = asyncio.get_running_loop()
    headers = {"authorization": f"Bearer {gateway.site.keys['alice']}", "x-task-id": "PROJ-1"}
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    due_s, number = loop.time(), 0
    try:
        while not over.is_set():
            model = ("sim", "gpt-5")[number % 2]
            body = chat(f"Question {caller} of {number}", model=model, max_tokens=4)
            writer.write(post("/v1/chat/completions", body, headers))
            seen.append(await _answer(reader))
            number += 1
            due_s = max(due_s + CALLERS / CALLS_PER_S, loop.time())
            await _at(due_s)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], str]:
    """Read one reply whole."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = json.loads(await reader.readexactly(int(headers["content-length"])))
    message = body["error"]["message"] if "error" in body else ""
    return int(status.split(" ")[1]), headers, message
