"""
What admins decide, and what follows from it for one call.

`load` turns policy files into one immutable, checked `PolicySet`. For each call `facts`
says what a rule may look at, `Plans` which quotas and budgets to draw on for each kind of
likeness it may turn out to have, and `decide` what happens, given what those answered.
All pure: the clock is an argument.
"""

from gateway.policy.decision import decide
from gateway.policy.facts import facts
from gateway.policy.language.document import load
from gateway.policy.language.schema import schema_json
from gateway.policy.plans import Plan, Plans, plan
from gateway.policy.policies import PolicySet
from gateway.policy.rules import Budget, CreditParameters, Limit, Rule

__all__ = [
    "Budget",
    "CreditParameters",
    "Limit",
    "Plan",
    "Plans",
    "PolicySet",
    "Rule",
    "decide",
    "facts",
    "load",
    "plan",
    "schema_json",
]
