"""Which calls look alike to a provider: the key under which a reply is shared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import wire
from gateway.settings import Provider
from gateway.upstream import Providers
from gateway.values import Call, Inbound
from tests.upstream import calls

FORMATS = ("openai", "simulated", "litellm")
SDK = {
    b"accept": b"application/json",
    b"authorization": b"Bearer gg_alice",
    b"content-type": b"application/json",
    b"user-agent": b"OpenAI/Python 3.54.0",
    b"x-stainless-lang": b"python",
    b"x-stainless-retry-count": b"0",
    b"x-stainless-read-timeout": b"600",
}
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


def upstream(*, model: str = "", **settings: object) -> Providers:
    known: dict[str, object] = {"name": "p", "format": "openai", "base_url": "http://127.0.0.1:9"}
    return calls.providers(Provider(**{**known, **settings}), model)


def mark(
    providers: Providers,
    body: bytes = BODY,
    path: str = "/v1/chat/completions",
    query: bytes = b"",
    **headers: str,
) -> bytes:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    call = calls.call(path, body, headers=SDK | named, query=query)
    return providers.fingerprint(call, providers.target(call))


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_call_looks_the_same_whoever_makes_it_however_often(kind):
    providers = upstream(format=kind)
    plain = mark(providers)
    assert mark(providers, authorization="Bearer gg_bob") == plain
    assert mark(providers, x_stainless_retry_count="2") == plain
    assert mark(providers, x_task_id="PROJ-1", x_goodgate_task="PROJ-2") == plain
    assert mark(providers, baggage="task.id=PROJ-1") == plain
    assert mark(providers, x_forwarded_for="10.0.0.1", cookie="a=b") == plain
    assert mark(upstream(format=kind)) == plain


@pytest.mark.parametrize("kind", FORMATS)
def test_whatever_travels_tells_calls_apart(kind):
    providers = upstream(format=kind)
    other = BODY.replace(b"hi", b"ho")
    marks = [
        mark(providers),
        mark(providers, other),
        mark(providers, BODY + b" "),
        mark(providers, query=b"beta=true"),
        mark(providers, query=b"beta=1"),
        mark(providers, user_agent="OpenAI/Python 2.54.0"),
        mark(providers, openai_organization="org-1"),
        mark(providers, x_stainless_read_timeout="60"),
        mark(providers, baggage="a=b"),
    ]
    assert len(set(marks)) == len(marks)


def test_routes_and_models_are_told_apart():
    providers = upstream(format="simulated")
    assert len({mark(providers, path=route.path) for route in wire.ROUTES}) == len(wire.ROUTES)
    renamed = upstream(format="simulated", model="n")
    assert mark(renamed) != mark(providers)


@pytest.mark.parametrize("task", [b"", b',"task":"PROJ-1"'])
def test_a_call_that_asked_for_usage_is_not_one_that_did_not(task):
    """The gateway asks for both, and strips the chunk for the one that did not."""
    providers = upstream()
    silent = b'{"model":"m","stream":true%b}' % task
    asking = b'{"stream_options":{"include_usage":true},"model":"m","stream":true%b}' % task
    sent = [calls.call("/v1/chat/completions", body) for body in (silent, asking)]
    bodies = [wire.outgoing_body(each, providers.target(each)) for each in sent]
    assert bodies[0] == bodies[1]
    assert mark(providers, silent) != mark(providers, asking)


def test_the_task_in_a_body_is_no_part_of_it():
    providers = upstream()
    one = mark(providers, BODY[:-1] + b',"task":"PROJ-1"}')
    assert one == mark(providers, BODY[:-1] + b',"task":"PROJ-2"}') == mark(providers)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "http://127.0.0.1:10"},
        {"api_key": "sk-2"},
        {"headers": {"openai-project": "2"}},
        {"options": {"auth": "api-key"}},
        {"name": "q"},
    ],
)
def test_a_provider_that_was_set_up_anew_answers_for_itself_alone(settings):
    plain = {"api_key": "sk-1", "headers": {"openai-project": "1"}}
    assert mark(upstream(**plain)) != mark(upstream(**{**plain, **settings}))


def test_no_credential_is_in_it():
    assert b"sk-of-the-provider" not in mark(upstream(api_key=calls.KEY))
    assert b"gg_alice" not in mark(upstream())


_VALUES = st.text(st.sampled_from("ab:, \n"), max_size=4).map(str.encode)
_CALLS = st.builds(
    lambda headers, query, body: Inbound(
        route=wire.ROUTES_BY_PATH["/v1/chat/completions"],
        path_task="",
        query=query,
        headers=headers,
        body=b'{"model":"m","user":"' + body + b'"}',
    ),
    st.dictionaries(st.sampled_from([b"a", b"b", b"ab"]), _VALUES, max_size=3),
    st.text(st.sampled_from("ab=&"), max_size=4).map(str.encode),
    st.text(st.sampled_from("ab:,;0"), max_size=4).map(str.encode),
).map(wire.parse)
_PROVIDERS = upstream()


def _seen(call: Call) -> tuple[object, ...]:
    """Return what of a call its provider sees, taken apart."""
    lines: list[bytes] = []
    for name, value in call.inbound.headers.items():
        lines += [name + b": " + each for each in value.split(b"\n")]
    return lines, call.inbound.query, call.inbound.body


@given(_CALLS, _CALLS)
def test_two_calls_that_differ_never_share_one(one, two):
    alike = _seen(one) == _seen(two)
    marks = [_PROVIDERS.fingerprint(each, _PROVIDERS.target(each)) for each in (one, two)]
    assert (marks[0] == marks[1]) is alike
