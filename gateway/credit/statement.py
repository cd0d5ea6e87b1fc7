"""Credit as of a moment: by root, and summed by team and month. By person there is none."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from gateway.credit.acceptance import standing
from gateway.credit.roots import Root
from gateway.credit.saturation import EXACT, PLACES, phi
from gateway.credit.worth import DAY_US, Unscored, Valued, shares, valued
from gateway.policy import CreditParameters


class RootCredit(Struct, frozen=True, kw_only=True):
    """What one root comes to."""

    root_id: str
    team: str = ""
    month: str = ""
    """Of its first acceptance, UTC; empty: it has none."""
    value: Decimal = Decimal(0)
    """v"""
    accepted: Decimal = Decimal(0)
    """O: the weights of its tasks that stand accepted."""
    units: int = 0
    """x"""
    phi: Decimal = Decimal(0)
    provisional: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    reversed: Decimal = Decimal(0)
    """What was undone would come to; no part of the others."""
    since_us: tuple[int, ...] = ()
    """When the gateway learnt of each acceptance that stands, one for each of its tasks."""
    settle_days: int = 0
    """How long an acceptance of it is provisional."""
    tasks: int = 0
    """Its tasks that share its worth, were worked on, or were said to have come to something."""
    calls: int = 0
    cost_nano_usd: int = 0
    thin: bool = False
    """All of x was asked by one call."""
    unscored: str = ""
    """Why it has no credit although something was accepted."""


class TeamCredit(Struct, frozen=True, kw_only=True):
    """What the roots of one team that were first accepted in one month come to."""

    team: str
    month: str
    roots: int
    provisional: Decimal
    settled: Decimal
    reversed: Decimal
    calls: int
    cost_nano_usd: int


class Statement(Struct, frozen=True, kw_only=True):
    """All credit of a log as of a moment."""

    as_of_us: int
    roots: tuple[RootCredit, ...]
    """By id; those without an acceptance too: what they cost is part of the whole."""
    teams: tuple[TeamCredit, ...]

    def encoded(self) -> bytes:
        """Return the same bytes for the same credit: names in order, decimals as text."""
        return msgspec.json.encode(self, order="sorted")

    @property
    def total(self) -> Decimal:
        """Provisional and settled credit of all roots."""
        return sum((each.provisional + each.settled for each in self.roots), Decimal(0))


def statement(
    roots: Mapping[str, Root], policies: Mapping[str, CreditParameters], as_of_us: int
) -> Statement:
    """
    Return the credit of some roots as of a moment (Unix microseconds).

    `policies` are the parameters of each policy set that was ever in force, by digest. A root
    that cannot be scored has no credit and says why; it never keeps the others from theirs.
    """
    settled: dict[str, Valued] = {}
    unscored: dict[str, str] = {}
    for root_id, root in roots.items():
        try:
            found = valued(root, policies)
        except Unscored as why:
            unscored[root_id] = str(why)
            continue
        if found is not None:
            settled[root_id] = found
    worth = shares(list(settled.values()))
    made = [
        _scored(root_id, roots[root_id], settled[root_id], worth, as_of_us)
        if root_id in settled
        else _without(root_id, roots[root_id], unscored.get(root_id, ""))
        for root_id in sorted(roots)
    ]
    return Statement(as_of_us=as_of_us, roots=tuple(made), teams=_teams(made))


def _scored(
    root_id: str,
    root: Root,
    found: Valued,
    worth: Mapping[tuple[str, str], Decimal],
    as_of_us: int,
) -> RootCredit:
    value = found.value if found.value is not None else worth[found.team, found.month]
    x = len(root.units)
    full = EXACT.multiply(value, phi(x, found.parameters.saturation))
    hold_us = found.parameters.settle_days * DAY_US
    parts = dict.fromkeys(("provisional", "settled", "reversed"), Decimal(0))
    since_us: list[int] = []
    for task_id, weight in found.weights.items():
        events = root.events.get(task_id, ())
        stands = standing(events)
        if stands.since_us is not None:
            since_us.append(stands.since_us)
            parts["settled" if as_of_us >= stands.since_us + hold_us else "provisional"] += weight
        elif any(each.kind == "accepted" for each in events):
            parts["reversed"] += weight
    credit = {name: EXACT.multiply(full, part).quantize(PLACES) for name, part in parts.items()}
    return RootCredit(
        root_id=root_id,
        team=found.team,
        month=found.month,
        value=value,
        accepted=parts["provisional"] + parts["settled"],
        units=x,
        phi=phi(x, found.parameters.saturation),
        since_us=tuple(sorted(since_us)),
        settle_days=found.parameters.settle_days,
        tasks=len(_tasks(root) | set(found.weights)),
        calls=root.all_calls,
        cost_nano_usd=root.cost_nano_usd,
        thin=root.calls == 1,
        provisional=credit["provisional"],
        settled=credit["settled"],
        reversed=credit["reversed"],
    )


def _without(root_id: str, root: Root, unscored: str) -> RootCredit:
    return RootCredit(
        root_id=root_id,
        units=len(root.units),
        tasks=len(_tasks(root)),
        calls=root.all_calls,
        cost_nano_usd=root.cost_nano_usd,
        unscored=unscored,
    )


def _tasks(root: Root) -> set[str]:
    return set(root.events) | set(root.newest_us)


def _teams(roots: Iterable[RootCredit]) -> tuple[TeamCredit, ...]:
    of: dict[tuple[str, str], list[RootCredit]] = {}
    for root in roots:
        if root.month:
            of.setdefault((root.team, root.month), []).append(root)
    return tuple(
        TeamCredit(
            team=team,
            month=month,
            roots=len(each),
            provisional=sum((one.provisional for one in each), Decimal(0)),
            settled=sum((one.settled for one in each), Decimal(0)),
            reversed=sum((one.reversed for one in each), Decimal(0)),
            calls=sum(one.calls for one in each),
            cost_nano_usd=sum(one.cost_nano_usd for one in each),
        )
        for (team, month), each in sorted(of.items())
    )
