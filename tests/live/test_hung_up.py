"""A caller that hangs up keeps no place among the calls under way: over HTTP, at every stage."""

import pytest

from tests.live.raw import RawCaller
from tests.live.scripted import ProviderThread
from tests.live.server import RunningGateway, Site, chat, until

CHAT = "/v1/chat/completions"
ONE_AT_A_TIME = """\
version: 1
rules:
  - id: one-at-a-time
    quota: {concurrent: 1, by: [principal]}
disconnect: MODE
"""


async def hang_up(
    gateway: RunningGateway, provider: ProviderThread, script: str, *, stream: bool
) -> None:
    """Hang up while a call is under way: before its reply begins, or once some of it came."""
    asked = len(provider.requests)
    provider.script.append(script)
    headers = {"authorization": f"Bearer {gateway.site.keys['alice']}", "x-task-id": "PROJ-1"}
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, chat(f"A question, {script} {stream}", stream=stream), headers)
        until(lambda: len(provider.requests) > asked)
        if script.startswith("stall"):
            await caller.read_until(b"word0")
    provider.go()


@pytest.mark.parametrize("mode", ["drain", "cancel"])
async def test_a_caller_that_hangs_up_leaves_its_place(
    site: Site, provider: ProviderThread, mode: str
) -> None:
    site.policy(ONE_AT_A_TIME.replace("MODE", mode))
    statuses: list[int] = []
    with site.running() as gateway:
        for script, stream in (("slow", False), ("slow", True), ("stall=1", True), ("close", True)):
            await hang_up(gateway, provider, script, stream=stream)
            gateway.quiet()
            statuses.append(
                gateway.ask(CHAT, chat(f"After {script} {stream}"), task="PROJ-1").status
            )
    assert statuses == [200] * 4
