"""What a provider sees because of a rule: who is asked, for how much, and with which headers."""

import json
from itertools import product
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.errors import ModelUnknown, RouteUnsupported
from gateway.settings import Deployment, Provider
from gateway.settings.providers import ModelEntry
from gateway.upstream import Providers, speaks
from gateway.values import Call, Inbound, Reply, Target, Terms
from tests.provider import ScriptedProvider
from tests.upstream import calls
from tests.upstream.calls import KEY, to

RULE: Any = {"rule": "cheap", "place": "policies/default.yaml:14"}
NAMED = "Policy: cheap (policies/default.yaml:14)."
HI: Any = [{"role": "user", "content": "hi"}]


def deployment(**models: ModelEntry) -> Providers:
    formats = {"cloud": "openai", "claude": "anthropic", "local": "simulated", "other": "litellm"}
    known = {
        name: Provider(name=name, format=kind, base_url="http://127.0.0.1:9")  # type: ignore[arg-type]  # as written
        for name, kind in formats.items()
    }
    return Providers(Deployment(providers=known, models=models))


TABLE: Any = {
    "gpt-5": ModelEntry(provider="cloud"),
    "fast": ModelEntry(provider="cloud", model="gpt-5-mini"),
    "claude-haiku": ModelEntry(provider="claude"),
}
ALL = ModelEntry(provider="local")


def sent_to(terms: Terms, model: str = "gpt-5", **catch_all: ModelEntry) -> tuple[str, str]:
    target = deployment(**TABLE, **catch_all).target(calls.chat(model), terms)
    return target.provider, target.model


def test_a_rule_that_names_a_model_sends_to_that_models_entry():
    assert sent_to(Terms(**RULE, model="fast")) == ("cloud", "gpt-5-mini")
    assert sent_to(Terms(**RULE, model="llama"), **{"*": ALL}) == ("local", "llama")
    only = ModelEntry(provider="local", model="one")
    assert sent_to(Terms(**RULE, model="llama"), **{"*": only}) == ("local", "one")


def test_a_rule_that_names_a_provider_keeps_the_model_asked_for():
    assert sent_to(Terms(**RULE, provider="local")) == ("local", "gpt-5")
    assert sent_to(Terms(**RULE, provider="local"), "unheard-of") == ("local", "unheard-of")


def test_the_name_a_provider_gives_a_model_is_used_there_and_nowhere_else():
    assert sent_to(Terms(**RULE, provider="cloud"), "fast") == ("cloud", "gpt-5-mini")
    assert sent_to(Terms(**RULE, provider="local"), "fast") == ("local", "fast")
    assert sent_to(Terms(**RULE, provider="cloud", model="fast")) == ("cloud", "gpt-5-mini")
    assert sent_to(Terms(**RULE, provider="other", model="fast")) == ("other", "fast")
    only = ModelEntry(provider="local", model="one")
    assert sent_to(Terms(**RULE, provider="local"), "x", **{"*": only}) == ("local", "one")


def test_without_terms_a_call_goes_where_its_caller_asked():
    upstream = deployment(**TABLE)
    plain = upstream.target(calls.chat("gpt-5"))
    assert plain == Target(provider="cloud", model="gpt-5", format="openai")
    assert upstream.target(calls.chat("gpt-5"), Terms()) == plain


def test_a_ceiling_and_headers_go_with_the_target_wherever_it_is():
    duties: Any = {"output_tokens_max": 7, "headers": (("x-a", "b"),)}
    for terms in (Terms(**duties), Terms(**RULE, provider="local", **duties)):
        target = deployment(**TABLE).target(calls.chat("gpt-5"), terms)
        assert (target.output_tokens_max, target.headers) == (7, (("x-a", "b"),))


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (Terms(**RULE, model="gone"), "the model 'gone', which nobody serves"),
        (Terms(**RULE, provider="gone"), "the provider 'gone', which is not in goodgate.yaml"),
        (
            Terms(**RULE, model="claude-haiku"),
            "the model 'claude-haiku' at 'claude' (`format: anthropic`), which does not serve /v1/",
        ),
        (Terms(**RULE, provider="claude"), "the model 'gpt-5' at 'claude'"),
    ],
)
def test_what_a_rule_sends_nowhere_is_refused_in_the_rules_name(terms, said):
    with pytest.raises(RouteUnsupported) as caught:
        deployment(**TABLE).target(calls.chat("gpt-5"), terms)
    text = str(caught.value)
    assert text.startswith(f"A rule sends this call to {said}")
    assert "an admin must change the rule" in text
    assert text.endswith(NAMED)


