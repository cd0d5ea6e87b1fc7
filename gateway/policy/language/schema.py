"""
The JSON Schema of files admins write, made of the model the reader itself uses.

Draft 2020-12; of it only what draft 7 knows too, because editors do (no `$ref` beside other
keys, no `dependentSchemas`). `markdownDescription`, `enumDescriptions`, `defaultSnippets`
and `patternErrorMessage` are what VS Code and yaml-language-server add to the standard.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from gateway.policy.language.bonds import Bond, Has, Is, One, Predicate, Some
from gateway.policy.language.kinds import (
    Choice,
    Either,
    Entries,
    Exactly,
    Items,
    Key,
    Kind,
    Names,
    Number,
    Shape,
    Text,
    Time,
    Whole,
)
from gateway.policy.language.model import FILE

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema_json() -> str:
    """Return the JSON Schema of policy files: what `policies/schema.json` holds."""
    return as_json(FILE, title="A policy file of Goodgate")


def as_json(shape: Shape, *, title: str) -> str:
    """Return the JSON Schema of files of a shape, as text."""
    made = {"$schema": DRAFT, "title": title, "description": shape.about, **_shape(shape)}
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _shape(shape: Shape) -> Schema:
    made: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _key(key) for key in shape.keys},
    }
    if shape.required:
        made["required"] = list(shape.required)
    if shape.bonds:
        made["allOf"] = [_bond(bond) for bond in shape.bonds]
    if shape.snippets:
        made["defaultSnippets"] = list(shape.snippets)
    return made


def _key(key: Key) -> Schema:
    made: Schema = {"description": key.about}
    if key.details:
        made["description"] = f"{key.about}\n\n{key.details.replace('`', '')}"
        made["markdownDescription"] = f"{key.about}\n\n{key.details}"
    made |= _kind(key.kind)
    if key.default is not None:
        made["default"] = key.default
    if key.examples:
        made["examples"] = list(key.examples)
    return made


def _kind(kind: Kind) -> Schema:
    match kind:
        case Shape():
            return _shape(kind)
        case Items():
            return {"type": "array", "items": _shape(kind.of)}
        case Names():
            return {"type": "array", "uniqueItems": True, "items": _names(kind.names)}
        case Entries():
            return _entries(kind)
        case _:
            return _scalar(kind)


def _scalar(kind: Text | Choice | Whole | Number | Either | Time | Exactly) -> Schema:
    match kind:
        case Text():
            return {"type": "string", **_pattern(kind), "maxLength": kind.length_max}
        case Choice():
            return _names(kind.names)
        case Whole():
            return {"type": "integer", "minimum": kind.least, "maximum": kind.most}
        case Number():
            return {"type": "number", "minimum": _plain(kind.least), "maximum": _plain(kind.most)}
        case Either():
            return {"anyOf": [{"const": kind.name}, _scalar(kind.number)]}
        case Time():
            said = f"expected a time such as 30s, 1m, 6h or 1d, at most {kind.days_max}d"
            pattern = f"^(?:{kind.pattern})$"
            return {"type": "string", "pattern": pattern, "patternErrorMessage": said}
        case _:
            return {"const": kind.value}


def _names(names: Mapping[str, str]) -> Schema:
    return {"enum": list(names), "enumDescriptions": list(names.values())}


def _entries(kind: Entries) -> Schema:
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": kind.most,
        "propertyNames": {**_pattern(kind.key)},
        "additionalProperties": _scalar(kind.value),
    }


def _pattern(text: Text) -> Schema:
    if not text.pattern:
        return {}
    return {"pattern": f"^(?:{text.pattern})$", "patternErrorMessage": f"expected {text.said}"}


def _plain(number: Decimal) -> int | float:
    return int(number) if number == int(number) else float(number)


def _bond(bond: Bond) -> Schema:
    return {**_predicate(bond.must), "errorMessage": bond.said or f"expected {bond.expected}"}


def _predicate(predicate: Predicate) -> Schema:
    match predicate:
        case Has():
            return {"required": [predicate.key]}
        case Is():
            names = {"enum": list(predicate.names)}
            return {"required": [predicate.key], "properties": {predicate.key: names}}
        case Some():
            return {"anyOf": [_predicate(each) for each in predicate.of]}
        case One():
            return {"oneOf": [_predicate(each) for each in predicate.of]}
        case _:
            return {"not": {"allOf": [_predicate(each) for each in predicate.of]}}
