"""Proof that a message is a tracker's."""

import pytest

from gateway.tasks.trackers import proof


def test_hashes_are_those_of_rfc_4231() -> None:
    """RFC 4231 section 4.3 (test case 2)."""
    found = proof.hmac_hex(b"Jefe", b"what do ya want for nothing?")
    assert found == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert proof.hmac_base64(b"Jefe", b"what do ya want for nothing?") == (
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("a", "a", True), ("a", "b", False), ("a", "aa", False), ("é", "é", True), ("\ud800", "?", 1)],
)
def test_texts_are_compared_whatever_is_in_them(one: str, other: str, same: int) -> None:
    assert proof.equal(one, other) == bool(same)


@pytest.mark.parametrize(
    ("sent_at_s", "is_fresh"),
    [(0.0, False), (40.0, True), (100.0, True), (160.0, True), (161.0, False)],
)
def test_what_is_too_old_or_too_new_is_not_fresh(sent_at_s: float, is_fresh: int) -> None:
    assert proof.fresh(sent_at_s, 100.0, 60.0) == bool(is_fresh)
