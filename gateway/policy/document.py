"""
Policy files, as admins write them, turned into a checked `PolicySet`.

Every mistake in every file is told at once, each with its file:line:col, what was
read, what was expected and the nearest valid name. The order of files and of rules
never matters: a rule's id stands once, and a setting given twice must be equal.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs, to_builtins

from gateway.documents import Fields, Node, Problems, parse
from gateway.errors import ConfigError
from gateway.policy.policies import PolicySet
from gateway.policy.reading import read_rule, seconds
from gateway.policy.rules import OnStoreFailure, Reuse, Rule, Settings
from gateway.values import Obligations

VERSION = 1
REUSE_DAYS_MAX = 7
FILE_SIZE_MAX = 500_000


class _Draft(Struct, kw_only=True):
    """What has been read so far."""

    problems: Problems
    rules: dict[str, Rule] = {}
    settings: dict[str, tuple[Node, Any]] = {}
    """By key: where each was first given, and what it says."""


def load(files: Sequence[tuple[str, str]]) -> PolicySet:
    """
    Return the policy set some files describe, given as (name, text).

    Raises:
        ConfigError: a line for each mistake, `file:line:col: what is wrong, what was expected`.

    """
    if not files:
        raise ConfigError("no policy files were found: `version: 1` and `rules: []` make one")
    draft = _Draft(problems=Problems())
    for name, text in sorted(files):
        try:
            root = parse(name, text, size_max=FILE_SIZE_MAX)
        except ConfigError as error:
            draft.problems.add_error(error)
        else:
            _read_file(root, draft)
    draft.problems.raise_if_any()
    given = {key: value for key, (_, value) in draft.settings.items()}
    settings = Settings(
        obligations=Obligations(disconnect=given.get("disconnect", "drain")),
        on_store_failure=given.get("on_store_failure", OnStoreFailure()),
        reuse=given.get("reuse", Reuse()),
    )
    return PolicySet(
        tuple(draft.rules.values()),
        settings,
        _notes(draft, settings.reuse),
        _canonical(draft, settings),
    )


def _read_file(root: Node, draft: _Draft) -> None:
    fields = Fields(root, draft.problems, "a policy file")
    fields.only("version", "rules", *_SETTINGS)
    if fields.need("version"):
        version = fields.items["version"]
        if version.value != VERSION or version.text != str(VERSION):
            fields.expected("version", str(VERSION))
    for node in fields.nodes("rules"):
        _add_rule(node, draft)
    for key, read in _SETTINGS.items():
        if key in fields:
            _add_setting(key, fields.items[key], read(fields), draft)


def _add_rule(node: Node, draft: _Draft) -> None:
    rule = read_rule(node, draft.problems)
    if rule is None:
        return
    first = draft.rules.setdefault(rule.id, rule)
    if first is not rule:
        said = f"the rule {rule.id!r} again (first at {first.refusal.place}), expected each id once"
        draft.problems.add(node, said, key="id")


def _add_setting(key: str, node: Node, value: object, draft: _Draft) -> None:
    first, given = draft.settings.setdefault(key, (node, value))
    if given != value:
        said = f"{key!r} says otherwise than at {first.place}, expected it once, or twice the same"
        draft.problems.add(node, said)


def _disconnect(fields: Fields) -> str:
    return fields.choice("disconnect", ("drain", "cancel"), "drain")


def _on_store_failure(fields: Fields) -> OnStoreFailure:
    inner = Fields(fields.items["on_store_failure"], fields.problems, "on_store_failure")
    inner.only("quotas", "ledger")
    inner.choice("ledger", ("closed",), "closed")
    quotas = inner.choice("quotas", ("share", "closed"), "share")
    return OnStoreFailure(quotas="closed" if quotas == "closed" else "share")


def _reuse(fields: Fields) -> Reuse:
    inner = Fields(fields.items["reuse"], fields.problems, "reuse")
    inner.only("exact", "share", "ttl")
    default, before = Reuse(), len(fields.problems)
    exact = inner.choice("exact", ("off", "coalesce", "coalesce_sampled", "store"), default.exact)
    share = inner.choice("share", ("principal", "team", "tenant"), default.share)
    ttl_s = seconds(inner, "ttl", days_max=REUSE_DAYS_MAX) if "ttl" in inner else default.ttl_s
    if len(fields.problems) > before:
        return default
    if exact == "store" and "ttl" not in inner:
        said = "'exact: store' needs 'ttl', how long a reply is kept: such as ttl: 10m"
        fields.problems.add(inner.node, said, key="exact")
    if exact != "store" and "ttl" in inner:
        said = f"'ttl' goes with 'exact: store' alone: {exact!r} keeps no reply; remove it"
        fields.problems.add(inner.node, said, key="ttl")
    return structs.replace(default, exact=exact, share=share, ttl_s=ttl_s)


_SETTINGS: Mapping[str, Any] = {
    "disconnect": _disconnect,
    "on_store_failure": _on_store_failure,
    "reuse": _reuse,
}


def _notes(draft: _Draft, reuse: Reuse) -> list[str]:
    if reuse.exact != "off" or reuse.share == Reuse().share:
        return []
    place = draft.settings["reuse"][0].place
    return [f"{place}: `share: {reuse.share}` has no effect while `exact` is off"]


def _canonical(draft: _Draft, settings: Settings) -> object:
    """Return what the files say, without places: what the digest is made of."""
    rules = [_plain(draft.rules[key]) for key in sorted(draft.rules)]
    return {"version": VERSION, "rules": rules, "settings": to_builtins(settings)}


def _plain(rule: Rule) -> Mapping[str, object]:
    return {
        "id": rule.id,
        "description": rule.description,
        "when": rule.when,
        "effect": rule.effect,
        "limit": to_builtins(rule.limit),
        "mode": "shadow" if rule.shadow else "enforce",
        "message": rule.message,
        "code": rule.refusal.code,
    }
