"""
Policy files, as admins write them, turned into a checked `PolicySet`.

Every mistake in every file is told at once, each with its file:line:col, what was
read, what was expected and the nearest valid name. The order of files and of rules
never matters: a rule's id stands once, and a setting given twice must be equal. A team's
own file holds rules for that team's calls and nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct, to_builtins

from gateway.documents import Node, Problems, parse
from gateway.errors import ConfigError
from gateway.policy.language.conflicts import conflicts
from gateway.policy.language.forms import Form
from gateway.policy.language.model import FILE, VERSION
from gateway.policy.language.reading import read_rule
from gateway.policy.language.settings import read_settings, settings_of
from gateway.policy.policies import PolicySet
from gateway.policy.rules import Reuse, Rule, Settings

SIZE_MAX = 1_000_000
"""Of all files together, in characters."""
RULES_MAX = 5_000
TEAMS_FOLDER = "teams"
"""The folder whose files belong to the team that each is named for."""


class _Draft(Struct, kw_only=True):
    """What has been read so far."""

    problems: Problems
    rules: dict[str, tuple[Node, Rule]] = {}
    """By id: where each stands, and what it says."""
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
    size = 0
    for name, text in sorted(files):
        size += len(text)
        if size > SIZE_MAX:
            said = f"{size} characters of policies up to here, expected at most {SIZE_MAX}"
            draft.problems.add_at(name, 1, 1, f"{said} in all files: fewer or shorter rules")
            break
        try:
            root = parse(name, text, size_max=SIZE_MAX, problems=draft.problems)
        except ConfigError as error:
            draft.problems.add_error(error)
        else:
            _read_file(root, draft)
    rules = [rule for _, rule in draft.rules.values()]
    for rule, key, said in conflicts(rules):
        draft.problems.add(draft.rules[rule.id][0], said, key=key)
    draft.problems.raise_if_any()
    settings = settings_of({key: value for key, (_, value) in draft.settings.items()})
    return PolicySet(
        rules, settings, tuple(_notes(draft, settings.reuse)), _canonical(rules, settings)
    )


def _read_file(root: Node, draft: _Draft) -> None:
    form = Form(FILE, root, draft.problems)
    team = form.get("team", "")
    _check_team(form, team)
    for node in form.nodes("rules"):
        _add_rule(node, draft, team)
    if "team" not in form:
        for key, value in read_settings(form).items():
            _add_setting(key, form.at(key), value, draft)


def _check_team(form: Form, team: str) -> None:
    """Note a file in `teams` that does not say it is the team's that it is named for."""
    path = PurePosixPath(form.node.name)
    if path.parent.name != TEAMS_FOLDER or not isinstance(form.node.value, dict):
        return
    wanted = f"'team: {path.stem}': a file in {TEAMS_FOLDER}/ is the team's it is named for"
    if "team" not in form:
        form.wrong(f"a policy file without 'team', expected {wanted}")
    elif team and team != path.stem:
        form.wrong(f"read 'team: {team}', expected {wanted}", key="team")


def _add_rule(node: Node, draft: _Draft, team: str) -> None:
    if len(draft.rules) >= RULES_MAX:
        draft.problems.add(node, f"more than {RULES_MAX} rules in all files, expected fewer")
        draft.problems.raise_if_any()
    rule = read_rule(node, draft.problems, team=team)
    if rule is None:
        return
    _, first = draft.rules.setdefault(rule.id, (node, rule))
    if first is not rule:
        said = f"the rule {rule.id!r} again (first at {first.refusal.place}), expected each id once"
        draft.problems.add(node, said, key="id")


def _add_setting(key: str, node: Node, value: object, draft: _Draft) -> None:
    first, given = draft.settings.setdefault(key, (node, value))
    if given != value:
        said = f"{key!r} says otherwise than at {first.place}, expected it once, or twice the same"
        draft.problems.add(node, said)


def _notes(draft: _Draft, reuse: Reuse) -> Iterator[str]:
    if reuse.exact == "off" and reuse.share != Reuse().share:
        place = draft.settings["reuse"][0].place
        yield f"{place}: `share: {reuse.share}` has no effect while `exact` is off"
    for node, rule in draft.rules.values():
        given = node.value if rule.effect == "permit" and isinstance(node.value, dict) else {}
        for key in ("code", "message"):
            if key in given:
                yield f"{given[key].place}: `{key}` is never shown: {rule.id!r} refuses nothing"


def _canonical(rules: Sequence[Rule], settings: Settings) -> object:
    """Return what the files say, without places: what the digest is made of."""
    plain = [_plain(rule) for rule in sorted(rules, key=lambda rule: rule.id)]
    return {"version": VERSION, "rules": plain, "settings": to_builtins(settings)}


def _plain(rule: Rule) -> Mapping[str, object]:
    return {
        "id": rule.id,
        "description": rule.description,
        "when": rule.when,
        "effect": rule.effect,
        "limit": to_builtins(rule.limit),
        "route": to_builtins(rule.route),
        "duties": to_builtins(rule.duties),
        "team": rule.team,
        "mode": "shadow" if rule.shadow else "enforce",
        "message": rule.message,
        "code": rule.refusal.code,
    }
