"""Which part of a conversation is its last turn, in every format."""

import hashlib

import msgspec
import pytest

from gateway.values import Turn
from gateway.wire import turns
from tests.unit.wire.calls import call

LONG = "something that was said long ago, and at some length. " * 40


def user(content: object = "a question") -> dict[str, object]:
    return {"role": "user", "content": content}


def assistant(content: object = "an answer", **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": content, **more}


def tool(content: object = "ok") -> dict[str, object]:
    return {"role": "tool", "tool_call_id": "t", "content": content}


def chat(*messages: object) -> Turn:
    return call("chat", messages=messages).turn


def responses(*items: object, **more: object) -> Turn:
    return call("responses", input=items, **more).turn


def messages(*said: object, route: str = "messages") -> Turn:
    return call(route, messages=said, max_tokens=9).turn


# --- chat


def test_the_first_question_is_all_there_is():
    system = {"role": "system", "content": "You help."}
    assert chat(system, user("Why?")) == Turn(texts=("Why?",))


def test_what_follows_the_last_answer_is_the_turn_and_the_answer_stands_before_it():
    turn = chat(user("one"), assistant("two"), user("three"), assistant("four"), user("five"))
    assert turn == Turn(texts=("five",), before="four")


def test_questions_in_a_row_are_one_turn():
    turn = chat(assistant("hm"), user("one"), user([{"type": "text", "text": "two"}]))
    assert turn == Turn(texts=("one", "two"), before="hm")


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_are_no_part_of_a_turn_wherever_they_stand(role):
    told = {"role": role, "content": "Be brief."}
    turn = chat(told, user("one"), assistant("two"), told, user("three"), told)
    assert turn == Turn(texts=("three",), before="two")


def test_what_tools_answered_is_told_apart_from_what_the_caller_says():
    called = assistant(
        None,
        tool_calls=[
            {"id": "a", "type": "function", "function": {"name": "ls", "arguments": '{"at":"/"}'}},
            {"id": "b", "type": "custom", "custom": {"name": "sh", "input": "pwd"}},
        ],
    )
    turn = chat(user(), called, tool("etc"), tool([{"type": "text", "text": "/"}]), user("so?"))
    assert turn.results == ("etc", "/")
    assert turn.texts == ("so?",)
    assert turn.before == 'ls\n{"at":"/"}\nsh\npwd'


def test_functions_of_the_old_kind_answer_too():
    called = assistant(None, function_call={"name": "now", "arguments": "{}"})
    turn = chat(user(), called, {"role": "function", "name": "now", "content": "12:00"})
    assert turn == Turn(results=("12:00",), before="now\n{}")


def test_a_tool_that_answers_nothing_has_answered():
    assert chat(user("go on"), assistant(), tool("")) == Turn(results=("",), before="an answer")


@pytest.mark.parametrize("prefill", [[assistant("{")], [assistant("a"), assistant("b")]])
def test_a_prefill_hides_nothing(prefill):
    plain = chat(user("one"), assistant("two"), user("three"))
    assert chat(user("one"), assistant("two"), user("three"), *prefill) == plain
    assert chat(user("three"), *prefill) == Turn(texts=("three",))


@pytest.mark.parametrize("blank", [user(""), user(" \n"), user([]), user(None), {"role": "user"}])
def test_a_blank_turn_hides_nothing_either(blank):
    assert chat(user("one"), assistant("two"), blank) == Turn(texts=("one",))


def test_what_stands_before_is_the_last_that_the_model_said():
    silent = assistant(None)
    turn = chat(user("one"), assistant("two"), silent, user("three"))
    assert turn == Turn(texts=("three",), before="two")
    assert chat(assistant("one"), user("two"), silent, user("three")).before == ""


def test_no_more_than_its_end_stands_before():
    turn = chat(user(), assistant("x" * 9_000 + "the end"), user("yes"))
    assert len(turn.before) == turns.BEFORE_CHARS_MAX
    assert turn.before.endswith("xthe end")


def test_a_conversation_without_a_word_of_the_callers_has_an_empty_turn():
    assert chat() == chat(assistant()) == Turn()


def test_names_written_with_escapes_are_the_same_names():
    plain = b'[{"role":"user","content":"one"},{"role":"assistant","content":"b"}]'
    escaped = plain.replace(b"role", rb"r\u006fle").replace(b"assistant", rb"\u0061ssistant")
    assert turns.messages(escaped) == turns.messages(plain) == Turn(texts=("one",))


# --- Anthropic

REMINDER = (
    "<system-reminder>\nAs you answer, you can use the following context.\n</system-reminder>"
)


def result(content: object, **more: object) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": "toolu_1", "content": content, **more}


@pytest.mark.parametrize("route", ["messages", "count_tokens"])
def test_claude_codes_first_turn_has_its_reminder_and_the_callers_words(route):
    ephemeral = {"type": "ephemeral"}
    blocks = [
        {"type": "text", "text": REMINDER},
        {"type": "text", "text": "say hi", "cache_control": ephemeral},
    ]
    assert messages(user(blocks), route=route) == Turn(texts=(REMINDER, "say hi"))


def test_claude_codes_tool_loop_is_made_of_results():
    used = assistant(
        [
            {"type": "thinking", "thinking": "Let me look.", "signature": "c2ln"},
            {"type": "text", "text": "I read it."},
            {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"file_path": "/a"}},
        ]
    )
    blocks = [result("1\tdef f():"), result([{"type": "text", "text": "two"}], is_error=True)]
    turn = messages(user("look"), used, user(blocks))
    assert turn.results == ("1\tdef f():", "two")
    assert turn.texts == ()
    assert turn.before == 'I read it.\nRead\n{"file_path":"/a"}'


