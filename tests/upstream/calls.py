"""Calls to send: what the line would hand to the providers."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from gateway import wire
from gateway.errors import ProviderCut
from gateway.settings import Deployment, Provider
from gateway.settings.providers import ModelEntry
from gateway.upstream import Providers
from gateway.values import Call, Inbound, Reply
from tests.provider import ScriptedProvider

KEY = "sk-of-the-provider"


def call(
    path: str,
    body: Mapping[str, Any] | bytes,
    *,
    headers: Mapping[bytes, bytes] | None = None,
    query: bytes = b"",
) -> Call:
    """Return the call a request makes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    inbound = Inbound(
        route=wire.ROUTES_BY_PATH[path],
        path_task="",
        query=query,
        headers=headers or {},
        body=raw,
    )
    return wire.parse(inbound)


def chat(model: str = "m", *, stream: bool = False, text: str = "hello", **fields: Any) -> Call:
    """Return a chat call."""
    messages = [{"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "stream": stream}
    return call("/v1/chat/completions", body | fields)


def messages(model: str = "m", *, stream: bool = False, text: str = "hi", **fields: Any) -> Call:
    """Return a call to Anthropic's messages API."""
    turns = [{"role": "user", "content": text}]
    body = {"model": model, "max_tokens": 100, "messages": turns, "stream": stream}
    return call("/v1/messages", body | fields)


def providers(provider: Provider, model: str = "") -> Providers:
    """Return a deployment of one provider that serves everything."""
    return Providers(
        Deployment(
            providers={provider.name: provider},
            models={"*": ModelEntry(provider=provider.name, model=model)},
        )
    )


async def answer(upstream: Providers, sent: Call) -> tuple[Reply, bytes]:
    """Return the reply to a call, and its whole body."""
    reply = await upstream.send(sent, upstream.target(sent))
    return reply, b"".join([chunk async for chunk in reply.chunks])


async def until_cut(reply: Reply) -> tuple[bytes, str]:
    """Return what arrived of a reply before it broke off, and how that was told."""
    seen = b""
    try:
        async for chunk in reply.chunks:
            seen += chunk
    except ProviderCut as error:
        return seen, str(error)
    raise AssertionError("the reply came to its end")


@contextlib.asynccontextmanager
async def to(scripted: ScriptedProvider, **settings: object) -> AsyncIterator[Providers]:
    """Give the providers of a deployment that has one: the scripted one."""
    known: dict[str, object] = {
        "name": "p",
        "format": "openai",
        "base_url": f"{scripted.url}/v1",
        "api_key": KEY,
    }
    upstream = providers(Provider(**{**known, **settings}))
    yield upstream
    await upstream.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something holds; the test's own time limit ends it otherwise."""
    async with asyncio.timeout(5):
        while not condition():
            turned = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(turned.set_result, None)
            await turned
