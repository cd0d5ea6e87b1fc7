"""
The language of policy files: every mapping, its keys, and what each may hold.

The one description of it. The reader takes from here what is known, allowed and bounded,
and what it says of a mistake; `schema` makes the JSON Schema for editors of the same.
Quotas, budgets, routes and obligations are described in `clauses`, what is said once
for all calls in `settings`.
"""

from collections.abc import Mapping

from gateway.policy.facts import DECLARED, USAGE
from gateway.policy.language import snippets
from gateway.policy.language.bonds import Bond, Has, Is, NotAll, Some, has, without
from gateway.policy.language.clauses import BUDGET, OBLIGATIONS, QUOTA, ROUTE
from gateway.policy.language.kinds import Choice, Exactly, Items, Key, Shape, Text
from gateway.policy.language.settings import SETTINGS

VERSION = 1
METERS = "usage."
"""How the ids of meters begin, and those of no rule."""

CODES: Mapping[str, str] = {
    "task_required": "the call names no task",
    "task_unknown": "the task named is in no catalogue",
    "task_closed": "the task is closed",
    "task_not_yours": "the caller is no member of the task",
    "near_identical_rate": "nearly the same prompt, too often",
    "quota_exceeded": "a quota or a budget is used up",
    "model_not_allowed": "this model is not for this call",
    "policy_forbids": "any other reason",
}
"""Stable codes a refusal may carry (design section 4), and when."""


def _facts() -> str:
    """Return the list of facts, in Markdown."""
    rows = ["Facts:", ""]
    for fact in DECLARED.values():
        if not fact.name.startswith(USAGE) and not fact.counted_only:
            members = ", ".join(f'`"{member}"`' for member in fact.members)
            rows.append(f"- `{fact.name}` ({fact.type}): {fact.about}{members and ': '}{members}")
    used = "what was used so far, calls under way at the most they can use"
    rows.append(
        f"- `{USAGE}W.P.U` (W: principal, team, task, root; P: day, month; "
        f"U: calls, tokens, cost_usd): {used}"
    )
    return "\n".join(rows)


_CONDITION = Text(
    pattern=r"[\s\S]+",
    said="a condition in quotes (a rule without 'when' matches every call)",
    length_max=4_096,
)
_EFFECT = Choice(
    names={
        "permit": "served; its name is in the decision",
        "throttle": "slowed: what a quota does",
        "forbid": "refused, whatever other rules say",
    },
    meant={
        **dict.fromkeys(("deny", "block", "refuse", "reject", "drop"), "forbid"),
        **dict.fromkeys(("allow", "accept", "pass"), "permit"),
        **dict.fromkeys(("limit", "slow"), "throttle"),
    },
)
_MODE = Choice(
    names={
        "enforce": "it has its way",
        "shadow": "it only says what it would have done",
    },
    meant=dict.fromkeys(("dry-run", "dry_run", "audit", "log", "monitor", "warn"), "shadow"),
)
_LIMITS = has("quota", "budget")
_PERMITS = Some((Is("effect", ("permit",)), Has("obligations")))

