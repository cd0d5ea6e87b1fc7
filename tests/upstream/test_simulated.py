"""The simulated provider: shapes the real SDKs accept, the same words each time, its options."""

import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import jsonschema
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.errors import ProviderCut
from gateway.settings import Provider
from gateway.upstream import Providers
from gateway.upstream.simulated import schemas
from tests.upstream import calls
from tests.upstream.calls import answer, until_cut
from tests.upstream.served import served

PARAMETERS = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer", "minimum": 2},
        "unit": {"enum": ["celsius", "kelvin"]},
    },
    "required": ["city", "days", "unit"],
    "additionalProperties": False,
}
ARGUMENTS = {"city": "word", "days": 2, "unit": "celsius"}
FUNCTION: Any = {"name": "weather", "parameters": PARAMETERS, "strict": True}
CHAT_TOOL: Any = {"type": "function", "function": FUNCTION}
TOOL: Any = {"type": "function", **FUNCTION}
USER: Any = [{"role": "user", "content": "hello"}]
ASKING: Any = [{"role": "user", "content": "Please call the tool."}]


def simulated(**options: object) -> Providers:
    return calls.providers(Provider(name="local", format="simulated", options=options))


@pytest.fixture
async def of_openai() -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        served(simulated()) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
    ):
        yield client


@pytest.fixture
async def of_anthropic() -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with (
        served(simulated()) as url,
        anthropic.AsyncAnthropic(base_url=url, api_key="x", max_retries=0) as client,
    ):
        yield client


async def test_chat_plain_and_streamed_say_the_same(of_openai):
    plain = await of_openai.chat.completions.create(model="m", messages=USER)
    text, chunks = "", []
    stream = await of_openai.chat.completions.create(
        model="m", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    async for chunk in stream:
        chunks.append(chunk)
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert plain.choices[0].message.content == text
    assert plain.choices[0].finish_reason == "stop"
    assert len(text.split()) == 16
    assert plain.usage.completion_tokens == 16
    assert chunks[-1].usage == plain.usage
    assert chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert {chunk.id for chunk in chunks} == {plain.id}
    again = await of_openai.chat.completions.create(model="m", messages=USER)
    assert again == plain
    other = await of_openai.chat.completions.create(model="m2", messages=USER)
    assert other.choices[0].message.content != text


async def test_chat_streams_usage_only_when_it_is_asked_to():
    _reply, body = await answer(simulated(), calls.chat(stream=True))
    assert b'"usage":{' in body  # outgoing_body asked for it
    asked = calls.chat(stream=True, stream_options={"include_usage": True})
    assert (await answer(simulated(), asked))[1] == body


async def test_chat_keeps_to_the_limit_and_gives_as_many_answers_as_asked(of_openai):
    reply = await of_openai.chat.completions.create(
        model="m", messages=USER, max_completion_tokens=3, n=3
    )
    assert [choice.finish_reason for choice in reply.choices] == ["length"] * 3
    texts = {choice.message.content for choice in reply.choices}
    assert len(texts) == 3
    assert reply.usage.completion_tokens == 9
    stream = await of_openai.chat.completions.create(
        model="m", messages=USER, max_tokens=3, n=3, stream=True
    )
    streamed: dict[int, str] = {}
    async for chunk in stream:
        for choice in chunk.choices:
            said = choice.delta.content or ""
            streamed[choice.index] = streamed.get(choice.index, "") + said
    assert set(streamed.values()) == texts


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
async def test_chat_calls_a_tool_when_it_must(of_openai, choice):
    fields: Any = {"model": "m", "messages": USER, "tools": [CHAT_TOOL], "tool_choice": choice}
    plain = await of_openai.chat.completions.create(**fields)
    call = plain.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", ARGUMENTS)
    assert plain.choices[0].finish_reason == "tool_calls"
    async with of_openai.chat.completions.stream(**fields) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == call.function.arguments
    assert final.choices[0].finish_reason == "tool_calls"


async def test_chat_calls_a_tool_when_told_to_but_not_after_its_result(of_openai):
    create = of_openai.chat.completions.create
    told = await create(model="m", messages=ASKING, tools=[CHAT_TOOL])
    message = told.choices[0].message
    assert message.tool_calls
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "12 degrees"}
    turns: Any = [*ASKING, message.to_dict(), result]
    after = await create(model="m", messages=turns, tools=[CHAT_TOOL])
    assert after.choices[0].finish_reason == "stop"
    never = await create(model="m", messages=ASKING, tools=[CHAT_TOOL], tool_choice="none")
    assert never.choices[0].message.tool_calls is None


