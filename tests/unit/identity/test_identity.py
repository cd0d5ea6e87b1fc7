"""Who is calling: credentials presented, believed or refused, and what a role may do."""

import hmac
import re
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import identity
from gateway.errors import ConfigError, UnknownCredential
from gateway.values import Key, Role

PEPPER = b"p" * 32
NOW = 1_800_000_000.0


def minted(**changes: object) -> tuple[str, Key]:
    """Return a fresh credential and its key; `changes` go to the key."""
    credential, key = identity.mint(
        pepper=PEPPER,
        principal_id="alice",
        team="payments",
        role="developer",
        models=["gpt-5-mini"],
        now=NOW,
    )
    return credential, msgspec.structs.replace(key, **changes)


def refusal(headers: Mapping[bytes, bytes], key: Key | None = None) -> str:
    """Return the text with which a request is refused."""
    with pytest.raises(UnknownCredential) as caught:
        identity.authenticate(identity.present(headers), key, pepper=PEPPER, now=NOW)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        (b"authorization", "Bearer "),
        (b"authorization", "bearer "),
        (b"authorization", "BEARER   "),
        (b"x-api-key", ""),
        (b"x-goog-api-key", ""),
    ],
)
def test_a_live_key_is_accepted_in_every_header_the_sdks_use(name: bytes, before: str) -> None:
    """Both big SDKs send a Bearer; older ones and Google's send a header of their own."""
    credential, key = minted()

    presented = identity.present({name: (before + credential).encode()})
    principal = identity.authenticate(presented, key, pepper=PEPPER, now=NOW)

    assert (principal.id, principal.team, principal.role) == ("alice", "payments", "developer")
    assert principal.key_id == presented.key_id == key.id
    assert principal.models == {"gpt-5-mini"}


def test_the_same_credential_in_two_headers_is_one_credential() -> None:
    """Anthropic's SDK may send both."""
    credential = minted()[0].encode()

    presented = identity.present(
        {b"authorization": b"Bearer " + credential, b"x-api-key": credential}
    )

    assert presented.credential == credential


@pytest.mark.parametrize("empty", [b"", b"Bearer ", b"bearer"])
def test_an_empty_authorization_beside_a_key_is_no_second_credential(empty: bytes) -> None:
    """SDKs that are given no Bearer may still send the header."""
    credential = minted()[0].encode()

    presented = identity.present({b"authorization": empty, b"x-api-key": credential})

    assert presented.credential == credential


def test_two_different_credentials_are_refused_with_the_advice_to_send_one() -> None:
    """Otherwise the caller could not know which of them was billed."""
    one, other = minted()[0].encode(), minted()[0].encode()

    for headers in (
        {b"authorization": b"Bearer " + one, b"x-api-key": other},
        {b"x-api-key": one, b"x-goog-api-key": other},
        {b"authorization": b"Basic dTpw", b"x-api-key": one},
        {b"x-api-key": one + b"\n" + one},
    ):
        assert "send one" in refusal(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b""},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Basic dXNlcjpwYXNz"},
        {b"x-api-key": b"sk-ant-something-secret"},
        {b"x-api-key": b"gg_short_secret"},
        {b"x-api-key": b"gg_abcdefghijkl_" + b"s" * 31},
        {b"x-api-key": b"gg_abcdefghijkl_" + b"s" * 40 + b"~"},
        {b"x-api-key": b"gg_ABCDEFGHIJKL_" + b"s" * 40},
        {b"x-api-key": b"gg_abcdefghijkl_" + b"\xff" * 40},
    ],
)
def test_nothing_or_something_else_is_refused_with_the_remedy_and_no_echo(
    headers: dict[bytes, bytes],
) -> None:
    """The text names the command that makes a key, and nothing that was sent."""
    text = refusal(headers)

    assert "goodgate keys create" in text
    assert "\n" not in text
    assert not any(word in text for word in ("secret", "dXNl", "abcdefghijkl", "sss"))


def test_every_way_a_key_can_fail_reads_the_same() -> None:
    """A stranger learns nothing about which ids exist or ever existed."""
    credential, key = minted()
    headers = {b"x-api-key": credential.encode()}
    wrong = {b"x-api-key": credential[:-1].encode() + b"0"}

    texts = {
        refusal(headers, None),
        refusal(wrong, key),
        refusal(headers, minted()[1]),
        refusal(headers, msgspec.structs.replace(key, revoked_at=NOW - 1)),
        refusal(headers, msgspec.structs.replace(key, expires_at=NOW)),
    }

    assert len(texts) == 1
    assert key.id not in texts.pop()


