"""What is there to differ goes; numbers, dates and names that mean something stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.likeness.normal_form import normal_form

_SAID = "fix the parser of dates in issue 123"
_UUID = "3f2a9b1c-1111-4222-8333-abcde4abcdef"
_BLOB = "aGVsbG8gd29ybGQxMjM0NTY3ODkwYWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoxMjM0NTY3ODkwQUJD"


@pytest.mark.parametrize(
    "salt",
    [
        _UUID,
        f"request id: {_UUID}",
        f"[trace_id={_UUID.upper()}]",
        "9f86d081884c7d659a2f",
        "0x9f86d081884c7d659a2feaa0",
        "(nonce: 9F86D081884C7D659A2F)",
        "1763900000",
        "ts=1763900000.123",
        "id: 12345678901234",
        _BLOB,
        "12345678-1234-1234-1234-123456789012",
        _UUID.replace("-", "\N{HYPHEN}"),
        _UUID.replace("-", "\N{NON-BREAKING HYPHEN}"),
    ],
)
def test_ids_and_blobs_go_wherever_they_stand(salt: str) -> None:
    expected = normal_form(_SAID)
    assert normal_form(f"{salt} {_SAID}") == expected
    assert normal_form(f"{_SAID} {salt}") == expected
    assert normal_form(f"fix the parser {salt} of dates in issue 123") == expected


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-11-23",
        "2026-11-23 12:00",
        "2026-11-23T12:00:05Z",
        "2026-11-23T12:00:05.123+01:00",
        "[2026-11-23 12:00:05]",
        "(12:00:05 PM)",
        "12:00:05.123456789",
        "12:00 p.m. CEST",
        "12:00:05 Z",
        "20261123T1200",
        "12:00:05",
        "3:07 pm",
        "Mon, 23 Nov 2026",
        "Mon, 23 Nov 2026 12:00:05 GMT",
        "Mon Nov 23 12:00:05 2026",
        "November 23rd, 2026 at 12:00",
        "23/11/2026",
        "23.11.2026 12:00",
        "20261123T120005Z",
        "Current time: 2026-11-23 12:00",
        "timestamp=2026-11-23T12:00:05Z",
        "(sent at 2026-11-23T12:00:05Z)",
        "2026-11-23 12:00 2026-11-24 13:00",
    ],
)
def test_stamps_go_from_the_edges(stamp: str) -> None:
    expected = normal_form(_SAID)
    assert normal_form(f"{stamp} {_SAID}") == expected
    assert normal_form(f"{stamp}\n{_SAID}") == expected
    assert normal_form(f"{_SAID} {stamp}") == expected
    assert normal_form(f"{_SAID}.\n\n{stamp}\n") == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fix issue 123", "fix issue 124"),
        ("show the logs since 2026-11-23", "show the logs since 2026-11-24"),
        ("why did the job of 2026-11-23 fail again", "why did the job of 2026-11-24 fail again"),
        ("raise the limit to 10:30 hours", "raise the limit to 10:31 hours"),
        ("set the port to 8080", "set the port to 8081"),
        (
            "read src/main/java/one/Parser1/v2/of/the/very/long/path/that/goes/on/and/on/File.java",
            "read src/main/java/two/Parser1/v2/of/the/very/long/path/that/goes/on/and/on/File.java",
        ),
        ("revert commit 9f86d08", "revert commit 1f86d08"),
        ("call 123456789", "call 123456780"),
        ("name it deadbeefdeadbeefdead", "name it deadbeefdeadbeefdeaf"),
        ("use key x9f86d081884c7d659a2fz", "use key x9f86d081884c7d659a2fy"),
        ("use z9f86d081884c7d659a2f 1763900000", "use z9f86d081884c7d659a2e 1763900000"),
        ("set AGE_0123456789_MAX to 5", "set AGE_0123456789_MAX to 6"),
    ],
)
def test_what_means_something_stays(one: str, other: str) -> None:
    assert normal_form(one) != normal_form(other)


def test_an_id_goes_and_a_short_number_beside_it_stays() -> None:
    assert normal_form("fix 9f86d081 and 1763900000 now") == ["fix", "9f86d081", "and", "now"]


@given(st.text(alphabet="0123456789:-/ .TZ\nabcdef[]"))
def test_any_mixture_of_digits_ends(text: str) -> None:
    tokens = normal_form(text)
    assert not any(token.isdecimal() and len(token) >= 10 for token in tokens)