async def test_chat_fits_a_schema(of_openai):
    schema = {"name": "s", "schema": PARAMETERS, "strict": True}
    reply = await of_openai.chat.completions.create(
        model="m", messages=USER, response_format={"type": "json_schema", "json_schema": schema}
    )
    assert json.loads(reply.choices[0].message.content) == ARGUMENTS


async def test_completions(of_openai):
    plain = await of_openai.completions.create(model="m", prompt="once upon", max_tokens=4)
    assert plain.choices[0].finish_reason == "length"
    assert plain.usage.completion_tokens == 4
    stream = await of_openai.completions.create(
        model="m", prompt="once upon", max_tokens=4, stream=True
    )
    text = "".join([chunk.choices[0].text async for chunk in stream if chunk.choices])
    assert text == plain.choices[0].text


async def test_responses(of_openai):
    plain = await of_openai.responses.create(model="m", input="hello")
    async with of_openai.responses.stream(model="m", input="hello") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == plain.output_text
    assert final.usage == plain.usage
    assert plain.usage.output_tokens == 16
    assert plain.status == "completed"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") == 16


async def test_responses_with_tools_limits_and_schemas(of_openai):
    create = of_openai.responses.create
    called = await create(model="m", input="hello", tools=[TOOL], tool_choice="required")
    item = called.output[0]
    assert (item.type, item.name, json.loads(item.arguments)) == (
        "function_call",
        "weather",
        ARGUMENTS,
    )
    async with of_openai.responses.stream(
        model="m", input="hello", tools=[TOOL], tool_choice="required"
    ) as stream:
        final = await stream.get_final_response()
    assert final.output[0].arguments == item.arguments
    short = await create(model="m", input="hello", max_output_tokens=3)
    assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    form: Any = {"format": {"type": "json_schema", "name": "s", "schema": PARAMETERS}}
    fits = await create(model="m", input=USER, text=form)
    assert json.loads(fits.output_text) == ARGUMENTS


async def test_embeddings_in_both_encodings_are_the_same_unit_vectors(of_openai):
    create = of_openai.embeddings.create
    packed = await create(model="m", input=["one", "two"], dimensions=8)
    plain = await create(model="m", input=["one", "two"], dimensions=8, encoding_format="float")
    assert [len(each.embedding) for each in packed.data] == [8, 8]
    for a, b in zip(packed.data, plain.data, strict=True):
        assert a.embedding == pytest.approx(b.embedding)
        assert sum(x * x for x in b.embedding) == pytest.approx(1, abs=1e-5)
    assert packed.data[0].embedding != packed.data[1].embedding
    assert packed.usage.prompt_tokens > 0
    _reply, body = await answer(
        simulated(),
        calls.call("/v1/embeddings", {"model": "m", "input": [1, 2], "encoding_format": "base64"}),
    )
    raw = base64.b64decode(json.loads(body)["data"][0]["embedding"])
    assert len(struct.unpack("<16f", raw)) == 16


async def test_messages_plain_streamed_and_counted(of_anthropic):
    fields: Any = {"model": "m", "max_tokens": 100, "messages": USER}
    plain = await of_anthropic.messages.create(**fields)
    async with of_anthropic.messages.stream(**fields) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert text == plain.content[0].text == final.content[0].text
    assert final.usage.output_tokens == plain.usage.output_tokens == 16
    assert plain.stop_reason == final.stop_reason == "end_turn"
    counted = await of_anthropic.messages.count_tokens(model="m", messages=USER)
    assert counted.input_tokens == plain.usage.input_tokens


async def test_messages_with_tools_and_limits(of_anthropic):
    tool: Any = {"name": "weather", "input_schema": PARAMETERS}
    for choice in ({"type": "any"}, {"type": "tool", "name": "weather"}):
        fields: Any = {"model": "m", "max_tokens": 100, "messages": USER, "tools": [tool]}
        plain = await of_anthropic.messages.create(**fields, tool_choice=choice)
        assert plain.content[0].input == ARGUMENTS
        assert plain.stop_reason == "tool_use"
        async with of_anthropic.messages.stream(**fields, tool_choice=choice) as stream:
            final = await stream.get_final_message()
        assert final.content[0].input == ARGUMENTS
    short = await of_anthropic.messages.create(model="m", max_tokens=2, messages=USER)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 2)
    config: Any = {"format": {"type": "json_schema", "schema": PARAMETERS}}
    fits = await of_anthropic.messages.create(
        model="m", max_tokens=99, messages=USER, extra_body={"output_config": config}
    )
    assert json.loads(fits.content[0].text) == ARGUMENTS


