"""Providers behind litellm: Ollama's protocol on a socket, OpenAI's and Anthropic's to callers."""

import asyncio
import importlib.metadata
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest

from gateway import wire
from gateway.errors import (
    ExtraMissing,
    GatewayError,
    InvalidRequest,
    ProviderTimeout,
    ProviderUnreachable,
)
from gateway.settings import Provider
from gateway.upstream import Providers, translated
from tests.provider import refused
from tests.upstream import calls
from tests.upstream.calls import answer, until_cut
from tests.upstream.ollama import INPUT_TOKENS, WORDS, Ollama
from tests.upstream.served import served

pytestmark = [
    # litellm's own code: fields pydantic cannot protect, and clients it leaves to the process.
    pytest.mark.filterwarnings("ignore:Item .* using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

KEY = "sk-of-ollama"
TEXT = "".join(WORDS)
USER: Any = [{"role": "user", "content": "hello"}]
SCHEMA: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
CHAT_TOOL: Any = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
TOOL: Any = {"name": "weather", "input_schema": SCHEMA}


@pytest.fixture
async def ollama() -> AsyncIterator[Ollama]:
    async with Ollama() as server:
        yield server


def to(server: Ollama, **settings: Any) -> Providers:
    known: dict[str, Any] = {
        "name": "p",
        "format": "litellm",
        "base_url": server.url,
        "api_key": KEY,
    }
    return calls.providers(Provider(**{**known, **settings}), "ollama_chat/llama3")


@pytest.fixture
async def of_openai(ollama) -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        served(to(ollama)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="gg_caller", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
async def of_anthropic(ollama) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with (
        served(to(ollama)) as url,
        anthropic.AsyncAnthropic(base_url=url, api_key="gg_caller", max_retries=0) as client,
    ):
        yield client


async def test_chat_plain(ollama, of_openai):
    reply = await of_openai.chat.completions.create(
        model="m", messages=USER, max_tokens=50, extra_body={"api_base": "http://evil.example"}
    )
    assert reply.choices[0].message.content == TEXT
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "ollama_chat/llama3"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (INPUT_TOKENS, len(WORDS))
    received = ollama.requests[0]
    assert received.path == "/api/chat"
    assert received.header("authorization") == f"Bearer {KEY}"
    assert received.json["model"] == "llama3"
    assert received.json["options"]["num_predict"] == 50
    assert "gg_caller" not in str(received.headers)


async def test_chat_streamed(of_openai):
    stream = await of_openai.chat.completions.create(
        model="m", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == TEXT
    assert len({chunk.id for chunk in chunks}) == 1
    assert {chunk.model for chunk in chunks} == {"ollama_chat/llama3"}
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(WORDS)
    assert chunks[-1].usage.prompt_tokens == INPUT_TOKENS


async def test_chat_ends_with_done_and_its_reader_finds_usage(ollama):
    call = calls.chat(stream=True)
    reply, body = await answer(to(ollama), call)
    assert reply.stream
    assert body.endswith(b"data: [DONE]\n\n")
    reader = wire.reader(call, status=200, stream=True)
    passed = reader.feed(body) + reader.close()
    figures = reader.figures()
    assert figures.ended
    assert figures.usage is not None
    assert figures.usage.output_tokens == len(WORDS)
    assert b'"choices":[]' not in passed


@pytest.mark.parametrize("stream", [False, True])
async def test_chat_with_tools(ollama, of_openai, stream):
    fields: Any = {"model": "m", "messages": USER, "tools": [CHAT_TOOL]}
    if stream:
        stream_of = await of_openai.chat.completions.create(**fields, stream=True)
        chunks = [chunk async for chunk in stream_of if chunk.choices]
        called = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or ()]
        arguments = "".join(call.function.arguments for call in called)
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
    else:
        reply = await of_openai.chat.completions.create(**fields)
        called = reply.choices[0].message.tool_calls
        arguments = called[0].function.arguments
        assert reply.choices[0].finish_reason == "tool_calls"
    assert called[0].function.name == "weather"
    assert json.loads(arguments) == {"city": "Oslo"}
    assert called[0].id
    assert ollama.requests[0].json["tools"][0]["function"]["name"] == "weather"


async def test_messages_plain(ollama, of_anthropic):
    reply = await of_anthropic.messages.create(
        model="m", max_tokens=50, messages=USER, system="Be brief."
    )
    assert reply.content[0].text == TEXT
    assert reply.stop_reason == "end_turn"
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (INPUT_TOKENS, len(WORDS))
    roles = [turn["role"] for turn in ollama.requests[0].json["messages"]]
    assert roles == ["system", "user"]


async def test_messages_streamed(of_anthropic):
    async with of_anthropic.messages.stream(model="m", max_tokens=50, messages=USER) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_message()
    assert final.content[0].text == TEXT
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == len(WORDS)
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"


async def test_messages_events_are_named_and_their_reader_finds_usage(ollama):
    call = calls.messages(stream=True)
    _reply, body = await answer(to(ollama), call)
    assert body.startswith(b"event: message_start\ndata: ")
    reader = wire.reader(call, status=200, stream=True)
    assert reader.feed(body) + reader.close() == body
    figures = reader.figures()
    assert figures.ended
    assert (figures.usage.input_tokens, figures.usage.output_tokens) == (INPUT_TOKENS, len(WORDS))


@pytest.mark.parametrize("stream", [False, True])
async def test_messages_with_tools(of_anthropic, stream):
    fields: Any = {"model": "m", "max_tokens": 50, "messages": USER, "tools": [TOOL]}
    if stream:
        async with of_anthropic.messages.stream(**fields) as events:
            reply = await events.get_final_message()
    else:
        reply = await of_anthropic.messages.create(**fields)
    assert [block.type for block in reply.content] == ["tool_use"]
    assert reply.content[0].name == "weather"
    assert reply.content[0].input == {"city": "Oslo"}
    assert reply.stop_reason == "tool_use"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 401, 404, 429, 503])
async def test_chat_errors_keep_the_providers_status(ollama, of_openai, stream, status):
    ollama.failure = (status, f"no such luck, {KEY} is\nbad")
    with pytest.raises(openai.APIStatusError) as caught:
        await of_openai.chat.completions.create(model="m", messages=USER, stream=stream)
    assert caught.value.status_code == status
    assert "no such luck" in caught.value.message
    assert KEY not in caught.value.message
    assert caught.value.code == "provider_error"
    assert caught.value.response.headers.get("retry-after") == "7"
    assert len(ollama.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_messages_errors_keep_the_providers_status(ollama, of_anthropic, stream):
    ollama.failure = (429, f"slow down {KEY}")
    with pytest.raises(anthropic.RateLimitError) as caught:
        await of_anthropic.messages.create(model="m", max_tokens=5, messages=USER, stream=stream)
    assert "slow down" in str(caught.value)
    assert KEY not in str(caught.value)
    assert len(ollama.requests) == 1


@pytest.mark.parametrize("call", [calls.chat(stream=True), calls.messages(stream=True)])
async def test_a_stream_that_breaks_off_is_cut(ollama, call):
    ollama.cut_after = 1
    ollama.go.clear()
    upstream = to(ollama)
    reply = await upstream.send(call, upstream.target(call))
    seen = b""
    while b"Good " not in seen:
        seen += await anext(reply.chunks)
    ollama.go.set()
    rest, said = await until_cut(reply)
    assert b"event: error" not in rest
    assert "'p' broke off" in said


@pytest.mark.parametrize("call", [calls.chat(stream=True), calls.messages(stream=True)])
async def test_silence_in_a_stream_is_a_cut(ollama, call):
    ollama.go.clear()
    upstream = to(ollama, idle_s=0.05)
    _seen, said = await until_cut(await upstream.send(call, upstream.target(call)))
    assert "broke off" in said


async def test_silence_before_a_reply_times_out(ollama):
    ollama.go.clear()
    upstream = to(ollama, connect_s=0.05, first_byte_s=0.05)
    ollama.silent = True
    with pytest.raises(ProviderTimeout, match="in time"):
        await answer(upstream, calls.chat())


async def test_closing_a_stream_wakes_who_waits_for_it(ollama):
    upstream = to(ollama)
    call = calls.chat(stream=True)
    ollama.go.clear()
    reply = await upstream.send(call, upstream.target(call))
    reading = asyncio.ensure_future(until_cut(reply))
    await asyncio.wait((reading,), timeout=0.05)
    await reply.close()
    _seen, said = await reading
    assert "broke off" in said


@pytest.mark.parametrize("call", [calls.chat(), calls.messages()])
async def test_a_refused_connection_is_told_without_an_address(call):
    async with refused() as url:
        server = Ollama()
        server.url = url
        with pytest.raises(ProviderUnreachable) as caught:
            await answer(to(server), call)
    assert "127.0.0.1" not in str(caught.value)


def _image(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "see http://x"}, part]}]


