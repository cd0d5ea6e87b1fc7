"""Which headers a rule may add, in words and as a pattern: the two always agree."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.language import headers
from gateway.upstream import headers as sent

NOT_SET = {
    "connection": "it belongs to one connection, not to a message",
    "transfer-encoding": "it belongs to one connection, not to a message",
    "host": "it belongs to one connection, not to a message",
    "content-length": "it describes the body, which is not the rule's to change",
    "content-": "it describes the body, which is not the rule's to change",
    "authorization": "it carries a credential: a provider's stands in goodgate.yaml, nobody's in a "
    "policy",
    "set-cookie": "it carries a credential: a provider's stands in goodgate.yaml, nobody's in a "
    "policy",
    "x-goodgate-decision": "the gateway sets it itself",
    "x-request-id": "the gateway sets it itself",
    "ratelimit": "the gateway sets it itself",
    "ratelimit-policy": "the gateway sets it itself",
    "x-task-id": "it names a task or a caller, and the gateway keeps those to itself",
    "baggage": "it names a task or a caller, and the gateway keeps those to itself",
    "X-Team": "names are in lower case: write 'x-team'",
    "x team": "a name is 1 to 64 of a-z, 0-9 and !#$%&'*+-.^_`|~",
    "": "a name is 1 to 64 of a-z, 0-9 and !#$%&'*+-.^_`|~",
    "x" * 65: "a name is 1 to 64 of a-z, 0-9 and !#$%&'*+-.^_`|~",
}


@pytest.mark.parametrize(("name", "why"), NOT_SET.items())
@pytest.mark.parametrize("reserved", [headers.PROVIDER, headers.REPLY], ids=["provider", "reply"])
def test_a_header_that_no_rule_may_set_is_refused_with_the_reason(
    name: str, why: str, reserved: tuple[headers.Reserved, ...]
) -> None:
    assert headers.why_not(name, reserved) == why
    assert not re.fullmatch(headers.pattern(reserved), name)


@pytest.mark.parametrize("name", ["x-team", "x-" + "a" * 62, "openai-project", "a", "x-hosts"])
def test_others_may_be_sent_to_a_provider(name: str) -> None:
    assert headers.why_not(name, headers.PROVIDER) == ""
    assert re.fullmatch(headers.pattern(headers.PROVIDER), name)


@pytest.mark.parametrize("name", ["openai-project", "anthropic-x", "request-id"])
def test_what_a_provider_says_no_rule_says_to_a_caller(name: str) -> None:
    assert headers.why_not(name, headers.REPLY) == "it is the provider's to say"


NAMES = st.one_of(
    st.sampled_from(sorted({name for each in headers.REPLY for name in each.names})),
    st.tuples(
        st.sampled_from(sorted({name for each in headers.REPLY for name in each.prefixes})),
        st.text(alphabet="abc-!", max_size=4),
    ).map("".join),
    st.text(alphabet="abcAB-_ \t", max_size=70),
)


@given(NAMES, st.sampled_from([headers.PROVIDER, headers.REPLY]))
def test_the_words_and_the_pattern_agree(name: str, reserved: tuple[headers.Reserved, ...]) -> None:
    allowed = re.fullmatch(headers.pattern(reserved), name) is not None
    assert allowed == (headers.why_not(name, reserved) == "")


def test_no_rule_may_set_what_never_travels_to_a_provider() -> None:
    kept = (*sent._ONE_CONNECTION, *sent._OF_THE_CALLER, *sent._OF_THE_WAY, *sent._GATEWAYS)
    for name in (*kept, b"baggage"):
        assert headers.why_not(name.decode(), headers.PROVIDER), name


@pytest.mark.parametrize(
    "name",
    ["alt-svc", "location", "refresh", "x-accel-redirect", "x-sendfile", "access-control-max-age"],
)
def test_a_reply_has_no_header_that_a_proxy_or_a_client_would_act_on(name: str) -> None:
    assert headers.why_not(name, headers.REPLY).startswith("a proxy or a client would act on it")
    assert re.fullmatch(headers.pattern(headers.REPLY), name) is None
