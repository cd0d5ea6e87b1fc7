"""What every store must remember of calls. The memory store is the reference."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec import structs

from gateway.stores import memory_likeness
from gateway.stores.memory import NOTHING, MemoryQuotas
from gateway.stores.redis.quotas import RedisQuotas
from gateway.values import Earlier, Observation, Offer, Offers, Reservation, Sighting, Usage
from tests.stores import backends
from tests.stores.backends import AnyQuotas
from tests.stores.sightings import HOUR_S, NOW, digest, drawn, offer, offers, rate, sighting

FORBIDDEN = Offer(draws=(rate("forbidden"),), forbidden=True)
FREE = Offers(new=Offer(), exact=Offer(), retry=Offer(), shared=Offer())
REFUSED = offer(rate("refused", limit=1, amount=2))


@pytest.fixture(name="store", params=backends.BACKENDS)
async def _store(request: pytest.FixtureRequest) -> AsyncIterator[AnyQuotas]:
    async with backends.opened(request.param) as store:
        yield store


@pytest.fixture(name="shared", params=backends.SHARED)
async def _shared(request: pytest.FixtureRequest) -> AsyncIterator[tuple[RedisQuotas, RedisQuotas]]:
    """Two replicas of one store."""
    backends.empty(request.param)
    async with (
        backends.another(request.param, "r0") as one,
        backends.another(request.param, "r1") as other,
    ):
        yield one, other


async def observe(
    store: AnyQuotas, seen: Sighting, offered: Offers = FREE, now: float = NOW
) -> Observation:
    return await store.observe(seen, offered, now)


async def remember(store: AnyQuotas, *texts: str, now: float = NOW) -> list[Reservation]:
    """Have texts asked, each as a call of its own that is like no other."""
    held = []
    for number, text in enumerate(texts, start=1):
        found = await observe(store, sighting(text, number), now=now)
        if found.kind == "undecided":
            seen = sighting(text, number)
            held.append(await store.decide(seen, seen.cluster, Offer(), now))
        else:
            assert found.kind == "new"
            held.append(found.reservation)
    return held


async def fail(store: AnyQuotas, reservation: Reservation) -> None:
    await store.settle(reservation, Usage(), 0, NOW, failed=True)


async def succeed(store: AnyQuotas, reservation: Reservation) -> None:
    await store.settle(reservation, Usage(), 0, NOW)


async def test_what_was_asked_before_is_exact_and_names_whom_it_repeats(store: AnyQuotas) -> None:
    """Each kind draws what it was offered, and the first is named however often it is asked."""
    found = await observe(store, sighting(number=1), offers())
    assert (found.kind, found.earlier) == ("new", None)
    assert drawn(found.reservation) == [("new", True, 9)]
    for number, left in ((2, 9), (3, 8)):
        found = await observe(store, sighting(number=number), offers())
        assert found.kind == "exact"
        assert found.earlier == Earlier(
            request_id=f"req_{1:032x}", cluster=digest("fix the login")[:8].hex()
        )
        assert drawn(found.reservation) == [("exact", True, left)]


async def test_texts_with_nothing_in_common_are_new(store: AnyQuotas) -> None:
    await remember(store, "fix the login")
    assert (await observe(store, sighting("write some tests"))).kind == "new"
    assert (await observe(store, sighting("", features=()))).kind == "new"
    assert (await observe(store, sighting("", features=()))).kind == "exact"


async def test_another_scope_remembers_nothing_of_it(store: AnyQuotas) -> None:
    """Not another principal's or task's, and not another tenant's."""
    await remember(store, "fix the login")
    assert (await observe(store, sighting(scope=digest("bob in PROJ-1")))).kind == "new"
    assert (await observe(store, sighting(tenant="acme", scope=digest("acme")))).kind == "new"


