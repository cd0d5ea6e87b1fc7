"""One trial: scenes with and without an attack, sent, told, and read by every meter."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Final

from msgspec import Struct

from benchmarks.goodhart import meters
from benchmarks.goodhart.attacks import ATTACKS, Attack
from benchmarks.goodhart.honest import honest
from benchmarks.goodhart.model import OWN, Request, Scene
from benchmarks.goodhart.sending import Answer, send, tell
from benchmarks.goodhart.stage import Stage

HONEST: Final = ""
_OK: Final = 200


class Trial(Struct, frozen=True, kw_only=True):
    """A scene, and what it was for."""

    seed: int
    attack: str
    """Its number; empty: honest work alone."""
    budget: int
    """Times the honest calls, in all."""
    scene: Scene


class Read(Struct, frozen=True, kw_only=True):
    """What meters read of a trial."""

    seed: int
    attack: str
    budget: int
    meters: Mapping[str, float]
    others: float
    """Credit of the team beside."""
    zero: int
    """Roots that were worked on and accepted and have no credit."""
    worked: int
    blocked: int
    """Honest calls that were not answered."""
    calls: int
    """Honest calls."""
    kinds: Mapping[str, tuple[float, float, int]]
    """Credit, worth and number of valued roots by the kind of honest work."""


def trials(seeds: Iterable[int], attacks: Iterable[Attack], budgets: Iterable[int]) -> list[Trial]:
    """Return each attack at each budget beside the honest work of each seed."""
    made: list[Trial] = []
    tried = list(attacks)
    for seed in seeds:
        alone = f"H{seed}"
        made.append(Trial(seed=seed, attack=HONEST, budget=1, scene=honest(seed, alone)))
        for each in tried:
            for budget in budgets:
                prefix = f"{each.id.upper()}S{seed}X{budget}"
                scene = honest(seed, prefix)
                chance = Random(f"{each.id} {seed} {budget}")  # the same again
                count = (budget - 1) * len(scene.own)
                attacked = each.make(scene, chance, count)
                made.append(Trial(seed=seed, attack=each.id, budget=budget, scene=attacked))
    return made


def run(stage: Stage, some: Sequence[Trial]) -> list[Read]:
    """Send everything of some trials, then have their outcomes told, and read the meters."""
    scenes = [trial.scene for trial in some]
    stage.bring(scenes)
    answers = asyncio.run(_sent(stage, scenes))
    asyncio.run(tell(stage.door, scenes))
    stage.settle()
    credit = stage.credit()
    return [_read(trial, answers[trial.scene.prefix], credit) for trial in some]


async def _sent(stage: Stage, scenes: Sequence[Scene]) -> dict[str, list[tuple[Request, Answer]]]:
    """Send what comes first of all scenes, then all else of all of them side by side."""
    found: dict[str, list[tuple[Request, Answer]]] = {each.prefix: [] for each in scenes}
    for part in (
        [(scene.prefix, each) for scene in scenes for each in scene.first],
        _side_by_side(scenes),
    ):
        answers = await send(stage.door, [request for _, request in part])
        for (prefix, request), answer in zip(part, answers, strict=True):
            found[prefix].append((request, answer))
    return found


def _side_by_side(scenes: Sequence[Scene]) -> list[tuple[str, Request]]:
    most = max((len(scene.requests) for scene in scenes), default=0)
    return [
        (scene.prefix, scene.requests[at])
        for at in range(most)
        for scene in scenes
        if at < len(scene.requests)
    ]


def _read(
    trial: Trial, sent: Sequence[tuple[Request, Answer]], credit: Mapping[str, object]
) -> Read:
    scene = trial.scene
    own = [(request, answer) for request, answer in sent if request.principal in OWN]
    requests = [request for request, _ in own]
    evidence = [answer.evidence for _, answer in own]
    worth = {root: float(str(credit.get(root, 0))) for root in scene.roots(scene.gamers)}
    above = {piece.id: piece.root_id for piece in scene.pieces}
    worked = {above[each.task] for each in requests if each.kind}
    honest_calls = [answer for request, answer in sent if request.kind]
    return Read(
        seed=trial.seed,
        attack=trial.attack,
        budget=trial.budget,
        meters=meters.counted(requests)
        | {"task-checked": meters.checked(requests, evidence), "credit": sum(worth.values())},
        others=sum(float(str(credit.get(root, 0))) for root in scene.roots(scene.bystanders)),
        zero=sum(not worth[root] for root in worked),
        worked=len(worked),
        blocked=sum(answer.status != _OK for answer in honest_calls),
        calls=len(honest_calls),
        kinds=_kinds(scene, requests, worth),
    )


def _kinds(
    scene: Scene, requests: Sequence[Request], worth: Mapping[str, float]
) -> dict[str, tuple[float, float, int]]:
    pieces = {piece.id: piece for piece in scene.pieces}
    of = {pieces[each.task].root_id: each.kind for each in requests if each.kind}
    found: dict[str, tuple[float, float, int]] = {}
    for root, kind in of.items():
        if pieces[root].value:
            credit, value, count = found.get(kind, (0.0, 0.0, 0))
            found[kind] = (credit + worth[root], value + float(pieces[root].value), count + 1)
    return found


def chosen(names: Sequence[str]) -> list[Attack]:
    """Return attacks by number; all when none is named."""
    return [ATTACKS[name] for name in names] if names else list(ATTACKS.values())
