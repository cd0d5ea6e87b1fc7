"""What editors offer to fill in: a rule of each kind, and a whole file."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Snippets: TypeAlias = tuple[Mapping[str, Any], ...]
"""`defaultSnippets` of a JSON Schema: `${1:x}` is a place to fill in, `^` begins a number."""

RULES: Snippets = (
    {
        "label": "forbid",
        "description": "refuse the calls a condition matches",
        "body": {
            "id": "${1:no-such-calls}",
            "when": "${2:call.metered}",
            "effect": "forbid",
            "message": "${3:What is wrong, and what to do.}",
        },
    },
    {
        "label": "quota",
        "description": "slow calls down",
        "body": {
            "id": "${1:call-rate}",
            "quota": {"calls": "^${2:600}", "per": "${3:1m}", "by": ["${4:principal}"]},
        },
    },
    {
        "label": "budget",
        "description": "refuse calls once so much is used in a calendar period",
        "body": {
            "id": "${1:team-cost}",
            "budget": {"cost_usd": "^${2:400}", "period": "${3:month}", "by": ["${4:team}"]},
        },
    },
    {
        "label": "route",
        "description": "have another model answer",
        "body": {
            "id": "${1:cheap-for-low-value}",
            "when": "${2:task.value < 0.2}",
            "route": {"model": "${3:gpt-5-mini}"},
        },
    },
    {
        "label": "obligations",
        "description": "bound answers, add headers, tell the caller something",
        "body": {
            "id": "${1:short-answers}",
            "obligations": {"max_output_tokens": "^${2:2000}", "note": "${3:Be brief.}"},
        },
    },
)
FILES: Snippets = (
    {
        "label": "a policy file",
        "description": "the version, and a first rule",
        "body": {"version": 1, "rules": [RULES[0]["body"]]},
    },
)