async def test_candidates_share_a_third_of_the_features(store: AnyQuotas) -> None:
    """Rounded up; and nothing is drawn for them yet."""
    await remember(store, "a b c d e f g h i j k l")
    for text, kind in (
        ("a b c d 5 6 7 8 9 10 11 12", "undecided"),
        ("a b c 4 5 6 7 8 9 10 11 12", "new"),
        ("a b 3 4 5", "undecided"),
        ("a 2 3 4 5", "new"),
        ("l", "undecided"),
    ):
        found = await observe(store, sighting(text, scope=digest("alice in PROJ-1")), offers())
        assert found.kind == kind, text
        if kind == "undecided":
            assert found.reservation == NOTHING
            assert len(found.candidates) == 1
        else:
            await store.release(found.reservation, NOW)


async def test_candidates_come_likest_first_then_newest_with_their_words(store: AnyQuotas) -> None:
    texts = ("a b 3 4", "a 22 33 44", "a b c 4 5", "b c 333 444", "x y z")
    await remember(store, *texts)
    found = await observe(store, sighting("a b c d"))
    assert [each.request_id for each in found.candidates] == [
        f"req_{number:032x}" for number in (3, 4, 1)
    ]
    first = found.candidates[0]
    assert first.words == sighting(texts[2]).words
    assert first.cluster == sighting(texts[2]).cluster


async def test_of_a_feature_only_the_newest_calls_are_looked_at(store: AnyQuotas) -> None:
    most = memory_likeness.FEATURE_ENTRIES_MAX
    await remember(store, "old common", *(f"common n{number}" for number in range(most - 1)))
    found = await observe(store, sighting("old common mark"))
    assert found.candidates[0].request_id == f"req_{1:032x}"
    await remember(store, "common anew")
    found = await observe(store, sighting("old common mark"))
    assert found.candidates[0].words == sighting("common anew").words


async def test_a_feature_twice_is_looked_for_twice_and_found_once(store: AnyQuotas) -> None:
    """No signature has one twice; if it did, all stores would say the same."""
    a, b, c = digest("a", 3), digest("b", 3), digest("c", 3)
    await observe(store, sighting("first", features=(a, a, b)))
    five = tuple(digest(word, 3) for word in "vwxyz")
    found = await observe(store, sighting("second", features=(a, *five[1:])))
    assert found.kind == "new"
    found = await observe(store, sighting("third", features=(a, a, c, *five[3:])))
    assert [each.request_id for each in found.candidates] == [f"req_{1:032x}"] * 2


async def test_the_failure_of_a_call_since_forgotten_says_nothing(store: AnyQuotas) -> None:
    most = memory_likeness.ENTRIES_MAX
    held = await remember(store, "first", *(f"u{number}" for number in range(most + 1)))
    await fail(store, held[0])
    await store.release(held[1], NOW)
    assert (await observe(store, sighting("first"))).kind == "new"
    assert (await observe(store, sighting("u0"))).kind == "new"


async def test_a_decision_draws_and_remembers_in_its_cluster(store: AnyQuotas) -> None:
    await remember(store, "a b c d")
    seen = sighting("a b c e", number=9)
    held = await store.decide(seen, sighting("a b c d").cluster, offer(rate("near")), NOW)
    assert drawn(held) == [("near", True, 9)]
    found = await observe(store, seen)
    assert found.kind == "exact"
    assert found.earlier == Earlier(request_id=f"req_{9:032x}", cluster=sighting("a b c d").cluster)


async def test_a_decision_that_is_refused_or_forbidden_remembers_nothing(store: AnyQuotas) -> None:
    seen = sighting("a b c e")
    held = await store.decide(seen, seen.cluster, REFUSED, NOW)
    assert drawn(held) == [("refused", False, 1)]
    assert await store.decide(seen, seen.cluster, FORBIDDEN, NOW) == NOTHING
    assert (await observe(store, seen)).kind == "new"


async def test_an_equal_that_came_in_between_stays_and_the_draws_are_taken(
    store: AnyQuotas,
) -> None:
    await remember(store, "a b c d")
    seen = sighting("a b c d", number=2)
    held = await store.decide(seen, "0" * 16, offer(rate("near")), NOW)
    assert drawn(held) == [("near", True, 9)]
    await store.release(held, NOW)
    found = await observe(store, seen)
    assert found.earlier == Earlier(request_id=f"req_{1:032x}", cluster=seen.cluster)


