"""What of the rules cases looked at: both sides of every part, both answers of every limit."""

from gateway import policy
from gateway.rehearsal.trials import testing
from gateway.rehearsal.trials.coverage import Coverage, Report
from tests.unit.rehearsal import files


def seen(policies: policy.PolicySet, *lines: str) -> Report:
    coverage = Coverage(policies)
    for case in files.read(policies, *lines):
        testing.run(case, policies, coverage.watch)
    return coverage.report()


def missed(report: Report) -> list[str]:
    return [said for _, _, said in report.lines]


ALL = files.policies(
    '{id: both, when: call.stream && (task.value < 1.0 || !(call.model == "a")), effect: forbid}',
    "{id: rate, quota: {calls: 1, per: 1m, by: []}}",
)


def test_nothing_is_seen_by_no_case() -> None:
    report = Coverage(ALL).report()

    assert (report.rules, report.rules_seen) == (2, 0)
    assert (report.conditions, report.conditions_seen) == (4, 0)
    assert (report.limits, report.limits_seen) == (1, 0)
    assert (report.goals, report.percent) == (12, 0.0)
    assert report.lines[0] == ("policies/a.yaml:3", "both", "never had a say")
    assert missed(report)[1:] == [
        'call.stream && (task.value < 1.0 || !(call.model == "a")) was never true or false',
        "call.stream was never true or false",
        "task.value < 1.0 was never true or false",
        'call.model == "a" was never true or false',
        "never had a say",
        "the quota of 1 call was never taken or refused",
    ]


def test_a_part_is_seen_only_where_those_before_it_left_it_to_decide() -> None:
    report = seen(
        ALL,
        "{name: A, facts: {call.stream: false, task.value: 0}, expect: {effect: permit}}",
        "{name: B, facts: {call.stream: true, task.value: 0}, expect: {effect: forbid}}",
    )

    assert missed(report) == [
        "task.value < 1.0 was never false",
        'call.model == "a" was never true or false',
        "the quota of 1 call was never refused",
    ]
    assert (report.rules_seen, report.conditions_seen, report.limits_seen) == (2, 2, 0)


def test_everything_is_seen() -> None:
    report = seen(
        ALL,
        "{name: A, steps: [{}, {expect: {effect: throttle}}]}",
        "{name: B, facts: {call.stream: true}, steps: ["
        "{facts: {task.value: 0}}, {facts: {call.model: a}}, {facts: {call.model: b}},"
        "{expect: {effect: forbid}}]}",
    )

    assert report.missed == ()
    assert report.lines == ()
    assert report.percent == 100.0


def test_the_same_facts_again_show_nothing_new() -> None:
    coverage = Coverage(ALL)
    (case,) = files.read(ALL, "{name: A, steps: [{times: 2, expect: {reasons: []}}]}")

    testing.run(case, ALL, coverage.watch)
    once = coverage.report().missed
    testing.run(case, ALL, coverage.watch)

    assert coverage.report().missed == once


def test_a_condition_of_one_part_is_counted_once() -> None:
    report = seen(
        files.policies("{id: one, when: '!call.stream', effect: forbid}"),
        "{name: A, expect: {effect: forbid}}",
    )

    assert (report.conditions, report.goals) == (1, 3)
    assert missed(report) == ["call.stream was never true"]


def test_a_part_that_errs_is_neither_true_nor_false() -> None:
    report = seen(
        files.policies(
            "{id: a, when: '10 / call.choices > 1 && call.stream', effect: forbid}",
            "{id: b, when: '!(10 / call.choices > 1)', effect: forbid}",
        ),
        "{name: A, facts: {call.choices: 0}, expect: {reasons: [a, b]}}",
        "{name: B, facts: {call.choices: 0, call.stream: true}, expect: {reasons: [a, b]}}",
    )

    assert missed(report) == [
        "10 / call.choices > 1 && call.stream was never true",
        "10 / call.choices > 1 was never true or false",
        "10 / call.choices > 1 was never true or false",
    ]


def test_a_team_s_own_rules_are_seen_by_its_own_calls() -> None:
    policies = policy.load(
        [
            ("policies/a.yaml", "version: 1\nrules: []\n"),
            (
                "policies/teams/web.yaml",
                files.file("{id: x, when: call.stream, effect: forbid}", extra="team: web\n"),
            ),
        ]
    )

    others = seen(policies, "{name: A, facts: {call.stream: true}, expect: {effect: permit}}")
    own = seen(
        policies,
        "{name: A, facts: {call.stream: true, principal.team: web}, expect: {effect: forbid}}",
    )

    assert missed(others) == ["never had a say", "call.stream was never true or false"]
    assert missed(own) == ["call.stream was never false"]


def test_shadow_rules_have_a_say_where_they_would_have_refused() -> None:
    report = seen(
        files.policies(
            "{id: a, effect: forbid, mode: shadow}",
            "{id: b, quota: {calls: 1, per: 1m, by: []}, mode: shadow}",
        ),
        "{name: A, steps: [{}, {expect: {would_have: [a, b]}}]}",
    )

    assert report.percent == 100.0


def test_a_limit_that_had_room_is_not_full_because_another_one_was() -> None:
    report = seen(
        files.policies(
            "{id: a, quota: {calls: 1, per: 1m, by: []}}",
            "{id: b, quota: {calls: 9, per: 1m, by: []}}",
        ),
        "{name: A, steps: [{}, {expect: {effect: throttle, reasons: [a]}}]}",
    )

    assert missed(report) == ["the quota of 9 calls was never refused"]


def test_no_rules_are_all_seen() -> None:
    assert Coverage(policy.load([("a.yaml", "version: 1\nrules: []\n")])).report().percent == 100.0
