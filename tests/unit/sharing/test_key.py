"""Who may share: only calls alike in everything, under one policy, inside one scope."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import sharing, wire
from gateway.sharing.key import Scope
from gateway.values import Call, Inbound, Principal

SECRET = b"k" * 32


def call(headers: dict[bytes, bytes] | None = None, path: str = "", **changes: Any) -> Call:
    """Return a call, changed as asked."""
    inbound = Inbound(
        route=wire.ROUTES_BY_PATH[path or "/v1/chat/completions"],
        path_task="",
        query=b"",
        headers=headers or {},
        body=b"{}",
    )
    fields: dict[str, Any] = {
        "inbound": inbound,
        "model": "gpt-5",
        "stream": True,
        "include_usage": False,
        "output_tokens_max": None,
        "choices": 1,
        "body_task": "",
        "session_hint": "",
        "branch_hint": "",
        "input_tokens_estimate": 10,
    }
    return Call(**(fields | changes))


def key_of(**changes: Any) -> bytes:
    """Return the key of a call, changed as asked."""
    fields: dict[str, Any] = {
        "scope": "principal",
        "principal": Principal(id="alice", team="blue", key_id="k1"),
        "fingerprint": b"f" * 32,
        "policy": "sha256:0123456789abcdef",
        "provider": "openai",
        "model": "gpt-5",
    }
    return sharing.key(SECRET, **(fields | changes))


def alice(**changes: Any) -> Principal:
    """Return a principal, changed as asked."""
    fields: dict[str, Any] = {"id": "alice", "team": "blue", "key_id": "k1"}
    return Principal(**(fields | changes))


def test_a_key_is_32_bytes_and_always_the_same() -> None:
    assert len(key_of()) == 32
    assert key_of() == key_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": alice(id="bob")},
        {"principal": alice(tenant="other")},
        {"scope": "team"},
        {"scope": "tenant"},
        {"fingerprint": b"g" * 32},
        {"policy": "sha256:fedcba9876543210"},
        {"provider": "azure"},
        {"model": "gpt-5-mini"},
        {"provider": "openaig", "model": "pt-5"},
    ],
)
def test_a_call_that_differs_in_anything_has_another_key(changes: dict[str, Any]) -> None:
    assert key_of(**changes) != key_of()


def test_another_secret_makes_other_keys() -> None:
    same = {"scope": "tenant", "principal": alice(), "fingerprint": b"f", "policy": ""}
    keys = {sharing.key(secret, provider="", model="", **same) for secret in (b"a", b"b")}  # type: ignore[arg-type]  # a dict of several types

    assert len(keys) == 2


@pytest.mark.parametrize(
    ("scope", "one", "other", "share"),
    [
        ("principal", alice(), alice(key_id="k2"), True),
        ("principal", alice(), alice(id="bob"), False),
        ("team", alice(), alice(id="bob"), True),
        ("team", alice(), alice(team="red"), False),
        ("team", alice(team=""), alice(id="bob", team=""), False),
        ("team", alice(team=""), alice(team=""), True),
        ("tenant", alice(), alice(id="bob", team="red"), True),
        ("tenant", alice(), alice(tenant="other"), False),
    ],
)
def test_the_scope_says_who_shares(
    scope: Scope, one: Principal, other: Principal, *, share: bool
) -> None:
    keys = [key_of(scope=scope, principal=principal) for principal in (one, other)]

    assert (keys[0] == keys[1]) is share


def test_a_team_and_a_person_of_one_name_share_nothing() -> None:
    person = key_of(principal=alice(id="blue", team=""), scope="team")
    team = key_of(principal=alice(team="blue"), scope="team")

    assert person != team


def test_of_100000_pairs_those_share_that_may_and_no_others() -> None:
    dice = random.Random(8)
    scopes: list[Scope] = ["principal", "team", "tenant"]
    shared = 0
    for _ in range(100_000):
        scope = dice.choice(scopes)
        drawn: list[tuple[Any, ...]] = [
            (
                dice.choice(("one", "two")),
                dice.choice(("alice", "bob", "blue")),
                dice.choice(("blue", "red", "alice", "")),
                dice.choice((b"f", b"g")),
                dice.choice(("p1", "p2")),
                dice.choice(("openai", "azure")),
                dice.choice(("gpt-5", "mini")),
            )
            for _ in range(2)
        ]
        if dice.random() < 0.5:
            # Differ in one thing or none: the pairs that could be confused.
            place = dice.randrange(8)
            drawn[1] = (*drawn[0][:place], *drawn[1][place : place + 1], *drawn[0][place + 1 :])
        keys, sharers = [], []
        for tenant, who, team, fingerprint, policy, provider, model in drawn:
            principal = Principal(id=who, team=team, key_id=f"k{dice.random()}", tenant=tenant)
            keys.append(
                key_of(
                    scope=scope,
                    principal=principal,
                    fingerprint=fingerprint,
                    policy=policy,
                    provider=provider,
                    model=model,
                )
            )
            whom = {"principal": who, "team": team or (who,), "tenant": ""}[scope]
            sharers.append((tenant, whom, fingerprint, policy, provider, model))
        assert (keys[0] == keys[1]) is (sharers[0] == sharers[1]), (scope, drawn)
        shared += keys[0] == keys[1]
    assert shared > 10_000


@given(st.lists(st.tuples(*[st.text(max_size=3)] * 4), min_size=2, max_size=2))
def test_no_two_lists_of_names_are_taken_for_one_another(
    given_names: list[tuple[str, str, str, str]],
) -> None:
    keys = [
        key_of(principal=alice(id=who, tenant=tenant), provider=provider, model=model)
        for tenant, who, provider, model in given_names
    ]

    assert (keys[0] == keys[1]) is (given_names[0] == given_names[1])


def test_canonical_is_16_bytes_and_says_nothing_of_the_share() -> None:
    canonical = sharing.canonical(SECRET, b"f" * 32)

    assert len(canonical) == 16
    assert canonical != sharing.canonical(SECRET, b"g" * 32)
    assert canonical != sharing.canonical(b"other", b"f" * 32)
    assert canonical not in key_of()


def test_nothing_is_eligible_where_the_policy_shares_nothing() -> None:
    assert not sharing.eligible("off", call())
    assert sharing.eligible("coalesce", call())
    assert sharing.eligible("coalesce_sampled", call())
    assert sharing.eligible("store", call())


def test_calls_that_ask_for_variety_share_only_where_the_policy_says_so() -> None:
    various = call(variety=True)

    assert not sharing.eligible("coalesce", various)
    assert not sharing.eligible("store", various)
    assert sharing.eligible("coalesce_sampled", various)


def test_a_call_that_changes_something_at_its_provider_is_never_shared() -> None:
    assert not sharing.eligible("coalesce_sampled", call(stateful=True))


def test_a_call_that_costs_nothing_is_not_worth_sharing() -> None:
    assert not sharing.eligible("coalesce", call(path="/v1/messages/count_tokens"))


@pytest.mark.parametrize(
    ("wishes", "eligible"),
    [
        (b"no-store", False),
        (b"No-Store", False),
        (b"max-age=0, no-store", False),
        (b"max-age=0\nno-store", False),
        (b"no-cache ,\tno-store ", False),
        (b"no-store=1", False),
        (b"no-cache", True),
        (b"no-storefront", True),
        (b"", True),
    ],
)
def test_a_caller_opts_out_with_no_store(wishes: bytes, *, eligible: bool) -> None:
    given_call = call({b"cache-control": wishes})

    assert sharing.eligible("store", given_call) is eligible
