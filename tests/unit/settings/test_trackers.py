"""`trackers:` and `people:` of goodgate.yaml: what they come to, and what is refused."""

from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.settings import Deployment, Tracker, load
from gateway.settings.trackers import Kind
from gateway.values import Account

SECRET = "0123456789abcdef-github"
ENVIRON = {
    "HOOK": SECRET,
    "OLD": "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
    "SHORT": "tiny",
    "BAD": "whsec_%",
}
BEFORE = """
providers: {local: {format: simulated}}
models: {"*": {provider: local}}
"""
GOOD = """
trackers:
  forge: {kind: github, secret: "${HOOK}", previous_secret: "${OLD}"}
  jira:
    kind: jira
    secret: "${HOOK}"
    team: payments
    stale_after_s: 3600
people:
  alice: {forge: alice-gh, jira: [one, two], email: [alice@acme.test, a@acme.test]}
  bob: {email: bob@acme.test}
"""
FORGE = 'trackers: {forge: {kind: github, secret: "${HOOK}"}}\n'


def read(folder: Path, text: str) -> Deployment:
    path = folder / "goodgate.yaml"
    path.write_text(BEFORE + text, encoding="utf-8")
    return load(path, ENVIRON)


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_every_setting_of_a_tracker_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD).trackers
    forge, jira = found["forge"], found["jira"]

    assert (forge.name, forge.kind, forge.team) == ("forge", "github", "")
    assert (forge.secret, forge.previous_secret) == (SECRET.encode(), ENVIRON["OLD"].encode())
    assert (jira.previous_secret, jira.team, jira.stale_after_s) == (b"", "payments", 3600.0)
    assert SECRET not in repr(found) + str(jira.__rich_repr__())


ASKED = """
trackers:
  forge:
    kind: github
    secret: "${HOOK}"
    api_key: "${OLD}"
    projects: [acme/web, acme/app]
  own: {kind: github, secret: "${HOOK}", projects: acme/web, base_url: "https://git.acme.test/api/v3/"}
  lab: {kind: gitlab, secret: "${HOOK}", projects: acme/sub/web}
  hooks: {kind: jira, secret: "${HOOK}"}
  desk: {kind: jira, secret: "${HOOK}", projects: [PAY, OPS_2], base_url: "https://acme.test",
    value_field: customfield_10016}
  line: {kind: linear, secret: "${HOOK}", projects: ENG}
"""


def test_a_tracker_that_can_be_asked_says_where_and_for_what(tmp_path: Path) -> None:
    found = read(tmp_path, ASKED).trackers
    assert (found["forge"].base_url, found["forge"].api_key) == (
        "https://api.github.com",
        ENVIRON["OLD"],
    )
    assert found["forge"].projects == ("acme/web", "acme/app")
    assert (found["own"].base_url, found["own"].projects) == (
        "https://git.acme.test/api/v3",
        ("acme/web",),
    )
    assert (found["lab"].base_url, found["lab"].projects) == (
        "https://gitlab.com/api/v4",
        ("acme/sub/web",),
    )
    assert (found["hooks"].base_url, found["hooks"].projects) == ("", ())
    assert (found["desk"].projects, found["desk"].value_field) == (
        ("PAY", "OPS_2"),
        "customfield_10016",
    )
    assert (found["line"].base_url, found["line"].projects) == ("https://api.linear.app", ("ENG",))
    assert ENVIRON["OLD"] not in repr(found)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("kind: standard, projects: acme/web", "github, gitlab, jira, linear can be asked"),
        ("kind: jira, projects: acme/web, base_url: https://a.test", "names such as PAY"),
        ("kind: jira, projects: PAY", "a `base_url` beside it"),
        ("kind: linear, projects: eng", "names such as PAY"),
        ("kind: jira, value_field: points", "Jira's id of a field"),
        ("kind: linear, value_field: customfield_10016", "no field here"),
        ("kind: github, projects: acme", "names such as acme/web"),
        ("kind: github, projects: acme/web/../x", "names such as acme/web"),
        ('kind: github, base_url: "http://git.acme.test"', "an https address"),
        ('kind: github, base_url: "https://ann:pw@git.acme.test"', "an https address"),
        ('kind: github, base_url: "https://git.acme.test?x=1"', "an https address"),
    ],
)
def test_what_a_sync_cannot_ask_is_told(tmp_path: Path, fields: str, said: str) -> None:
    text = f'trackers: {{forge: {{secret: "${{HOOK}}", {fields}}}}}\n'
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("kind", "api_key", "shown"),
    [
        ("github", "", ""),
        ("github", "ghp_1", "Bearer ghp_1"),
        ("gitlab", "a:b", "Bearer a:b"),
        ("jira", "ann@acme.test:token", "Basic YW5uQGFjbWUudGVzdDp0b2tlbg=="),
        ("jira", "pat", "Bearer pat"),
        ("linear", "lin_api_1", "lin_api_1"),
        ("linear", "lin_oauth_1", "Bearer lin_oauth_1"),
    ],
)
def test_each_kind_is_shown_its_key_in_its_own_way(kind: Kind, api_key: str, shown: str) -> None:
    made = Tracker(name="t", kind=kind, secret=b"s" * 16, api_key=api_key)
    assert made.authorization == shown


def test_people_are_known_by_handle_and_by_address(tmp_path: Path) -> None:
    people = read(tmp_path, GOOD).people

    assert people.who("forge", Account(handle="Alice-GH")) == "alice"
    assert people.who("jira", Account(handle="two")) == "alice"
    assert people.who("jira", Account(email="BOB@acme.test")) == "bob"
    assert people.who("jira", Account(handle="alice-gh")) == ""


def test_without_either_nobody_tells_and_nobody_is_known(tmp_path: Path) -> None:
    found = read(tmp_path, "")
    assert found.trackers == {}
    assert found.people.who("forge", Account(handle="alice-gh")) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trackers: {t: {kind: github}}", "tracker 't' needs 'secret'"),
        ('trackers: {t: {kind: github, secret: ""}}', "'secret' of tracker 't' is empty"),
        ('trackers: {t: {kind: github, secret: "${SHORT}"}}', "at least 16 bytes"),
        ('trackers: {t: {kind: github, secret: "${BAD}"}}', "no base64"),
        ('trackers: {t: {kind: github, secret: "${NOT_SET}"}}', "NOT_SET, and it is not set"),
        ("trackers: {t: {kind: github, secret: plain-text-secret}}", "must not hold the secret"),
        ('trackers: {t: {kind: gihub, secret: "${HOOK}"}}', "did you mean 'github'?"),
        ('trackers: {t: {kind: github, secret: "${HOOK}", sectet: x}}', "unknown key 'sectet'"),
        ('trackers: {"a b": {kind: github, secret: "${HOOK}"}}', "a tracker's name is made of"),
        (
            'trackers: {t: {kind: github, secret: "${HOOK}", stale_after_s: 99999999}}',
            "expected seconds, from 0",
        ),
        (FORGE + "people: {a: {forge: [1]}}", "expected a text, or a list of texts"),
        (
            FORGE + "people: {a: {forg: x}}",
            "no tracker is named 'forg'",
        ),
        (
            FORGE + "people: {a: {forge: x}, b: {forge: X}}",
            "a handle of forge is given to both a and b",
        ),
        ("people: {a: {email: x@y.test}, b: {email: X@y.test}}", "an e-mail is given to both"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    message = refused(tmp_path, text)
    assert said in message
    assert "goodgate.yaml:" in message