def test_a_result_with_words_beside_it_is_both():
    turn = messages(assistant(), user([result("ok"), {"type": "text", "text": "and now?"}]))
    assert (turn.results, turn.texts) == (("ok",), ("and now?",))


def test_several_messages_of_results_are_one_turn():
    turn = messages(assistant("x"), user([result("one")]), user([result(None)]))
    assert turn == Turn(results=("one", ""), before="x")


def test_what_the_providers_own_tools_answered_is_the_models_turn():
    searched = assistant(
        [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]},
            {"type": "text", "text": "Found."},
        ]
    )
    turn = messages(user("search"), searched, user("thanks, and?"))
    assert turn.texts == ("thanks, and?",)
    assert turn.before == 'web_search\n{"query":"q"}\nFound.'


# --- Responses

CALLED = {"type": "function_call", "call_id": "c", "name": "shell", "arguments": '{"cmd":"ls"}'}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "README"}
THOUGHT = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}


def asked(text: str) -> dict[str, object]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_an_input_may_be_a_string():
    assert call("responses", input="Why?").turn == Turn(texts=("Why?",))


def test_codexs_first_turn_has_its_context_and_the_callers_words():
    told = {"type": "message", "role": "developer", "content": [{"type": "input_text"}]}
    context = asked("<environment_context>\n  <cwd>/w</cwd>\n</environment_context>")
    turn = responses(told, context, asked("fix the test"))
    assert turn.texts[0].startswith("<environment_context>")
    assert turn.texts[1:] == ("fix the test",)


def test_codexs_tool_loop_is_made_of_outputs():
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]}
    turn = responses(asked("fix it"), THOUGHT, said, CALLED, CALLED, OUTPUT, OUTPUT)
    assert turn == Turn(results=("README", "README"), before='shell\n{"cmd":"ls"}')


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ({"type": "custom_tool_call_output", "output": "Done."}, "Done."),
        ({"type": "local_shell_call_output", "output": '{"output":"x"}'}, '{"output":"x"}'),
        ({"type": "shell_call_output", "output": [{"stdout": "a", "stderr": "b"}]}, "a\nb"),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "t"}]}, "t"),
        ({"type": "apply_patch_call_output", "status": "completed"}, ""),
        ({"type": "mcp_approval_response", "approve": True}, ""),
        ({"type": "mcp_approval_response", "approve": False, "reason": "no"}, "no"),
    ],
)
def test_every_kind_of_output_is_a_result(item, answer):
    assert responses(asked("x"), CALLED, item).results == (answer,)


