"""Headers in both directions: nothing of the caller's or the provider's leaks, whatever comes."""

from hypothesis import given
from hypothesis import strategies as st

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
    found = headers.Outward(provider).of(named)
    names = [name for name, _value in found]
    assert "gg_secret" not in str(found)
    assert sum(KEY in value for _name, value in found) == 1
    assert names.count("content-type") == 1 or b"content-type" in sent
    assert not any(name.startswith(("x-task-", "x-goodgate-", "x-forwarded-")) for name in names)
    assert not any(c in value for _name, value in found for c in "\r\n\0")
    assert "accept-encoding" in names


@given(st.lists(st.tuples(_REPLY_NAMES, st.binary(max_size=12))))
def test_only_listed_headers_without_control_characters_come_back(raw):
    for name, value in headers.Inward().of(raw):
        assert name == name.lower()
        assert name.startswith((b"x-ratelimit-", b"anthropic-", b"x-goodgate-"))
        assert b"api-key" not in name
        assert not set(value) & {0, 10, 13, 127}


def test_names_callers_make_up_are_not_remembered_without_a_bound():
    outward = headers.Outward(Provider(name="p", format="openai", base_url="http://x"))
    found = outward.of({b"x-%d" % number: b"1" for number in range(1_500)})
    assert ("x-1499", "1") in found
    assert len(outward._names) <= 1_000
