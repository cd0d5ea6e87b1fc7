"""
goodgate.yaml: which providers there are, and which models they serve.

All its mistakes are told at once, each with file:line:col, what was read and what was
expected.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from gateway import documents
from gateway.documents import Fields, Node, Problems, nearest
from gateway.errors import ConfigError
from gateway.settings import references, trackers
from gateway.settings.deployment import Deployment, Format, ModelEntry, Provider
from gateway.settings.references import Surroundings
from gateway.values import Price

__all__ = ["Deployment", "Format", "ModelEntry", "Provider", "load"]


def load(path: Path | None, environ: Mapping[str, str]) -> Deployment:
    """
    Return the deployment a file describes; without one, `simulated` serves every model.

    Raises:
        ConfigError: one line for each mistake: file:line:col, what was read, what was expected.

    """
    if path is None:
        local = Provider(name="local", format="simulated")
        served = ModelEntry(provider="local")
        models = {"sim-small": served, "sim-large": served, "*": served}
        return Deployment(providers={"local": local}, models=models)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    around = Surroundings(environ=environ, folder=path.parent)
    return _Reader(documents.parse(str(path), text), around).deployment(str(path))


TIMEOUT_S_MAX = Decimal(86_400)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_FORMATS = ("openai", "anthropic", "simulated", "litellm")
_KEYS = ("format", "base_url", "api_key", "headers", "connect_s", "first_byte_s", "idle_s")
_NEVER_SET = {"host", "content-length", "transfer-encoding", "connection", "accept-encoding"}
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "openai": ("auth", "limit_field"),
    "anthropic": ("auth",),
    "simulated": ("latency_ms", "chunk_ms", "tokens", "error_rate", "error_status", "cut_rate"),
}
_AUTH_STYLES = ("bearer", "x-api-key", "api-key")
_LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
_USUAL = {
    "openai": ', such as "https://api.openai.com/v1"',
    "anthropic": ', such as "https://api.anthropic.com/v1"',
}


class _Reader:
    """Reads one document; what is wrong with it gathers in `problems`."""

    def __init__(self, root: Node, around: Surroundings) -> None:
        self.problems = Problems()
        self.around = around
        self.warnings: list[str] = []
        self.fields = self._fields(root, "goodgate.yaml")

    def deployment(self, source: str) -> Deployment:
        """Return the deployment, or raise with every mistake."""
        self.fields.only("providers", "models", "prices", "trackers", "people", "pepper")
        self.fields.need("providers", "models")
        providers = {name: self.provider(name, node) for name, node in self.section("providers")}
        models = {name: self.model(node, providers) for name, node in self.section("models")}
        prices = {name: self.price(name, node) for name, node in self.section("prices")}
        reading = trackers.Reading(problems=self.problems, secret=self.secret)
        told = {
            name: trackers.tracker(name, node, reading) for name, node in self.section("trackers")
        }
        people = trackers.people(self.section("people"), tuple(told), self.problems)
        pepper = self.secret(self.fields, "pepper")
        self.problems.raise_if_any()
        return Deployment(
            providers=providers,
            models=models,
            prices=prices,
            source=source,
            pepper=pepper,
            trackers=told,
            people=people,
            warnings=tuple(self.warnings),
        )

    def section(self, key: str) -> list[tuple[str, Node]]:
        """Return the entries of a section; none when it is missing."""
        node = self.fields.items.get(key)
        if node is None:
            return []
        if isinstance(node.value, dict) and node.value:
            return list(node.value.items())
        self.fields.expected(key, "a mapping with at least one entry")
        return []

    def provider(self, name: str, node: Node) -> Provider:
        """Return one provider."""
        fields = self._fields(node, f"provider {name!r}")
        if not _NAME.fullmatch(name):
            self.problems.add(node, "a provider's name is made of letters, digits, `.`, `_`, `-`")
        fields.only(*_KEYS, "options")
        fields.need("format")
        kind = fields.choice("format", _FORMATS, "")
        return Provider(
            name=name,
            format=cast("Format", kind),  # or a problem was noted, and `deployment` raises
            base_url=self.base_url(fields, kind),
            api_key=self.secret(fields, "api_key"),
            headers=self.headers(fields),
            connect_s=self.seconds(fields, "connect_s", 10.0),
            first_byte_s=self.seconds(fields, "first_byte_s", 600.0),
            idle_s=self.seconds(fields, "idle_s", 300.0),
            options=self.options(fields, kind),
        )

    def base_url(self, fields: Fields, kind: str) -> str:
        """Return where a provider is, without its last slash."""
        if "base_url" not in fields:
            if kind in _USUAL:
                usual = f"{fields.what} needs 'base_url'{_USUAL[kind]}"
                self.problems.add(fields.node, usual)
            return ""
        if kind == "simulated":
            self.problems.add(fields.items["base_url"], "a simulated provider has no 'base_url'")
            return ""
        text = fields.text("base_url")
        try:
            return references.address(references.interpolated(text, self.around)) if text else ""
        except ValueError as error:
            self.problems.add(fields.items["base_url"], f"'base_url' of {fields.what} {error}")
            return ""

    def secret(self, fields: Fields, key: str) -> str:
        """Return a secret given by reference; what is wrong with it is told without it."""
        node = fields.items.get(key)
        if node is None or node.value == "":
            return ""
        text = node.value if isinstance(node.value, str) else ""
        try:
            found = references.secret(text, self.around)
        except ValueError as error:
            self.problems.add(node, f"{key!r} of {fields.what} {error}")
            return ""
        if references.readable_by_others(text, self.around):
            self.warnings.append(f"{node.place}: others may read that file; set its mode to 0600")
        return found

    def headers(self, fields: Fields) -> dict[str, str]:
        """Return the headers sent with every call, names in lower case."""
        found: dict[str, str] = {}
        for name, node in self.entries(fields, "headers"):
            lower = name.lower()
            if not _HEADER_NAME.fullmatch(lower) or lower in _NEVER_SET:
                self.problems.add(node, f"{name[:40]!r} is no header that can be set here")
            elif not isinstance(node.value, str):
                self.problems.add(node, f"read {node.kind} as a header's value, expected a text")
            else:
                try:
                    found[lower] = references.interpolated(node.value, self.around)
                except ValueError as error:
                    self.problems.add(node, f"the header {name!r} {error}")
        return found

    def seconds(self, fields: Fields, key: str, default: float) -> float:
        """Return a time in seconds, above 0."""
        found = fields.decimal(key, Decimal(str(default)))
        assert found is not None
        if not 0 < found <= TIMEOUT_S_MAX:
            fields.expected(key, f"seconds, above 0 and at most {TIMEOUT_S_MAX}")
            return default
        return float(found)

    def options(self, fields: Fields, kind: str) -> dict[str, Any]:
        """Return what only one format knows, each of its own type."""
        known = _OPTIONS.get(kind)
        found: dict[str, Any] = {}
        for name, node in self.entries(fields, "options"):
            value = float(node.value) if isinstance(node.value, Decimal) else node.value
            if known is None:
                found[name] = value
                continue
            if name not in known:
                hint = nearest(name, known) or f"; there are: {', '.join(known)}"
                self.problems.add(node, f"unknown option {name[:40]!r} for `format: {kind}`{hint}")
            elif not _OPTION_TYPES[name][0](value):
                wanted = _OPTION_TYPES[name][1]
                self.problems.add(node, f"read {node.shown} in {name!r}, expected {wanted}")
            found[name] = value
        return found

    def model(self, node: Node, providers: Mapping[str, Provider]) -> ModelEntry:
        """Return who serves one model."""
        fields = self._fields(node, "a model")
        fields.only("provider", "model")
        fields.need("provider")
        provider = fields.text("provider")
        if provider and provider not in providers:
            hint = nearest(provider, providers) or f"; there are: {', '.join(providers)}"
            fields.expected("provider", f"a name from `providers`{hint}")
        return ModelEntry(provider=provider, model=fields.text("model"))

    def price(self, name: str, node: Node) -> Price:
        """Return the price of one model, in USD per million tokens."""
        fields = self._fields(node, f"the price of {name!r}")
        fields.only(*Price.__struct_fields__)
        fields.need("input", "output")
        limits = {
            key: fields.integer(key, least=1)
            for key in ("input_tokens_max", "output_tokens_max")
            if key in fields
        }
        return Price(
            input=fields.decimal("input") or Decimal(0),
            output=fields.decimal("output") or Decimal(0),
            cache_read=fields.decimal("cache_read"),
            cache_write=fields.decimal("cache_write"),
            **limits,
        )

    def entries(self, fields: Fields, key: str) -> list[tuple[str, Node]]:
        """Return the entries of a mapping inside a mapping; none when it is missing."""
        node = fields.items.get(key)
        if node is None:
            return []
        if isinstance(node.value, dict):
            return list(node.value.items())
        fields.expected(key, "a mapping")
        return []

    def _fields(self, node: Node, what: str) -> Fields:
        return Fields(node, self.problems, what)


def _between(
    least: float, most: float, *, whole: bool = False
) -> tuple[Callable[[Any], bool], str]:
    """Return a check for a number, and what it expects, in words."""
    kind = int if whole else (int, float)
    said = f"a {'whole ' if whole else ''}number from {least:g} to {most:g}"
    return (
        lambda value: (
            isinstance(value, kind) and not isinstance(value, bool) and least <= value <= most
        )
    ), said


_OPTION_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "auth": (lambda value: value in _AUTH_STYLES, f"one of {', '.join(_AUTH_STYLES)}"),
    "limit_field": (
        lambda value: value in _LIMIT_FIELDS,
        f"one of {', '.join(_LIMIT_FIELDS)}",
    ),
    "latency_ms": _between(0, 600_000),
    "chunk_ms": _between(0, 600_000),
    "tokens": _between(1, 1_000_000, whole=True),
    "error_rate": _between(0, 1),
    "error_status": _between(400, 599, whole=True),
    "cut_rate": _between(0, 1),
}
