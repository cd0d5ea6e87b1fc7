"""Requests read into calls."""

import base64
import json
import os

import pytest

from gateway.errors import InvalidRequest, TaskConflict
from gateway.wire import calls as reading
from tests.unit.wire.calls import ROUTES, call, parse

HELLO = [{"role": "user", "content": "Hello"}]


def test_a_chat_call_is_read():
    read = call(
        "chat",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=5,
        max_completion_tokens=9,
        n=3,
        metadata={"task_id": "PROJ-1", "x": 1},
    )
    assert (read.model, read.stream, read.include_usage) == ("m", True, True)
    assert (read.output_tokens_max, read.choices, read.body_task) == (9, 3, "PROJ-1")
    assert (read.session_hint, read.branch_hint) == ("", "")
    assert (read.turn.texts, read.variety, read.stateful) == (("Hello",), True, False)


def test_what_is_left_out_or_null_is_not_set():
    for nothing in (
        {},
        dict.fromkeys(("stream", "stream_options", "max_tokens", "n", "metadata", "task")),
    ):
        read = call("chat", messages=HELLO, **nothing)
        assert (read.stream, read.include_usage) == (False, False)
        assert (read.output_tokens_max, read.choices, read.body_task) == (None, 1, "")


def test_each_route_reads_its_own_limit():
    assert call("completions", prompt="x", max_tokens=7).output_tokens_max == 7
    assert call("responses", input="x", max_output_tokens=8).output_tokens_max == 8
    assert call("messages", messages=HELLO, max_tokens=9).output_tokens_max == 9
    assert call("embeddings", input="x", max_tokens=9).output_tokens_max is None


def test_routes_without_streams_have_none():
    assert not call("embeddings", input="x", stream=True).stream
    assert not call("count_tokens", messages=HELLO, stream=True).stream