@pytest.mark.parametrize("refused", [REFUSED, FORBIDDEN])
async def test_a_call_that_draws_nothing_is_not_remembered(
    store: AnyQuotas, refused: Offer
) -> None:
    """Refused, or forbidden: then nothing is drawn at all."""
    for _ in range(2):
        found = await observe(store, sighting(), offers(new=refused))
        assert found.kind == "new"
        assert (found.reservation == NOTHING) is refused.forbidden
    assert (await observe(store, sighting())).kind == "new"
    found = await observe(store, sighting(number=2, canonical=digest("2")), offers(exact=refused))
    assert found.kind == "exact"
    assert (found.reservation == NOTHING) is refused.forbidden
    assert store.held == 1


@pytest.mark.parametrize("refused", [REFUSED, FORBIDDEN])
async def test_a_repeat_that_draws_nothing_changes_nothing(
    store: AnyQuotas, refused: Offer
) -> None:
    """A failed call that is retried in vain can be retried again."""
    (held,) = await remember(store, "fix the login")
    await fail(store, held)
    for _ in range(9):
        found = await observe(store, sighting(), offers(retry=refused))
        assert found.kind == "retry"
        await store.release(found.reservation, NOW)
    other = sighting(canonical=digest("other"))
    assert (await observe(store, other, offers(exact=refused))).kind == "exact"
    assert (await observe(store, sighting())).kind == "retry"


async def test_the_same_bytes_after_a_failure_are_a_retry_five_times(store: AnyQuotas) -> None:
    """Each after another failure in our sight; the sixth is a repeat like any other."""
    (held,) = await remember(store, "fix the login")
    await fail(store, held)
    for number in range(2, 7):
        found = await observe(store, sighting(number=number), offers())
        assert found.kind == "retry"
        assert found.earlier is not None
        assert found.earlier.request_id == f"req_{1:032x}"
        assert drawn(found.reservation) == [("retry", True, 9 - (number - 2))]
        await fail(store, found.reservation)
    assert (await observe(store, sighting())).kind == "exact"


async def test_other_bytes_after_a_failure_are_a_repeat(store: AnyQuotas) -> None:
    """And then the same bytes as at first are one too: others were asked meanwhile."""
    (held,) = await remember(store, "fix the login")
    await fail(store, held)
    assert (await observe(store, sighting(canonical=digest("other")))).kind == "exact"
    assert (await observe(store, sighting())).kind == "exact"


async def test_a_retry_under_way_is_not_retried(store: AnyQuotas) -> None:
    (held,) = await remember(store, "fix the login")
    await fail(store, held)
    first = await observe(store, sighting())
    assert first.kind == "retry"
    assert (await observe(store, sighting())).kind == "exact"


async def test_a_retry_that_went_well_ends_it(store: AnyQuotas) -> None:
    (held,) = await remember(store, "fix the login")
    await fail(store, held)
    found = await observe(store, sighting())
    again = await observe(store, sighting())
    await fail(store, found.reservation)
    await succeed(store, again.reservation)
    assert (await observe(store, sighting())).kind == "exact"


async def test_the_failure_of_a_call_others_have_overtaken_says_nothing(store: AnyQuotas) -> None:
    (held,) = await remember(store, "fix the login")
    await observe(store, sighting(canonical=digest("other")))
    await fail(store, held)
    assert (await observe(store, sighting())).kind == "exact"
    assert (await observe(store, sighting(canonical=digest("other")))).kind == "exact"


async def test_a_call_never_made_is_forgotten(store: AnyQuotas) -> None:
    """Also from among many; the others stay."""
    held = await remember(store, "a b", "c d", "e f")
    await store.release(held[1], NOW)
    await store.release(held[1], NOW)
    assert (await observe(store, sighting("c x"))).kind == "new"
    assert (await observe(store, sighting("a x"))).kind == "undecided"
    assert (await observe(store, sighting("e f"))).kind == "exact"
    assert (await observe(store, sighting("c d"))).kind == "undecided"  # like `c x`


