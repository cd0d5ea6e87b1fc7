"""JUnit XML: the shape every CI reads, whatever names and messages hold."""

from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.rehearsal.trials import junit, testing
from gateway.rehearsal.trials.testing import Failure, Result, Shortfall
from tests.unit.rehearsal import files

POLICIES = files.policies("{id: x, when: call.stream, effect: forbid, message: 'No <&> \"no\".'}")

SUITE = {"name", "tests", "failures", "errors", "skipped", "time"}
"""What the common schema (Jenkins' junit-10.xsd) lets a suite say, of what is said here."""
CASE = {"name", "classname", "time", "file", "line"}


def results(*lines: str) -> list[Result]:
    return [testing.run(case, POLICIES) for case in files.read(POLICIES, *lines)]


def test_a_suite_holds_a_test_case_for_each_case() -> None:
    found = results(
        "{name: Good, expect: {effect: permit}}",
        "{name: Bad, steps: [{}, {facts: {call.stream: true}, expect: {effect: permit}}]}",
    )
    other = structs.replace(found[0], case=structs.replace(found[0].case, file="tests/b.yaml"))

    root = Xml.fromstring(junit.xml([*found, other]))

    assert (root.tag, root.get("tests"), root.get("failures")) == ("testsuites", "3", "1")
    assert [
        (suite.tag, suite.get("name"), suite.get("tests"), suite.get("failures")) for suite in root
    ] == [
        ("testsuite", "tests/a.yaml", "2", "1"),
        ("testsuite", "tests/b.yaml", "1", "0"),
    ]
    good, bad = root[0]
    assert (good.tag, good.get("name"), good.get("line"), len(good)) == ("testcase", "Good", "3", 0)
    failure = bad[0]
    assert failure.tag == "failure"
    assert failure.get("message") == "effect: expected permit, came forbid"
    assert failure.get("type") == "effect"
    assert failure.text is not None
    assert failure.text.splitlines() == [
        "tests/a.yaml:4 step 2",
        "effect: expected permit, came forbid",
        'decided by x (policies/a.yaml:3): No <&> "no". Policy: x (policies/a.yaml:3).',
    ]


def test_it_says_nothing_the_common_schema_does_not_know() -> None:
    root = Xml.fromstring(
        junit.xml(results("{name: A, facts: {call.stream: true}, expect: {effect: permit}}"))
    )

    assert set(root.keys()) <= SUITE
    for suite in root:
        assert set(suite.keys()) <= SUITE
        for case in suite:
            assert set(case.keys()) <= CASE
            assert {child.tag for child in case} <= {"failure", "error", "skipped"}


@given(st.text(), st.text())
def test_any_name_and_any_message_make_a_document(name: str, said: str) -> None:
    (result,) = results("{name: A, expect: {effect: permit}}")
    failure = Failure(
        step=0,
        call=1,
        times=1,
        line=3,
        shortfalls=(Shortfall(what="message", line=3, expected=said, came=said),),
        decided_by="",
        message="",
    )
    strange = Result(case=structs.replace(result.case, name=name), failure=failure)

    (suite,) = Xml.fromstring(junit.xml([strange]))

    found = suite[0].get("name")
    assert found is not None
    plain = name.isprintable() and "\ufffd" not in name
    assert not plain or found == name


def test_what_xml_cannot_hold_is_replaced() -> None:
    (result,) = results("{name: A, expect: {effect: permit}}")
    strange = structs.replace(result, case=structs.replace(result.case, name="a\0b\x1b\ud800"))

    (suite,) = Xml.fromstring(junit.xml([strange]))

    assert suite[0].get("name") == "a\ufffdb\ufffd\ufffd"
