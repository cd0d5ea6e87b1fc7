"""
Every provider without a native format here, through litellm: the only file that imports it.

It is imported at the first call, in a thread: it takes over a second and 160 MB. Of all it
does, only the translation is used: no retries, no cache, no callbacks, no telemetry, no
.env file, no proxy from the environment, no logging (its log lines hold prompts).
"""

import asyncio
import importlib
import importlib.metadata
import logging
import os
import re
import sys
import types
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Self, cast

from gateway import settings, wire
from gateway.errors import ExtraMissing, ProviderCut, ProviderTimeout, ProviderUnreachable
from gateway.upstream import translation
from gateway.upstream.headers import addable
from gateway.values import Call, Reply, Target

_BACKDOORED = re.compile(r"1\.82\.[78]|1\.107(\D.*)?")
"""Releases that stole credentials (2026-03-24 and 2026-10-21), pre-releases included."""
_BEFORE_IMPORT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it downloads prices when imported
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # else it downloads those
    "LITELLM_DISABLE_BUG_REPORT_LINK": "true",  # else it is part of error texts
    "LITELLM_MODE": "PRODUCTION",  # else it reads .env into the environment
}
_OFF = {
    "suppress_debug_info": True,
    "drop_params": True,  # agents send fields that other providers do not know
    "turn_off_message_logging": True,
    "disable_streaming_logging": True,
    "disable_hf_tokenizer_download": True,
    "disable_aiohttp_trust_env": True,
    "num_retries": 0,
    "cache": None,
}
_CALLBACKS = ("callbacks", "success_callback", "failure_callback", "input_callback")
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_JSON = (b"content-type", b"application/json")
_SSE = (b"content-type", b"text/event-stream; charset=utf-8")


class Translated:
    """One provider of `format: litellm`."""

    def __init__(self, provider: settings.Provider) -> None:
        self._provider = provider
        self._options = {name: value for name, value in provider.options.items() if value != ""}

    async def send(self, call: Call, target: Target) -> Reply:
        """Send a call and return the reply once litellm has its head."""
        route, provider = call.inbound.route.name, self._provider
        arguments = translation.arguments(route, wire.outgoing_body(call, target))
        litellm = await asyncio.to_thread(_litellm)
        send = litellm.acompletion if route == "chat" else litellm.anthropic_messages
        try:
            async with asyncio.timeout(provider.connect_s + provider.first_byte_s):
                answer = await send(**arguments, **self._own(target))
        except Exception as error:  # noqa: BLE001 - it raises whatever its providers' code raises
            return self._failed(call, error)
        if arguments.get("stream"):
            return self._stream(route, answer, target.model)
        if route == "chat":
            body = translation.chat(answer.model_dump(exclude_none=True), target.model)
        else:
            body = translation.message(dict(answer), target.model)
        return _whole(200, (_JSON,), body)

    async def close(self) -> None:
        """Do nothing: litellm keeps its connections itself, for all providers together."""

    def _own(self, target: Target) -> dict[str, Any]:
        """Return what the gateway tells litellm; it stands over anything in the options."""
        provider = self._provider
        return self._options | {
            "model": target.model,
            "api_base": provider.base_url or None,
            "api_key": provider.api_key or None,
            "extra_headers": {**provider.headers, **addable(target.headers)} or None,
            "timeout": provider.first_byte_s,
            "num_retries": 0,
            "max_retries": 0,
            "caching": False,
        }

    def _failed(self, call: Call, error: Exception) -> Reply:
        """Return the provider's refusal in the caller's shape, or raise what else went wrong."""
        who = f"The provider {self._provider.name!r}"
        status = int(getattr(error, "status_code", 0) or 0)
        kind = type(error).__name__
        if isinstance(error, TimeoutError) or kind == "Timeout":
            raise ProviderTimeout(f"{who} sent no reply in time; try again later") from None
        if status < 400 or kind == "APIConnectionError":  # noqa: PLR2004 - HTTP
            raise ProviderUnreachable(
                f"{who} could not be reached through litellm; try again later, or have an admin "
                "check its base_url and model names"
            ) from None
        inbound = call.inbound
        body = wire.problem(
            inbound.route.wire_format,
            status=status,
            code="provider_error",
            message=f"{who}: {translation.explained(error, self._provider.api_key)}",
            request_id="",
        )
        return _whole(status, (_JSON, *_retry_after(error)), body)

    def _stream(self, route: str, answer: AsyncIterator[Any], model: str) -> Reply:
        chunks = _Chunks(answer, self._provider)
        events: AsyncIterator[bytes] = _chat_events(chunks, model) if route == "chat" else chunks
        return Reply(status=200, headers=(_SSE,), chunks=events, close=chunks.close, stream=True)


