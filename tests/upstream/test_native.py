"""A provider of the caller's own format, over a real socket: what goes out, what comes back."""

import json
import warnings

import pytest

from gateway.errors import InvalidRequest
from gateway.upstream import native
from gateway.values import Call
from tests.upstream import calls
from tests.upstream.calls import KEY, answer, to


def chat_with(**headers: str) -> Call:
    """Return a chat call with headers, written with underscores."""
    named = {k.replace("_", "-").encode(): v.encode() for k, v in headers.items()}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return calls.call("/v1/chat/completions", body, headers=named)


async def test_the_body_travels_byte_for_byte(scripted):
    body = b'{ "model" : "m",\n "messages":[{"role":"user","content":"caf\xc3\xa9"}], "x":1.0e5 }'
    async with to(scripted) as upstream:
        await answer(upstream, calls.call("/v1/chat/completions", body))
    assert scripted.requests[0].body == body


async def test_a_large_body_travels_byte_for_byte_and_without_a_warning(scripted):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 3_000_000}]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with to(scripted) as upstream:
            await answer(upstream, calls.call("/v1/chat/completions", body.encode()))
    assert scripted.requests[0].body == body.encode()
    assert scripted.requests[0].header("transfer-encoding") is None


@pytest.mark.parametrize("query", [b"beta=true", b"a=%2F%20b&c=+d&e=%zz", b"x=%E2%82%AC;y"])
async def test_the_query_travels_as_it_was_written(scripted, query):
    sent = calls.call(
        "/v1/messages",
        {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]},
        query=query,
    )
    async with to(scripted, format="anthropic") as upstream:
        await answer(upstream, sent)
    assert scripted.requests[0].target == f"/v1/messages?{query.decode()}"


@pytest.mark.parametrize("query", [b"a=b c", b"a=\r\nx: y", b"a=\xff", b"a#b"])
async def test_a_query_that_could_forge_a_request_is_refused(scripted, query):
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    sent = calls.call("/v1/chat/completions", body, query=query)
    async with to(scripted) as upstream:
        with pytest.raises(InvalidRequest, match="percent-encoded"):
            await upstream.send(sent, upstream.target(sent))
    assert scripted.requests == []


async def test_queries_are_not_remembered_without_a_bound(scripted, monkeypatch):
    monkeypatch.setattr(native, "HEADS_REMEMBERED_MAX", 2)
    async with to(scripted) as upstream:
        for query in (b"a=1", b"a=2", b"a=3", b"a=1"):
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            await answer(upstream, calls.call("/v1/chat/completions", body, query=query))
        assert len(upstream._senders["p"]._heads) == 2
    targets = [request.target.partition("?")[2] for request in scripted.requests]
    assert targets == ["a=1", "a=2", "a=3", "a=1"]


async def test_headers_of_the_api_travel_and_the_callers_secrets_do_not(scripted):
    sent = chat_with(
        anthropic_version="2026-10-21",
        anthropic_beta="one\ntwo",
        openai_organization="org",
        x_stainless_retry_count="1",
        traceparent="00-1-2-01",
        user_agent="OpenAI/Python 3.54.0",
        content_type="application/json; charset=utf-8",
        x_claude_code_session_id="s-1",
        authorization="Bearer gg_caller",
        x_api_key="gg_caller",
        x_goog_api_key="gg_caller",
        api_key="gg_caller",
        cookie="a=b",
        proxy_authorization="Basic x",
    )
    async with to(scripted) as upstream:
        await answer(upstream, sent)
    received = scripted.requests[0]
    names = [name for name, _value in received.headers]
    assert received.header("authorization") == f"Bearer {KEY}"
    assert [v for n, v in received.headers if n == "anthropic-beta"] == ["one", "two"]
    assert received.header("anthropic-version") == "2026-10-21"
    assert received.header("openai-organization") == "org"
    assert received.header("x-stainless-retry-count") == "1"
    assert received.header("traceparent") == "00-1-2-01"
    assert received.header("user-agent") == "OpenAI/Python 3.54.0"
    assert received.header("content-type") == "application/json; charset=utf-8"
    assert received.header("x-claude-code-session-id") == "s-1"
    assert received.header("accept-encoding") == "identity"
    assert names.count("authorization") == 1
    assert not {"cookie", "x-api-key", "x-goog-api-key", "api-key"} & set(names)
    assert "gg_caller" not in str(received.headers)


