"""
What a change of policies means, in words: most important first, texts of messages last.

Where a rule stands and in which order it stands there means nothing, and neither does how a
condition is spaced or put in parentheses: such changes are no difference.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from gateway.policy import Limit, PolicySet, Rule
from gateway.policy.language.limits import default_message
from gateway.rehearsal.differences.alteration import Reach, alteration, text
from gateway.rehearsal.explanations import bearing, standing

What: TypeAlias = Literal[
    "added",
    "removed",
    "renamed",
    "mode",
    "effect",
    "team",
    "limit",
    "condition",
    "route",
    "obligations",
    "setting",
    "text",
]
Direction: TypeAlias = Literal["", "stricter", "looser"]
_ORDER: Sequence[What] = (
    *("removed", "added", "renamed", "effect", "mode", "team", "limit", "condition"),
    *("route", "obligations", "setting", "text"),
)


class Change(Struct, frozen=True, kw_only=True):
    """One thing that is no longer as it was."""

    subject: str
    """The id of a rule, or a setting: `reuse.exact`."""
    what: What
    words: str
    """What changed: `1200 calls per 1m -> 600 calls per 1m`."""
    direction: Direction = ""
    """Whether callers may do less now, or more; empty when that cannot be told."""
    parts: tuple[str, ...] = ()
    """Of a condition: which parts of it changed."""
    place: str = ""
    """Where the rule stands, in the new files or (when it is gone) in the old."""

    @property
    def line(self) -> str:
        """Return the change in one line."""
        direction = f" ({self.direction})" if self.direction else ""
        return f"{self.subject}: {self.words}{direction}"


class Difference(Struct, frozen=True, kw_only=True):
    """Everything that changed from one set of policies to another."""

    old: str
    new: str
    """Digests."""
    changes: tuple[Change, ...]


def difference(old: PolicySet, new: PolicySet) -> Difference:
    """Return what changed, most important first."""
    found = [*_rules(old, new), *_settings(old, new)]
    found.sort(key=lambda each: (_ORDER.index(each.what), each.subject))
    return Difference(old=old.digest, new=new.digest, changes=tuple(found))


def _rules(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    gone = [rule for rule in old.rules if rule.id not in after]
    came = [rule for rule in new.rules if rule.id not in before]
    renamed = _renamed(gone, came)
    for was, now in renamed:
        anew = "; what it counts begins anew" if now.limit is not None else ""
        yield _change(now, "renamed", f"was called {was.id}{anew}")
    for rule in gone:
        if rule not in [was for was, _ in renamed]:
            yield _change(rule, "removed", f"removed: {_no_more(rule)}", _lifted(rule))
    for rule in came:
        if rule not in [now for _, now in renamed]:
            yield _change(rule, "added", f"added: {_does(rule)}", _imposed(rule))
    for rule in new.rules:
        if rule.id in before:
            yield from _rule(before[rule.id], rule)


def _change(
    rule: Rule, what: What, words: str, direction: Direction = "", parts: tuple[str, ...] = ()
) -> Change:
    return Change(
        subject=rule.id,
        what=what,
        words=words,
        direction=direction,
        parts=parts,
        place=rule.refusal.place,
    )


def _renamed(gone: Sequence[Rule], came: Sequence[Rule]) -> list[tuple[Rule, Rule]]:
    """Return rules that are the same but for their id, where there is just one such pair."""
    pairs: list[tuple[Rule, Rule]] = []
    for was in gone:
        same = [now for now in came if not list(_rule(was, now))]
        others = [each for each in gone if each is not was and not list(_rule(was, each))]
        if len(same) == 1 and not others:
            pairs.append((was, same[0]))
    return pairs


def _rule(old: Rule, new: Rule) -> Iterator[Change]:
    """Yield what changed about one rule."""
    if bearing.kind(old) != bearing.kind(new):
        yield _change(new, "effect", f"{_now(new)} (before: {_now(old)})")
    else:
        yield from _limit(old, new)
        yield from _route(old, new)
        yield from _duties(old, new)
    if old.shadow != new.shadow:
        yield _mode(new)
    if old.team != new.team:
        was, now = (f"the team {each.team}" if each.team else "everybody" for each in (old, new))
        yield _change(new, "team", f"for calls of {was} -> for calls of {now}")
    altered = alteration(old.condition, new.condition)
    if altered is not None:
        words = f"condition changed: {altered.before} -> {altered.after}"
        yield _change(new, "condition", words, _reaching(new, altered.reach), altered.parts)
    yield from _texts(old, new)


def _mode(new: Rule) -> Change:
    if new.shadow:
        said = "now in shadow (was enforced): only says what it would have done"
        return _change(new, "mode", said, _lifted(structs.replace(new, shadow=False)))
    return _change(new, "mode", "now enforced (was in shadow)", _imposed(new))


def _imposed(rule: Rule) -> Direction:
    """Return what it means for callers that a rule is there."""
    refuses = rule.effect == "forbid" or rule.limit is not None
    return "stricter" if refuses and not rule.shadow else ""


def _lifted(rule: Rule) -> Direction:
    return "looser" if _imposed(rule) else ""


def _reaching(rule: Rule, reach: Reach) -> Direction:
    if reach == "others":
        return ""
    return _imposed(rule) if reach == "more" else _lifted(rule)


def _does(rule: Rule) -> str:
    """Return what a rule does, to which calls."""
    said = [_now(rule)]
    if rule.team:
        said.append(f"for calls of the team {rule.team}")
    said.append("always" if rule.condition is None else f"when {text(rule.condition)}")
    if rule.shadow:
        said.append("in shadow")
    return ", ".join(said)


def _now(rule: Rule) -> str:
    """Return what sort of rule it is and what it does, whatever the call."""
    which = bearing.kind(rule)
    if rule.limit is not None:
        return f"a {which} of {standing.words(rule.limit)}"
    if rule.route is not None:
        return f"sends calls to {bearing.where_to(rule.route.model, rule.route.provider)}"
    if rule.duties is not None:
        return f"demands {bearing.demands(rule.duties)}"
    return "refuses calls" if which == "forbid" else "permits calls"


def _no_more(rule: Rule) -> str:
    when = "" if rule.condition is None else f" when {text(rule.condition)}"
    if rule.shadow:
        return f"says no more what it would have done ({_now(rule)}{when})"
    return {
        "forbid": f"refuses no more{when}",
        "permit": f"permits no more by name{when}, and what nothing forbids is permitted still",
        "route": f"no longer {_now(rule)}{when}",
        "obligations": f"no longer {_now(rule)}{when}",
    }.get(bearing.kind(rule), f"no longer {_now(rule)}{when}")


def _limit(old: Rule, new: Rule) -> Iterator[Change]:
    was, now = old.limit, new.limit
    if was is None or now is None or _same(was, now):
        return
    words = f"{standing.words(was)} -> {standing.words(now)}"
    direction = _tightened(was, now)
    yield _change(new, "limit", words, "" if new.shadow else direction)


def _same(was: Limit, now: Limit) -> bool:
    return _measures(was) == _measures(now)


def _measures(limit: Limit) -> tuple[object, ...]:
    return limit.unit, limit.amount, limit.window_s, limit.period, frozenset(limit.by)


def _tightened(was: Limit, now: Limit) -> Direction:
    """Return whether a limit lets less through than before, in every respect, or more."""
    if was.unit != now.unit:
        return ""
    old, new = frozenset(was.by), frozenset(now.by)
    if not (old <= new or new <= old):
        return ""
    signs = {
        _sign(was.amount - now.amount),
        _sign(_span(now) - _span(was)),
        # Counting fewer things apart leaves less for each of them.
        _sign(len(old) - len(new)),
    }
    if {1, -1} <= signs:
        return ""
    return "stricter" if 1 in signs else "looser"


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


_PERIODS = {"hour": 3_600, "day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400}


def _span(limit: Limit) -> int:
    return limit.window_s if limit.period is None else _PERIODS[limit.period]


def _route(old: Rule, new: Rule) -> Iterator[Change]:
    was, now = old.route, new.route
    if was is None or now is None:
        return
    if (was.model, was.provider) != (now.model, now.provider):
        to = [bearing.where_to(each.model, each.provider) for each in (was, now)]
        yield _change(new, "route", f"sends calls to {to[0]} -> to {to[1]}")
    if was.priority != now.priority:
        yield _change(new, "route", f"priority {was.priority} -> {now.priority}")


def _duties(old: Rule, new: Rule) -> Iterator[Change]:
    was, now = old.duties, new.duties
    if was is None or now is None:
        return
    if was.output_tokens_max != now.output_tokens_max:
        most = [_shown(each.output_tokens_max) for each in (was, now)]
        yield _change(new, "obligations", f"max_output_tokens {most[0]} -> {most[1]}")
    for key, before, after in (
        ("provider_headers", dict(was.provider_headers), dict(now.provider_headers)),
        ("reply_headers", dict(was.reply_headers), dict(now.reply_headers)),
    ):
        for name in sorted(before.keys() | after.keys()):
            pair = _shown(before.get(name)), _shown(after.get(name))
            if pair[0] != pair[1]:
                yield _change(new, "obligations", f"{key} {name}: {pair[0]} -> {pair[1]}")
    if was.note != now.note:
        yield _change(new, "obligations", f"note: {_quoted(was.note)} -> {_quoted(now.note)}")


def _texts(old: Rule, new: Rule) -> Iterator[Change]:
    """Yield what changed in what callers and readers are told; what follows from a limit not."""
    if old.refusal.code != new.refusal.code and not _follows(old, new):
        yield _change(new, "text", f"code: {old.refusal.code} -> {new.refusal.code}")
    standard = old.message == default_message(old.limit), new.message == default_message(new.limit)
    if old.message != new.message and not all(standard):
        yield _change(new, "text", f"message: {_quoted(old.message)} -> {_quoted(new.message)}")
    if old.description != new.description:
        said = f"description: {_quoted(old.description)} -> {_quoted(new.description)}"
        yield _change(new, "text", said)


_STANDARD_CODES = frozenset({"", "policy_forbids", "quota_exceeded", "near_identical_rate"})


def _follows(old: Rule, new: Rule) -> bool:
    """Return whether another code is what comes with another kind of rule."""
    same_kind = bearing.kind(old) == bearing.kind(new) and old.by_cluster == new.by_cluster
    return not same_kind and {old.refusal.code, new.refusal.code} <= _STANDARD_CODES


def _settings(old: PolicySet, new: PolicySet) -> Iterator[Change]:
    before, after = _flat(old), _flat(new)
    for name, was in before.items():
        if after[name] != was:
            words = f"{_shown(was)} -> {_shown(after[name])}"
            yield Change(subject=name, what="setting", words=words)


def _flat(policies: PolicySet) -> dict[str, object]:
    """Return every setting by its dotted name, as files write it."""
    settings = policies.settings
    reuse, credit = settings.reuse, settings.credit
    unvalued = credit.unvalued_budget
    return {
        "disconnect": settings.obligations.disconnect,
        "on_store_failure.quotas": settings.on_store_failure.quotas,
        "on_store_failure.ledger": settings.on_store_failure.ledger,
        "reuse.exact": reuse.exact,
        "reuse.share": reuse.share,
        "reuse.ttl": f"{reuse.ttl_s}s" if reuse.ttl_s else None,
        "credit.saturation": credit.saturation,
        "credit.settle_days": credit.settle_days,
        "credit.unvalued_budget": "team_size" if unvalued is None else unvalued,
        "credit.boilerplate_roots": credit.boilerplate_roots,
        "credit.umbrella.days": credit.umbrella_days,
        "credit.umbrella.cost_share": credit.umbrella_cost_share,
    }


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _quoted(words: str) -> str:
    return f'"{words}"' if words else "none"