async def test_a_call_never_made_that_another_repeats_stays(store: AnyQuotas) -> None:
    (held,) = await remember(store, "fix the login")
    await observe(store, sighting())
    await store.release(held, NOW)
    found = await observe(store, sighting())
    await store.release(found.reservation, NOW)
    assert (await observe(store, sighting())).kind == "exact"


async def test_what_is_settled_late_belongs_to_the_call_it_began(store: AnyQuotas) -> None:
    """Not to one that was asked after the scope was forgotten."""
    (held,) = await remember(store, "fix the login")
    late = NOW + 25 * HOUR_S
    found = await observe(store, sighting(canonical=digest("other")), now=late)
    assert found.kind == "new"
    await store.settle(held, Usage(), 0, late, failed=True)
    assert (await observe(store, sighting(canonical=digest("other")), now=late)).kind == "exact"


async def test_a_failure_after_a_day_is_nobodys(store: AnyQuotas) -> None:
    (held,) = await remember(store, "fix the login")
    await store.settle(held, Usage(), 0, NOW + 25 * HOUR_S, failed=True)
    assert (await observe(store, sighting(), now=NOW + 25 * HOUR_S)).kind == "new"


async def test_a_scope_is_forgotten_a_day_after_its_last_new_call(store: AnyQuotas) -> None:
    await remember(store, "a b")
    await remember(store, "c d", now=NOW + 2 * HOUR_S)
    assert (await observe(store, sighting("a b"), now=NOW + 25 * HOUR_S)).kind == "exact"
    assert (await observe(store, sighting("a b"), now=NOW + 26 * HOUR_S)).kind == "new"
    assert (await observe(store, sighting("c d"), now=NOW + 26 * HOUR_S)).kind == "new"


async def test_a_scope_keeps_its_newest_calls(store: AnyQuotas) -> None:
    """Twice as many as it keeps, so that every place was taken more than once."""
    most = memory_likeness.ENTRIES_MAX
    texts = [f"common u{number} v{number}" for number in range(2 * most + 10)]
    await remember(store, *texts)
    assert (await observe(store, sighting(texts[-most]))).kind == "exact"
    gone = sighting(f"u{most + 9} w", number=7)
    assert (await observe(store, gone)).kind == "new"
    kept = sighting(f"u{most + 11} w", number=8)
    assert (await observe(store, kept)).kind == "undecided"
    assert (await observe(store, sighting(texts[most + 9]))).kind == "undecided"


async def test_each_cluster_has_a_quota_of_its_own(store: AnyQuotas) -> None:
    """A repeat draws on the cluster of what it repeats, a near one on its likeness's."""
    near = rate("near", by_cluster=True)
    offered = offers(new=offer(near), exact=offer(near))
    assert drawn((await observe(store, sighting("a b"), offered)).reservation) == [
        ("near", True, 9)
    ]
    assert drawn((await observe(store, sighting("a b"), offered)).reservation) == [
        ("near", True, 8)
    ]
    assert drawn((await observe(store, sighting("c d"), offered)).reservation) == [
        ("near", True, 9)
    ]
    held = await store.decide(sighting("a x"), sighting("a b").cluster, offer(near), NOW)
    assert drawn(held) == [("near", True, 7)]
    found = await observe(store, sighting("a x"), offered)
    assert drawn(found.reservation) == [("near", True, 6)]
    assert found.reservation.readings[0].draw == near
    await store.release(found.reservation, NOW)
    found = await observe(store, sighting("a b"), offered)
    assert drawn(found.reservation) == [("near", True, 6)]


async def test_a_call_that_cannot_be_compared_is_not_remembered(store: AnyQuotas) -> None:
    """It draws as a new one does."""
    short = Sighting(tenant="default", scope=digest("s"), request_id="req_1", comparable=False)
    for left in (9, 8):
        found = await observe(store, short, offers())
        assert (found.kind, found.earlier) == ("unknown", None)
        assert drawn(found.reservation) == [("new", True, left)]
    found = await observe(store, structs.replace(short, following=True), offers())
    assert drawn(found.reservation) == [("shared", True, 9)]
    found = await observe(store, short, offers(new=FORBIDDEN))
    assert (found.kind, found.reservation) == ("unknown", NOTHING)


