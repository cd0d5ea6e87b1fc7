"""
The attacks of the catalogue, as what somebody sends beside honest work.

A number is that of the published catalogue (`docs/goodhart.md` names each); `B` are our own. An
attack takes the honest scene and how many calls it may add, and returns the scene it makes of it.
"""

from collections.abc import Callable
from random import Random
from typing import Final, Literal, TypeAlias

from msgspec import Struct, structs

from benchmarks.goodhart.model import Request, Scene

Class: TypeAlias = Literal[
    "repeats", "salts", "novel text", "linkage", "outcomes", "collusion", "drive-by"
]
Maker: TypeAlias = Callable[[Scene, Random, int], Scene]


class Attack(Struct, frozen=True, kw_only=True):
    """One way to look busier than one is."""

    id: str
    name: str
    of: Class
    make: Maker


ATTACKS: Final[dict[str, Attack]] = {}


def attack(id_: str, name: str, of: Class) -> Callable[[Maker], Maker]:
    """Register an attack."""

    def register(make: Maker) -> Maker:
        ATTACKS[id_] = Attack(id=id_, name=name, of=of, make=make)
        return make

    return register


def traffic(
    id_: str, name: str, of: Class
) -> Callable[[Callable[[Request, Random, int], Request]], Maker]:
    """Register an attack that sends a request of its team again and again, each time changed."""

    def register(change: Callable[[Request, Random, int], Request]) -> Maker:
        def make(scene: Scene, chance: Random, count: int) -> Scene:
            own = [each for each in scene.own if each.kind]
            sent = tuple(
                structs.replace(change(chance.choice(own), chance, number), kind="")
                for number in range(count)
            )
            return structs.replace(scene, requests=(*scene.requests, *sent))

        return attack(id_, name, of)(make)

    return register


def more(scene: Scene, sent: list[Request]) -> Scene:
    """Return a scene with further calls, which are no honest work."""
    added = tuple(structs.replace(each, kind="") for each in sent)
    return structs.replace(scene, requests=(*scene.requests, *added))
