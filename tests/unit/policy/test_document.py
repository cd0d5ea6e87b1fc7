"""Policy files: what they may say, and every mistake at once, with its place."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import policy
from gateway.errors import ConfigError
from gateway.policy.language.document import SIZE_MAX, _plain
from gateway.policy.rules import Rule
from gateway.values import TaskLink
from tests.unit.policy import cases

FORBID = "{id: no-opus, when: 'call.model == \"opus\"', effect: forbid}"
QUOTA = "{id: rate, quota: {calls: 10, per: 1m, by: [principal, task]}}"
BUDGET = "{id: cost, budget: {cost_usd: 1.5, period: month, by: [team]}, mode: shadow}"


def told(*files: tuple[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        policy.load(files)
    return str(caught.value).split("\n")


def test_a_file_of_every_kind_of_rule_is_read() -> None:
    found = cases.load(
        FORBID,
        QUOTA,
        BUDGET,
        "{id: ok, description: fine, effect: permit, when: call.stream}",
        extra="disconnect: cancel\non_store_failure: {quotas: closed, ledger: closed}\n"
        "reuse: {exact: store, share: team, ttl: 6h}\n",
    )
    assert [rule.id for rule in found.rules] == ["cost", "no-opus", "ok", "rate"]
    assert found.disconnect == "cancel"
    assert found.settings.on_store_failure.quotas == "closed"
    assert (found.settings.reuse.exact, found.settings.reuse.ttl_s) == ("store", 21_600)
    assert found.settings.reuse.share == "team"
    assert found.notes == ()
    assert [rule.id for rule in found.draw_rules] == ["cost", "rate"]
    rate = found.rule("rate").limit
    assert rate is not None
    assert (rate.unit, rate.amount, rate.window_s) == ("calls", 10, 60)
    assert rate.by == ("principal.id", "task.id")
    cost = found.rule("cost")
    assert cost.shadow
    assert cost.effect == "forbid"
    assert cost.limit is not None
    assert cost.limit.amount == 1_500_000_000


@pytest.mark.parametrize(
    ("text", "exact", "share", "ttl_s"),
    [
        ("", "off", "principal", 0),
        ("reuse: {}\n", "off", "principal", 0),
        ("reuse: {exact: off, share: team}\n", "off", "team", 0),
        ("reuse: {exact: coalesce}\n", "coalesce", "principal", 0),
        ("reuse: {exact: coalesce_sampled, share: tenant}\n", "coalesce_sampled", "tenant", 0),
        ("reuse: {exact: store, ttl: 1s}\n", "store", "principal", 1),
        ("reuse: {exact: store, ttl: 7d}\n", "store", "principal", 604_800),
    ],
)
def test_how_replies_are_shared_is_off_unless_a_file_says_so(
    text: str, exact: str, share: str, ttl_s: int
) -> None:
    reuse = policy.load([("a.yaml", f"version: 1\n{text}")]).settings.reuse
    assert (reuse.exact, reuse.share, reuse.ttl_s) == (exact, share, ttl_s)


def test_a_share_that_has_no_effect_is_noted() -> None:
    found = policy.load([("a.yaml", "version: 1\nreuse: {exact: off, share: team}\n")])
    assert found.notes == ("a.yaml:2: `share: team` has no effect while `exact` is off",)


def test_how_replies_are_shared_is_part_of_the_digest() -> None:
    texts = ("", "reuse: {exact: off}\n", "reuse: {exact: coalesce}\n", "reuse: {share: team}\n")
    digests = [policy.load([("a.yaml", f"version: 1\n{text}")]).digest for text in texts]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_set_without_files_is_refused_and_one_without_rules_permits() -> None:
    assert told() == ["no policy files were found: `version: 1` and `rules: []` make one"]
    found = policy.load([("a.yaml", "version: 1\nrules: []\n")])
    assert found.rules == ()
    assert found.disconnect == "drain"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: []", "a.yaml:1:1: a policy file needs 'version', and it is missing"),
        ("version: 2", "a.yaml:1:10: read the number '2' in 'version', expected 1"),
        ("version: '1'", "a.yaml:1:10: read the text '1' in 'version', expected 1"),
        ("version: true", "a.yaml:1:10: read the flag 'true' in 'version', expected 1"),
        ("version: 1\nrule: []", "a.yaml:2:1: unknown key 'rule' in a policy file; did you mean"),
        ("version: 1\nrules: {}", "a.yaml:2:8: read a mapping in 'rules', expected a list"),
        ("[]", "a.yaml:1:1: read a list, expected a policy file: a mapping"),
        ("", "a.yaml:1:1: read nothing, expected a policy file: a mapping"),
        ("version: 1\ndisconnect: drian", "a.yaml:2:13: read the text 'drian' in 'disconnect'"),
        ("version: 1\non_store_failure: {ledger: open}", "expected one of closed, spool"),
        ("version: 1\nreuse: {exact: all}", "expected one of off, coalesce, coalesce_sampled"),
        ("version: 1\nreuse: {ttl: soon}", "expected a time such as 30s, 1m, 6h or 1d, at most 7d"),
        ("version: 1\nreuse: {exact: store, ttl: 8d}", "2:28: read the text '8d' in 'ttl'"),
        ("version: 1\nreuse: {exact: store, ttl: 0s}", "expected a time such as"),
        ("version: 1\nreuse: {exact: store}", "a.yaml:2:9: 'exact: store' needs 'ttl', how long"),
        ("version: 1\nreuse: {exact: coalesce, ttl: 1m}", "a.yaml:2:26: 'ttl' goes with 'exact: "),
        ("version: 1\nreuse: {ttl: 1m}", "a.yaml:2:9: 'ttl' goes with 'exact: store' alone: no"),
        ("version: 1\nreuse: {exact: of, ttl: 1m}", "did you mean 'off'?"),
        ("version: 1\nteam: a b", "read the text 'a b' in 'team', expected a team's name: 1 to"),
        ("version: 1\nteam: a\nreuse: {}", "a.yaml:3:1: a team's own file holds rules only: set"),
        ("version: 1\nreuse: {share: all}", "expected one of principal, team, tenant"),
        ("version: 1\nversion: 1", "a.yaml:2:1: read the key 'version' again"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_remedy(text: str, said: str) -> None:
    lines = told(("a.yaml", text))
    assert any(said in line for line in lines), lines


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    lines = told(
        ("b.yaml", "version: 1\nrules:\n  - {id: a, effect: forbit}\n  - {id: a, efect: x}\n"),
        ("a.yaml", "version: 1\nrules: [\n"),
        ("c.yaml", "version: 1\ndisconect: drain\n"),
    )
    assert [line.split(": ")[0] for line in lines] == [
        "a.yaml:3:1",
        "b.yaml:3:21",
        "b.yaml:4:13",
        "c.yaml:2:1",
    ]


def test_a_mistake_in_a_condition_is_placed_inside_the_file() -> None:
    text = """
