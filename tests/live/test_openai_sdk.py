"""The OpenAI SDK (2.x), unchanged but for its base URL, through a running gateway."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.live.scripted import ProviderThread
from tests.live.server import PROVIDER_CREDENTIAL, RunningGateway

TEXT = "word0 word1 wört2 word3 word4 "
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Explain the parser."}]
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


@pytest.fixture
def client(gateway: RunningGateway, provider: ProviderThread) -> Iterator[openai.OpenAI]:
    """The SDK as a developer sets it up: base URL, key and one header."""
    provider.reset()
    with openai.OpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=gateway.site.keys["alice"],
        default_headers={"X-Task-Id": "PROJ-1"},
        timeout=20,
    ) as client:
        yield client


def test_a_chat_is_answered_and_recorded(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    reply = client.chat.completions.create(model="gpt-5-mini", messages=HELLO)

    assert reply.choices[0].message.content == TEXT
    assert reply._request_id is not None
    entry = gateway.site.entry(reply._request_id)
    assert entry["task_id"] == "PROJ-1"
    assert entry["evidence"] == "verified"
    assert entry["task_source"] == "header"
    assert entry["root_id"] == "PROJ-100"
    assert (entry["route"], entry["stream"]) == ("chat", False)
    assert (entry["input_tokens"], entry["output_tokens"]) == (7, 5)
    assert entry["cache_read_tokens"] == 2
    assert entry["usage_basis"] == "reported"
    assert entry["completion"] == "complete"
    assert entry["decision"] == "forwarded"
    assert entry["principal"] != "alice"
    assert float(entry["cost_usd"]) > 0
    sent = provider.requests[0]
    assert sent.header("authorization") == f"Bearer {PROVIDER_CREDENTIAL}"
    assert sent.header("x-task-id") is None


def test_a_stream_that_did_not_ask_for_usage_shows_none_and_is_metered(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    with client.chat.completions.with_raw_response.create(
        model="gpt-5-mini", messages=HELLO, stream=True
    ).parse() as stream:
        request_id = stream.response.headers["x-request-id"]
        chunks = list(stream)

    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TEXT
    assert all(chunk.usage is None for chunk in chunks)
    assert provider.requests[0].json["stream_options"] == {"include_usage": True}
    entry = gateway.site.entry(request_id)
    assert (entry["input_tokens"], entry["output_tokens"]) == (7, 5)
    assert entry["usage_basis"] == "reported"
    assert entry["first_token_ms"] is not None
    assert entry["stream"] is True


def test_a_stream_that_asked_for_usage_gets_it(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    stream = client.chat.completions.create(
        model="gpt-5-mini",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5
    assert provider.requests[0].json["stream_options"] == {"include_usage": True}
    entry = gateway.site.entry(stream.response.headers["x-request-id"])
    assert entry["completion"] == "complete"


def test_tools_images_and_unknown_fields_reach_the_provider_as_they_were(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    image: Any = {"url": f"data:image/png;base64,{PIXEL}"}
    reply = client.chat.completions.create(
        model="gpt-5-mini",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is on it?"},
                    {"type": "image_url", "image_url": image},
                ],
            }
        ],
        tools=[
            {
                "type": "function",
                "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
            }
        ],
        tool_choice="auto",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
        extra_body={"not_yet_invented": {"deep": [1, 2.50]}},
    )

    sent = provider.requests[0].json
    assert sent["tools"][0]["function"]["name"] == "look"
    assert sent["messages"][0]["content"][1]["image_url"] == image
    assert sent["response_format"]["json_schema"]["strict"] is True
    assert b'"not_yet_invented":{"deep":[1,2.5]}' in provider.requests[0].body
    assert reply._request_id is not None
    assert gateway.site.entry(reply._request_id)["completion"] == "complete"


def test_an_alias_is_served_under_its_real_name(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    reply = client.chat.completions.create(model="fast", messages=HELLO)

    assert provider.requests[0].json["model"] == "gpt-5-mini"
    assert reply._request_id is not None
    entry = gateway.site.entry(reply._request_id)
    assert (entry["model_requested"], entry["model_served"]) == ("fast", "gpt-5-mini")


def test_a_response_is_answered_and_recorded(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    reply = client.responses.create(model="gpt-5-mini", input="Explain the parser.")

    assert reply.output_text == TEXT
    assert reply._request_id is not None
    entry = gateway.site.entry(reply._request_id)
    assert (entry["route"], entry["output_tokens"]) == ("responses", 5)


def test_a_streamed_response_ends_with_its_usage(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    stream = client.responses.create(model="gpt-5-mini", input="Explain.", stream=True)
    events = list(stream)

    assert events[-1].type == "response.completed"
    said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert said == TEXT
    entry = gateway.site.entry(stream.response.headers["x-request-id"])
    assert (entry["route"], entry["output_tokens"]) == ("responses", 5)
    assert entry["completion"] == "complete"


def test_a_completion_is_answered_and_recorded(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    reply = client.completions.create(model="gpt-5-mini", prompt="Once")
    stream = client.completions.create(model="gpt-5-mini", prompt="Once", stream=True)

    assert reply.choices[0].text == TEXT
    assert "".join(chunk.choices[0].text for chunk in stream) == TEXT
    assert reply._request_id is not None
    plain = gateway.site.entry(reply._request_id)
    streamed = gateway.site.entry(stream.response.headers["x-request-id"])
    assert {plain["route"], streamed["route"]} == {"completions"}
    assert plain["output_tokens"] == streamed["output_tokens"] == 5


def test_embeddings_are_answered_and_recorded(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    reply = client.embeddings.with_raw_response.create(
        model="text-embedding-3-small", input=["a", "b"], encoding_format="float"
    )

    assert reply.parse().data[0].embedding == [0.5, -0.25, 0.125]
    entry = gateway.site.entry(reply.headers["x-request-id"])
    assert (entry["route"], entry["input_tokens"], entry["output_tokens"]) == ("embeddings", 7, 0)


def test_the_models_listed_are_those_the_key_may_use(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    few = client.with_options(api_key=gateway.site.keys["mini"])

    assert {model.id for model in client.models.list()} >= {"gpt-5-mini", "fast", "sim"}
    assert [model.id for model in few.models.list()] == ["gpt-5-mini"]
    assert client.models.retrieve("fast").id == "fast"
    with pytest.raises(openai.NotFoundError):
        few.models.retrieve("sim")


@pytest.mark.parametrize("base", ["/v1", "/openai/v1", "/t/proj-1/v1", "/t/PROJ-1/openai/v1"])
def test_every_base_url_serves_the_same_routes(
    gateway: RunningGateway, provider: ProviderThread, base: str
) -> None:
    with openai.OpenAI(
        base_url=gateway.url + base,
        api_key=gateway.site.keys["alice"],
        default_headers={} if base.startswith("/t/") else {"X-Task-Id": "PROJ-1"},
    ) as client:
        reply = client.chat.completions.create(model="gpt-5-mini", messages=HELLO)

    assert provider.requests[0].target == "/v1/chat/completions"
    assert reply._request_id is not None
    entry = gateway.site.entry(reply._request_id)
    assert entry["task_id"] == "PROJ-1"
    assert entry["task_source"] == ("path" if base.startswith("/t/") else "header")


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("429:1", openai.RateLimitError, "Slow down"),
        ("500", openai.InternalServerError, "Something broke"),
        ("400", openai.BadRequestError, "No such field"),
        ("html", openai.InternalServerError, "502 Bad Gateway"),
    ],
)
def test_a_providers_error_arrives_as_the_sdks_own_exception(
    client: openai.OpenAI,
    gateway: RunningGateway,
    provider: ProviderThread,
    script: str,
    error: type[openai.APIStatusError],
    said: str,
) -> None:
    provider.script.append(script)

    with pytest.raises(error) as caught:
        client.with_options(max_retries=0).chat.completions.create(
            model="gpt-5-mini", messages=HELLO
        )

    assert said in json.dumps(caught.value.body) + caught.value.response.text
    entry = gateway.site.entry(caught.value.response.headers["x-request-id"])
    assert entry["completion"] == "failed"
    assert entry["cost_usd"] in {"0", "0.00"}


def test_a_retry_after_a_failure_succeeds_and_both_calls_are_recorded(
    client: openai.OpenAI, gateway: RunningGateway, provider: ProviderThread
) -> None:
    provider.script.append("500")
    before = len(gateway.site.entries())

    reply = client.with_options(max_retries=1).chat.completions.create(
        model="gpt-5-mini", messages=HELLO
    )

    entries = gateway.site.entries()
    assert len(entries) == before + 2
    assert len(provider.requests) == 2
    (entry,) = [e for e in entries if e["request_id"] == reply._request_id]
    assert (entry["completion"], entry["retry_count"]) == ("complete", 1)


def test_a_refusal_is_raised_at_once_with_what_to_do(
    client: openai.OpenAI, provider: ProviderThread
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="gpt-5-mini", messages=HELLO, extra_headers={"X-Task-Id": ""}
        )

    assert caught.value.code == "task_required"
    assert "goodgate task start" in caught.value.message
    assert provider.requests == []


def test_a_wrong_key_is_an_authentication_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="gg_wrong").models.list()

    assert caught.value.code == "unknown_credential"


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-99", messages=HELLO)

    assert caught.value.code == "model_not_found"


@pytest.mark.usefixtures("provider")
async def test_the_async_client_chats_and_streams(gateway: RunningGateway) -> None:
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1",
        api_key=gateway.site.keys["alice"],
        default_headers={"X-Task-Id": "PROJ-1"},
    ) as client:
        reply = await client.chat.completions.create(model="gpt-5-mini", messages=HELLO)
        stream = await client.chat.completions.create(
            model="gpt-5-mini", messages=HELLO, stream=True
        )
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert reply.choices[0].message.content == "".join(said) == TEXT
    entries = {e["request_id"]: e for e in gateway.site.entries()}
    assert entries[str(reply._request_id)]["output_tokens"] == 5
    assert entries[stream.response.headers["x-request-id"]]["output_tokens"] == 5


def test_everything_runs_against_the_simulated_provider(
    client: openai.OpenAI, gateway: RunningGateway
) -> None:
    plain = client.chat.completions.create(model="sim", messages=HELLO)
    stream = client.chat.completions.create(model="sim", messages=HELLO, stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    answer = client.responses.create(model="sim", input="Explain.")
    vectors = client.embeddings.create(model="sim", input="Explain.")

    assert plain.choices[0].message.content
    assert said
    assert answer.output_text
    assert vectors.data[0].embedding
    assert plain._request_id is not None
    entry = gateway.site.entry(plain._request_id)
    assert plain.usage is not None
    assert entry["output_tokens"] == plain.usage.completion_tokens
    assert entry["provider"] == "local"
