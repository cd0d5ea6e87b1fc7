"""Jira: signed webhooks and pages of a search, and what they come to."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import jira
from gateway.values import Account, Delivery
from tests.unit.tasks.trackers.messages import OLD_SECRET, SECRET, Edit, comes_to, load

INES = Account(handle="712020:5a1d-ines", email="ines@quillworks.example")
OMAR = Account(handle="712020:77c2-omar")
PETRA = Account(handle="712020:91f0-petra", email="petra@quillworks.example")
CREATED_AT = 1793610900.12
CLOSED_AT = 1793895630.25
REOPENED_AT = 1793952300.0
URL = "https://quillworks.atlassian.net/browse/QUILL-42"
POINTS = "customfield_10016"


def signed(body: bytes, secret: bytes = SECRET, **changed: bytes) -> dict[bytes, bytes]:
    """Return the headers of a delivery."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        b"x-hub-signature": changed.get("signature", b"sha256=" + digest.encode()),
        b"x-atlassian-webhook-identifier": changed.get("identifier", b"e2f7-771"),
    }


def sent_at(body: bytes) -> float:
    """Return when a webhook says it was sent."""
    return float(json.loads(body)["timestamp"]) / 1000


def read(name: str, edit: Edit | None = None, **options: Any) -> Delivery:
    """Read a payload, truly signed and on time."""
    body = load(f"jira/{name}", edit)
    return jira.read(signed(body), body, secret=SECRET, now=sent_at(body), **options)


def test_a_created_issue_is_a_task_and_no_outcome() -> None:
    """With its parent, creator and times, and the value nobody asked for left out."""
    delivery = read("created")

    (change,) = delivery.changes
    assert delivery.delivery_id == "e2f7-771"
    assert delivery.outcomes == ()
    assert (change.task, change.status, change.parent) == ("QUILL-42", "open", "QUILL-7")
    assert (change.title, change.url) == ("Export drops the last page", URL)
    assert (change.at, change.opened_at) == (CREATED_AT, CREATED_AT)
    assert change.closed_at is None
    assert (change.creator, change.owner, change.members) == (PETRA, None, ())
    assert (change.value, change.valued_by) == (None, None)


def test_the_value_of_a_new_issue_was_set_by_who_made_it() -> None:
    """Its value is told beside them, and beside nobody when Jira does not say who."""
    (change,) = read("created", value_field=POINTS).changes
    assert (change.value, change.valued_by) == (Decimal("5.0"), PETRA)

    (change,) = read("created", lambda said: said.pop("user"), value_field=POINTS).changes
    assert (change.value, change.valued_by) == (Decimal("5.0"), Account())


def test_an_update_tells_a_value_only_when_it_sets_it() -> None:
    """So that nobody else is ever taken for who set it."""
    (change,) = read("estimated", value_field=POINTS).changes
    assert (change.value, change.valued_by) == (Decimal("8.0"), PETRA)

    (change,) = read("started", value_field=POINTS).changes
    assert (change.value, change.valued_by) == (None, None)

    (change,) = read("estimated", lambda said: said.pop("user"), value_field=POINTS).changes
    assert (change.value, change.valued_by) == (Decimal("8.0"), Account())


def test_a_field_without_a_value_has_none() -> None:
    """Neither when it is null, nor when the issue has no such field."""

    def clear(said: Any) -> None:
        said["issue"]["fields"][POINTS] = None

    assert read("estimated", clear, value_field=POINTS).changes[0].value is None
    assert read("created", value_field="customfield_9").changes[0].value is None


@pytest.mark.parametrize("value", [-1, True, "much", "NaN", "1e-99999", 10**12, [3]])
def test_a_value_that_is_no_amount_is_refused(value: Any) -> None:
    """And named by its path."""

    def spoil(said: Any) -> None:
        said["issue"]["fields"][POINTS] = value

    with pytest.raises(WebhookRefused, match=r"\$\.issue\.fields\.customfield_10016"):
        read("created", spoil, value_field=POINTS)


def test_closing_is_by_who_made_the_change_for_who_it_was_assigned_to() -> None:
    """The reviewer is the one who moved it to a status of category done."""
    delivery = read("closed")

    (outcome,) = delivery.outcomes
    assert (outcome.kind, outcome.event_id, outcome.at) == ("closed", "10412:20145", CLOSED_AT)
    assert (outcome.author, outcome.reviewers) == (OMAR, (INES,))
    assert (outcome.subject, outcome.tasks, outcome.url) == ("QUILL-42", ("QUILL-42",), URL)
    assert (outcome.title, outcome.text) == ("Export drops the last page", "")
    (change,) = delivery.changes
    assert (change.status, change.closed_at, change.owner) == ("closed", CLOSED_AT, OMAR)
    assert change.members == (OMAR,)


