"""Differences in words: every change is told, nothing else is, and first what matters most."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import policy
from gateway.policy import PolicySet
from gateway.rehearsal.differences.difference import Change, difference
from tests.unit.policy.cases import DEFAULT, load

NOTHING = policy.load([("a.yaml", "version: 1\nrules: []\n")])


def changes(old: str, new: str) -> list[Change]:
    """Return what changed between two rules in flow style."""
    return list(difference(load(old), load(new)).changes)


def lines(old: PolicySet, new: PolicySet) -> list[str]:
    return [each.line for each in difference(old, new).changes]


def one(old: str, new: str) -> str:
    """Return the one line of the one change."""
    found = changes(old, new)
    assert len(found) == 1
    return found[0].line


def test_a_lower_limit_is_stricter() -> None:
    old = "{id: call-rate, quota: {calls: 1200, per: 1m, by: [principal]}}"
    assert one(old, old.replace("1200", "600")) == (
        "call-rate: 1200 calls per 1m for each principal -> 600 calls per 1m for each principal"
        " (stricter)"
    )


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ("calls: 10, per: 1m, by: [team]", "calls: 20, per: 1m, by: [team]", "looser"),
        ("calls: 10, per: 1m, by: [team]", "calls: 10, per: 2m, by: [team]", "stricter"),
        ("calls: 10, per: 1m, by: [team]", "calls: 20, per: 2m, by: [team]", ""),
        ("calls: 10, per: 1m, by: [team]", "calls: 10, per: 1m, by: [team, task]", "looser"),
        ("calls: 10, per: 1m, by: [team, task]", "calls: 9, per: 1m, by: [team]", "stricter"),
        ("calls: 10, per: 1m, by: [team]", "calls: 10, per: 1m, by: [task]", ""),
        ("calls: 10, per: 1m, by: [team]", "tokens: 10, per: 1m, by: [team]", ""),
        ("concurrent: 3, by: [team]", "concurrent: 2, by: [team]", "stricter"),
    ],
)
def test_a_limit_is_stricter_or_looser_only_where_that_is_sure(
    old: str, new: str, direction: str
) -> None:
    found = changes(f"{{id: x, quota: {{{old}}}}}", f"{{id: x, quota: {{{new}}}}}")
    assert [(each.what, each.direction) for each in found] == [("limit", direction)]


def test_a_longer_period_for_the_same_budget_is_stricter_but_not_in_shadow() -> None:
    old = "{id: x, budget: {calls: 5, period: day, by: [team]}}"
    new = old.replace("day", "week")
    assert changes(old, new)[0].direction == "stricter"
    shadow = [each.replace("}}", "}, mode: shadow}") for each in (old, new)]
    assert changes(*shadow)[0].direction == ""


def test_enforcing_and_no_longer_enforcing_are_told() -> None:
    old = "{id: team-budget, budget: {cost_usd: 4, period: day, by: [team]}, mode: shadow}"
    new = old.replace(", mode: shadow", "")
    assert one(old, new) == "team-budget: now enforced (was in shadow) (stricter)"
    assert one(new, old) == (
        "team-budget: now in shadow (was enforced): only says what it would have done (looser)"
    )
    route = "{id: x, route: {model: a}, mode: shadow}"
    assert one(route, route.replace(", mode: shadow", "")) == "x: now enforced (was in shadow)"


CONDITIONS = [
    # old, new, the parts that changed, direction of a rule that forbids
    ("call.stream", "call.stream && call.metered", ["also asks for call.metered"], "looser"),
    ("call.stream && call.metered", "call.stream", ["no longer asks for call.metered"], "stricter"),
    ("call.stream", "call.stream || call.metered", ["also enough: call.metered"], "stricter"),
    ("call.stream || call.metered", "call.metered", ["no longer enough: call.stream"], "looser"),
    ("call.choices > 1", "call.choices > 2", ["call.choices > 1 is now call.choices > 2"], ""),
    (
        'call.stream && call.route in ["chat", "messages"]',
        'call.stream && call.route in ["chat", "responses", "messages"]',
        ['call.route may also be "responses"'],
        "stricter",
    ),
    (
        'call.route in ["chat", "messages"]',
        'call.route in ["chat"]',
        ['call.route may no longer be "messages"'],
        "looser",
    ),
    (
        'call.route in ["chat", "messages"]',
        'call.route in ["chat", "responses"]',
        ['call.route may no longer be "messages"', 'call.route may also be "responses"'],
        "",
    ),
    (
        'call.route in ["chat"]',
        'task.source in ["header"]',
        ['call.route in ["chat"] is now task.source in ["header"]'],
        "",
    ),
    (
        "call.metered && (call.stream || task.lenient)",
        "call.metered && (call.stream || task.lenient || call.choices > 1)",
        ["also enough: call.choices > 1"],
        "stricter",
    ),
    (
        "call.metered && (call.stream || task.lenient)",
        "call.metered && (call.choices > 1 || call.choices < 0)",
        ["call.stream || task.lenient is now call.choices > 1 || call.choices < 0"],
        "",
    ),
    (
        "call.stream && call.metered && task.lenient",
        "call.stream && call.choices > 1 && task.value > 1.0",
        [
            "no longer asks for call.metered",
            "no longer asks for task.lenient",
            "also asks for call.choices > 1",
            "also asks for task.value > 1.0",
        ],
        "",
    ),
    ("call.stream && call.metered", "task.lenient || call.choices > 1", [], ""),
    ("call.stream || call.metered", "task.lenient && call.choices > 1", [], ""),
]


@pytest.mark.parametrize(("old", "new", "parts", "direction"), CONDITIONS)
def test_a_condition_is_told_whole_and_by_what_changed_in_it(
    old: str, new: str, parts: list[str], direction: str
) -> None:
    found = changes(
        f"{{id: x, when: '{old}', effect: forbid}}", f"{{id: x, when: '{new}', effect: forbid}}"
    )
    assert len(found) == 1
    assert found[0].words == f"condition changed: {old} -> {new}"
    assert list(found[0].parts) == parts
    assert found[0].direction == direction


def test_a_condition_that_comes_or_goes_is_told() -> None:
    old, new = "{id: x, effect: forbid}", "{id: x, when: call.stream, effect: forbid}"
    assert one(old, new) == "x: condition changed: every call -> call.stream (looser)"
    assert one(new, old) == "x: condition changed: call.stream -> every call (stricter)"
    permit = [each.replace("forbid", "permit") for each in (old, new)]
    assert changes(*permit)[0].direction == ""


@pytest.mark.parametrize(
    "written",
    [
        "task.lenient || call.stream&&call.metered&&call.choices==1",
        "(call.choices == 1 && (call.metered && call.stream)) || task.lenient",
    ],
)
def test_spaces_parentheses_and_order_are_no_difference(written: str) -> None:
    old = "call.stream && call.metered && call.choices == 1 || task.lenient"
    assert (
        changes(
            f"{{id: x, when: '{old}', effect: forbid}}",
            f"{{id: x, when: '{written}', effect: forbid}}",
        )
        == []
    )


def test_true_and_one_are_not_the_same() -> None:
    old, new = "[1].exists(x, x == 1)", "[true].exists(x, x == true)"
    assert changes(
        f"{{id: x, when: '{old}', effect: forbid}}", f"{{id: x, when: '{new}', effect: forbid}}"
    )


def test_moving_rules_and_another_unit_of_the_same_time_are_no_difference() -> None:
    rules = [
        "{id: a, quota: {calls: 1, per: 60s, by: [team, task]}}",
        "{id: b, effect: permit}",
    ]
    other = [rules[1], rules[0].replace("60s", "1m").replace("team, task", "task, team")]
    assert lines(load(*rules), load(*other)) == []
    files = [("a.yaml", f"version: 1\nrules:\n  - {rule}\n") for rule in rules]
    assert lines(load(*rules), policy.load([files[0], ("b.yaml", files[1][1])])) == []


MEANINGS = [
    ("when: call.stream, effect: forbid", "refuses calls, when call.stream", "stricter"),
    ("effect: permit", "permits calls, always", ""),
    (
        "quota: {calls: 5, per: 1m, by: [team]}",
        "a quota of 5 calls per 1m for each team, always",
        "stricter",
    ),
    (
        "budget: {calls: 5, period: day, by: [team]}, mode: shadow",
        "a budget of 5 calls per day for each team, always, in shadow",
        "",
    ),
    ("route: {provider: local}", "sends calls to the same model at local, always", ""),
    ("obligations: {note: hi}", "demands a note to the caller: hi, always", ""),
]


@pytest.mark.parametrize(("rule", "words", "direction"), MEANINGS)
def test_a_rule_that_is_added_says_what_it_does(rule: str, words: str, direction: str) -> None:
    found = difference(NOTHING, load(f"{{id: x, {rule}}}")).changes
    assert [(each.words, each.direction) for each in found] == [(f"added: {words}", direction)]


@pytest.mark.parametrize(
    ("rule", "words", "direction"),
    [
        ("when: call.stream, effect: forbid", "refuses no more when call.stream", "looser"),
        (
            "effect: permit",
            "permits no more by name, and what nothing forbids is permitted still",
            "",
        ),
        (
            "quota: {calls: 5, per: 1m, by: [team]}",
            "no longer a quota of 5 calls per 1m for each team",
            "looser",
        ),
        ("route: {model: a}", "no longer sends calls to a", ""),
        ("obligations: {note: hi}", "no longer demands a note to the caller: hi", ""),
        (
            "effect: forbid, mode: shadow",
            "says no more what it would have done (refuses calls)",
            "",
        ),
    ],
)
def test_a_rule_that_is_removed_says_what_is_lost(rule: str, words: str, direction: str) -> None:
    found = difference(load(f"{{id: x, {rule}}}"), NOTHING).changes
    assert [(each.words, each.direction) for each in found] == [(f"removed: {words}", direction)]


def test_a_rule_under_another_name_is_the_same_rule() -> None:
    old = "{id: a, quota: {calls: 5, per: 1m, by: [team]}}"
    assert one(old, old.replace("id: a", "id: b")) == (
        "b: was called a; what it counts begins anew"
    )
    forbid = "{id: a, effect: forbid}"
    assert one(forbid, forbid.replace("id: a", "id: b")) == "b: was called a"
    twins = load(forbid, forbid.replace("id: a", "id: b"))
    assert [each.what for each in difference(twins, load("{id: c, effect: forbid}")).changes] == [
        *("removed", "removed", "added")
    ]


def test_a_rule_of_another_kind_says_what_it_was() -> None:
    old = "{id: x, effect: forbid}"
    new = "{id: x, quota: {calls: 5, per: 1m, by: [team]}}"
    assert one(old, new) == ("x: a quota of 5 calls per 1m for each team (before: refuses calls)")
    own_code = "{id: x, quota: {calls: 5, per: 1m, by: [team]}, code: task_closed}"
    assert [each.what for each in changes(old, own_code)] == ["effect", "text"]


def test_where_calls_go_and_what_is_demanded_is_told() -> None:
    assert one("{id: x, route: {model: a}}", "{id: x, route: {model: a, provider: p}}") == (
        "x: sends calls to a -> to a at p"
    )
    assert one("{id: x, route: {model: a}}", "{id: x, route: {model: a, priority: 3}}") == (
        "x: priority 0 -> 3"
    )
    old = "{id: x, obligations: {max_output_tokens: 5, note: a, reply_headers: {x-a: b, x-c: d}}}"
    headers = "reply_headers: {x-a: c, x-c: d}, provider_headers: {x-e: f}"
    new = f"{{id: x, obligations: {{note: b, {headers}}}}}"
    assert [each.words for each in changes(old, new)] == [
        "max_output_tokens 5 -> none",
        "provider_headers x-e: none -> f",
        "reply_headers x-a: b -> c",
        'note: "a" -> "b"',
    ]


def test_a_file_that_becomes_a_teams_own_is_told() -> None:
    rule = "rules:\n  - {id: x, effect: forbid}\n"
    ours = policy.load([("teams/web.yaml", f"version: 1\nteam: web\n{rule}")])
    all_s = policy.load([("a.yaml", f"version: 1\n{rule}")])
    assert lines(all_s, ours) == ["x: for calls of everybody -> for calls of the team web"]
    assert lines(NOTHING, ours) == [
        "x: added: refuses calls, for calls of the team web, always (stricter)"
    ]


def test_texts_come_last_and_those_that_follow_from_a_limit_do_not_come() -> None:
    old = "{id: x, effect: forbid, message: No., description: One.}"
    new = "{id: x, when: call.stream, effect: forbid, message: Never., code: task_closed}"
    assert [(each.what, each.words) for each in changes(old, new)] == [
        ("condition", "condition changed: every call -> call.stream"),
        ("text", "code: policy_forbids -> task_closed"),
        ("text", 'message: "No." -> "Never."'),
        ("text", 'description: "One." -> none'),
    ]


def test_settings_are_told_by_the_names_files_give_them() -> None:
    text = """\