async def test_what_speaks_to_gateways_and_to_one_connection_stays_here(scripted):
    sent = chat_with(
        x_task_id="PROJ-1",
        x_task_type="bug",
        x_goodgate_anything="1",
        x_litellm_tags="task:1",
        x_portkey_metadata="{}",
        helicone_property_task="1",
        cf_aig_metadata="{}",
        x_tfy_metadata="{}",
        x_forwarded_for="10.0.0.1",
        forwarded="for=10.0.0.1",
        via="1.1 x",
        x_real_ip="10.0.0.1",
        host="evil.example",
        content_length="3",
        transfer_encoding="chunked",
        te="trailers",
        upgrade="h2c",
        expect="100-continue",
        accept_encoding="gzip, br",
        connection="keep-alive, X-Hop",
        x_hop="secret",
        x_kept="yes",
    )
    async with to(scripted) as upstream:
        await answer(upstream, sent)
    names = {name for name, _value in scripted.requests[0].headers}
    assert names == {
        "host",
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "user-agent",
        "x-kept",
    }
    assert scripted.requests[0].header("host") == scripted.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("baggage", "kept"),
    [
        ("task.id=PROJ-1", None),
        ("task.id=PROJ-1,session.id=s", "session.id=s"),
        ("a=1;p=2, Task.ID = x ,b=2", "a=1;p=2,b=2"),
        ("a=1\ntask.id=x", "a=1"),
    ],
)
async def test_the_task_is_cut_from_baggage(scripted, baggage, kept):
    async with to(scripted) as upstream:
        await answer(upstream, chat_with(baggage=baggage))
    assert scripted.requests[0].header("baggage") == kept


async def test_a_header_with_control_characters_is_dropped(scripted):
    headers = {b"x-bad": b"a\x00b", b"x-esc": b"\x1b[2J", b"x-raw": b"\xff", b"x-tab": b"a\tb"}
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    async with to(scripted) as upstream:
        await answer(upstream, calls.call("/v1/chat/completions", body, headers=headers))
    received = scripted.requests[0]
    assert received.header("x-tab") == "a\tb"
    assert not {"x-bad", "x-esc", "x-raw"} & {name for name, _value in received.headers}


async def test_utf8_in_a_header_travels_unchanged(scripted):
    async with to(scripted) as upstream:
        await answer(upstream, chat_with(x_title="café"))
    assert scripted.requests[0].header("x-title").encode("latin-1").decode() == "café"


@pytest.mark.parametrize(
    ("settings", "header", "value"),
    [
        ({"format": "anthropic"}, "x-api-key", KEY),
        ({"format": "anthropic", "options": {"auth": "bearer"}}, "authorization", f"Bearer {KEY}"),
        ({"format": "openai", "options": {"auth": "api-key"}}, "api-key", KEY),
        ({"format": "openai"}, "authorization", f"Bearer {KEY}"),
        ({"format": "openai", "api_key": ""}, "authorization", None),
        ({"format": "openai", "headers": {"user-agent": "ours"}}, "user-agent", "ours"),
        ({"format": "openai", "headers": {"x-kept": "ours"}}, "x-kept", "ours"),
    ],
)
async def test_the_provider_gets_its_own_credential_and_headers(scripted, settings, header, value):
    sent = chat_with(x_kept="theirs", user_agent="theirs")
    if settings["format"] == "anthropic":
        sent = calls.messages()
    async with to(scripted, **settings) as upstream:
        await answer(upstream, sent)
    found = [v for name, v in scripted.requests[0].headers if name == header]
    assert found == ([] if value is None else [value])