def test_a_closing_of_which_nobody_is_told_has_no_reviewer() -> None:
    """An anonymous change accepts nothing."""
    (outcome,) = read("closed", lambda said: said.pop("user")).outcomes
    assert outcome.reviewers == ()


def test_an_application_is_a_bot() -> None:
    """Automation closes issues too."""

    def automate(said: Any) -> None:
        said["user"]["accountType"] = "app"

    (outcome,) = read("closed", automate).outcomes
    assert outcome.reviewers[0].is_bot


@pytest.mark.parametrize("name", ["Won't Do", "Won\u2019t do", "Duplicate", "CANNOT REPRODUCE"])
def test_a_resolution_of_what_nobody_made_is_no_outcome(name: str) -> None:
    """The task is closed all the same."""

    def resolve(said: Any) -> None:
        said["issue"]["fields"]["resolution"]["name"] = name

    delivery = read("closed_wont_do", resolve)
    assert delivery.outcomes == ()
    assert delivery.changes[0].status == "closed"


def test_leaving_done_reopens() -> None:
    """Whoever does it."""
    delivery = read("reopened")

    (outcome,) = delivery.outcomes
    assert (outcome.kind, outcome.event_id, outcome.at) == (
        "reopened",
        "10412:20151",
        REOPENED_AT,
    )
    assert outcome.reviewers == (PETRA,)
    assert delivery.changes[0].status == "open"
    assert delivery.changes[0].closed_at is None


def test_another_resolution_reverses_and_may_be_taken_back() -> None:
    """Within done, Done to Duplicate undoes the issue; Duplicate to Done closes it again."""

    def to(name: str, before: str) -> Edit:
        def edit(said: Any) -> None:
            said["issue"]["fields"]["resolution"]["name"] = name
            said["changelog"]["items"] = [
                {"field": "resolution", "fieldId": "resolution", "fromString": before}
            ]

        return edit

    assert [one.kind for one in read("closed", to("Duplicate", "Done")).outcomes] == ["reversed"]
    assert [one.kind for one in read("closed", to("Done", "Duplicate")).outcomes] == ["closed"]
    assert read("closed", to("Fixed", "Done")).outcomes == ()


def test_moving_between_statuses_of_one_category_is_no_outcome() -> None:
    """As the categories tell, or else the time of the last change of category."""

    def release(said: Any) -> None:
        said["changelog"]["items"] = [{"field": "status", "fieldId": "status", "from": "10001"}]

    categories = {"10001": "done", "3": "indeterminate"}
    assert read("closed", release, categories=categories).outcomes == ()

    def later(said: Any) -> None:
        release(said)
        said["issue"]["fields"]["statuscategorychangedate"] = "2026-11-05T16:00:00.000+0000"

    assert read("closed", later).outcomes == ()
    assert read("started", categories=categories).outcomes == ()
    assert read("started").outcomes == ()


@pytest.mark.parametrize(
    ("moved", "kinds"),
    [("2026-11-05T16:20:29.000+0000", ["closed"]), ("2026-11-05T16:21:30.000+0000", [])],
)
def test_a_resolution_left_behind_hides_no_closing(moved: str, kinds: list[str]) -> None:
    """It was resolved before: what tells is when its category changed."""

    def stale(said: Any) -> None:
        said["changelog"]["items"] = [{"field": "status", "fieldId": "status", "from": "3"}]
        said["issue"]["fields"]["statuscategorychangedate"] = moved

    assert [one.kind for one in read("closed", stale).outcomes] == kinds


def test_without_other_knowledge_resolved_means_done() -> None:
    """An older Jira tells no time of a change of category."""

    def silent(said: Any) -> None:
        del said["issue"]["fields"]["statuscategorychangedate"]

    assert [one.kind for one in read("closed", silent).outcomes] == ["closed"]
    assert [one.kind for one in read("reopened", silent).outcomes] == ["reopened"]
    assert read("started", silent).outcomes == ()


