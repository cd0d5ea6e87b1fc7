"""Errors and refusals as the seven agents of docs/decisions/0005 need them."""

import json

import pytest

from gateway.errors import InvalidRequest, LedgerUnavailable, UnknownCredential
from gateway.values import Refusal
from gateway.web import problems


def refusal(retry_after_s: float) -> Refusal:
    return Refusal(code="quota_exceeded", message="Too many.", retry_after_s=retry_after_s)


def test_a_refusal_is_a_400_that_must_not_be_retried() -> None:
    status, headers, body = problems.from_refusal(refusal(0), "openai", "req_1")

    assert status == 400
    assert dict(headers)[b"x-should-retry"] == b"false"
    assert b"retry-after" not in dict(headers)
    assert json.loads(body)["error"]["code"] == "quota_exceeded"
    assert "req_1" in json.loads(body)["error"]["message"]


@pytest.mark.parametrize(("wait_s", "header"), [(0.2, b"1"), (19.2, b"20"), (20.0, b"20")])
def test_a_short_throttle_is_a_429_that_names_its_wait(wait_s: float, header: bytes) -> None:
    status, headers, _ = problems.from_refusal(refusal(wait_s), "anthropic", "req_1")

    assert status == 429
    assert dict(headers)[b"retry-after"] == header
    assert dict(headers)[b"x-should-retry"] == b"true"


def test_a_long_throttle_is_a_400_because_agents_hang_on_a_429() -> None:
    status, headers, _ = problems.from_refusal(refusal(20.1), "openai", "req_1")

    assert status == 400
    assert b"retry-after" not in dict(headers)


def test_an_error_of_the_caller_must_not_be_retried_and_one_of_ours_may() -> None:
    ours = problems.from_error(LedgerUnavailable("try again"), "openai", "req_1")
    theirs = problems.from_error(InvalidRequest("not JSON"), "openai", "req_1")

    assert ours[0] == 503
    assert b"x-should-retry" not in dict(ours[1])
    assert theirs[0] == 400
    assert dict(theirs[1])[b"x-should-retry"] == b"false"


def test_only_a_bad_credential_asks_for_one() -> None:
    status, headers, body = problems.from_error(UnknownCredential("no key"), "anthropic", "req_1")

    assert status == 401
    assert dict(headers)[b"www-authenticate"].startswith(b"Bearer")
    assert json.loads(body)["error"]["type"] == "authentication_error"
