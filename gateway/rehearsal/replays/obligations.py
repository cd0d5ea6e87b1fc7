"""
Whether a call that is permitted again would carry other obligations.

The log does not hold obligations, so where the policies a call was decided by are known, their
rules are asked again; where they are not, only a limit on the length of the answer shows.
"""

from typing import Any

from gateway import policy
from gateway.ledger import DecisionRecord
from gateway.policy.facts import KIND, NOTHING_USED
from gateway.rehearsal.simulation import Decided
from gateway.values import Decision


class Comparison:
    """Old obligations against new ones."""

    def __init__(self, old: policy.PolicySet | None, new: policy.PolicySet) -> None:
        """Keep both; where no rule of either obliges to anything, nothing is compared."""
        self._old = old
        self._obliging = frozenset(_obliging(new))
        self._obliged = frozenset(() if old is None else _obliging(old))
        nothing = not (self._obliging or self._obliged)
        self._idle = old is not None and (nothing or old.digest == new.digest)

    def differ(self, record: DecisionRecord, decided: Decided) -> bool:
        """Return whether a permitted call would be permitted with other obligations."""
        if self._idle:
            return False
        old = self._old
        if old is None or record.policy != old.digest:
            return not decided.decision.terms.rule and _shortened(record, decided)
        return _duties(self._then(old, record, decided)) != _duties(decided.decision)

    def rules(self, record: DecisionRecord, decided: Decided) -> tuple[str, ...]:
        """Return the rules that make the difference, or could."""
        obliging = self._obliging & {*decided.decision.reasons}
        return tuple(sorted(obliging ^ (self._obliged & {*record.reasons}) or obliging))

    def _then(self, old: policy.PolicySet, record: DecisionRecord, decided: Decided) -> Decision:
        usage = {name: record.facts.get(name, nothing) for name, nothing in NOTHING_USED.items()}
        facts = decided.facts | usage
        plans = policy.Plans(old, facts, record.at_us / 1e6)
        plans.reserve = decided.reserve
        return plans.of(facts[KIND]).matched.decision


def _obliging(policies: policy.PolicySet) -> list[str]:
    return [rule.id for rule in policies.rules if rule.duties is not None]


def _duties(decision: Decision) -> tuple[Any, ...]:
    duties, terms = decision.obligations, decision.terms
    return duties.note, duties.reply_headers, terms.output_tokens_max, terms.headers


def _shortened(record: DecisionRecord, decided: Decided) -> bool:
    """Return whether the answer would be held shorter, or longer, than it was."""
    if not record.model or record.served != "forwarded" or record.route:
        return False
    return decided.reserve.output_tokens != record.reserved_output_tokens
