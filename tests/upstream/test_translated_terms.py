"""What a provider behind litellm sees because of a rule: Ollama's own protocol on a socket."""

from typing import Any

import pytest

from gateway.settings import Provider
from gateway.values import Terms
from tests.upstream import calls
from tests.upstream.ollama import Ollama

pytestmark = [
    # litellm's own code: fields pydantic cannot protect, and clients it leaves to the process.
    pytest.mark.filterwarnings("ignore:Item .* using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

LIMITS: Any = [{}, {"max_tokens": 900}, {"max_completion_tokens": 900}, {"max_tokens": None}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", LIMITS, ids=str)
async def test_a_ceiling_and_headers_reach_a_provider_that_litellm_translates_for(limit, *, stream):
    terms = Terms(
        output_tokens_max=7, headers=(("authorization", "evil"), ("x-a", "rule"), ("x-b", "rule"))
    )
    async with Ollama() as ollama:
        upstream = calls.providers(
            Provider(
                name="p",
                format="litellm",
                base_url=ollama.url,
                api_key="sk-of-ollama",
                headers={"x-b": "file", "x-c": "file"},
            ),
            "ollama_chat/llama3",
        )
        for call in (calls.chat(stream=stream, **limit), calls.messages(stream=stream)):
            reply = await upstream.send(call, upstream.target(call, terms))
            assert reply.status == 200
            async for _chunk in reply.chunks:
                pass
        received = ollama.requests
    assert [each.json["options"]["num_predict"] for each in received] == [7, 7]
    for each in received:
        assert [each.header(name) for name in ("x-a", "x-b", "x-c")] == ["rule", "rule", "file"]
        assert each.header("authorization") == "Bearer sk-of-ollama"