REMOTE = "http://169.254.169.254/latest"


@pytest.mark.parametrize(
    "call",
    [
        calls.chat(messages=_image({"type": "image_url", "image_url": {"url": REMOTE}})),
        calls.chat(messages=_image({"type": "image_url", "image_url": f" {REMOTE}"})),
        calls.chat(messages=_image({"type": "file", "file": {"file_id": "GS://bucket/x"}})),
        calls.chat(messages=_image({"type": "file", "file": {"file_data": "file:/etc/passwd"}})),
        calls.chat(messages=_image({"type": "video_url", "video_url": {"url": "s3://x/y"}})),
        calls.messages(
            messages=_image({"type": "image", "source": {"type": "url", "url": REMOTE}})
        ),
        calls.messages(messages=_image({"type": "image_url", "image_url": {"url": REMOTE}})),
        calls.messages(
            messages=_image(
                {
                    "type": "tool_result",
                    "tool_use_id": "t",
                    "content": [{"type": "document", "source": {"type": "url", "url": REMOTE}}],
                }
            )
        ),
        calls.chat(tools=[{"type": "mcp", "server_url": REMOTE}]),
        calls.messages(tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        calls.chat(tools=["x"]),
    ],
)
async def test_nothing_a_caller_sends_makes_the_gateway_connect_elsewhere(ollama, call):
    with pytest.raises(InvalidRequest):
        await answer(to(ollama), call)
    assert ollama.requests == []


async def test_addresses_in_text_and_in_a_tools_arguments_are_text(ollama):
    turns = [
        *_image({"type": "text", "text": REMOTE}),
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "fetch", "input": {"url": REMOTE}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t", "content": REMOTE}],
        },
    ]
    reply, _body = await answer(to(ollama), calls.messages(messages=turns))
    assert reply.status == 200