def test_a_key_lives_until_it_expires() -> None:
    """The moment of expiry itself is too late."""
    credential, key = minted(expires_at=NOW + 1)

    presented = identity.present({b"x-api-key": credential.encode()})

    assert identity.authenticate(presented, key, pepper=PEPPER, now=NOW).id == "alice"
    with pytest.raises(UnknownCredential):
        identity.authenticate(presented, key, pepper=PEPPER, now=NOW + 1)


def test_another_pepper_makes_every_key_unknown() -> None:
    """A stolen registry is worth nothing without the pepper."""
    credential, key = minted()
    presented = identity.present({b"x-api-key": credential.encode()})

    with pytest.raises(UnknownCredential):
        identity.authenticate(presented, key, pepper=b"q" * 32, now=NOW)


def test_a_task_credential_may_follow_the_key() -> None:
    """The digest is over the credential alone, so one key serves for every task."""
    credential, key = minted()

    presented = identity.present({b"x-api-key": f"{credential}~gt1.abc.def".encode()})

    assert presented.task_credential == "gt1.abc.def"
    assert identity.authenticate(presented, key, pepper=PEPPER, now=NOW).id == "alice"


def test_what_was_presented_never_shows_in_a_traceback() -> None:
    """A repr is what logs and assertion messages print."""
    credential, key = minted()
    presented = identity.present({b"x-api-key": f"{credential}~gt1.abc.def".encode()})

    assert repr(presented) == f"Presented(key_id={key.id!r})"


def test_minted_credentials_are_long_random_and_never_kept() -> None:
    """An id of 60 bits and a secret of 200; what is filed is a digest."""
    credentials = {minted()[0] for _ in range(100)}
    credential, key = minted()

    assert len(credentials) == 100
    assert re.fullmatch(r"gg_[a-z2-7]{12}_[a-z2-7]{40}", credential)
    assert credential.split("_")[2] not in repr(key)
    assert key.digest == identity.digest(credential.encode(), pepper=PEPPER)
    assert len(key.digest) == 32


@pytest.mark.parametrize("name", ["", " ", "a b", "a\n", "x" * 129, "\x1b[31m"])
def test_a_key_is_minted_only_for_a_name(name: str) -> None:
    """Names go into tables and terminals: no spaces, no control characters."""
    for principal_id, team in ((name, "payments"), ("alice", name)):
        with pytest.raises(ConfigError, match="1 to 128"):
            identity.mint(
                pepper=PEPPER,
                principal_id=principal_id,
                team=team,
                role="developer",
                models=(),
                now=NOW,
            )


def test_a_key_that_would_be_born_dead_is_not_minted() -> None:
    """A mistyped expiry would otherwise surface as an unknown credential."""
    with pytest.raises(ConfigError, match="expired already"):
        identity.mint(
            pepper=PEPPER,
            principal_id="alice",
            team="payments",
            role="developer",
            models=(),
            now=NOW,
            expires_at=NOW,
        )


@pytest.mark.parametrize(
    ("permission", "roles"),
    [
        ("call", {"developer", "admin", "auditor"}),
        ("tasks", {"developer", "admin", "auditor"}),
        ("keys", {"admin"}),
        ("catalogue", {"admin"}),
        ("reload", {"admin"}),
        ("audit", {"admin", "auditor"}),
        ("reveal", {"auditor"}),
        ("anything-else", set()),
        ("", set()),
    ],
)
def test_a_role_may_what_the_table_says_and_nothing_else(permission: str, roles: set[Role]) -> None:
    """Default deny."""
    every: tuple[Role, ...] = ("developer", "admin", "auditor")

    assert {role for role in every if identity.may(role, permission)} == roles


@given(
    st.dictionaries(
        st.sampled_from([b"authorization", b"x-api-key", b"x-goog-api-key"]), st.binary()
    )
)
def test_whatever_is_sent_is_refused_in_words_or_well_formed(headers: dict[bytes, bytes]) -> None:
    """No bytes can bring about any other error, and no key means no entry."""
    with pytest.raises(UnknownCredential):
        identity.authenticate(identity.present(headers), None, pepper=PEPPER, now=NOW)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_digest_is_an_hmac_sha_256(pepper: bytes, credential: bytes) -> None:
    """As RFC 2104 and the standard library have it."""
    expected = hmac.digest(pepper, credential, "sha256")

    assert identity.digest(credential, pepper=pepper) == expected
