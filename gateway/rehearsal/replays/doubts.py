"""
What a replay cannot know, in plain words, and only where it applies.

A log says what happened. What would have happened otherwise is partly somebody else's
decision (a caller's, a model's), and partly was before the first line, or in another log.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from gateway import policy
from gateway.ledger import DecisionRecord
from gateway.ledger.pseudonyms import week_of
from gateway.policy import Rule
from gateway.rehearsal.replays.recorded import Recorded
from gateway.rehearsal.simulation import Decided
from gateway.rehearsal.spending import NAMES

_WHO = ("principal.id", "principal.key_id")


class Doubt(Struct, frozen=True, kw_only=True):
    """One thing that is not known."""

    code: str
    text: str


class Doubts:
    """Collects what a replay cannot know while it goes on."""

    def __init__(
        self,
        old: policy.PolicySet | None,
        new: policy.PolicySet,
        recorded: Recorded,
        *,
        shared: bool,
    ) -> None:
        """Keep both policies, and what counts the calls that are not fully known."""
        self._old = old
        self._new = new
        self._recorded = recorded
        self._shared = shared
        self._looks_at_likeness = new.matcher.reads_kind or any(
            rule.by_cluster for rule in new.rules
        )
        self._seen: Counter[str] = Counter()
        self.restarts = 0
        """Starts of a gateway between two calls, with quotas in its own memory."""

    def note(self, record: DecisionRecord, decided: Decided) -> None:
        """Count what is not known of one call."""
        if record.served != "forwarded":
            self._seen["shared"] += 1
        if not record.compared and decided.decision.effect == "permit":
            self._seen["uncompared"] += 1

    def found(
        self,
        changed: Mapping[str, int],
        *,
        unsettled: int,
        first: float,
        last: float,
    ) -> tuple[Doubt, ...]:
        """
        Return what is not known, given how many calls change in which way.

        Args:
            changed: calls by kind of change.
            unsettled: permitted calls of which the log has no settled.
            first: when the first call was received, Unix seconds.
            last: when the last one was.

        """
        if not last:
            return ()
        return (
            *self._of_changes(changed),
            *self._of_likeness(changed["newly_refused"]),
            *self._of_beginnings(first),
            *self._of_restarts(),
            *self._of_names(first, last),
            *self._of_the_log(unsettled),
        )

    def _of_changes(self, changed: Mapping[str, int]) -> Iterator[Doubt]:
        refused, allowed = changed["newly_refused"], changed["newly_allowed"]
        if changed["rerouted"]:
            yield _doubt(
                "answers",
                f"{calls(changed['rerouted'])} would be answered by another model or provider. "
                "What it would answer, and at what length, is not known: the cost is that of as "
                "many tokens.",
            )
        if changed["other_obligations"]:
            yield _doubt(
                "obligations",
                "Answers whose length would be limited otherwise count at the length they had.",
            )
        if refused:
            yield _doubt(
                "callers",
                f"What callers would have done after {refused:,} new refusals (tried again, asked "
                "for less, given up) is not known.",
            )
        if refused and self._seen["shared"]:
            yield _doubt(
                "sharing",
                f"{calls(self._seen['shared'])} shared another call's reply. Where that one would "
                "be refused, they would have been sent themselves, at a cost not counted here.",
            )
        if allowed:
            yield _doubt(
                "allowed",
                f"Newly allowed, and so never made: {calls(allowed)}. Each counts at the most it "
                "can use, and as lasting as long as calls do on average. Whether their keys may "
                "use the model is not known where a rule refused first.",
            )

    def _of_likeness(self, refused: int) -> Iterator[Doubt]:
        if not self._looks_at_likeness:
            return
        if refused:
            yield _doubt(
                "likeness",
                "Calls newly refused would not have been remembered, so a later call like one of "
                "them may be no repeat.",
            )
        if self._seen["uncompared"]:
            yield _doubt(
                "uncompared",
                "Refused before anybody asked what they are like, and so counted as new: "
                f"{calls(self._seen['uncompared'])}.",
            )

    def _of_beginnings(self, first: float) -> Iterator[Doubt]:
        limited = [rule for rule in self._new.draw_rules if rule.limit is not None]
        begins = datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%d %H:%M UTC")
        quotas = [rule.id for rule in limited if rule.limit and rule.limit.period is None]
        if quotas:
            yield _doubt(
                "quotas", f"Quotas begin empty at the first call, {begins}: {listed(quotas)}."
            )
        counted = () if self._old is None else self._old.budgets
        told = {(each.prefix, each.by) for each in counted}
        earlier = [each for each in self._new.budgets if each.bounds(first)[0] < first]
        known = [each.rule for each in earlier if (each.prefix, each.by) in told]
        unknown = [each.rule for each in earlier if (each.prefix, each.by) not in told]
        if unknown:
            yield _doubt(
                "budgets",
                f"What had been used before the first call, {begins}, in a period that began "
                f"earlier, is not known and counts as nothing: {listed(unknown)}.",
            )
        if known:
            yield _doubt(
                "budgets_told",
                f"What had been used before the first call, {begins}, is what the log says the "
                f"first time it speaks of it; calls then under way count at the most they could "
                f"use: {listed(known)}.",
            )

    def _of_restarts(self) -> Iterator[Doubt]:
        if not self.restarts:
            return
        times = "once" if self.restarts == 1 else f"{self.restarts:,} times"
        yield _doubt(
            "restarts",
            f"The gateway was started again {times}: from there quotas are empty, as they were "
            "then. A call it cut off counts in budgets at the most it could use, as the ledger "
            "has it; lines of the moment before a crash may be missing.",
        )
        unlinked = [each.rule for each in self._new.budgets if not NAMES.isdisjoint(each.by)]
        if unlinked:
            yield _doubt(
                "unlinked",
                "Calls without a verified task are in the ledger without a name, so a restart "
                f"forgets what they used of budgets kept by person or task: {listed(unlinked)}.",
            )

    def _of_names(self, first: float, last: float) -> Iterator[Doubt]:
        unnamed = self._recorded.unnamed
        weeks = week_of(int(last * 1e6)) - week_of(int(first * 1e6))
        if unnamed:
            reading = [rule.id for rule in self._new.rules if _reads_names(rule)]
            if reading:
                yield _doubt(
                    "names",
                    f"Who made {calls(unnamed)} is not known by name, only by a pseudonym: "
                    f"conditions that read principal.id or principal.key_id may be wrong for "
                    f"them: {listed(reading)}.",
                )
            if weeks:
                yield _doubt(
                    "weeks",
                    "People without a name have a new pseudonym each Monday (UTC): they count "
                    "once a week, and what is counted for each of them begins anew.",
                )
        clustered = [rule.id for rule in self._new.rules if rule.by_cluster]
        if weeks and clustered:
            yield _doubt(
                "clusters",
                "Likeness clusters have a new name each Monday (UTC), so what is counted by them "
                f"begins anew: {listed(clustered)}.",
            )

    def _of_the_log(self, unsettled: int) -> Iterator[Doubt]:
        if unsettled:
            yield _doubt(
                "unsettled",
                f"Of {calls(unsettled)} the log does not say what they came to (under way at the "
                "end, cut off by a restart, or older than such records): they cost nothing here, "
                "and quotas count them at the most they could use.",
            )
        if self._recorded.incomplete:
            yield _doubt(
                "facts",
                f"Recorded before some of today's facts were: {calls(self._recorded.incomplete)}. "
                "Those facts count as empty, zero or false.",
            )
        if self._shared:
            yield _doubt(
                "replicas",
                "Quotas are shared with other replicas, whose calls are in logs of their own: "
                "give all of them with --from, or quotas are fuller in truth than here.",
            )
        old = self._old
        if old is not None and old.settings.reuse != self._new.settings.reuse:
            yield _doubt(
                "reuse",
                "`reuse` changes: which calls share a reply is as it was recorded.",
            )


def calls(count: int) -> str:
    """Return `1 call` or `1,234 calls`."""
    return "1 call" if count == 1 else f"{count:,} calls"


def listed(names: list[str]) -> str:
    """Return names as a list in a sentence."""
    return ", ".join(sorted(names))


def _doubt(code: str, text: str) -> Doubt:
    return Doubt(code=code, text=text)


def _reads_names(rule: Rule) -> bool:
    return rule.condition is not None and any(name in rule.condition.reads for name in _WHO)