async def test_a_follower_draws_the_shared_offer_whatever_its_kind(store: AnyQuotas) -> None:
    """And is remembered: its like that follows nobody is a repeat."""
    following = sighting("a b", share=digest("share", 32), following=True)
    found = await observe(store, following, offers())
    assert (found.kind, drawn(found.reservation)) == ("new", [("shared", True, 9)])
    found = await observe(store, structs.replace(following, exact=digest("a b c")), offers())
    assert (found.kind, drawn(found.reservation)) == ("new", [("shared", True, 8)])
    found = await observe(store, following, offers())
    assert (found.kind, drawn(found.reservation)) == ("exact", [("shared", True, 7)])
    await fail(store, found.reservation)
    found = await observe(store, following, offers())
    assert (found.kind, drawn(found.reservation)) == ("retry", [("shared", True, 6)])
    found = await observe(store, following, offers(shared=FORBIDDEN))
    assert (found.kind, found.reservation) == ("exact", NOTHING)


async def test_a_kept_reply_is_found_by_those_who_may_have_it(store: AnyQuotas) -> None:
    """Until its time is over; whoever is answered by it draws the shared offer."""
    seen = sighting("a b", share=digest("share", 32), stored=True)
    found = await observe(store, seen, offers())
    assert found.reply == b""
    await store.keep(seen.share, b"a reply", 60)
    found = await observe(store, seen, offers())
    assert (found.kind, found.reply) == ("exact", b"a reply")
    assert drawn(found.reservation) == [("shared", True, 9)]
    for other in (
        structs.replace(seen, share=digest("other", 32)),
        structs.replace(seen, stored=False),
        structs.replace(seen, share=b""),
    ):
        assert (await observe(store, other)).reply == b""
    assert (await observe(store, seen, now=NOW + 59)).reply == b"a reply"
    assert (await observe(store, seen, now=NOW + 60)).reply == b""


async def test_another_tenants_reply_is_kept_beside_it(store: AnyQuotas) -> None:
    seen = sighting("a b", tenant="acme", share=digest("share", 32), stored=True)
    await observe(store, seen)
    await store.keep(seen.share, b"acme's", 60)
    assert (await observe(store, seen)).reply == b"acme's"


async def test_a_reply_kept_twice_is_the_last_and_too_large_a_one_is_none(
    store: AnyQuotas,
) -> None:
    seen = sighting("a b", share=digest("share", 32), stored=True)
    await observe(store, seen)
    largest = b"x" * memory_likeness.REPLY_BYTES_MAX
    for reply in (b"first", b"second", largest):
        await store.keep(seen.share, reply, 60)
        assert (await observe(store, seen)).reply == reply
    large = structs.replace(seen, share=digest("large", 32))
    await observe(store, large)
    await store.keep(large.share, largest + b"x", 60)
    assert (await observe(store, large)).reply == b""


async def test_200_equal_calls_at_once_are_one_new_and_repeats_within_their_limit(
    store: AnyQuotas,
) -> None:
    near = offer(rate("near", by_cluster=True))
    found = await asyncio.gather(
        *(observe(store, sighting(number=n), offers(new=near, exact=near)) for n in range(200))
    )
    assert sorted(each.kind for each in found) == ["exact"] * 199 + ["new"]
    assert sum(each.reservation.readings[0].taken for each in found) == 10


