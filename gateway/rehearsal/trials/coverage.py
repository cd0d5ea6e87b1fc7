"""
What test cases saw of the rules: which had a say, which sides of conditions, which limits full.

A condition is seen when it was true for one call and false for another, and so is each part
that `&&`, `||` and `!` connect: a part counts where the parts before it left it to decide. A
limit is seen when it took a call and refused one.
"""

from collections.abc import Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from gateway.policy import PolicySet, Rule
from gateway.policy.conditions import cel, printing
from gateway.policy.conditions.cel import Condition
from gateway.policy.conditions.syntax import Tree
from gateway.rehearsal.simulation import Decided
from gateway.values import Facts

Kind: TypeAlias = Literal["rule", "condition", "limit"]


class Goal(Struct, frozen=True, kw_only=True):
    """One thing to see."""

    rule: str
    place: str
    """`policies/default.yaml:14`"""
    kind: Kind
    part: str
    """The condition or the part of it; the limit in words; empty for the rule itself."""
    side: str
    """`fired`, `true`, `false`, `taken` or `refused`."""


class Report(Struct, frozen=True, kw_only=True):
    """How much of a policy set was seen."""

    rules: int
    rules_seen: int
    conditions: int
    """Conditions, and the parts they are made of."""
    conditions_seen: int
    """Those seen on both sides."""
    limits: int
    limits_seen: int
    goals: int
    missed: tuple[Goal, ...]
    """In the order of rule ids."""

    @property
    def percent(self) -> float:
        """Return how much of all there is to see was seen, 0 to 100."""
        return 100.0 * (self.goals - len(self.missed)) / self.goals if self.goals else 100.0

    @property
    def lines(self) -> tuple[tuple[str, str, str], ...]:
        """Return what was missed: file:line, the rule, and what in words."""
        sides: dict[tuple[str, str, str], list[str]] = {}
        for goal in self.missed:
            sides.setdefault((goal.place, goal.rule, goal.part), []).append(goal.side)
        return tuple(
            (place, rule, f"{part} was never {' or '.join(found)}" if part else "never had a say")
            for (place, rule, part), found in sides.items()
        )


class Coverage:
    """Watches what is decided, and remembers what was seen of the rules."""

    def __init__(self, policies: PolicySet) -> None:
        """Begin with nothing seen."""
        self._watched = [_Watched(rule) for rule in policies.rules]
        self._seen: set[Goal] = set()

    def watch(self, decided: Decided) -> None:
        """Note what one call shows."""
        for each in self._watched:
            self._seen.update(each.seen(decided))

    def report(self) -> Report:
        """Return what was seen so far."""
        goals = [goal for each in self._watched for goal in each.goals]
        missed = tuple(goal for goal in goals if goal not in self._seen)
        return Report(
            **self._counted("rule", missed, "rules"),
            **self._counted("condition", missed, "conditions"),
            **self._counted("limit", missed, "limits"),
            goals=len(goals),
            missed=missed,
        )

    def _counted(self, kind: Kind, missed: tuple[Goal, ...], name: str) -> dict[str, int]:
        def things(goals: tuple[Goal, ...]) -> int:
            return len({(goal.rule, goal.part) for goal in goals if goal.kind == kind})

        every = tuple(goal for each in self._watched for goal in each.goals)
        return {name: things(every), f"{name}_seen": things(every) - things(missed)}


class _Watched:
    """One rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._tree = rule.condition.tree.root if rule.condition is not None else None
        parts = list(_parts(self._tree)) if self._tree is not None else []
        self._conditions: dict[str, Condition] = {
            text: cel.compile_condition(text) for text in map(printing.text, parts)
        }
        self._whole = rule.when if len(self._conditions) > 1 else ""
        self._known: set[tuple[object, ...]] = set()
        self._reads = tuple(sorted(rule.condition.reads)) if rule.condition is not None else ()
        self.goals = tuple(self._goals())

    def seen(self, decided: Decided) -> Iterator[Goal]:
        """Yield what a call shows of the rule."""
        rule, decision = self._rule, decided.decision
        readings = [each for each in decided.readings if each.draw.rule == rule.id]
        if readings or rule.id in decision.reasons or rule.id in decision.would_have:
            yield self._goal("rule", "", "fired")
        for reading in readings:
            if reading.taken:
                yield self._goal("limit", self._limit, "taken")
            elif reading.remaining < reading.draw.amount:
                yield self._goal("limit", self._limit, "refused")
        if self._tree is not None and rule.team in ("", decided.facts["principal.team"]):
            yield from self._sides(self._tree, decided.facts)

    @property
    def _limit(self) -> str:
        limit = self._rule.limit
        assert limit is not None
        return f"the {'quota' if limit.period is None else 'budget'} of {limit.text}"

    def _goals(self) -> Iterator[Goal]:
        yield self._goal("rule", "", "fired")
        texts = [*([self._whole] if self._whole else []), *self._conditions]
        for text in texts:
            yield self._goal("condition", text, "true")
            yield self._goal("condition", text, "false")
        if self._rule.limit is not None:
            yield self._goal("limit", self._limit, "taken")
            yield self._goal("limit", self._limit, "refused")

    def _goal(self, kind: Kind, part: str, side: str) -> Goal:
        place = self._rule.refusal.place
        part = " ".join(part.split())
        return Goal(rule=self._rule.id, place=place, kind=kind, part=part, side=side)

    def _sides(self, tree: Tree, facts: Facts) -> list[Goal]:
        """Return the sides seen; none when the same facts were looked at before."""
        known = tuple(facts[name] for name in self._reads)
        if known in self._known:
            return []
        self._known.add(known)
        found: list[Goal] = []
        value = self._value(tree, cel.activation({n: facts[n] for n in self._reads}), found)
        if self._whole and value is not None:
            found.append(self._goal("condition", self._whole, _side(held=value)))
        return found

    def _value(self, tree: Tree, activation: object, found: list[Goal]) -> bool | None:
        """Return what a part comes to, and note it and those before it that were needed."""
        if tree.name == "!_":
            value = self._value(tree.below[0], activation, found)
            return None if value is None else not value
        if tree.name in printing.CHAINS:
            stop = tree.name == "_||_"
            values: list[bool | None] = []
            for side in tree.below:
                values.append(self._value(side, activation, found))
                if values[-1] is stop:
                    return stop
            return None if None in values else not stop
        text = printing.text(tree)
        value = self._conditions[text].holds(activation)
        if value is not None:
            found.append(self._goal("condition", text, _side(held=value)))
        return value


def _parts(tree: Tree) -> Iterator[Tree]:
    """Yield what `&&`, `||` and `!` connect, from left to right."""
    if tree.name == "!_" or tree.name in printing.CHAINS:
        for below in tree.below:
            yield from _parts(below)
    else:
        yield tree


def _side(*, held: bool) -> str:
    return "true" if held else "false"