RULE = Shape(
    what="a rule",
    like="{id: no-drafts, when: call.model == 'draft', effect: forbid}",
    about="One rule. A call that no rule refuses is served.",
    keys=(
        Key(
            name="id",
            kind=Text(
                pattern=rf"(?!{METERS[:-1]}\.)[a-z0-9][a-z0-9._-]{{0,63}}",
                said=f"1 to 64 of a-z, 0-9, '.', '_' and '-', not beginning with {METERS!r}",
            ),
            about="Names the rule in refusals, in the ledger and in reports; stands once.",
            required=True,
        ),
        Key(name="description", kind=Text(), about="What the rule is for."),
        Key(
            name="when",
            kind=_CONDITION,
            about="A condition in CEL; without one, the rule always matches.",
            details=_facts(),
            examples=(
                'call.metered && task.evidence in ["none", "inferred"]',
                'task.value < 0.2 && call.model.startsWith("gpt-5")',
                'likeness.kind in ["near", "exact"] && !call.tool_results_only',
                "usage.task.day.cost_usd > 20.0",
                'now.weekday in ["saturday", "sunday"]',
            ),
        ),
        Key(
            name="effect",
            kind=_EFFECT,
            about="What happens to a call that matches; implied by the other keys.",
        ),
        Key(name="quota", kind=QUOTA, about=QUOTA.about),
        Key(name="budget", kind=BUDGET, about=BUDGET.about),
        Key(name="route", kind=ROUTE, about=ROUTE.about),
        Key(name="obligations", kind=OBLIGATIONS, about=OBLIGATIONS.about),
        Key(name="mode", kind=_MODE, about="Whether it has its way.", default="enforce"),
        Key(
            name="code",
            kind=Choice(names=CODES),
            about="The stable code its refusals carry.",
        ),
        Key(
            name="message",
            kind=Text(),
            about="What a refused caller is told: what is wrong, and what to do.",
        ),
    ),
    bonds=(
        Bond(
            must=Some(has("effect", "quota", "budget", "route", "obligations")),
            said="a rule needs 'effect', 'quota', 'budget', 'route' or 'obligations'",
        ),
        Bond(
            must=NotAll(_LIMITS),
            at="budget",
            said="a rule has a quota or a budget, and not both: write two rules",
        ),
        Bond(
            must=NotAll((Has("route"), Some(has("quota", "budget", "obligations")))),
            at="route",
            said="a rule with a route has no quota, budget or obligations: write two rules",
        ),
        Bond(
            must=NotAll((Has("obligations"), Some(_LIMITS))),
            at="obligations",
            said="a rule with obligations has no quota and no budget: write two rules",
        ),
        Bond(
            must=NotAll((Has("quota"), Is("effect", ("permit", "forbid")))),
            at="effect",
            expected="'throttle' (or nothing) in a rule with a quota",
        ),
        Bond(
            must=NotAll((Has("budget"), Is("effect", ("permit", "throttle")))),
            at="effect",
            expected="'forbid' (or nothing) in a rule with a budget",
        ),
        Bond(
            must=NotAll((Some(has("route", "obligations")), Is("effect", ("throttle", "forbid")))),
            at="effect",
            expected="'permit' (or nothing) in a rule with a route or obligations",
        ),
        Bond(
            must=NotAll(
                (
                    Is("effect", ("throttle",)),
                    without("quota", "budget", "route", "obligations"),
                )
            ),
            at="effect",
            expected="permit or forbid: only a rule with a quota throttles",
        ),
        Bond(
            must=NotAll((Is("mode", ("shadow",)), _PERMITS, without("quota", "budget", "route"))),
            at="mode",
            said="'mode: shadow' in a rule that only permits would do nothing: remove it",
        ),
    ),
    snippets=snippets.RULES,
)

FILE = Shape(
    what="a policy file",
    like="`version: 1` and `rules: []`",
    about="Which calls a Goodgate serves, and on what terms. Check it: `goodgate policy check`.",
    keys=(
        Key(
            name="version",
            kind=Exactly(value=VERSION),
            about="The version of this language.",
            required=True,
            like=f"version: {VERSION}",
        ),
        Key(
            name="team",
            kind=Text(
                pattern=r"[^\s/\x00-\x1f\x7f-\x9f]{1,128}",
                said="a team's name: 1 to 128 characters, without spaces and slashes",
            ),
            about="Makes it a team's own file: its rules match the calls of that team only.",
        ),
        Key(name="rules", kind=Items(of=RULE), about="The rules, in any order."),
        *SETTINGS,
    ),
    bonds=tuple(
        Bond(
            must=NotAll(has("team", key.name)),
            at=key.name,
            said=f"a team's own file holds rules only: set {key.name!r} in a file without 'team'",
        )
        for key in SETTINGS
    ),
    snippets=snippets.FILES,
)