async def test_another_replica_leads_until_it_is_done(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    """Whoever asks meanwhile is told so, and draws the shared offer."""
    one, other = shared
    seen = sighting("a b", share=digest("share", 32))
    first = await one.observe(seen, offers(), NOW)
    assert (first.leader, drawn(first.reservation)) == ("", [("new", True, 9)])
    found = await other.observe(seen, offers(), NOW)
    assert (found.kind, found.leader) == ("exact", "r0")
    assert drawn(found.reservation) == [("shared", True, 9)]
    assert (await one.observe(seen, offers(), NOW)).leader == ""
    assert not await other.extend(seen.share)
    await other.settle(found.reservation, Usage(), 0, NOW)
    assert (await other.observe(seen, offers(), NOW)).leader == "r0"
    await one.settle(first.reservation, Usage(), 0, NOW)
    assert (await other.observe(seen, offers(), NOW)).leader == ""
    assert (await one.observe(seen, offers(), NOW)).leader == "r1"


async def test_a_leader_that_is_not_heard_of_is_none_after_15_seconds(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    one, other = shared
    seen = sighting("a b", tenant="acme", share=digest("share", 32))
    await one.observe(seen, FREE, NOW)
    await one.observe(sighting("c d", share=digest("2", 32)), FREE, NOW + 10)
    assert await one.extend(seen.share)
    assert (await other.observe(seen, FREE, NOW + 24)).leader == "r0"
    assert (await other.observe(seen, FREE, NOW + 25)).leader == ""
    assert not await one.extend(seen.share)


@pytest.mark.parametrize("kind", ["refused", "forbidden", "following", "sharing nothing"])
async def test_who_makes_no_call_leads_nobody(
    shared: tuple[RedisQuotas, RedisQuotas], kind: str
) -> None:
    one, other = shared
    seen = sighting("a b", share=digest("share", 32))
    offered = {"refused": offers(new=REFUSED), "forbidden": offers(new=FORBIDDEN)}.get(kind, FREE)
    changes = {"following": {"following": True}, "sharing nothing": {"share": b""}}.get(kind, {})
    await one.observe(structs.replace(seen, **changes), offered, NOW)
    assert (await other.observe(seen, FREE, NOW)).leader == ""


async def test_whoever_is_decided_leads_too(shared: tuple[RedisQuotas, RedisQuotas]) -> None:
    """Unless another does already, or they follow."""
    one, other = shared
    seen = sighting("a b", share=digest("share", 32))
    await one.decide(structs.replace(seen, following=True), seen.cluster, Offer(), NOW)
    await one.decide(seen, seen.cluster, REFUSED, NOW)
    await other.decide(seen, seen.cluster, Offer(), NOW)
    await one.decide(seen, seen.cluster, Offer(), NOW)
    assert (await one.observe(seen, FREE, NOW)).leader == "r1"


async def test_what_one_replica_asked_the_other_knows(
    shared: tuple[RedisQuotas, RedisQuotas],
) -> None:
    one, other = shared
    await remember(one, "a b c d")
    assert (await other.observe(sighting("a b c d"), FREE, NOW)).kind == "exact"
    assert (await other.observe(sighting("a b c e"), FREE, NOW)).kind == "undecided"
    seen = sighting("x y", share=digest("share", 32), stored=True)
    await one.observe(seen, FREE, NOW)
    await one.keep(seen.share, b"a reply", 60)
    assert (await other.observe(seen, FREE, NOW)).reply == b"a reply"


@pytest.mark.parametrize("name", backends.SHARED)
async def test_a_reply_that_does_not_open_was_never_kept(name: str) -> None:
    """It lies there sealed; tampered with, its reader is a call like any other."""
    seen = sighting("a b", share=digest("share", 32), stored=True)
    async with backends.opened(name) as store:
        await store.observe(seen, FREE, NOW)
        await store.keep(seen.share, b"a reply in clear", 60)
        ((key, node),) = [pair for pair in backends.keys(name).items() if b":r:" in pair[0]]
        value = node.get(key)
        assert b"clear" not in value
        node.set(key, value[:-1] + bytes([value[-1] ^ 1]), ex=60)
        observed = await store.observe(seen, offers(), NOW)
        assert (observed.kind, observed.reply) == ("exact", b"")
        assert drawn(observed.reservation) == [("exact", True, 9)]
        node.set(key, value[:12], ex=60)
        assert (await store.observe(seen, FREE, NOW)).reply == b""


@pytest.mark.parametrize("name", backends.SHARED)
async def test_a_scope_whose_keys_are_lost_begins_anew(name: str) -> None:
    """Each of its two, whichever the server let go of."""
    async with backends.opened(name) as store:
        for sort in (b":s:", b":w:"):
            await remember(store, "a b c d", "e f")
            for key, node in backends.keys(name).items():
                if sort in key:
                    node.delete(key)
            assert (await observe(store, sighting("a b x"))).kind == "new"
            found = await observe(store, sighting("a b c d"))
            await store.decide(sighting("a b c d"), "0" * 16, Offer(), NOW)
            assert found.kind in {"new", "undecided"}
            assert (await observe(store, sighting("a b c d"))).kind == "exact"
            backends.empty(name)


@pytest.mark.parametrize("name", backends.SHARED)
async def test_every_key_of_likeness_expires_and_names_nobody(name: str) -> None:
    """And all keys of a tenant have one hash tag."""
    async with backends.opened(name) as store:
        near = offer(rate("near of alice", by_cluster=True))
        share = digest("share", 32)
        for text in ("a b c", "d e f", "a b x"):
            seen = sighting(text, share=share, scope=digest("alice"))
            found = await observe(store, seen, offers(new=near))
            if found.kind == "undecided":
                await store.decide(seen, seen.cluster, near, NOW)
            else:
                await fail(store, found.reservation)
        await store.keep(share, b"reply", 60)
    every = backends.keys(name)
    assert sorted({key.split(b":")[2] for key in every}) == [b"f", b"q", b"r", b"s", b"w"]
    assert not [key for key in every if b"alice" in key]
    assert len({key[: key.index(b"}")] for key in every}) == 1
    assert all(node.pttl(key) > 0 for key, node in every.items())


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By calls and by bytes of words; the scope not looked at for longest goes first."""
    monkeypatch.setattr(memory_likeness, "ALL_ENTRIES_MAX", 20)
    store = MemoryQuotas()
    for number in range(10):
        for text in ("a b", "c d"):
            await observe(store, sighting(text, scope=digest(str(number))))
    assert store.remembered == 20
    assert (await observe(store, sighting("a b", scope=digest("0")))).kind == "exact"
    assert (await observe(store, sighting("e f", scope=digest("0")))).kind == "new"
    assert store.remembered == 19
    assert (await observe(store, sighting("a b", scope=digest("0")))).kind == "exact"
    assert (await observe(store, sighting("a b", scope=digest("1")))).kind == "new"

    monkeypatch.setattr(memory_likeness, "ALL_WORDS_BYTES_MAX", 100)
    await observe(store, sighting("long", scope=digest("long"), words=b"w" * 60))
    assert store.remembered <= 20
    await observe(store, sighting("long", scope=digest("longer"), words=b"w" * 60))
    assert store.remembered == 1


async def test_kept_replies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one not used for longest goes first."""
    monkeypatch.setattr(memory_likeness, "ALL_REPLY_BYTES_MAX", 25)
    store = MemoryQuotas()
    seen = [sighting(str(n), share=digest(str(n), 32), stored=True) for n in range(3)]
    for each in seen[:2]:
        await observe(store, each)
        await store.keep(each.share, b"0123456789", 60)
    assert (await observe(store, seen[0])).reply
    await store.keep(seen[2].share, b"0123456789", 60)
    assert [bool((await observe(store, each)).reply) for each in seen] == [True, False, True]


WORDS = [*"abcdefgh", "i j k l m", "n o p q"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
OFFERS = st.sampled_from(
    [
        offer(),
        offer(rate("one", limit=3)),
        offer(rate("near", limit=4, by_cluster=True)),
        offer(rate("one", limit=3), rate("near", limit=4, by_cluster=True)),
        FORBIDDEN,
    ]
)
SHARES = st.sampled_from([b"", b"", digest("1", 32), digest("2", 32)])


class Likeness(RuleBasedStateMachine):
    """Random calls, decisions, ends and pauses: every store answers as memory does."""

    other = "valkey"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.stores = self.run(self.open())
        self.now = NOW
        self.number = 0
        self.open_calls: list[list[Reservation]] = []
        self.undecided: list[Sighting] = []
        self.is_full = False

    async def open(self) -> list[AnyQuotas]:
        """Open the reference, and another store."""
        names = ("memory", self.other)
        return [await self.stack.enter_async_context(backends.opened(name)) for name in names]

    def run(self, job: Any) -> Any:
        return self.runner.run(job)

    def hold(self, reservations: list[Reservation]) -> None:
        assert reservations[0].readings == reservations[1].readings
        assert (reservations[0].id == 0) is (reservations[1].id == 0)
        self.open_calls.append(reservations)

    @rule(
        text=TEXTS,
        scope=st.sampled_from(["alice in PROJ-1", "alice in PROJ-1", "bob in PROJ-2"]),
        bytes_sent=st.sampled_from(["", "", "others"]),
        share=SHARES,
        offered=st.builds(Offers, new=OFFERS, exact=OFFERS, retry=OFFERS, shared=OFFERS),
        flags=st.fixed_dictionaries(
            {
                "comparable": st.sampled_from([True, True, True, False]),
                "following": st.sampled_from([False, False, True]),
                "stored": st.booleans(),
            }
        ),
    )
    def observe(
        self,
        text: str,
        scope: str,
        bytes_sent: str,
        share: bytes,
        offered: Offers,
        flags: dict[str, bool],
    ) -> None:
        self.number += 1
        seen = sighting(
            text,
            self.number,
            scope=digest(scope),
            share=share,
            canonical=digest(text + bytes_sent),
            **flags,
        )
        found = [self.run(store.observe(seen, offered, self.now)) for store in self.stores]
        told = [structs.replace(each, reservation=NOTHING) for each in found]
        assert told[1] == told[0]
        self.hold([each.reservation for each in found])
        if found[0].kind == "undecided":
            self.undecided.append(seen)

    @precondition(lambda self: bool(self.undecided))
    @rule(data=st.data(), offered=OFFERS)
    def decide(self, data: st.DataObject, offered: Offer) -> None:
        seen = self.undecided.pop(data.draw(st.integers(0, len(self.undecided) - 1)))
        cluster = data.draw(st.sampled_from([seen.cluster, digest("another", 8).hex()]))
        self.hold(
            [self.run(store.decide(seen, cluster, offered, self.now)) for store in self.stores]
        )

    @precondition(lambda self: bool(self.open_calls))
    @rule(data=st.data(), how=st.sampled_from(["ok", "failed", "failed", "released"]))
    def end(self, data: st.DataObject, how: str) -> None:
        number = data.draw(st.integers(0, len(self.open_calls) - 1))
        for store, found in zip(self.stores, self.open_calls[number], strict=True):
            if how == "released":
                self.run(store.release(found, self.now))
            else:
                self.run(store.settle(found, Usage(), 0, self.now, failed=how == "failed"))

    @rule(share=SHARES, ttl_s=st.integers(1, 60), reply=st.binary(min_size=1, max_size=9))
    def keep(self, share: bytes, ttl_s: int, reply: bytes) -> None:
        if share and self.number:
            for store in self.stores:
                self.run(store.keep(share, reply, ttl_s))

    @precondition(lambda self: not self.is_full)
    @rule(count=st.integers(100, 350))
    def fill(self, count: int) -> None:
        """Much is asked at once: a scope overflows."""
        self.is_full = count > memory_likeness.ENTRIES_MAX
        seen = [sighting(f"u{n % 400} v w", self.number + n) for n in range(count)]
        self.number += count
        for store in self.stores:
            self.run(self.decide_all(store, seen))

    async def decide_all(self, store: AnyQuotas, seen: list[Sighting]) -> None:
        """Have calls remembered, in their order."""
        await asyncio.gather(
            *(store.decide(each, each.cluster, Offer(), self.now) for each in seen)
        )

    @rule(seconds=st.integers(1, 100) | st.sampled_from([12 * 3600, 86_400]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()


class LikenessWithFallback(Likeness):
    """What holds when its store does not, while it does."""

    other = "fallback"


class LikenessAlone(Likeness):
    """What holds when its store does not, without one."""

    other = "alone"


STEPS = settings(max_examples=50, stateful_step_count=40, deadline=None)
FEWER = settings(STEPS, max_examples=25)
Likeness.TestCase.settings = STEPS
LikenessWithFallback.TestCase.settings = FEWER
LikenessAlone.TestCase.settings = FEWER
TestLikeness = Likeness.TestCase
TestLikenessWithFallback = LikenessWithFallback.TestCase
TestLikenessAlone = LikenessAlone.TestCase
