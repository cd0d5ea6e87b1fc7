"""The edge itself, without a server: what it waits for, and what it does not."""

import asyncio
from typing import Any

import pytest

from gateway.web import ingress
from tests.playbook import Playbook


async def unserved(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("a model route is not served elsewhere")


async def test_a_body_that_never_begins_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers alone must not hold a call open."""
    monkeypatch.setattr(ingress, "BODY_IDLE_S", 0.05)
    play, sent = Playbook(), list[dict[str, Any]]()
    edge = ingress.Ingress(
        play.gateway, unserved, tally=play.tally, new_id=lambda: "0" * 32, body_bytes_max=1000
    )
    scope = {
        "type": "http",
        "method": "POST",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"host", b"a"), (b"authorization", b"Bearer " + play.key.encode())],
    }

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await edge(scope, receive, send)

    assert sent[0]["status"] == 400
    assert b"stopped arriving" in sent[1]["body"]
    assert play.tally.open_calls == 0


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("gpt-5", "gpt-5; elsewhere"),
        ("modèle", "mod?le; elsewhere"),
        ("gpt-5; another-rule, x", "gpt-5??another-rule,?x; elsewhere"),
        ("\u5341\u4e8c", "??; elsewhere"),
    ],
)
async def test_a_model_as_its_caller_wrote_it_says_nothing_else_in_a_header(
    model: str, shown: str
) -> None:
    rule = "{id: elsewhere, route: {provider: local}}"
    play = Playbook(f"version: 1\nrules: [{rule}]\n")
    said = dict(ingress.gateway_headers(await play.admits(model=model), "forwarded"))
    assert said[b"x-goodgate-routed"].decode("ascii") == shown