def test_a_screenshot_is_a_result_with_an_attachment():
    shot = {"type": "computer_screenshot", "image_url": "data:image/png;base64,UE5H"}
    turn = responses({"type": "computer_call"}, {"type": "computer_call_output", "output": shot})
    assert turn.results == ("",)
    assert turn.attachments == (hashlib.sha256(b"PNG").digest(),)


@pytest.mark.parametrize(
    "item",
    [
        THOUGHT,
        CALLED,
        {"type": "web_search_call", "action": {"query": "q"}},
        {"type": "mcp_approval_request", "name": "rm"},
        {"type": "item_reference", "id": "msg_1"},
        {"role": "assistant", "content": "answer"},
    ],
)
def test_what_the_model_did_ends_a_turn(item):
    assert responses(asked("one"), item, asked("two")).texts == ("two",)


def test_messages_need_not_say_that_they_are_messages():
    turn = responses(user("one"), assistant([{"type": "output_text", "text": "2"}]), user("three"))
    assert turn == Turn(texts=("three",), before="2")


def test_reasoning_between_is_passed_over_for_what_was_said():
    said = assistant([{"type": "refusal", "refusal": "I cannot."}])
    assert responses(asked("a"), said, THOUGHT, asked("b")).before == "I cannot."


@pytest.mark.parametrize("kept", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
def test_all_of_an_input_is_new_where_the_provider_keeps_the_conversation(kept):
    turn = responses(asked("one"), CALLED, OUTPUT, asked("two"), assistant("."), **kept)
    assert turn == Turn(texts=("one", "two"), results=("README",))
    assert call("responses", input="Why?", **kept).turn == Turn(texts=("Why?",))
    assert responses(OUTPUT, **kept) == Turn(results=("README",))


def test_an_item_may_be_a_bare_part():
    assert responses({"type": "input_text", "text": "bare"}).texts == ("bare",)


# --- prompts


@pytest.mark.parametrize(("route", "name"), [("completions", "prompt"), ("embeddings", "input")])
def test_prompts_are_texts(route, name):
    assert call(route, **{name: "one"}).turn == Turn(texts=("one",))
    assert call(route, **{name: ["one", "two"]}).turn == Turn(texts=("one", "two"))
    assert call(route, **{name: []}).turn == call(route).turn == Turn()


@pytest.mark.parametrize(("route", "name"), [("completions", "prompt"), ("embeddings", "input")])
def test_token_ids_are_attached_however_they_are_spaced(route, name):
    flat = call(route, **{name: [1, 22]}).turn
    assert len(flat.attachments) == 1
    assert turns.prompts(b"[ 1,\n22 ]") == flat
    nested = call(route, **{name: [[1, 22], [3]]}).turn
    assert nested.attachments == (
        flat.attachments[0],
        call(route, **{name: [3]}).turn.attachments[0],
    )
    mixed = call(route, **{name: ["one", [1, 22]]}).turn
    assert mixed == Turn(texts=("one",), attachments=flat.attachments)


# --- what cannot be, and what is long


@pytest.mark.parametrize(
    "content",
    [
        None,
        5,
        True,
        {},
        {"x": ["assistant", "tool"]},
        ["assistant", "tool"],
        [[]],
        [None, 5],
        [{}],
        [{"role": ["user"], "content": 5}],
        [{"role": "user", "content": [[[[[[[["deep"]]]]]]]]}],
        [{"role": "assistant", "content": 7, "tool_calls": "x"}],
        [{"type": ["reasoning"]}],
    ],
)
@pytest.mark.parametrize("route", ["chat", "messages", "responses", "completions", "embeddings"])
def test_what_has_no_known_shape_says_nothing(route, content):
    name = {"responses": "input", "embeddings": "input", "completions": "prompt"}.get(route)
    turn = call(route, **{name or "messages": content}).turn
    assert (turn.results, turn.before) == ((), "")
    assert set(turn.texts) <= {"assistant", "tool"}


@pytest.mark.parametrize("number", [b"1e999", b"9" * 5_000])
def test_a_number_out_of_range_hides_nothing(number):
    body = b'[{"role":"user","content":[{"type":"text","text":"hi","x":%b}]}]' % number
    assert turns.messages(body).texts == ("hi",)
    history = msgspec.json.encode([assistant(LONG), assistant(LONG)])
    assert turns.messages(history[:-1] + b"," + body[1:]).texts == ("hi",)


@pytest.mark.parametrize("read", [turns.messages, turns.items, turns.continued, turns.prompts])
def test_what_is_nested_too_deeply_stands_for_itself(read):
    for content in (b"[" * 5_000 + b"]" * 5_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000):
        turn = read(content)
        assert turn == Turn(attachments=(hashlib.sha256(content).digest(),))


@pytest.mark.parametrize("read", [turns.messages, turns.items, turns.continued, turns.prompts])
@pytest.mark.parametrize("content", [b"", b"{", b"[", b'[{"role"', b"nul", b'["a" "b"]'])
def test_what_is_no_json_says_nothing(read, content):
    assert read(content) == Turn()
    assert read(content + b" " * 5_000) == Turn()


HISTORY = [user(LONG), assistant(LONG), user('quotes " and {"role":"assistant"} in it' + LONG)]


@pytest.mark.parametrize(
    "spoken",
    [
        [assistant("a"), user("b")],
        [assistant("a"), user("b"), assistant("{")],
        [assistant("a"), user('the "assistant", {"role": 1}, ends with {')],
        [assistant("a"), user([{"type": "text", "text": "b", "assistant": {"assistant": 1}}])],
        [{"content": [{"type": "text", "text": "a"}] * 12, "role": "assistant"}, user("b")],
        [assistant(LONG * 40), user(LONG * 40)],
        [assistant("a"), user(LONG * 40)],
        [assistant("a"), user(["{"] * 3), user("b")],
    ],
)
def test_a_long_history_is_no_part_of_a_turn(spoken):
    turn = chat(*HISTORY, *spoken)
    assert turn == chat(*spoken)
    assert len(turn.texts) + len(turn.before) > 1


@pytest.mark.parametrize("first", ["role", "content"])
def test_of_a_long_history_no_more_is_decoded_than_the_end(first):
    spoken = [*HISTORY * 30, assistant("a"), user("b"), user("c")]
    ordered = [dict(sorted(said.items(), key=lambda pair: pair[0] != first)) for said in spoken]
    body = msgspec.json.encode(ordered)
    assert len(body) > 100_000
    tail = turns._tail(body, turns._ASSISTANT)
    assert [msgspec.json.decode(raw)["content"] for raw in tail] == ["a", "b", "c"]
    items = msgspec.json.encode([asked(LONG)] * 60 + [CALLED, OUTPUT])
    assert len(turns._tail(items, turns._MODEL_ITEMS)) == 2


def test_a_long_history_written_with_blanks_is_read_all_the_same():
    spoken = [*HISTORY, assistant("a"), user("b")]
    body = msgspec.json.format(msgspec.json.encode(spoken), indent=2)
    assert turns.messages(body) == Turn(texts=("b",), before="a")


def test_a_long_history_of_items_is_no_part_of_a_turn():
    history = [asked(LONG), THOUGHT, CALLED, {**OUTPUT, "output": LONG}] * 9
    assert responses(*history, CALLED, OUTPUT) == responses(asked("x"), CALLED, OUTPUT)
    other_way = dict(reversed(list(CALLED.items())))
    assert responses(*history, other_way, OUTPUT).results == ("README",)