version: 1
rules: []
disconnect: cancel
on_store_failure: {quotas: closed, ledger: spool}
reuse: {exact: store, share: team, ttl: 10m}
credit:
  {saturation: 5, settle_days: 8, unvalued_budget: 3, umbrella: {days: 30, cost_share: 0.5}}
"""
    new = policy.load([("a.yaml", text)])
    assert lines(NOTHING, new) == [
        "credit.saturation: 10 -> 5",
        "credit.settle_days: 7 -> 8",
        "credit.umbrella.cost_share: 0.2 -> 0.5",
        "credit.umbrella.days: 90 -> 30",
        "credit.unvalued_budget: team_size -> 3",
        "disconnect: drain -> cancel",
        "on_store_failure.ledger: closed -> spool",
        "on_store_failure.quotas: share -> closed",
        "reuse.exact: off -> store",
        "reuse.share: principal -> team",
        "reuse.ttl: none -> 600s",
    ]


def test_most_important_comes_first() -> None:
    old = load("{id: a, effect: forbid}", "{id: b, effect: forbid, message: x}")
    new = load(
        "{id: z, effect: permit}",
        "{id: b, effect: forbid, message: y}",
        extra="disconnect: cancel\n",
    )
    assert [each.what for each in difference(old, new).changes] == [
        *("removed", "added", "setting", "text")
    ]


def test_the_shipped_policy_does_not_differ_from_itself() -> None:
    text = DEFAULT.read_text()
    one_file = policy.load([("policies/default.yaml", text)])
    found = difference(one_file, policy.load([("other.yaml", "\n\n" + text)]))
    assert found.changes == ()
    assert found.old == found.new


# --- generated ------------------------------------------------------------------------------

# For each part of a rule, what it may be; a rule has one of each, and a change is another of one.
CHOICES: dict[str, list[str]] = {
    "condition": [
        "",
        "when: call.stream",
        "when: call.stream && call.metered",
        "when: call.choices > 3",
    ],
    "mode": ["", "mode: shadow"],
    "text": ["", "message: Do otherwise.", "message: Not so."],
}
KINDS: dict[str, list[str]] = {
    "limit": [
        "quota: {calls: 5, per: 1m, by: [team]}",
        "quota: {calls: 6, per: 1m, by: [team]}",
        "quota: {tokens: 5, per: 1m, by: [team]}",
        "quota: {calls: 5, per: 1h, by: [team]}",
        "quota: {calls: 5, per: 1m, by: [team, model]}",
        "quota: {concurrent: 5, by: [team]}",
    ],
    "route": ["route: {model: a}", "route: {model: b}", "route: {model: a, provider: p}"],
    "obligations": ["obligations: {note: a}", "obligations: {note: b}"],
}
rules = st.fixed_dictionaries({part: st.sampled_from(each) for part, each in CHOICES.items()})


@st.composite
def single_changes(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return a rule, the same with one thing changed, and what that is."""
    parts: dict[str, Any] = draw(rules)
    kind = draw(st.sampled_from(sorted(KINDS)))
    parts[kind] = draw(st.sampled_from(KINDS[kind]))
    if kind == "obligations":
        parts["mode"] = ""
    what = draw(
        st.sampled_from([each for each in parts if kind != "obligations" or each != "mode"])
    )
    options = [each for each in (CHOICES | KINDS)[what] if each != parts[what]]
    changed = {**parts, what: draw(st.sampled_from(options))}
    return _rule(parts), _rule(changed), what


def _rule(parts: dict[str, Any]) -> str:
    return f"{{{', '.join(['id: x', *filter(None, parts.values())])}}}"


@given(single_changes())
def test_every_single_change_is_told_and_it_alone(change: tuple[str, str, str]) -> None:
    old, new, what = change
    others = ["{id: a, effect: forbid}", "{id: z, when: call.stream, effect: permit}"]
    before, after = load(old, *others), load(*others, new)
    assert [(each.subject, each.what) for each in difference(before, after).changes] == [
        ("x", what)
    ]
    assert difference(before, load(*others, old)).changes == ()


@given(single_changes())
def test_what_was_added_by_a_change_is_removed_by_the_change_back(
    change: tuple[str, str, str],
) -> None:
    old, new, _ = change
    there, back = changes(old, new)[0], changes(new, old)[0]
    mirrored = {"": "", "stricter": "looser", "looser": "stricter"}
    assert back.direction == mirrored[there.direction]