def test_a_name_of_the_callers_making_is_not_repeated():
    with pytest.raises(RouteUnsupported) as caught:
        deployment(**TABLE).target(calls.chat("a <b>"), Terms(**RULE, provider="claude"))
    assert "that model at 'claude'" in str(caught.value)
    assert "<b>" not in str(caught.value)


def test_terms_without_a_route_leave_the_usual_errors_as_they_are():
    with pytest.raises(ModelUnknown):
        deployment(**TABLE).target(calls.chat("gone"), Terms(output_tokens_max=5))
    with pytest.raises(RouteUnsupported, match="call /v1/messages"):
        deployment(**TABLE).target(calls.chat("claude-haiku"), Terms(output_tokens_max=5))


@pytest.mark.parametrize("provider", ["cloud", "claude", "local", "other"])
@pytest.mark.parametrize("route", wire.ROUTES, ids=lambda route: route.name)
def test_a_rule_sends_a_call_only_to_who_speaks_its_format(provider, route):
    body = {"model": "gpt-5", "messages": HI, "input": "hi", "prompt": "hi", "max_tokens": 5}
    kind = {"cloud": "openai", "claude": "anthropic", "local": "simulated", "other": "litellm"}
    upstream, terms = deployment(**TABLE), Terms(**RULE, provider=provider)
    if speaks(kind[provider], route):
        assert upstream.target(calls.call(route.path, body), terms).provider == provider
    else:
        with pytest.raises(RouteUnsupported, match="cheap"):
            upstream.target(calls.call(route.path, body), terms)


async def answer(upstream: Providers, call: Call, **duties: Any) -> tuple[Reply, bytes]:
    reply = await upstream.send(call, upstream.target(call, Terms(**duties)))
    return reply, b"".join([chunk async for chunk in reply.chunks])


