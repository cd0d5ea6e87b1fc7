"""What budgets and meters have counted is counted again from the ledger after a restart."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import ledger, policy
from gateway.app.budgets import Seeding
from gateway.stores.memory import MemoryQuotas
from gateway.stores.sqlite.ledger import Ledger
from gateway.values import Draw, Facts, Usage
from tests.stores import ledgers
from tests.stores.ledgers import NOW, NOW_US, cost_intent, cost_settle, intent, settle

DAY_US = 86_400_000_000
RULES = """
version: 1
rules:
  - id: busy-task
    description: A task that has used much today asks first.
    when: usage.task.day.tokens > 50 || usage.root.month.cost_usd > 1.0
    effect: forbid
  - id: busy-person
    description: So does a person.
    when: usage.principal.day.calls > 10
    effect: forbid
  - id: busy-team
    description: And a team.
    when: usage.team.month.tokens > 100000
    effect: forbid
  - id: team-budget
    description: All a team may use.
    budget: {tokens: 1000, period: month, by: [team]}
"""
FACTS: Facts = {
    "principal.id": "alice",
    "principal.team": "payments",
    "task.id": "PROJ-2",
    "task.root": "PROJ-1",
}


@pytest.fixture(name="store")
async def _store(tmp_path: Path) -> AsyncIterator[Ledger]:
    store = ledgers.open_ledger(tmp_path)
    store.start(asyncio.get_running_loop())
    yield store
    store.close()


async def record(store: Ledger) -> None:
    """Record a call of yesterday, one of today, one still under way, and one nobody is named on."""
    alice = store.commitment("alice", NOW_US)
    leaves: list[ledger.Leaf] = [
        intent(1, principal=alice, received_at_us=NOW_US - DAY_US),
        settle(1, cost_usd="0.75"),
        intent(2, principal=alice),
        settle(2, cost_usd="0.5"),
        intent(3, principal=alice),
        cost_intent(4),
        cost_settle(4),
    ]
    await asyncio.gather(*[store.append(leaf) for leaf in leaves])
    await store.flush()


async def usage(quotas: MemoryQuotas, policies: policy.PolicySet) -> Facts:
    draws = policies.usage_draws(FACTS, NOW)
    return policies.usage(draws, await quotas.levels(draws, NOW))


async def test_a_meter_knows_after_a_restart_what_was_used(store: Ledger) -> None:
    """By task, root, principal and team; a budget beside them counts as ever."""
    await record(store)
    policies, quotas = policy.load([("rules.yaml", RULES)]), MemoryQuotas()
    assert set((await usage(quotas, policies)).values()) == {0}
    await Seeding(quotas, store, lambda: NOW).seed(policies)
    assert await usage(quotas, policies) == {
        "usage.principal.day.calls": 1,
        "usage.root.month.cost_usd": 1.25,
        "usage.task.day.tokens": 30,
        "usage.team.month.tokens": 90,
    }
    team = next(each for each in policies.budgets if each.rule == "team-budget")
    began, ends = team.bounds(NOW)
    draw = Draw(
        rule=team.rule,
        key=team.key(("payments",)),
        unit=team.unit,
        amount=0,
        limit=1000,
        window_s=ends - began,
        period_start=began,
    )
    assert await quotas.levels([draw], NOW) == (90,)


async def test_a_meter_that_a_reload_adds_begins_with_what_was_used(store: Ledger) -> None:
    """One that was there goes on with its own count, and is not seeded a second time."""
    await record(store)
    few = RULES[: RULES.index("  - id: busy-person")]
    quotas = MemoryQuotas()
    seeding = Seeding(quotas, store, lambda: NOW)
    await seeding.seed(policies := policy.load([("rules.yaml", few)]))
    draws = [draw for draw in policies.usage_draws(FACTS, NOW) if draw.unit == "tokens"]
    held = await quotas.draw(draws, NOW)
    await quotas.settle(held, Usage(input_tokens=7), 0, NOW)
    assert await quotas.levels(draws, NOW) == (37,)
    await seeding.seed(policies := policy.load([("rules.yaml", RULES)]))
    assert await usage(quotas, policies) == {
        "usage.principal.day.calls": 1,
        "usage.root.month.cost_usd": 1.25,
        "usage.task.day.tokens": 37,
        "usage.team.month.tokens": 90,
    }