version: 1
rules:
  - id: a
    effect: forbid
    when: |
      call.metered
      && task.evidence == "nnoe"
"""
    lines = told(("a.yaml", text))
    assert lines == ["a.yaml:8:27: in 'when': task.evidence is never 'nnoe'; did you mean 'none'?"]


def test_a_rule_given_twice_is_refused_naming_the_first() -> None:
    text = f"version: 1\nrules:\n  - {FORBID}\n"
    lines = told(("b.yaml", text), ("a.yaml", text))
    assert lines == [
        "b.yaml:3:6: the rule 'no-opus' again (first at a.yaml:3), expected each id once"
    ]


def test_a_setting_given_twice_must_be_equal() -> None:
    drain, cancel = "version: 1\ndisconnect: drain\n", "version: 1\ndisconnect: cancel\n"
    assert policy.load([("a.yaml", drain), ("b.yaml", drain)]).disconnect == "drain"
    said = "'disconnect' says otherwise than at a.yaml:2, expected it once, or twice the same"
    assert told(("b.yaml", cancel), ("a.yaml", drain)) == [f"b.yaml:2:13: {said}"]


BASE = """\
version: 1
rules:
  - id: forbid
    description: why
    when: call.stream
    effect: forbid
    code: task_closed
    message: no
  - {id: quota, quota: {calls: 5, per: 1m, by: [team]}}
  - {id: at-once, quota: {concurrent: 5, by: [team]}}
  - {id: budget, budget: {cost_usd: 5, period: day, by: [team]}}
  - {id: route, route: {model: m, provider: p, priority: 1}}
  - id: duties
    obligations:
      max_output_tokens: 5
      provider_headers: {x-a: b}
      reply_headers: {x-b: c}
      note: hello
