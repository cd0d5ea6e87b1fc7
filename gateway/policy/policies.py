"""A whole policy set: one immutable snapshot, swapped as one at a reload."""

from collections.abc import Sequence

from gateway.policy import drawing
from gateway.policy.facts import DECLARED, METERED_PERIODS, METERED_UNITS, METERED_WHO, USAGE
from gateway.policy.matching import Matcher
from gateway.policy.rules import Budget, Limit, Period, Rule, Settings, digest, key_prefix
from gateway.values import DisconnectMode, Draw, DrawUnit, Facts, Refusal

NANO = 10**9
METERED_MAX = 2**52
"""More than anything comes to, and a whole number in every store."""


class PolicySet:
    """Every rule in force, in no particular order, and the settings beside them."""

    def __init__(
        self, rules: Sequence[Rule], settings: Settings, notes: Sequence[str], canonical: object
    ) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.settings = settings
        self.notes = tuple(notes)
        """What an admin should know although nothing is wrong; `policy check` prints it."""
        self.meters = _meters(self.rules)
        """What counts for each `usage.*` fact that some rule reads, by id."""
        self.digest = digest({"policy": canonical})
        """`sha256:` and 16 hex digits over what the files say, whatever their order."""
        every = (*self.rules, *self.meters)
        self.matcher = Matcher(every, settings.obligations, self.digest)
        self._by_id = {rule.id: rule for rule in every}

    def rule(self, rule_id: str) -> Rule:
        """Return the rule, or the meter, with an id."""
        return self._by_id[rule_id]

    def usage_draws(self, facts: Facts, now: float) -> tuple[Draw, ...]:
        """Return a draw of nothing for each `usage.*` fact some rule reads: ask for its level."""
        return tuple([drawing.draw(meter, facts, 0, now) for meter in self.meters])

    def usage(self, draws: Sequence[Draw], levels: Sequence[int]) -> Facts:
        """Return the facts that the levels of `usage_draws` are: whole numbers, and USD."""
        return {
            draw.rule: level / NANO if draw.unit == "cost_usd" else level
            for draw, level in zip(draws, levels, strict=True)
        }

    @property
    def disconnect(self) -> DisconnectMode:
        """Return what happens to a call whose caller is gone."""
        return self.settings.obligations.disconnect

    @property
    def draw_rules(self) -> tuple[Rule, ...]:
        """Return the rules of files that draw on a quota or a budget."""
        return tuple(rule for rule in self.rules if rule.limit is not None)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Return the budgets, and what meters count, for counting them again from the ledger."""
        return tuple(
            Budget(
                rule=rule.id,
                unit=rule.limit.unit,
                period=rule.limit.period,
                by=rule.limit.by,
                prefix=rule.limit.prefix,
            )
            for rule in (*self.rules, *self.meters)
            if rule.limit is not None
            and rule.limit.period is not None
            and rule.limit.unit != "concurrent"
        )


def _meters(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return one for each `usage.*` fact that some condition reads, by id."""
    read = {name for rule in rules if rule.condition for name in rule.condition.reads}
    every = (
        _meter(who, period, unit)
        for who in METERED_WHO
        for period in METERED_PERIODS
        for unit in METERED_UNITS
    )
    return tuple(sorted((each for each in every if each.id in read), key=lambda each: each.id))


def _meter(who: str, period: Period, unit: DrawUnit) -> Rule:
    name = f"{USAGE}{who}.{period}.{unit}"
    return Rule(
        id=name,
        description=DECLARED[name].about,
        when="",
        condition=None,
        effect="permit",
        limit=Limit(
            unit=unit,
            amount=METERED_MAX,
            text=f"any number of {unit}",
            by=(METERED_WHO[who],),
            by_text=f" for each {who}",
            period=period,
            prefix=key_prefix(name, unit, period),
        ),
        meter=True,
        shadow=True,
        message="",
        refusal=Refusal(code="", message="", rule=name),
    )
