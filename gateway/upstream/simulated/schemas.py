"""
A small value that fits a JSON schema: what a simulated model answers when one is given.

Knows the keywords structured outputs allow. A schema is the caller's: whatever it holds,
this ends soon and raises nothing; where it makes no sense, so does the value.
"""

from typing import Any, TypeAlias, cast

Schema: TypeAlias = dict[str, Any]

VALUES_MAX = 500
DEPTH_MAX = 24
REPEATS_MAX = 100


def instance(schema: Schema) -> object:
    """Return a small value that fits a schema."""
    return _Instances(schema).of(schema, 0)


class _Instances:
    """Makes values for one schema, and stops when there are too many."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._values_left = VALUES_MAX

    def of(self, schema: Schema, depth: int) -> object:
        self._values_left -= 1
        if depth > DEPTH_MAX or self._values_left < 0:
            return None
        if "const" in schema:
            return schema["const"]
        if choices := _items(schema.get("enum")):
            return choices[0]
        other = self._elsewhere(schema)
        if other is not None:
            return self.of(other, depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        kinds = _items(kind)
        return self._of_type(kinds[0] if kinds else kind, schema, depth + 1)

    def _of_type(self, kind: object, schema: Schema, depth: int) -> object:
        if kind == "object":
            properties = _mapping(schema.get("properties"))
            required = [name for name in _items(schema.get("required")) if isinstance(name, str)]
            return {name: self.of(_mapping(properties.get(name)), depth) for name in required}
        if kind == "array":
            count = min(_number(schema.get("minItems")), REPEATS_MAX)
            return [self.of(_mapping(schema.get("items")), depth)] * count if count else []
        if kind in ("integer", "number"):
            above = _number(schema.get("exclusiveMinimum", -1)) + 1
            return max(_number(schema.get("minimum")), above)
        if kind == "boolean":
            return True
        return None if kind == "null" else "word" * (1 + _number(schema.get("minLength")) // 4)

    def _elsewhere(self, schema: Schema) -> Schema | None:
        """Return the schema this one stands for, when it only points."""
        reference = schema.get("$ref")
        if isinstance(reference, str):
            place = self._root
            for step in reference.removeprefix("#").strip("/").split("/"):
                place = _mapping(place.get(step)) if step else place
            return place
        for key in ("anyOf", "oneOf", "allOf"):
            if choices := _items(schema.get(key)):
                return _mapping(choices[0])
        return None


def _mapping(value: object) -> Schema:
    return cast("Schema", value) if isinstance(value, dict) else {}


def _items(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _number(value: object) -> int:
    """Return a bound as a whole number that is not absurd."""
    return max(-1_000_000, min(int(value), 1_000)) if isinstance(value, int | float) else 0
