"""
The JSON Schema of test files, for editors: made of the names their reader goes by.

It completes and explains; what it cannot say (which rules there are, that a case goes forward
in time) `goodgate policy test` does.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.policy.facts import DECLARED, USAGE, Fact
from gateway.policy.language.model import CODES
from gateway.policy.language.schema import DRAFT
from gateway.rehearsal.trials import cases, expectations
from gateway.rehearsal.trials.situations import ORDINARY

Schema: TypeAlias = dict[str, Any]

_RULE: Final = {"type": "string", "description": "The id of a rule."}
_RULES: Final[Schema] = {"type": "array", "uniqueItems": True, "items": _RULE}
_AT: Final[Schema] = {
    "type": "string",
    "pattern": f"^(?:{cases.AT.pattern})$",
    "patternErrorMessage": "expected a time with its zone, such as 2026-03-02T10:00:00Z",
    "description": "The clock, in RFC 3339; it stands still but for `after` and `at` of steps.",
}
_SPAN: Final[Schema] = {
    "type": "string",
    "pattern": f"^(?:{cases.SPAN.pattern})$",
    "patternErrorMessage": "expected a time such as 500ms, 6s, 1m, 6h or 1d",
}
_TYPES: Final[Mapping[str, str]] = {
    "text": "string",
    "whole": "integer",
    "number": "number",
    "flag": "boolean",
}


def schema_json() -> str:
    """Return the JSON Schema of test files: what `policies/test.schema.json` holds."""
    made = {
        "$schema": DRAFT,
        "title": "A test file of Goodgate policies",
        "description": "Calls, and what policies should make of each: `goodgate policy test`.",
        **_object(
            cases.FILE_KEYS,
            {
                "version": {"const": cases.VERSION},
                "policies": _about(
                    {"type": "array", "items": {"type": "string"}},
                    "Files and folders, relative to this file; else the folder above it.",
                ),
                "defaults": _defaults(),
                "cases": {"type": "array", "minItems": 1, "items": _case()},
            },
            required=("version", "cases"),
        ),
    }
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _about(schema: Schema, said: str) -> Schema:
    return {"description": said, **schema}


def _object(
    keys: Sequence[str], properties: Mapping[str, Schema], *, required: Sequence[str] = ()
) -> Schema:
    """Return a mapping with these keys and no others, each of which must be described."""
    made: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: properties[key] for key in keys},
    }
    return made | ({"required": list(required)} if required else {})


def _defaults() -> Schema:
    said = "What every case begins with. All else is ordinary: a verified task, a metered chat."
    return _about(_object(("at", "facts"), {"at": _AT, "facts": _facts()}), said)


def _case() -> Schema:
    made = _object(
        cases.CASE_KEYS,
        {
            "name": _about({"type": "string", "minLength": 1}, "A sentence; each name once."),
            "description": {"type": "string"},
            "facts": _facts(),
            "at": _AT,
            "expect": _expect(),
            "steps": _about({"type": "array", "minItems": 1, "items": _step()}, "Calls, in order."),
        },
        required=("name",),
    )
    return {**made, "oneOf": [{"required": ["expect"]}, {"required": ["steps"]}]}


def _step() -> Schema:
    name = {"type": "string", "minLength": 1}
    return _object(
        cases.STEP_KEYS,
        {
            "facts": _facts(),
            "after": _about(_SPAN, "How long after the step before."),
            "at": _AT,
            "times": _about(
                {"type": "integer", "minimum": 0, "maximum": cases.TIMES_MAX, "default": 1},
                "How many calls alike.",
            ),
            "used": _about(_used(), "What each call came to; else all it reserved."),
            "open": _about(name, "The calls stay under way, until a step has this in `close`."),
            "close": _about(name, "Calls that end before these begin."),
            "shared": _about({"enum": list(cases.SHARED)}, "They share the reply of another call."),
            "failed": _about({"type": "boolean"}, "Their provider fails: they use nothing."),
            "expect": _expect(),
        },
    )


def _used() -> Schema:
    tokens: Schema = {"type": "integer", "minimum": 0}
    cost: Schema = {"type": "number", "minimum": 0}
    kinds = {"input_tokens": tokens, "output_tokens": tokens, "cost_usd": cost}
    return _object(cases.USED_KEYS, kinds)


def _expect() -> Schema:
    text: Schema = {"type": "string"}
    headers: Schema = {"type": "object", "additionalProperties": text}
    route = _object(expectations.ROUTE_KEYS, {"model": text, "provider": text})
    obligations = _object(
        expectations.OBLIGATION_KEYS,
        {
            "max_output_tokens": {"type": ["integer", "null"]},
            "provider_headers": headers,
            "reply_headers": headers,
            "note": _about(text, "Contained in the note; empty: there is none."),
        },
    )
    made = _object(
        expectations.KEYS,
        {
            "effect": {"enum": list(expectations.EFFECTS)},
            "reasons": _about(_RULES, "Exactly the rules that brought the effect about."),
            "would_have": _about(_RULES, "Exactly the shadow rules that would have refused."),
            "code": {"enum": ["", *CODES]},
            "message": _about(text, "Contained in what the caller reads."),
            "rule": _about(text, "The one rule that is named to the caller."),
            "retry_after_s": _about({"type": "integer", "minimum": 0}, "In whole seconds."),
            "route": _about(route, "Who answers instead; empty: as the caller asked."),
            "obligations": obligations,
            "remaining": _about(
                {"type": "object", "additionalProperties": {"type": "number"}},
                "By rule: what is left after the call, in calls, tokens or USD.",
            ),
        },
    )
    return {**made, "minProperties": 1}


def _facts() -> Schema:
    return {
        "type": "object",
        "description": "Only what matters: what is not named is ordinary, or follows.",
        "additionalProperties": False,
        "properties": {name: _fact(fact) for name, fact in DECLARED.items()},
    }


def _fact(fact: Fact) -> Schema:
    made = _about({"type": _TYPES[fact.type]}, fact.about)
    if fact.members:
        made["enum"] = list(fact.members)
    if fact.name in ORDINARY:
        made["default"] = ORDINARY[fact.name]
    elif fact.name.startswith(USAGE):
        made["description"] += "; else what the calls before came to"
    return made