@pytest.mark.parametrize(
    ("prompt", "choices"),
    [("one", 4), (["one", "two", "three"], 12), ([1, 2, 3], 4), ([[1], [2]], 8), ([], 4)],
)
def test_every_prompt_of_a_completions_call_is_answered(prompt, choices):
    assert call("completions", prompt=prompt, n=2, best_of=4).choices == choices


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"hello", "not JSON"),
        (b"\xff{}", "UTF-8"),
        (b'{"model":"m","model":"n"}', "twice"),
        (b'{"model":"m","metadata":{"task_id":"A","task_id":"B"}}', "`metadata` says a name twice"),
        (b'{"model":"m","stream_options":{"a":1,"a":2}}', "`stream_options` says a name twice"),
        (b'{"model":"m","MODEL":"n"}', "only by case"),
        (b"{}", "`model` is missing"),
        (b'{"model":null}', "`model` is missing"),
        (b'{"model":""}', "`model` is missing"),
        (b'{"model":5}', "`model` must be a string"),
        (b'{"model":"a\\nb"}', "printable"),
        (b'{"model":"' + b"a" * 257 + b'"}', "256"),
        (b'{"model":"m","stream":1}', "`stream` must be true or false"),
        (b'{"model":"m","stream":"true"}', "`stream` must be true or false"),
        (b'{"model":"m","stream_options":[]}', "`stream_options` must be a JSON object"),
        (b'{"model":"m","stream_options":{"include_usage":1}}', "stream_options.include_usage"),
        (b'{"model":"m","max_tokens":-1}', "`max_tokens` must be a whole number"),
        (b'{"model":"m","max_tokens":1.5}', "`max_tokens` must be a whole number"),
        (b'{"model":"m","max_tokens":true}', "`max_tokens` must be a whole number"),
        (b'{"model":"m","max_tokens":1' + b"0" * 30 + b"}", "`max_tokens` must be a whole number"),
        (b'{"model":"m","n":0}', "`n` must be a whole number from 1"),
        (b'{"model":"m","n":"2"}', "`n` must be a whole number"),
        (b'{"model":"m","metadata":"x"}', "`metadata` must be a JSON object"),
        (b'{"model":"m","metadata":{"task_id":7}}', "`metadata.task_id` must be a string"),
        (b'{"model":"m","task":{}}', "`task` must be a string"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(body, says):
    with pytest.raises(InvalidRequest, match=says) as refused:
        parse("chat", body)
    assert "\n" not in str(refused.value)
    assert refused.value.status == 400


def test_a_refusal_never_repeats_the_body():
    for body in (
        b'{"model":"m","task":["s3cret"]}',
        b's3cret{"model":',
        b'{"s3cret":1,"s3cret":2}',
    ):
        with pytest.raises(InvalidRequest) as refused:
            parse("chat", body)
        assert "s3cret" not in str(refused.value)


def test_unknown_fields_are_nobodys_business():
    read = parse("chat", b'{"model":"m","topK":"x","seed":{"a":1,"a":2},"messages":"odd"}')
    assert read.model == "m"


def test_a_task_is_named_in_either_place():
    assert call("chat", task="P-1").body_task == "P-1"
    assert call("chat", metadata={"task_id": "P-2"}).body_task == "P-2"
    assert call("chat", task="p-1 ", metadata={"task_id": "P-1"}).body_task == "P-1"
    with pytest.raises(TaskConflict, match="send one of them"):
        call("chat", task="P-1", metadata={"task_id": "P-2"})


@pytest.mark.parametrize(
    ("user_id", "session"),
    [
        (json.dumps({"device_id": "d", "session_id": "abc-DEF_123"}), "abc-DEF_123"),
        ("user_9_account__session_0a1b2c3d-4e5f", "0a1b2c3d-4e5f"),
        ("_session_short", ""),
        ("opaque", ""),
        ("{broken", ""),
        ('{"session_id":5}', ""),
        ("{}", ""),
        ("user_session_has space in it", ""),
        (5, ""),
        (None, ""),
    ],
)
def test_a_session_is_found_in_anthropics_user_id(user_id, session):
    assert call("messages", messages=HELLO, metadata={"user_id": user_id}).session_hint == session
    assert call("chat", messages=HELLO, metadata={"user_id": user_id}).session_hint == ""


def test_a_branch_is_found_in_the_system_prompt():
    system = [{"type": "text", "text": "gitStatus\nCurrent branch: feature/PROJ-1-x\nMain: m"}]
    assert call("messages", system=system).branch_hint == "feature/PROJ-1-x"
    assert call("messages", system="Current branch: ").branch_hint == ""
    assert call("messages", system="nothing").branch_hint == ""
    assert call("messages", messages=HELLO).branch_hint == ""


def test_text_counts_a_token_for_three_bytes_and_more_where_it_is_not_ascii():
    plain = call("chat", messages=[{"role": "user", "content": "word " * 600}])
    assert 1000 <= plain.input_tokens_estimate <= 1100
    chinese = call("chat", messages=[{"role": "user", "content": "中" * 1000}])
    assert chinese.input_tokens_estimate >= 2000


def test_a_picture_does_not_count_its_bytes():
    picture = base64.b64encode(os.urandom(300_000)).decode()
    openai = [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}]
    anthropic = [{"type": "image", "source": {"type": "base64", "data": picture}}]
    for route, content in (("chat", openai), ("messages", anthropic)):
        read = call(route, messages=[{"role": "user", "content": content}])
        assert 2000 <= read.input_tokens_estimate <= 10_000
    words = call("chat", messages=[{"role": "user", "content": "many words " * 30_000}])
    assert words.input_tokens_estimate >= 100_000


def test_pictures_by_address_are_foreseen():
    part = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    assert (
        call("chat", messages=[{"role": "user", "content": [part] * 3}]).input_tokens_estimate
        > 6000
    )
    assert (
        call("chat", messages=[{"role": "user", "content": 'the "url"'}]).input_tokens_estimate
        < 100
    )


