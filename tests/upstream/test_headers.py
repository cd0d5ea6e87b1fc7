"""Headers in both directions: nothing of the caller's or the provider's leaks, whatever comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.settings import Provider
from gateway.upstream import headers

KEY = "sk-of-the-provider"
_SECRET_NAMES = (b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key", b"cookie")
_NAMES = st.sampled_from(
    [
        *_SECRET_NAMES,
        b"x-task-id",
        b"x-goodgate-x",
        b"x-forwarded-host",
        b"connection",
        b"baggage",
        b"content-type",
        b"user-agent",
        b"x-any",
        b"anthropic-beta",
    ]
) | st.binary(min_size=1, max_size=8).map(bytes.lower)
_REPLY_NAMES = st.sampled_from(
    [b"Set-Cookie", b"X-Api-Key", b"Server", b"X-RateLimit-Api-Key", b"X-RateLimit-Limit"]
) | st.binary(min_size=1, max_size=12)


@given(st.dictionaries(_NAMES, st.binary(max_size=12)), st.sampled_from(["openai", "anthropic"]))
def test_no_credential_of_the_caller_and_no_control_character_goes_out(sent, kind):
    named = {
        name: (b"gg_secret" if name in _SECRET_NAMES else value) for name, value in sent.items()
    }
    provider = Provider(name="p", format=kind, base_url="http://x", api_key=KEY)
    block = headers.Outward(provider).of(named)
    assert block.endswith(b"\r\n")
    lines = [line.partition(b": ") for line in block[:-2].split(b"\r\n")]
    names = [name for name, _colon, _value in lines]
    assert b"gg_secret" not in block
    assert sum(KEY.encode() in value for _name, _colon, value in lines) == 1
    assert names.count(b"content-type") == 1 or b"content-type" in sent
    assert not any(name.startswith((b"x-task-", b"x-goodgate-", b"x-forwarded-")) for name in names)
    assert all(colon for _name, colon, _value in lines)
    assert not any(c in value + name for name, _colon, value in lines for c in b"\r\n\0")
    assert b"accept-encoding" in names


@given(st.lists(st.tuples(_REPLY_NAMES, st.binary(max_size=12))))
def test_only_listed_headers_without_control_characters_come_back(raw):
    for name, value in headers.Inward().of(raw):
        assert name == name.lower()
        assert name.startswith((b"x-ratelimit-", b"anthropic-", b"x-goodgate-"))
        assert b"api-key" not in name
        assert not set(value) & {0, 10, 13, 127}


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "a\r\nx: y"},
        {"api_key": "caf\u00e9"},
        {"headers": {"x y": "1"}},
        {"headers": {"x": "1\n2"}},
    ],
)
def test_a_setting_that_no_request_can_carry_is_refused_without_being_shown(settings):
    with pytest.raises(ConfigError, match="provider 'p'") as caught:
        headers.Outward(Provider(name="p", format="openai", base_url="http://x", **settings))
    assert str(next(iter(settings.values())))[:3] not in str(caught.value)


def test_names_callers_make_up_are_not_remembered_without_a_bound():
    outward = headers.Outward(Provider(name="p", format="openai", base_url="http://x"))
    found = outward.of({b"x-%d" % number: b"1" for number in range(1_500)})
    assert b"\r\nx-1499: 1\r\n" in found
    assert len(outward._names) <= 1_000


def test_names_providers_make_up_are_not_remembered_without_a_bound():
    inward = headers.Inward()
    found = inward.of([(b"X-RateLimit-%d" % number, b"1") for number in range(1_500)])
    assert (b"x-ratelimit-1499", b"1") in found
    assert len(inward._names) <= 1_000


def test_what_rules_add_is_not_remembered_without_a_bound():
    outward = headers.Outward(Provider(name="p", format="openai", base_url="http://x"))
    for number in range(600):
        assert b"\r\nx-a: %d\r\n" % number in outward.of({}, (("x-a", str(number)),))
    assert len(outward._added) <= 256