SPLICED: Any = {
    "chat": ({"messages": HI}, "openai", "max_completion_tokens"),
    "completions": ({"prompt": "hi"}, "openai", "max_tokens"),
    "responses": ({"input": "hi"}, "openai", "max_output_tokens"),
    "messages": ({"messages": HI}, "anthropic", "max_tokens"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asked", [None, 3, 500])
@pytest.mark.parametrize("route", SPLICED)
async def test_each_splice_arrives_and_the_reply_comes_back(
    scripted: ScriptedProvider, route: str, asked: int | None, *, stream: bool
) -> None:
    fields, kind, name = SPLICED[route]
    limit = {} if asked is None else {name: asked}
    body = {"model": "m", **fields, **limit, **({"stream": True} if stream else {})}
    path = next(each.path for each in wire.ROUTES if each.name == route)
    async with to(scripted, format=kind) as upstream:
        sent = calls.call(path, body)
        headers = (("x-team", "payments"),)
        reply, whole = await answer(upstream, sent, output_tokens_max=50, headers=headers)
    received = scripted.requests[0]
    wanted = 3 if asked == 3 else 50
    added = (
        {"stream_options": {"include_usage": True}}
        if stream and route in ("chat", "completions")
        else {}
    )
    assert received.json == {**body, **added, name: wanted}
    assert received.header("content-length") == str(len(received.body))
    assert received.header("x-team") == "payments"
    assert (reply.status, reply.stream) == (200, stream)
    assert b"usage" in whole


async def test_a_thinking_budget_arrives_below_the_ceiling(scripted):
    async with to(scripted, format="anthropic") as upstream:
        thinking = {"type": "enabled", "budget_tokens": 10_000}
        sent = calls.messages(max_tokens=16_000, thinking=thinking)
        await answer(upstream, sent, output_tokens_max=2_000)
    assert scripted.requests[0].json["max_tokens"] == 2_000
    assert scripted.requests[0].json["thinking"] == {"type": "enabled", "budget_tokens": 1_999}


async def test_a_server_that_knows_only_max_tokens_is_told_in_max_tokens(scripted):
    async with to(scripted, options={"limit_field": "max_tokens"}) as upstream:
        await answer(upstream, calls.chat(max_completion_tokens=900), output_tokens_max=50)
    assert scripted.requests[0].json["max_tokens"] == 50
    assert "max_completion_tokens" not in scripted.requests[0].json


def test_litellm_is_told_in_the_field_all_its_providers_know():
    """It maps `max_tokens` to each provider's own; the newer field it drops for some of them."""
    models = {kind: ModelEntry(provider=kind) for kind in ("cloud", "local", "other")}
    targets = {kind: deployment(**models).target(calls.chat(kind)) for kind in models}
    assert {k: t.limit_field for k, t in targets.items()} == {
        "cloud": "", "local": "", "other": "max_tokens"
    }  # fmt: skip


async def test_a_model_that_a_rule_names_is_asked_for_under_its_providers_name(scripted):
    provider = Provider(name="p", format="openai", base_url=f"{scripted.url}/v1", api_key=KEY)
    small = ModelEntry(provider="p", model="gpt-5-mini")
    models = {"gpt-5": ModelEntry(provider="p"), "small": small}
    upstream = Providers(Deployment(providers={"p": provider}, models=models))
    await answer(upstream, calls.chat("gpt-5", stream=True), **RULE, model="small")
    await upstream.close()
    assert scripted.requests[0].json["model"] == "gpt-5-mini"


async def test_a_rules_header_stands_in_the_place_of_the_callers_and_of_goodgate_yamls(scripted):
    sent = calls.call(
        "/v1/chat/completions",
        {"model": "m", "messages": HI},
        headers={b"x-a": b"caller", b"user-agent": b"SDK", b"baggage": b"a=b", b"x-c": b"caller"},
    )
    headers = (("baggage", "c=d"), ("user-agent", "rule"), ("x-a", "rule"), ("x-b", "rule"))
    async with to(scripted, headers={"x-b": "file", "x-d": "file"}) as upstream:
        await answer(upstream, sent, headers=headers)
        await answer(upstream, sent)
    ruled, plain = (list(each.headers) for each in scripted.requests)
    found = {n: [v for name, v in ruled if name == n] for n in ("x-a", "x-b", "x-c", "x-d")}
    assert found == {"x-a": ["rule"], "x-b": ["rule"], "x-c": ["caller"], "x-d": ["file"]}
    assert [v for n, v in ruled if n in ("user-agent", "baggage")] == ["c=d", "rule"]
    assert ("x-a", "caller") in plain
    assert ("x-b", "file") in plain


async def test_no_rule_can_say_who_calls_or_where_a_request_ends(scripted):
    names = "accept-encoding api-key authorization connection content-length content-type cookie "
    names += "host te transfer-encoding x-api-key"
    headers = (*((name, "evil") for name in names.split()), ("x-a", "1\r\nx-evil: 1"), ("x-b", "é"))
    async with to(scripted) as upstream:
        await answer(upstream, calls.chat(), headers=headers)
    received = scripted.requests[0]
    assert received.header("authorization") == f"Bearer {KEY}"
    assert received.header("host") == scripted.url.removeprefix("http://")
    assert "evil" not in str(received.headers)
    assert {"x-a", "x-b"}.isdisjoint(name for name, _value in received.headers)


async def test_the_header_a_provider_takes_its_key_in_is_no_rules_to_set(scripted):
    async with to(scripted, options={"auth": "api-key"}) as upstream:
        await answer(upstream, calls.chat(), headers=(("api-key", "evil"), ("x-a", "b")))
    values = [value for name, value in scripted.requests[0].headers if name == "api-key"]
    assert values == [KEY]


async def test_a_simulated_provider_shows_what_a_rule_made_of_a_call():
    upstream = calls.providers(Provider(name="p", format="simulated"))
    headers = (("authorization", "x"), ("openai-project", "p1"))
    for stream in (False, True):
        sent = calls.chat(stream=stream)
        reply, whole = await answer(upstream, sent, output_tokens_max=2, headers=headers)
        shown = [pair for pair in reply.headers if pair[0].startswith(b"x-simulated-")]
        assert shown == [(b"x-simulated-sent-openai-project", b"p1")]
        assert b'"finish_reason":"length"' in whole
    reply, _whole = await answer(upstream, calls.chat())
    assert len(reply.headers) == 1


_HEADERS: Any = ((), (("x-a", "a"),), (("x-a", "b"),), (("x-a", "a"), ("x-b", "a")))
_TERMS = [
    Terms(model=model, output_tokens_max=most, headers=headers)
    for model in ("", "n", "one")
    for most in (None, 1, 2, 21)
    for headers in _HEADERS
]
_CALLERS: Any = ({}, {b"x-a": b"a"}, {b"x-b": b"a"})
_BODIES = (
    b'{"model":"m"}',
    b'{"model":"m","max_tokens":2}',
    b'{"model":"m","max_tokens":20}',
    b'{"model":"m","stream":true}',
    b'{"model":"m","task":"P-1"}',
    b'{"model":"n"}',
    b'{"max_completion_tokens":2,"model":"m"}',
)
_UPSTREAM = Providers(
    Deployment(
        providers={"p": Provider(name="p", format="openai", base_url="http://127.0.0.1:9")},
        models={"*": ModelEntry(provider="p"), "one": ModelEntry(provider="p", model="n")},
    )
)


def seen(body: bytes, headers: dict[bytes, bytes], terms: Terms) -> tuple[object, bytes]:
    """Return what a provider would get of a call, and the call's fingerprint."""
    route = wire.ROUTES_BY_PATH["/v1/chat/completions"]
    inbound = Inbound(route=route, path_task="", query=b"", headers=headers, body=body)
    call = wire.parse(inbound)
    target = _UPSTREAM.target(call, terms)
    lines = _UPSTREAM._senders["p"]._outward.of(headers, target.headers)  # type: ignore[attr-defined]  # Native's
    return (wire.outgoing_body(call, target), lines), _UPSTREAM.fingerprint(call, target)


def test_no_two_calls_that_are_sent_differently_share_a_fingerprint():
    found: dict[bytes, object] = {}
    for body, headers, terms in product(_BODIES, _CALLERS, _TERMS):
        sent, mark = seen(body, headers, terms)
        assert found.setdefault(mark, sent) == sent
    assert len(found) > len(_BODIES) * len(_TERMS) // 2


_VALUES = st.text(st.sampled_from('a,":[] '), min_size=1, max_size=4)
_RULED = st.builds(
    Terms,
    output_tokens_max=st.none() | st.integers(1, 30),
    headers=st.dictionaries(st.sampled_from(["a", "b", "ab"]), _VALUES, max_size=2).map(
        lambda headers: tuple(sorted(headers.items()))
    ),
)


@given(st.sampled_from(_BODIES), _RULED, _RULED)
def test_no_two_terms_of_one_call_share_a_fingerprint(body, one, other):
    (sent, mark), (sent_too, mark_too) = seen(body, {}, one), seen(body, {}, other)
    assert sent == sent_too or mark != mark_too
    assert mark == mark_too or one != other


async def test_the_sdk_reads_an_answer_that_was_bounded(scripted):
    """An answer that ends at the ceiling is one like any other, to a real client."""
    upstream = calls.providers(Provider(name="p", format="simulated"))
    _reply, whole = await answer(upstream, calls.chat(), output_tokens_max=2)
    read = openai.types.chat.ChatCompletion.model_validate(json.loads(whole))
    assert read.usage is not None
    assert read.usage.completion_tokens == 2
    assert scripted.requests == []
