"""A whole policy set: one immutable snapshot, swapped as one at a reload."""

from collections.abc import Sequence

from gateway.policy.matching import Matcher
from gateway.policy.rules import Budget, Rule, Settings, digest
from gateway.values import DisconnectMode


class PolicySet:
    """Every rule in force, in no particular order, and the settings beside them."""

    def __init__(
        self, rules: Sequence[Rule], settings: Settings, notes: Sequence[str], canonical: object
    ) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.id))
        self.settings = settings
        self.notes = tuple(notes)
        """What an admin should know although nothing is wrong; `policy check` prints it."""
        self.digest = digest({"policy": canonical})
        """`sha256:` and 16 hex digits over what the files say, whatever their order."""
        self.matcher = Matcher(self.rules, settings.obligations, self.digest)
        self._by_id = {rule.id: rule for rule in self.rules}

    def rule(self, rule_id: str) -> Rule:
        """Return the rule with an id."""
        return self._by_id[rule_id]

    @property
    def disconnect(self) -> DisconnectMode:
        """Return what happens to a call whose caller is gone."""
        return self.settings.obligations.disconnect

    @property
    def draw_rules(self) -> tuple[Rule, ...]:
        """Return the rules that draw on a quota or a budget."""
        return tuple(rule for rule in self.rules if rule.limit is not None)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Return the budgets, for counting them again from the ledger."""
        return tuple(
            Budget(
                rule=rule.id,
                unit=rule.limit.unit,
                period=rule.limit.period,
                by=rule.limit.by,
                prefix=rule.limit.prefix,
            )
            for rule in self.rules
            if rule.limit is not None and rule.limit.period is not None
        )