disconnect: drain
on_store_failure: {quotas: share}
reuse: {exact: store, share: team, ttl: 1m}
credit: {saturation: 5, settle_days: 3, unvalued_budget: 2, umbrella: {days: 9, cost_share: 0.5}}
"""
CHANGES = [
    ("id: forbid", "id: forbid2"), ("description: why", "description: what"),
    ("when: call.stream", "when: call.metered"), ("    when: call.stream\n", ""),
    ("code: task_closed", "code: task_unknown"), ("message: no", "message: yes"),
    ("    message: no\n", "    message: no\n    mode: shadow\n"),
    ("effect: forbid", "effect: permit"),
    ("calls: 5", "calls: 6"), ("calls: 5", "tokens: 5"), ("per: 1m", "per: 2m"),
    ("concurrent: 5", "concurrent: 6"), ("concurrent: 5", "per: 1m, calls: 5"),
    ("concurrent: 5, by: [team]", "concurrent: 5, by: [role]"),
    ("{calls: 5, per: 1m, by: [team]}", "{calls: 5, per: 1m, by: []}"),
    ("cost_usd: 5", "cost_usd: 5.5"), ("period: day", "period: week"),
    ("budget, budget: {", "budget, mode: shadow, budget: {"),
    ("model: m, ", ""), ("model: m", "model: n"),
    ("provider: p, ", ""), ("provider: p", "provider: q"),
    ("priority: 1", "priority: 2"), ("id: route,", "id: route, mode: shadow,"),
    ("max_output_tokens: 5", "max_output_tokens: 6"), ("x-a: b", "x-a: c"), ("x-a: b", "x-z: b"),
    ("x-b: c", "x-b: d"), ("{x-b: c}", "{x-b: c, x-c: c}"), ("note: hello", "note: bye"),
    ("disconnect: drain", "disconnect: cancel"), ("quotas: share", "quotas: closed"),
    ("share: team", "share: tenant"), ("ttl: 1m", "ttl: 2m"),
    ("exact: store, share: team, ttl: 1m", "exact: coalesce, share: team"),
    ("saturation: 5", "saturation: 6"), ("settle_days: 3", "settle_days: 4"),
    ("unvalued_budget: 2", "unvalued_budget: team_size"),
    ("unvalued_budget: 2", "unvalued_budget: 3"),
    ("days: 9", "days: 8"), ("cost_share: 0.5", "cost_share: 0.6"),
]  # fmt: skip


def digest(text: str) -> str:
    return policy.load([("a.yaml", text)]).digest


@pytest.mark.parametrize(("said", "instead"), CHANGES)
def test_a_change_of_anything_a_file_says_changes_the_digest(said: str, instead: str) -> None:
    assert said in BASE
    assert digest(BASE.replace(said, instead, 1)) != digest(BASE)


def test_whose_file_a_rule_stands_in_is_part_of_the_digest() -> None:
    everybodys = policy.load([("a.yaml", TEAM[1].replace("team: payments\n", ""))])
    assert len({everybodys.digest, policy.load([TEAM]).digest}) == 2
    assert digest(TEAM[1]) == policy.load([TEAM]).digest


def test_where_a_rule_stands_is_no_part_of_the_digest() -> None:
    head, _, rules = BASE.partition("rules:\n")
    rules, _, rest = rules.partition("disconnect:")
    one = ("z.yaml", f"{head}disconnect:{rest}")
    pieces = [f"  - {piece}" for piece in rules.removeprefix("  - ").split("  - ")]
    others = [(f"{n}.yaml", f"version: 1\n\nrules:\n{piece}") for n, piece in enumerate(pieces)]
    assert len(others) == 6
    assert policy.load([*others, one]).digest == digest(BASE)


def test_the_digest_is_made_of_every_field_of_a_rule_but_what_follows_from_others() -> None:
    (rule,) = cases.load(FORBID).rules
    follows = {"condition", "meter", "shadow", "refusal"}
    assert set(_plain(rule)) - {"mode", "code"} == set(Rule.__struct_fields__) - follows


def test_a_file_larger_than_policies_need_is_refused_at_once() -> None:
    (said,) = told(("a.yaml", "#" * (SIZE_MAX + 1)))
    assert said.startswith(f"a.yaml:1:1: {SIZE_MAX + 1} characters of policies")


TEAM = ("policies/teams/payments.yaml", f"version: 1\nteam: payments\nrules:\n  - {FORBID}\n")


def test_the_rules_of_a_teams_own_file_are_for_its_calls_and_those_of_others_for_all() -> None:
    found = policy.load([TEAM, ("policies/a.yaml", f"version: 1\nrules:\n  - {QUOTA}\n")])
    assert {rule.id: rule.team for rule in found.rules} == {"no-opus": "payments", "rate": ""}
    assert found.notes == ()


def test_a_file_outside_the_folder_of_teams_may_be_a_teams_own() -> None:
    found = policy.load([("policies/x.yaml", TEAM[1])])
    assert found.rule("no-opus").team == "payments"


IN_TEAMS = "a file in teams/ is the team's it is named for"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "policies/teams/payments.yaml",
            "version: 1\nrules: []\n",
            f"1:1: a policy file without 'team', expected 'team: payments': {IN_TEAMS}",
        ),
        (
            "policies/teams/web.yml",
            TEAM[1],
            f"2:1: read 'team: payments', expected 'team: web': {IN_TEAMS}",
        ),
        (
            "teams/web.yaml",
            "version: 1\nteam: 7\n",
            (
                "2:7: read the number '7' in 'team', expected a team's name: 1 to 128 characters, "
                "without spaces and slashes"
            ),
        ),
        (
            "teams/web.yaml",
            "[]",
            (
                "1:1: read a list, expected a policy file: "
                "a mapping such as `version: 1` and `rules: []`"
            ),
        ),
        (
            "teams/web.yaml",
            "version: 1\nteam: web\ndisconnect: drian\n",
            (
                "3:13: read the text 'drian' in 'disconnect', "
                "expected one of drain, cancel; did you mean 'drain'?"
            ),
        ),
        (
            "teams/web.yaml",
            "version: 1\nteam: web\ndisconnect: drain\n",
            "3:1: a team's own file holds rules only: set 'disconnect' in a file without 'team'",
        ),
        (
            "teams/web.yaml",
            "version: 1\nteam: web\nrules: [{id: a, obligations: {provider_headers: {a: b}}}]\n",
            "3:31: a team's own file adds no 'provider_headers': set them in a file without 'team'",
        ),
        (
            "teams/web.yaml",
            "version: 1\nteam: web\nrules: [{id: a, route: {model: gpt-5, priority: 1000}}]\n",
            (
                "3:17: a team's own file sends no calls elsewhere: "
                "set 'route' in a file without 'team'"
            ),
        ),
    ],
)
def test_a_mistake_in_a_teams_own_file_is_told_whole(name: str, text: str, said: str) -> None:
    assert told((name, text)) == [f"{name}:{said}"]


def test_the_rules_of_a_teams_file_have_ids_that_no_other_file_has() -> None:
    lines = told(TEAM, ("policies/x.yaml", f"version: 1\nrules:\n  - {FORBID}\n"))
    assert lines == [
        (
            "policies/x.yaml:3:6: the rule 'no-opus' again "
            "(first at policies/teams/payments.yaml:4), expected each id once"
        )
    ]


def test_what_is_not_shown_is_noted() -> None:
    found = cases.load(
        "{id: a, route: {model: x}, message: hi}",
        "{id: b, effect: permit, code: task_closed}",
        "{id: c, effect: forbid, code: task_closed, message: hi}",
        extra="credit: {saturation: 12}\n",
    )
    assert found.notes == (
        "a.yaml:3: `message` is never shown: 'a' refuses nothing",
        "a.yaml:4: `code` is never shown: 'b' refuses nothing",
    )


RULES = [
    FORBID,
    QUOTA,
    BUDGET,
    "{id: unlinked, when: 'task.evidence == \"none\"', effect: forbid, code: task_required}",
    "{id: stream, when: call.stream, effect: forbid, mode: shadow}",
    "{id: cheap, when: task.value < 0.6, effect: permit}",
    "{id: costly, when: 1 / (call.choices - 1) > 0, effect: forbid, mode: shadow}",
    "{id: local, when: call.stream, route: {provider: local, priority: 3}}",
    "{id: brief, obligations: {max_output_tokens: 99, note: Be brief.}}",
    "{id: at-once, quota: {concurrent: 3, by: [principal]}}",
]


def spread(order: random.Random) -> list[tuple[str, str]]:
    """Return the same rules in another order, over other files."""
    files: dict[str, list[str]] = {"a.yaml": [], "b.yaml": [], "c.yaml": []}
    for rule in order.sample(RULES, len(RULES)):
        files[order.choice(list(files))].append(f"  - {rule}\n")
    texts = [
        (name, f"version: 1\nrules:\n{''.join(rules)}" if rules else "version: 1\n")
        for name, rules in files.items()
    ]
    return order.sample(texts, len(texts))


@given(order=st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_files_and_rules_never_matters(order: random.Random) -> None:
    straight = cases.load(*RULES)
    other = policy.load(spread(order))
    assert other.digest == straight.digest
    for link in (cases.LINKED, TaskLink()):
        for model in ("opus", "gpt-5-mini"):
            found = cases.facts(link, model=model)
            plans = [
                policy.plan(each, found, cases.RESERVE, cases.NOW) for each in (straight, other)
            ]
            assert plans[0].draws == plans[1].draws
            assert plans[0].errors == plans[1].errors
            one, two = (policy.decide(each, ()) for each in plans)
            assert (one.effect, one.reasons, one.would_have) == (
                *(two.effect, two.reasons),
                two.would_have,
            )