def test_long_strings_side_by_side_are_each_looked_at():
    blob = "A" * 20_000
    parts = [{"type": "input_audio", "input_audio": {"data": blob}}] * 2
    read = call("chat", messages=[{"role": "user", "content": [*parts, {"text": "word " * 4000}]}])
    assert 20_000 // 3 < read.input_tokens_estimate < 20_000 // 3 + 2 * 2500


def test_token_ids_are_counted_one_by_one():
    assert call("embeddings", input=[1] * 900).input_tokens_estimate >= 900
    assert call("embeddings", input=[[1] * 500, [2] * 400]).input_tokens_estimate >= 900
    assert call("embeddings", input=[1] * 900).input_tokens_estimate < 950


@pytest.mark.parametrize(
    ("given", "variety"),
    [
        ({}, False),
        ({"temperature": None, "top_p": None, "n": None}, False),
        ({"temperature": 0, "top_p": 0.0, "n": 1}, False),
        ({"temperature": -0.0}, False),
        ({"temperature": 0.2}, True),
        ({"temperature": 1}, True),
        ({"top_p": 1}, True),
        ({"temperature": 0, "top_p": 0.9}, True),
        ({"temperature": "0"}, True),
        ({"temperature": []}, True),
        ({"top_k": 40, "seed": 7}, False),
    ],
)
@pytest.mark.parametrize("route", list(ROUTES))
def test_a_call_that_samples_asks_for_variety(route, given, variety):
    assert call(route, **given).variety is variety


def test_a_call_for_more_answers_than_one_asks_for_variety():
    assert call("chat", n=2).variety
    assert call("completions", prompt="x", best_of=2).variety
    assert not call("responses", n=2).variety


def test_many_prompts_in_one_call_are_no_variety():
    read = call("completions", prompt=["one", "two"])
    assert (read.choices, read.variety) == (2, False)


def test_a_number_out_of_range_asks_for_variety():
    assert parse("chat", b'{"model":"m","temperature":1e999}').variety


@pytest.mark.parametrize(
    ("route", "given", "stateful"),
    [
        ("responses", {"conversation": "conv_1"}, True),
        ("responses", {"conversation": {"id": "conv_1"}}, True),
        ("responses", {"background": True}, True),
        ("responses", {"conversation": None, "background": False}, False),
        ("responses", {"background": None}, False),
        ("responses", {"previous_response_id": "resp_1", "store": True}, False),
        ("messages", {"container": "container_1"}, True),
        ("messages", {"container": {"skills": []}}, True),
        ("messages", {"container": None}, False),
        ("count_tokens", {"container": "container_1"}, False),
        ("chat", {"store": True, "background": "x", "conversation": "c"}, False),
    ],
)
def test_a_call_that_changes_what_its_provider_keeps_is_stateful(route, given, stateful):
    assert call(route, **given).stateful is stateful


def test_a_background_that_is_no_flag_is_refused():
    with pytest.raises(InvalidRequest, match="`background` must be true or false"):
        call("responses", background="yes")


@pytest.mark.parametrize(
    "name",
    [
        *("Temperature", "Top_P", "Conversation", "Background", "Container"),
        *("Previous_Response_Id", "Input", "Messages"),
    ],
)
def test_no_field_that_is_read_can_hide_behind_another_case(name):
    with pytest.raises(InvalidRequest, match="only by case"):
        call("responses", **{name: 1})


def test_every_route_has_a_grammar():
    assert {"chat", "completions", "responses", "embeddings", "messages", "count_tokens"} == set(
        reading._GRAMMARS
    )


def test_instructions_are_the_turn_where_nothing_else_is_said() -> None:
    """Else a prompt sent as the system's words would be nothing, over and over."""
    system = call("chat", messages=[{"role": "system", "content": "Translate the invoice."}])
    only = call("responses", instructions="Translate the invoice.")

    assert "Translate the invoice." in system.turn.texts[0]
    assert only.turn.texts == ('"Translate the invoice."',)
    assert call("chat", messages=[]).turn.texts == ()