@pytest.mark.parametrize(
    ("call", "inside"), [(calls.chat(), b'"code"'), (calls.messages(), b'"type":"error"')]
)
async def test_errors_come_in_the_callers_shape(call, inside):
    reply, body = await answer(simulated(error_rate=1, error_status=529), call)
    assert reply.status == 529
    assert inside in body.replace(b": ", b":")


async def test_error_rate_is_a_share_of_prompts_and_the_same_each_time():
    upstream = simulated(error_rate=0.3)
    statuses = [
        (await answer(upstream, calls.chat(text=f"prompt {n}")))[0].status for n in range(300)
    ]
    again = [(await answer(upstream, calls.chat(text=f"prompt {n}")))[0].status for n in range(300)]
    assert statuses == again
    assert 60 < statuses.count(500) < 120


async def test_a_retry_throws_the_dice_again():
    body = {"model": "m", "messages": USER}
    statuses = set()
    for retry in range(20):
        headers = {b"x-stainless-retry-count": b"%d" % retry}
        call = calls.call("/v1/chat/completions", body, headers=headers)
        statuses.add((await answer(simulated(error_rate=0.5), call))[0].status)
    assert statuses == {200, 500}


async def test_cut_rate_breaks_replies_off_in_the_middle():
    upstream = simulated(cut_rate=1)
    for stream in (True, False):
        call = calls.chat(stream=stream)
        seen, said = await until_cut(await upstream.send(call, upstream.target(call)))
        assert "broke off" in said
        assert seen
        assert b"[DONE]" not in seen


async def test_a_closed_reply_says_no_more():
    upstream = simulated()
    call = calls.chat(stream=True)
    reply = await upstream.send(call, upstream.target(call))
    await anext(reply.chunks)
    await reply.close()
    with pytest.raises(ProviderCut):
        await anext(reply.chunks)


async def test_latency_and_pace_can_be_set():
    upstream = simulated(latency_ms=1, chunk_ms=0.1, tokens=3)
    _reply, body = await answer(upstream, calls.chat(stream=True))
    assert body.count(b'"delta":{"content":"') == 3


async def test_a_request_of_the_wrong_shape_is_refused():
    call = calls.chat(tools="no list")
    reply, _body = await answer(simulated(), call)
    assert reply.status == 400


@pytest.mark.parametrize("route", [route.path for route in wire.ROUTES])
async def test_every_route_reads_back_as_ended_with_usage(route):
    fields: dict[str, Any] = {"model": "m", "messages": USER, "max_tokens": 50}
    if route in {"/v1/embeddings", "/v1/responses"}:
        fields = {"model": "m", "input": "hello"}
    elif route == "/v1/completions":
        fields = {"model": "m", "prompt": "hello"}
    streams = [False] if route in ("/v1/embeddings", "/v1/messages/count_tokens") else [False, True]
    for stream in streams:
        call = calls.call(route, fields | ({"stream": True} if stream else {}))
        upstream = simulated()
        reply = await upstream.send(call, upstream.target(call))
        reader = wire.reader(call, status=reply.status, stream=reply.stream)
        async for chunk in reply.chunks:
            reader.feed(chunk)
        reader.close()
        figures = reader.figures()
        assert figures.ended
        assert not figures.failed
        if route != "/v1/messages/count_tokens":
            assert figures.usage is not None
            assert figures.usage.input_tokens > 0


@given(
    st.recursive(
        st.sampled_from(
            [{"type": "string"}, {"type": "integer", "minimum": 3}, {"enum": [1, "a"]}]
        ),
        lambda inner: st.one_of(
            st.dictionaries(st.text(max_size=5), inner, max_size=4).map(
                lambda properties: {
                    "type": "object",
                    "properties": properties,
                    "required": list(properties),
                }
            ),
            inner.map(lambda items: {"type": "array", "items": items, "minItems": 2}),
            inner.map(lambda other: {"anyOf": [other, {"type": "null"}]}),
        ),
        max_leaves=8,
    )
)
def test_an_instance_fits_its_schema(schema):
    jsonschema.validate(schemas.instance(schema), schema)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "$ref", "anyOf", "properties", "required", "items", "enum"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["type", "$ref", "anyOf", "properties", "items"]), _JSON))
def test_any_schema_ends_without_a_failure(schema):
    assert json.dumps(schemas.instance(schema)) is not None


def test_a_schema_that_refers_to_itself_everywhere_ends_soon():
    names = [f"p{n}" for n in range(10)]
    schema = {
        "type": "object",
        "properties": {key: {"$ref": "#"} for key in names},
        "required": names,
    }
    assert len(json.dumps(schemas.instance(schema))) < 20_000