def test_a_done_issue_may_lack_every_time_of_its_closing() -> None:
    """Then none is told."""

    def silent(said: Any) -> None:
        said["issue"]["fields"]["statuscategorychangedate"] = None
        said["issue"]["fields"]["resolutiondate"] = None
        said["issue"]["self"] = "ftp://quillworks.example/rest/"
        del said["changelog"]

    delivery = read("closed", silent)
    assert (delivery.changes[0].status, delivery.changes[0].closed_at) == ("closed", None)
    assert delivery.changes[0].url is None
    assert delivery.outcomes == ()


def test_a_deleted_issue_is_closed_and_nothing_came_of_that() -> None:
    """Nothing else is said of it."""
    delivery = read("deleted")

    (change,) = delivery.changes
    assert (change.task, change.status, change.closed_at) == ("QUILL-42", "closed", change.at)
    assert change.title is None
    assert delivery.outcomes == ()


def test_other_events_come_to_nothing() -> None:
    """But are known, so that a replay is."""
    assert read("comment_created") == Delivery(delivery_id="e2f7-771")


def test_a_page_tells_the_same_events_as_the_webhooks_did() -> None:
    """By the same ids, kinds, subjects, authors and reviewers."""
    page = jira.issues_page(load("jira/search"))
    told = [*read("closed").outcomes, *read("reopened").outcomes]

    assert list(page.outcomes[:2]) == told
    assert page.delivery_id == ""
    assert page.changes[0] == read("reopened").changes[0]


def test_the_past_of_an_issue_is_read_in_the_order_of_its_times() -> None:
    """Whatever the order and the numbers of its histories are: some were imported."""

    def imported(said: Any) -> None:
        histories = said["issues"][0]["changelog"]["histories"]
        histories[0]["id"] = "9"
        histories.reverse()

    page = jira.issues_page(load("jira/search", imported))
    assert [(one.kind, one.event_id) for one in page.outcomes[:2]] == [
        ("closed", "10412:20145"),
        ("reopened", "10412:9"),
    ]


def test_an_issue_handed_on_as_it_is_closed_was_the_work_of_who_had_it() -> None:
    """Not of who gets it back."""
    page = jira.issues_page(load("jira/search"))

    assert (page.outcomes[2].subject, page.outcomes[2].author) == ("QUILL-43", OMAR)
    assert page.changes[1].owner == Account(handle="557058:f58131cb-bot", is_bot=True)
    assert page.changes[1].parent == ""


def test_the_value_on_a_page_was_set_by_the_last_who_changed_it() -> None:
    """By its creator when nobody did; by nobody known when the history is cut off."""

    def set_by(said: Any) -> None:
        items = [{"field": "Story point estimate", "fieldId": POINTS, "fromString": "3"}]
        said["issues"][0]["changelog"]["histories"][1]["items"] += items

    def cut(said: Any) -> None:
        said["issues"][0]["changelog"]["total"] = 90

    def valued_by(edit: Edit | None) -> Account | None:
        return jira.issues_page(load("jira/search", edit), value_field=POINTS).changes[0].valued_by

    assert valued_by(None) == PETRA
    assert valued_by(set_by) == INES
    assert valued_by(cut) == Account()
    assert jira.issues_page(load("jira/search"), value_field=POINTS).changes[1].valued_by is None


def test_an_issue_that_nobody_had_has_no_author() -> None:
    """Assigned only as it was closed: to whom it then was."""

    def unassigned(said: Any) -> None:
        items = said["issues"][1]["changelog"]["histories"][0]["items"]
        items[-1]["from"] = None
        said["issues"][1]["fields"]["assignee"] = None

    assert jira.issues_page(load("jira/search", unassigned)).outcomes[2].author is None


def test_the_categories_of_statuses_are_read() -> None:
    """As the webhooks and pages then take them."""
    categories = jira.statuses(load("jira/statuses"))

    assert categories == {"10000": "new", "3": "indeterminate", "10001": "done", "10007": "done"}


def test_only_a_true_signature_is_taken() -> None:
    """Of this body, under either secret."""
    body = load("jira/closed")
    now = sent_at(body)

    old = jira.read(
        signed(body, OLD_SECRET), body, secret=SECRET, previous_secret=OLD_SECRET, now=now
    )
    assert len(old.outcomes) == 1
    for headers, said in (
        (signed(body, OLD_SECRET), body),
        (signed(body), body[:-2] + b" }"),
        (signed(body, b""), body),
        (signed(body, signature=b"sha256="), body),
        (signed(body, signature="sha256=é".encode()), body),
    ):
        with pytest.raises(WebhookRefused, match="signature is not good"):
            jira.read(headers, said, secret=SECRET, now=now)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_of_the_body_can_be_changed(position: int, bit: int) -> None:
    """Wherever it is."""
    body = load("jira/closed")
    flipped = bytearray(body)
    flipped[position % len(body)] ^= 1 << bit

    with pytest.raises(WebhookRefused, match="signature is not good"):
        jira.read(signed(body), bytes(flipped), secret=SECRET, now=sent_at(body))


