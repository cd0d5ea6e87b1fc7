"""The Anthropic SDK (2.x), unchanged but for its base URL, through a running gateway."""

from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import MessageParam

from tests.live.scripted import ProviderThread
from tests.live.server import PROVIDER_CREDENTIAL, RunningGateway

TEXT = "word0 word1 wört2 word3 word4 "
HELLO: list[MessageParam] = [{"role": "user", "content": "Explain the parser."}]
MODEL = "claude-haiku-4-5"


@pytest.fixture
def client(gateway: RunningGateway, provider: ProviderThread) -> Iterator[anthropic.Anthropic]:
    """The SDK as a developer sets it up: base URL, key and one header."""
    provider.reset()
    with anthropic.Anthropic(
        base_url=gateway.url,
        api_key=gateway.site.keys["alice"],
        default_headers={"X-Task-Id": "PROJ-1"},
        timeout=20,
    ) as client:
        yield client


def test_a_message_is_answered_and_recorded(
    client: anthropic.Anthropic, gateway: RunningGateway, provider: ProviderThread
) -> None:
    reply = client.messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=HELLO)

    content = reply.parse().content[0]
    assert content.type == "text"
    assert content.text == TEXT
    entry = gateway.site.entry(reply.headers["x-request-id"])
    assert (entry["route"], entry["task_id"]) == ("messages", "PROJ-1")
    # Anthropic leaves cached tokens out of its input_tokens; the ledger does not.
    assert (entry["input_tokens"], entry["cache_read_tokens"]) == (7, 2)
    assert entry["output_tokens"] == 5
    assert entry["completion"] == "complete"
    sent = provider.requests[0]
    shown = sent.header("x-api-key") or sent.header("authorization") or ""
    assert shown.removeprefix("Bearer ") == PROVIDER_CREDENTIAL
    assert sent.header("anthropic-version")


def test_a_streamed_message_arrives_event_by_event(
    client: anthropic.Anthropic, gateway: RunningGateway
) -> None:
    with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]

    assert said == TEXT
    assert final.usage.output_tokens == 5
    entry = gateway.site.entry(request_id)
    assert (entry["input_tokens"], entry["output_tokens"]) == (7, 5)
    assert entry["usage_basis"] == "reported"
    assert entry["completion"] == "complete"