class _Chunks:
    """What litellm yields, until it ends, fails, falls silent or is closed."""

    def __init__(self, answer: AsyncIterator[Any], provider: settings.Provider) -> None:
        self._answer = answer
        self._provider = provider
        self._step: asyncio.Future[Any] | None = None
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._closed:
            raise self._cut()
        self._step = asyncio.ensure_future(self._answer.__anext__())
        done, _pending = await asyncio.wait((self._step,), timeout=self._provider.idle_s)
        if not done:
            await self.close()
            raise self._cut()
        try:
            chunk = self._step.result()
        except StopAsyncIteration:
            raise
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - as above; cancelled by close
            raise self._cut() from None
        if isinstance(chunk, bytes) and translation.is_error_event(chunk):
            raise self._cut()
        return chunk

    async def close(self) -> None:
        """Give the connection up."""
        self._closed = True
        if self._step is not None and not self._step.done():
            self._step.cancel()
            await asyncio.wait((self._step,))
        finish = cast("Callable[[], Any] | None", getattr(self._answer, "aclose", None))
        if finish is not None:
            await finish()

    def _cut(self) -> ProviderCut:
        return ProviderCut(
            f"The provider {self._provider.name!r} broke off in the middle of its reply"
        )


async def _chat_events(chunks: _Chunks, model: str) -> AsyncIterator[bytes]:
    stream = translation.ChatStream(model)
    async for chunk in chunks:
        yield stream.event(chunk.model_dump(exclude_none=True))
    yield stream.end()


def _whole(status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> Reply:
    async def once() -> AsyncIterator[bytes]:
        yield body

    async def nothing() -> None:
        """Do nothing: the reply is here already."""

    return Reply(status=status, headers=headers, chunks=once(), close=nothing, stream=False)


def _retry_after(error: Exception) -> tuple[tuple[bytes, bytes], ...]:
    headers = cast("Mapping[str, object]", getattr(error, "litellm_response_headers", None) or {})
    value = str(headers.get("retry-after", ""))
    return ((b"retry-after", value.encode()),) if value.isascii() and value.isdigit() else ()


def _litellm() -> Any:
    """
    Return litellm, imported and with everything switched off but the translation.

    Raises:
        ExtraMissing: it is not installed, or it is a release that must not be used.

    """
    loaded = sys.modules.get("litellm")
    if loaded is not None and getattr(loaded, "prepared_by_goodgate", False):
        return loaded
    check_release()
    os.environ.update(_BEFORE_IMPORT)  # noqa: TID251 - litellm is told by nothing else
    _without_mcp()
    for name in _LOGGERS:
        logging.getLogger(name).disabled = True
    litellm = importlib.import_module("litellm")
    for name, value in _OFF.items():
        setattr(litellm, name, value)
    for name in _CALLBACKS:
        setattr(litellm, name, [])
    litellm.prepared_by_goodgate = True  # type: ignore[attr-defined]  # our own mark
    return litellm


def check_release() -> None:
    """
    Refuse a litellm that is missing or was backdoored, before any of its code runs.

    Raises:
        ExtraMissing: with the command that puts it right.

    """
    try:
        version = importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        raise ExtraMissing(
            "`format: litellm` needs an optional package: pip install 'goodgate[litellm]'"
        ) from None
    if _BACKDOORED.fullmatch(version):
        raise ExtraMissing(
            f"litellm {version} is a release that stole credentials: rotate what this machine "
            "could read, and install another: pip install 'goodgate[litellm]'"
        )


def _without_mcp() -> None:
    """
    Put empty modules where litellm would load its proxy to look for MCP servers.

    It does so for every call with tools, and fails where the proxy's packages are missing.
    """

    class NoGateway:
        @staticmethod
        def should_use_litellm_mcp_gateway(tools: object) -> bool:  # noqa: ARG004 - its signature
            return False

    for name, attribute in _MCP_MODULES.items():
        module = types.ModuleType(name)
        setattr(module, attribute, NoGateway)
        sys.modules.setdefault(name, module)


_MCP_MODULES = {
    "litellm.responses.mcp.litellm_proxy_mcp_handler": "LiteLLM_Proxy_MCP_Handler",
    "litellm.responses.mcp.chat_completions_handler": "acompletion_with_mcp",
    "litellm.llms.anthropic.pass_through.messages.mcp_handler": "anthropic_messages_with_mcp",
}