def test_an_empty_secret_takes_nothing() -> None:
    """Not even what is signed with it."""
    body = load("jira/closed")
    with pytest.raises(WebhookRefused, match="no secret"):
        jira.read(signed(body, b""), body, secret=b"", now=sent_at(body))


@pytest.mark.parametrize("late_s", [-901.0, 901.0])
def test_what_was_sent_long_ago_or_in_the_future_is_refused(late_s: float) -> None:
    """Fifteen minutes either way are taken."""
    body = load("jira/closed")
    with pytest.raises(WebhookRefused, match="900 s"):
        jira.read(signed(body), body, secret=SECRET, now=sent_at(body) + late_s)

    within = jira.read(signed(body), body, secret=SECRET, now=sent_at(body) + late_s * 0.99)
    assert within.delivery_id == "e2f7-771"


@pytest.mark.parametrize("name", [b"x-hub-signature", b"x-atlassian-webhook-identifier"])
def test_every_header_must_be_there(name: bytes) -> None:
    """And is named when it is not."""
    body = load("jira/closed")
    headers = signed(body)
    del headers[name]

    with pytest.raises(WebhookRefused, match=name.decode()):
        jira.read(headers, body, secret=SECRET, now=sent_at(body))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("issue.key", 42),
        ("issue.fields", None),
        ("issue.fields.updated", "PRIVATE"),
        ("issue.fields.updated", "2026-11-05T16:20:30"),
        ("issue.fields.status.statusCategory", "PRIVATE"),
        ("issue.fields.summary", ["PRIVATE"]),
        ("changelog.items", {"PRIVATE": 1}),
        ("timestamp", "PRIVATE"),
        ("webhookEvent", 1.5),
    ],
)
def test_a_field_of_another_type_is_named_and_never_shown(path: str, value: Any) -> None:
    """As is one that is missing."""
    *parents, name = path.split(".")

    def change(said: Any) -> None:
        for parent in parents:
            said = said[parent]
        said[name] = value

    with pytest.raises(WebhookRefused) as refused:
        read_at_closing(load("jira/closed", change))
    assert path in str(refused.value)
    assert "PRIVATE" not in str(refused.value)

    def remove(said: Any) -> None:
        for parent in parents:
            said = said[parent]
        del said[name]

    with pytest.raises(WebhookRefused, match=f"missing required field `{name}`"):
        read_at_closing(load("jira/closed", remove))


def read_at_closing(body: bytes) -> Delivery:
    """Read a body as if it came when `closed` was sent."""
    return jira.read(signed(body), body, secret=SECRET, now=CLOSED_AT)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"\xff"', b"{}{}", b'{"timestamp":1,"webhookEvent":"\xff"}',
     b"[" * 100_000, b'{"timestamp":1,"webhookEvent":"x","a":' + b"[" * 100_000],
)  # fmt: skip
def test_garbage_is_refused(body: bytes) -> None:
    """Although it is signed."""
    with pytest.raises(WebhookRefused):
        read_at_closing(body)
    with pytest.raises(WebhookRefused):
        jira.issues_page(body)


def test_no_message_shows_a_secret_or_a_person() -> None:
    """Whatever is wrong."""
    body = load("jira/closed", lambda said: said["issue"].pop("key"))
    for headers in (signed(body), signed(body, OLD_SECRET), {}):
        with pytest.raises(WebhookRefused) as refused:
            jira.read(headers, body, secret=SECRET, now=CLOSED_AT)
        for private in ("agreed", "sha256", "ines", "Omar", "last page"):
            assert private not in str(refused.value)


@given(st.binary() | st.binary().map(lambda some: load("jira/closed")[:-40] + some))
def test_any_bytes_come_to_a_delivery_or_a_refusal(body: bytes) -> None:
    """Nothing else is ever raised."""
    for attempt in (read_at_closing, jira.issues_page, jira.statuses):
        assert comes_to(attempt, body) in ("a delivery", "a refusal")