@pytest.mark.parametrize(
    "field",
    [
        "api_base",
        "base_url",
        "api_key",
        "mock_response",
        "fallbacks",
        "custom_llm_provider",
        "extra_headers",
        "extra_body",
        "num_retries",
        "timeout",
        "metadata",
        "litellm_params",
        "web_search_options",
        "caching",
    ],
)
async def test_a_caller_cannot_steer_litellm(ollama, field):
    value: Any = {"url": "http://evil.example"}
    for call in (calls.chat(**{field: value}), calls.messages(**{field: value})):
        reply, _body = await answer(to(ollama), call)
        assert reply.status == 200
    assert len(ollama.requests) == 2
    assert "evil" not in str([(each.headers, each.body) for each in ollama.requests])


async def test_litellm_is_switched_off_but_for_translation(ollama, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    ollama.failure = (500, "broken")
    await answer(to(ollama), calls.chat(text="a secret prompt"))
    litellm = sys.modules["litellm"]
    assert litellm.callbacks == litellm.success_callback == litellm.failure_callback == []
    assert litellm.cache is None
    assert litellm.num_retries == 0
    assert "litellm.proxy.proxy_server" not in sys.modules
    out, err = capfd.readouterr()
    assert "secret prompt" not in caplog.text + out + err
    assert "LiteLLM" not in out + err


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("1.106.2", True),
        ("1.82.6", True),
        ("1.82.70", True),
        ("1.108.0", True),
        ("1.82.7", False),
        ("1.82.8", False),
        ("1.107.0", False),
        ("1.107.0rc1", False),
        ("1.107", False),
        ("1.107.0.dev3", False),
        ("1.107rc2", False),
    ],
)
def test_backdoored_releases_are_refused(monkeypatch, version, good):
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: version)
    refusal: GatewayError | None = None
    try:
        translated.check_release()
    except ExtraMissing as error:
        refusal = error
    assert (refusal is None) == good
    assert refusal is None or "stole credentials" in str(refusal)


async def test_without_the_extra_the_error_names_the_command(monkeypatch, ollama):
    def missing(_name: str) -> str:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "version", missing)
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    with pytest.raises(ExtraMissing, match=r"pip install 'goodgate\[litellm\]'"):
        await answer(to(ollama), calls.chat())
