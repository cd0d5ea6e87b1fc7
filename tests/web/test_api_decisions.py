"""`GET /api/decisions/{id}`: why a call was decided as it was, for those who may know."""

import asyncio
import contextlib
import functools
import threading
from collections.abc import Sequence

import pytest
from msgspec import structs

from gateway import policy
from gateway.ledger import DecisionRecord
from gateway.rehearsal.trials import situations
from tests.web.api_client import NOW, World

AT_US = int(NOW * 1e6) - 5_000_000
WEEK = AT_US // 604_800_000_000
TEXT = """\
version: 1
rules:
  - {id: no-drafts, when: call.model == "gpt-5", effect: forbid, message: Not so.}
"""
LATER = TEXT.replace("gpt-5", "gpt-4")


def request_id(made_s: float) -> str:
    """Return an id made at a moment (UUIDv7)."""
    return f"req_{int(made_s * 1_000):012x}7000a000000000000000"


ID = request_id(AT_US / 1e6)


def record(policies: policy.PolicySet, caller: str = "developer") -> DecisionRecord:
    pseudonym = f"{caller}@{WEEK}"
    facts = situations.whole({"principal.id": pseudonym}, NOW)
    return DecisionRecord(
        at_us=AT_US,
        code="policy_forbids",
        effect="forbid",
        facts=facts | {"principal.key_id": "somebody"},
        policy=policies.digest,
        principal=pseudonym,
        reasons=("no-drafts",),
        request_id=ID,
        would_have=(),
    )


@pytest.fixture
def world() -> World:
    """Return an API under whose policies the developer's call was refused."""
    made = World()
    made.policies = policy.load([("policies/a.yaml", TEXT)])
    made.decided.records[ID] = record(made.policies)
    return made


def test_a_caller_learns_which_rule_refused_and_why(world: World) -> None:
    said = world.ask("developer", "GET", f"/api/decisions/{ID}")
    assert said.status == 200
    found = said.json
    assert (found["conclusion"]["rule"], found["conclusion"]["place"]) == (
        "no-drafts",
        "policies/a.yaml:3",
    )
    assert found["rules"][0]["parts"]["text"] == 'call.model == "gpt-5"'
    assert found["rules"][0]["parts"]["decided"] is True
    assert found["facts"]["principal.id"] == "developer"
    assert found["facts"]["principal.key_id"] == "somebody"
    assert (found["request_id"], found["now_in_force"]) == (ID, None)


def test_a_caller_sees_the_key_that_was_used_when_it_is_the_one_that_asks(world: World) -> None:
    key = world.ids["developer"]
    world.decided.records[ID].facts["principal.key_id"] = f"key {key}@{WEEK}"
    found = world.ask("developer", "GET", f"/api/decisions/{ID}").json
    assert found["facts"]["principal.key_id"] == key


@pytest.mark.parametrize("who", ["admin", "auditor"])
def test_admins_and_auditors_see_a_pseudonym(world: World, who: str) -> None:
    said = world.ask(who, "GET", f"/api/decisions/{ID}")
    assert said.json["facts"]["principal.id"] == f"developer@{WEEK}"
    assert b'"developer"' not in said.body.replace(b'"principal.role":"developer"', b"")


def test_to_others_a_call_is_as_unknown_as_one_that_never_was(world: World) -> None:
    world.add_key("eve", principal="eve", role="developer")
    others = world.ask("eve", "GET", f"/api/decisions/{ID}")
    never = world.ask("eve", "GET", f"/api/decisions/{request_id(NOW - 900)}")
    shapeless = world.ask("eve", "GET", "/api/decisions/req_1")
    assert others.status == 404
    assert others.body == never.body == shapeless.body
    assert world.ask("", "GET", f"/api/decisions/{ID}").status == 401


def test_what_was_decided_just_now_is_found_although_it_is_not_written(world: World) -> None:
    world.decided.unwritten = dict(world.decided.records)
    world.decided.records.clear()
    assert world.ask("developer", "GET", f"/api/decisions/{ID}").status == 200
    assert world.decided.flushes == 1
    world.ask("developer", "GET", f"/api/decisions/{ID}")
    world.ask("developer", "GET", f"/api/decisions/{request_id(NOW - 900)}")
    assert world.decided.flushes == 1


def test_the_policies_of_then_explain_and_those_of_now_are_asked_too(world: World) -> None:
    world.decided.files[world.policies.digest] = [("policies/a.yaml", TEXT)]
    world.policies = policy.load([("policies/a.yaml", LATER)])
    found = world.ask("developer", "GET", f"/api/decisions/{ID}").json
    assert found["conclusion"]["rule"] == "no-drafts"
    assert found["now_in_force"]["effect"] == "permit"
    assert found["now_in_force"]["policy"] == world.policies.digest


@pytest.mark.parametrize("files", [None, [("policies/a.yaml", "version: 7\n")]])
def test_policies_that_are_lost_or_of_another_language_leave_the_record(
    world: World, files: list[tuple[str, str]] | None
) -> None:
    if files is not None:
        world.decided.files[world.policies.digest] = files
    world.policies = policy.load([("policies/a.yaml", LATER)])
    found = world.ask("developer", "GET", f"/api/decisions/{ID}").json
    assert (found["conclusion"]["effect"], found["rules"]) == ("forbid", [])
    assert "cannot be shown" in found["notes"][0]


def test_there_is_nothing_to_ask_beside_the_id(world: World) -> None:
    assert world.ask("developer", "GET", f"/api/decisions/{ID}?reveal=x").code == "invalid_request"


async def test_policies_that_many_ask_about_at_once_are_compiled_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [("policies/a.yaml", TEXT.replace("no-drafts", "no-sketches"))]
    digest = policy.load(files).digest
    world.decided.files[digest] = files
    first = world.decided.records[ID]
    world.decided.records[ID] = structs.replace(first, policy=digest, reasons=("no-sketches",))
    meeting, compiled = threading.Barrier(4), list[str]()

    def load(given: Sequence[tuple[str, str]]) -> policy.PolicySet:
        compiled.append(digest)
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(0.2)  # were they not kept apart, all would be here at once
        return load_one(given)

    load_one = policy.load
    monkeypatch.setattr(policy, "load", load)
    ask = functools.partial(world.ask, "auditor", "GET", f"/api/decisions/{ID}")
    told = await asyncio.gather(*[asyncio.to_thread(ask) for _ in range(4)])
    assert [each.status for each in told] == [200] * 4
    assert compiled == [digest]