async def test_only_headers_on_the_list_come_back(scripted):
    async with to(scripted) as upstream:
        reply, _body = await answer(upstream, calls.chat("m!echo_headers"))
    assert dict(reply.headers) == {
        b"content-type": b"application/json",
        b"x-goodgate-provider-request-id": b"req_anthropic",
        b"request-id": b"req_anthropic",
        b"openai-processing-ms": b"12",
        b"openai-version": b"2020-10-01",
        b"anthropic-organization-id": b"org-1",
        b"anthropic-ratelimit-requests-remaining": b"9",
        b"x-ratelimit-remaining-tokens": b"99",
        b"x-should-retry": b"true",
    }


async def test_the_providers_request_id_comes_back_under_a_name_of_its_own(scripted):
    async with to(scripted) as upstream:
        reply, _body = await answer(upstream, calls.chat())
    assert (b"x-goodgate-provider-request-id", b"req_up") in reply.headers


async def test_one_connection_serves_many_calls(scripted):
    async with to(scripted) as upstream:
        for stream in (False, True, False):
            await answer(upstream, calls.chat(stream=stream))
        await answer(upstream, calls.chat("m!500"))
    assert [request.connection for request in scripted.requests] == [0, 0, 0, 0]


async def test_a_stream_passes_as_it_arrives(scripted):
    scripted.script.append("stall:2")
    async with to(scripted) as upstream:
        sent = calls.chat(stream=True)
        reply = await upstream.send(sent, upstream.target(sent))
        assert reply.stream
        seen = b""
        while b"word1" not in seen:
            seen += await anext(reply.chunks)
        assert "wört2".encode() not in seen
        scripted.go.set()
        seen += b"".join([chunk async for chunk in reply.chunks])
    assert seen.endswith(b"data: [DONE]\n\n")
    assert "wört2".encode() in seen


@pytest.mark.parametrize("script", ["crlf", "bytewise", "comments", "garbage", "huge", "no_end"])
async def test_a_strange_stream_passes_byte_for_byte(scripted, script):
    async with to(scripted) as upstream:
        _reply, passed = await answer(upstream, calls.chat(f"m!{script}", stream=True))
        _reply, plain = await answer(upstream, calls.chat("m!" + "normal", stream=True))
    if script == "crlf":
        passed = passed.replace(b"\r\n", b"\n")
    if script in ("crlf", "bytewise"):
        assert passed == plain.replace(b"m!normal", f"m!{script}".encode())
    assert (b"[DONE]" in passed) == (script != "no_end")
    assert passed.count(b"word") == plain.count(b"word")


@pytest.mark.parametrize(
    ("script", "status", "inside"),
    [
        ("429:7", 429, b"rate_limit_error"),
        ("500", 500, b"api_error"),
        ("529", 529, b"overloaded_error"),
        ("400", 400, b"No such field"),
        ("html", 502, b"<html>"),
        ("redirect", 302, b""),
    ],
)
async def test_a_providers_error_passes_unchanged(scripted, script, status, inside):
    async with to(scripted) as upstream:
        reply, body = await answer(upstream, calls.chat(f"m!{script}", stream=True))
    assert reply.status == status
    assert inside in body
    assert not reply.stream
    assert len(scripted.requests) == 1
    assert (b"retry-after", b"7") in reply.headers or script != "429:7"
    assert b"location" not in dict(reply.headers)


async def test_nothing_is_decompressed(scripted):
    async with to(scripted) as upstream:
        reply, body = await answer(upstream, calls.chat("m!gzip"))
    assert body[:2] == b"\x1f\x8b"
    assert len(body) < 20_000
    assert dict(reply.headers)[b"content-encoding"] == b"gzip"


async def test_cookies_are_not_kept(scripted):
    async with to(scripted) as upstream:
        await answer(upstream, calls.chat("m!echo_headers"))
        await answer(upstream, calls.chat())
    assert scripted.requests[1].header("cookie") is None