def test_tools_system_and_beta_headers_reach_the_provider_as_they_were(
    client: anthropic.Anthropic, provider: ProviderThread
) -> None:
    client.messages.create(
        model=MODEL,
        max_tokens=64,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=HELLO,
        tools=[{"name": "look", "input_schema": {"type": "object", "properties": {}}}],
        metadata={"user_id": "opaque"},
        extra_headers={"anthropic-beta": "some-beta-2026-01-01,other-beta"},
        extra_query={"beta": "true"},
    )

    sent = provider.requests[0]
    assert sent.target == "/v1/messages?beta=true"
    assert sent.header("anthropic-beta") == "some-beta-2026-01-01,other-beta"
    assert sent.json["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert sent.json["tools"][0]["name"] == "look"
    assert sent.json["metadata"] == {"user_id": "opaque"}


def test_counting_tokens_costs_nothing(
    client: anthropic.Anthropic, gateway: RunningGateway, provider: ProviderThread
) -> None:
    reply = client.messages.with_raw_response.count_tokens(model=MODEL, messages=HELLO)

    assert reply.parse().input_tokens == 7
    assert provider.requests[0].target == "/v1/messages/count_tokens"
    entry = gateway.site.entry(reply.headers["x-request-id"])
    assert entry["route"] == "count_tokens"
    assert (entry["input_tokens"], entry["output_tokens"]) == (0, 0)
    assert float(entry["cost_usd"]) == 0


def test_models_are_listed_in_anthropics_shape(client: anthropic.Anthropic) -> None:
    assert MODEL in {model.id for model in client.models.list()}
    assert client.models.retrieve(MODEL).type == "model"


@pytest.mark.parametrize("base", ["", "/anthropic", "/t/PROJ-1", "/t/PROJ-1/anthropic"])
def test_every_base_url_serves_the_same_routes(
    gateway: RunningGateway, provider: ProviderThread, base: str
) -> None:
    with anthropic.Anthropic(
        base_url=gateway.url + base,
        api_key=gateway.site.keys["alice"],
        default_headers={} if base.startswith("/t/") else {"X-Task-Id": "PROJ-1"},
    ) as client:
        reply = client.messages.with_raw_response.create(model=MODEL, max_tokens=64, messages=HELLO)

    assert provider.requests[0].target == "/v1/messages"
    assert gateway.site.entry(reply.headers["x-request-id"])["task_id"] == "PROJ-1"


@pytest.mark.parametrize(
    ("script", "error", "said"),
    [
        ("429:1", anthropic.RateLimitError, "Slow down"),
        ("500", anthropic.InternalServerError, "Something broke"),
        ("529", anthropic.APIStatusError, "Overloaded"),
        ("400", anthropic.BadRequestError, "No such field"),
    ],
)
def test_a_providers_error_arrives_as_the_sdks_own_exception(
    client: anthropic.Anthropic,
    gateway: RunningGateway,
    provider: ProviderThread,
    script: str,
    error: type[anthropic.APIStatusError],
    said: str,
) -> None:
    provider.script.append(script)

    with pytest.raises(error) as caught:
        client.with_options(max_retries=0).messages.create(
            model=MODEL, max_tokens=64, messages=HELLO
        )

    assert said in caught.value.message
    entry = gateway.site.entry(caught.value.response.headers["x-request-id"])
    assert entry["completion"] == "failed"


def test_a_retry_after_a_failure_succeeds(
    client: anthropic.Anthropic, gateway: RunningGateway, provider: ProviderThread
) -> None:
    provider.script.append("500")

    reply = client.with_options(max_retries=1).messages.with_raw_response.create(
        model=MODEL, max_tokens=64, messages=HELLO
    )

    assert len(provider.requests) == 2
    entry = gateway.site.entry(reply.headers["x-request-id"])
    assert (entry["completion"], entry["retry_count"]) == ("complete", 1)


def test_a_refusal_is_raised_at_once_in_anthropics_shape(
    client: anthropic.Anthropic, provider: ProviderThread
) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(
            model=MODEL, max_tokens=64, messages=HELLO, extra_headers={"X-Task-Id": ""}
        )

    assert isinstance(caught.value.body, dict)
    error = caught.value.body["error"]
    assert error["type"] == "invalid_request_error"
    assert error["details"]["error_code"] == "task_required"
    assert "goodgate task start" in error["message"]
    assert provider.requests == []


def test_a_wrong_key_is_an_authentication_error(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="gg_wrong").messages.create(
            model=MODEL, max_tokens=64, messages=HELLO
        )


@pytest.mark.usefixtures("provider")
async def test_the_async_client_asks_and_streams(gateway: RunningGateway) -> None:
    async with anthropic.AsyncAnthropic(
        base_url=gateway.url,
        auth_token=gateway.site.keys["alice"],
        default_headers={"X-Task-Id": "PROJ-1"},
    ) as client:
        reply = await client.messages.create(model=MODEL, max_tokens=64, messages=HELLO)
        async with client.messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
            said = "".join([text async for text in stream.text_stream])

    assert said == TEXT
    assert reply.usage.output_tokens == 5


def test_a_message_is_answered_by_the_simulated_provider(
    client: anthropic.Anthropic, gateway: RunningGateway
) -> None:
    with client.messages.stream(model="sim", max_tokens=64, messages=HELLO) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
        request_id = stream.response.headers["x-request-id"]

    assert said
    entry = gateway.site.entry(request_id)
    assert entry["output_tokens"] == final.usage.output_tokens
