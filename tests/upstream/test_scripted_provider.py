"""The scripted provider itself: the SDKs accept what it says, and it counts what it delivered."""

import json
import subprocess
import sys
import urllib.request
from typing import Any

import anthropic
import openai
import pytest

from tests.provider import ScriptedProvider

USER: Any = [{"role": "user", "content": "hello"}]


async def test_the_openai_sdk_accepts_every_format():
    async with (
        ScriptedProvider() as provider,
        openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="x", max_retries=0) as client,
    ):
        plain = await client.chat.completions.create(model="m", messages=USER)
        assert plain.usage.completion_tokens == 5
        stream = await client.chat.completions.create(
            model="m!tokens:3", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage.completion_tokens == 3
        async with client.responses.stream(model="m", input="hello") as events:
            response = await events.get_final_response()
        assert response.output_text == plain.choices[0].message.content
        assert response.usage.output_tokens == 5
        assert (await client.responses.create(model="m", input="x")).usage == response.usage
        texts = await client.completions.create(model="m", prompt="x", stream=True)
        assert "".join([chunk.choices[0].text async for chunk in texts]) == response.output_text
        vectors = await client.embeddings.create(model="m", input="x", encoding_format="float")
        assert vectors.data[0].embedding == [0.5, -0.25, 0.125]
        assert [model.id async for model in client.models.list()] == ["scripted"]
    assert [request.tokens for request in provider.requests[:3]] == [5, 3, 5]
    assert all(request.finished for request in provider.requests)


async def test_the_anthropic_sdk_accepts_every_format():
    async with (
        ScriptedProvider() as provider,
        anthropic.AsyncAnthropic(base_url=provider.url, api_key="x", max_retries=0) as client,
    ):
        plain = await client.messages.create(model="m", max_tokens=9, messages=USER)
        async with client.messages.stream(model="m", max_tokens=9, messages=USER) as events:
            final = await events.get_final_message()
        assert final.content[0].text == plain.content[0].text
        assert final.usage.output_tokens == plain.usage.output_tokens == 5
        counted = await client.messages.count_tokens(model="m", messages=USER)
        assert counted.input_tokens == 7


@pytest.mark.parametrize("where", ["model", "header", "pushed", "default"])
async def test_a_script_is_named_in_four_ways(where):
    default = "500" if where == "default" else "normal"
    async with (
        ScriptedProvider(default=default) as provider,
        openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="x", max_retries=0) as client,
    ):
        if where == "pushed":
            provider.script.append("500")
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(
                model="m!500" if where == "model" else "m",
                messages=USER,
                extra_headers={"x-script": "500"} if where == "header" else None,
            )
        assert provider.requests[0].path == "/v1/chat/completions"


def test_it_runs_as_a_process():
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.provider", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        body = json.dumps({"model": "m", "messages": USER}).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/v1/chat/completions", data=body), timeout=10
        ) as reply:
            assert json.load(reply)["usage"]["completion_tokens"] == 5
        with urllib.request.urlopen(f"{url}/_requests", timeout=10) as reply:
            assert [each["tokens"] for each in json.load(reply)] == [5]
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
