"""
An attacker that learns: each step it sends some calls of one attack and sees what that brought.

Upper confidence bound over all attacks of traffic (UCB1; Auer, Cesa-Bianchi and Fischer 2002). It
is rewarded by what is newly counted under its roots, which nobody outside can see: a stronger
attacker than there is. Its work is accepted at the end.
"""

import asyncio
import math
from random import Random

from msgspec import Struct, structs

from benchmarks.goodhart.attacks import ATTACKS
from benchmarks.goodhart.honest import honest
from benchmarks.goodhart.model import Request, Scene
from benchmarks.goodhart.sending import send, tell
from benchmarks.goodhart.stage import Stage


class Course(Struct, frozen=True, kw_only=True):
    """What came of it."""

    steps: int
    calls: int
    honest_calls: int
    honest: float
    """Credit of honest work alone."""
    gained: float
    """Credit of all of it, relative to that: 0 is nothing."""
    favourite: str
    """The attack it used most."""


def run(stage: Stage, *, seed: int, steps: int, per_step: int) -> Course:
    """Let it try beside honest work, and compare with the same work alone."""
    alone, scene = honest(seed, f"ADH{seed}"), honest(seed, f"ADA{seed}")
    stage.bring([alone, scene])
    asyncio.run(send(stage.door, [*alone.requests, *scene.requests]))
    arms = [each for each in ATTACKS.values() if each.of in ("repeats", "salts", "novel text")]
    used = dict.fromkeys((each.id for each in arms), 0)
    won = dict.fromkeys(used, 0.0)
    roots = list(scene.roots(scene.gamers))
    counted = stage.units(roots)
    chance = Random(f"adaptive {seed}")
    calls = 0
    for step in range(steps):
        arm = max(arms, key=lambda each: _bound(won[each.id], used[each.id], step))
        sent = _new(scene, arm.id, chance, per_step)
        asyncio.run(send(stage.door, sent))
        calls += len(sent)
        now = stage.units(roots)
        used[arm.id] += 1
        won[arm.id] += min(1.0, (now - counted) / per_step)
        counted = now
    asyncio.run(tell(stage.door, [alone, scene]))
    stage.settle()
    credit = stage.credit()
    before = sum(float(credit.get(root, 0)) for root in alone.roots(alone.gamers))
    after = sum(float(credit.get(root, 0)) for root in scene.roots(scene.gamers))
    return Course(
        steps=steps,
        calls=calls,
        honest_calls=len(scene.own),
        honest=before,
        gained=after / before - 1,
        favourite=max(used, key=lambda name: used[name]),
    )


def _new(scene: Scene, attack: str, chance: Random, count: int) -> list[Request]:
    bare = structs.replace(scene, results=())
    made = ATTACKS[attack].make(bare, chance, count)
    return [*made.first, *made.requests[len(scene.requests) :]]


def _bound(won: float, used: int, step: int) -> float:
    if not used:
        return math.inf
    return won / used + math.sqrt(2 * math.log(step + 1) / used)
