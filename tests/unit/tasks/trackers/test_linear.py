"""Linear: signed webhooks and pages of its GraphQL interface, and what they come to."""

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import WebhookRefused
from gateway.tasks.trackers import linear
from gateway.values import Account, Delivery
from tests.unit.tasks.trackers.messages import OLD_SECRET, SECRET, Edit, comes_to, load

INES_ID = "0b6f4a1e-1111-4c52-9a37-5d0c1d2e3f40"
INES = Account(handle=INES_ID, email="ines@quillworks.example")
OMAR = Account(handle="1c7e5b2f-2222-4d63-8b48-6e1d2e3f4051", email="omar@quillworks.example")
PETRA_ID = "2d8f6c30-3333-4e74-9c59-7f2e3f405162"
PETRA = Account(handle=PETRA_ID, email="petra@quillworks.example")
ISSUE_ID = "9a1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d"
CREATED_AT = 1793610900.12
COMPLETED_AT = 1793895630.25
REOPENED_AT = 1793952300.0
SENT_AT = 1793895630.46
URL = "https://linear.app/quillworks/issue/QUI-18/export-drops-the-last-page"


def signed(body: bytes, secret: bytes = SECRET, **changed: bytes) -> dict[bytes, bytes]:
    """Return the headers of a delivery."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        b"linear-signature": changed.get("signature", digest.encode()),
        b"linear-delivery": b"234d1a4e-b617",
    }


def sent_at(body: bytes) -> float:
    """Return when a webhook says it was sent."""
    return float(json.loads(body)["webhookTimestamp"]) / 1000


def read(name: str, edit: Edit | None = None) -> Delivery:
    """Read a payload, truly signed and on time."""
    body = load(f"linear/{name}", edit)
    return linear.read(signed(body), body, secret=SECRET, now=sent_at(body))


def read_at_completion(body: bytes) -> Delivery:
    """Read a body as if it came when `completed` was sent."""
    return linear.read(signed(body), body, secret=SECRET, now=SENT_AT)


def test_a_created_issue_is_a_task_and_no_outcome() -> None:
    """Its parent is not told by name, so nothing is said of it."""
    delivery = read("created")

    (change,) = delivery.changes
    assert delivery.delivery_id == "234d1a4e-b617"
    assert delivery.outcomes == ()
    assert (change.task, change.status, change.parent) == ("QUI-18", "open", None)
    assert (change.title, change.url) == ("Export drops the last page", URL)
    assert (change.at, change.opened_at, change.closed_at) == (CREATED_AT, CREATED_AT, None)
    assert (change.creator, change.owner, change.members) == (Account(handle=PETRA_ID), None, ())
    assert (change.value, change.valued_by) == (Decimal(3), PETRA)


def test_a_parent_is_told_by_its_name_or_as_none() -> None:
    """Where Linear does so."""

    def named(said: Any) -> None:
        said["data"]["parent"] = {"id": "8f0a", "identifier": "QUI-7", "title": "Exports"}

    def alone(said: Any) -> None:
        del said["data"]["parentId"]

    assert read("created", named).changes[0].parent == "QUI-7"
    assert read("created", alone).changes[0].parent == ""


def test_a_creator_may_be_told_in_full_or_be_a_bot_or_nobody() -> None:
    """An integration has no user."""

    def full(said: Any) -> None:
        said["data"]["creator"] = {"id": PETRA_ID, "email": "petra@quillworks.example"}

    def bot(said: Any) -> None:
        said["data"]["botActor"] = {"id": "sentry"}

    def nobody(said: Any) -> None:
        said["data"]["creatorId"] = None

    assert read("created", full).changes[0].creator == PETRA
    assert read("created", bot).changes[0].creator == Account(handle="sentry", is_bot=True)
    assert read("created", nobody).changes[0].creator is None


def test_an_update_tells_a_value_only_when_it_sets_it() -> None:
    """So that nobody else is ever taken for who set it."""
    (change,) = read("estimated").changes
    assert (change.value, change.valued_by) == (Decimal(8), PETRA)

    (change,) = read("started").changes
    assert (change.value, change.valued_by) == (None, None)

    (change,) = read("estimated", lambda said: said.pop("actor")).changes
    assert (change.value, change.valued_by) == (Decimal(8), Account())


def test_the_first_estimate_is_told_although_it_replaces_none() -> None:
    """`updatedFrom` then holds null: not the same as holding nothing."""

    def first(said: Any) -> None:
        said["updatedFrom"]["estimate"] = None

    def cleared(said: Any) -> None:
        said["data"]["estimate"] = None

    assert read("estimated", first).changes[0].valued_by == PETRA
    assert read("estimated", cleared).changes[0].valued_by is None


@pytest.mark.parametrize("value", [-1, True, "much", "Infinity", 1e-300, [3]])
def test_an_estimate_that_is_no_amount_is_refused(value: Any) -> None:
    """And named by its path."""

    def spoil(said: Any) -> None:
        said["data"]["estimate"] = value

    with pytest.raises(WebhookRefused, match=r"\$\.data\.estimate"):
        read("created", spoil)


def test_completing_is_by_who_made_the_change_for_who_it_was_assigned_to() -> None:
    """Known by the second of its completion."""
    delivery = read("completed")

    (outcome,) = delivery.outcomes
    assert (outcome.kind, outcome.at) == ("closed", COMPLETED_AT)
    assert outcome.event_id == f"{ISSUE_ID}:completed:1793895630"
    assert (outcome.author, outcome.reviewers) == (OMAR, (INES,))
    assert (outcome.subject, outcome.tasks, outcome.url) == ("QUI-18", ("QUI-18",), URL)
    assert (outcome.title, outcome.text) == ("Export drops the last page", "")
    (change,) = delivery.changes
    assert (change.status, change.closed_at, change.owner) == ("closed", COMPLETED_AT, OMAR)
    assert change.members == (OMAR,)


def test_an_issue_handed_on_as_it_is_completed_was_the_work_of_who_had_it() -> None:
    """Not of who gets it."""

    def hand_on(said: Any) -> None:
        said["updatedFrom"]["assigneeId"] = "3f"

    (outcome,) = read("completed", hand_on).outcomes
    assert outcome.author == Account(handle="3f")


def test_a_completion_of_which_nobody_is_told_has_no_reviewer() -> None:
    """Linear's own automations have no actor."""
    assert read("completed", lambda said: said.pop("actor")).outcomes[0].reviewers == ()
    assert read("reopened", lambda said: said.pop("actor")).outcomes[0].reviewers == ()


@pytest.mark.parametrize(
    "actor",
    [
        {"id": "9", "type": "integration"},
        {"id": "9", "type": "oauthClient"},
        {"id": "9", "type": "user", "email": "a4bc@oauthapp.linear.app"},
    ],
)
def test_an_application_is_a_bot(actor: dict[str, str]) -> None:
    """Although some of them are users of Linear."""

    def act(said: Any) -> None:
        said["actor"] = actor

    assert read("completed", act).outcomes[0].reviewers[0].is_bot


def test_moving_between_two_states_that_are_complete_is_no_outcome() -> None:
    """Its completion stays what it was; and a changed time of it is no new one."""

    def keep(said: Any) -> None:
        del said["updatedFrom"]["completedAt"]

    def move(said: Any) -> None:
        said["updatedFrom"]["completedAt"] = "2026-11-04T10:00:00.000Z"

    def nothing(said: Any) -> None:
        del said["updatedFrom"]

    assert read("completed", keep).outcomes == ()
    assert read("completed", move).outcomes == ()
    assert read("completed", nothing).outcomes == ()


def test_leaving_completed_reopens() -> None:
    """Known by the completion that it undoes."""
    delivery = read("reopened")

    (outcome,) = delivery.outcomes
    assert (outcome.kind, outcome.at) == ("reopened", REOPENED_AT)
    assert outcome.event_id == f"{ISSUE_ID}:reopened:1793895630"
    assert outcome.reviewers == (PETRA,)
    assert (delivery.changes[0].status, delivery.changes[0].closed_at) == ("open", None)


def test_canceling_closes_a_task_and_makes_nothing_of_it() -> None:
    """And canceling what was completed undoes it."""
    delivery = read("canceled")
    assert delivery.outcomes == ()
    assert (delivery.changes[0].status, delivery.changes[0].closed_at) == ("closed", REOPENED_AT)

    def after_completion(said: Any) -> None:
        said["updatedFrom"]["completedAt"] = "2026-11-05T16:20:30.250Z"

    assert [one.kind for one in read("canceled", after_completion).outcomes] == ["reopened"]


def test_an_issue_made_complete_is_no_outcome() -> None:
    """Nobody reviewed anything; nor does its state need a time."""

    def complete(said: Any) -> None:
        said["data"]["state"]["type"] = "completed"

    delivery = read("created", complete)
    assert delivery.outcomes == ()
    assert (delivery.changes[0].status, delivery.changes[0].closed_at) == ("closed", None)


def test_a_removed_issue_is_closed_and_nothing_came_of_that() -> None:
    """Nothing else is said of it."""
    delivery = read("removed")

    (change,) = delivery.changes
    assert (change.task, change.status, change.closed_at) == ("QUI-18", "closed", change.at)
    assert change.title is None
    assert delivery.outcomes == ()


def test_other_events_come_to_nothing() -> None:
    """But are known, so that a replay is."""

    def restore(said: Any) -> None:
        said["action"] = "restore"

    assert read("comment") == Delivery(delivery_id="234d1a4e-b617")
    assert read("completed", restore) == Delivery(delivery_id="234d1a4e-b617")


def test_a_page_tells_the_same_events_as_the_webhooks_did() -> None:
    """By the same ids, kinds, authors and reviewers; its history is some milliseconds off."""
    page = linear.issues_page(load("linear/issues"))
    told = [*read("completed").outcomes, *read("reopened").outcomes]

    for found, webhook in zip(page.outcomes[:2], told, strict=True):
        assert found.event_id == webhook.event_id
        assert (found.kind, found.subject) == (webhook.kind, webhook.subject)
        assert (found.author, found.reviewers) == (webhook.author, webhook.reviewers)
        assert abs(found.at - webhook.at) < 0.1
    assert page.delivery_id == ""
    assert page.changes[0].at == read("reopened").changes[0].at
    assert page.changes[0].parent == "QUI-7"
    assert (page.changes[0].value, page.changes[0].valued_by) == (Decimal(3), PETRA)


def test_a_completion_that_stands_has_on_a_page_the_time_the_issue_has() -> None:
    """The same to the millisecond as its webhook has."""
    page = linear.issues_page(load("linear/issues"))

    assert page.outcomes[2].subject == "QUI-19"
    assert page.outcomes[2].at == page.changes[1].closed_at == 1793955600.5


def test_on_a_page_too_a_handed_on_issue_was_the_work_of_who_had_it() -> None:
    """Here of an agent, which is a bot."""
    page = linear.issues_page(load("linear/issues"))
    author = page.outcomes[2].author

    assert author is not None
    assert author.is_bot
    assert author.email.startswith("a4bc02c9")
    assert page.changes[1].owner == PETRA
    assert page.changes[1].creator == Account(handle="sentry", is_bot=True)
    assert page.changes[1].parent == ""


def test_the_estimate_on_a_page_was_set_by_the_last_who_changed_it() -> None:
    """By nobody known when the history is cut off and does not tell."""
    changes = linear.issues_page(load("linear/issues")).changes
    assert (changes[1].value, changes[1].valued_by) == (Decimal(5), PETRA)

    def cut(said: Any) -> None:
        said["data"]["issues"]["nodes"][0]["history"]["pageInfo"]["hasNextPage"] = True

    assert linear.issues_page(load("linear/issues", cut)).changes[0].valued_by == Account()

    def by_bot(said: Any) -> None:
        past = said["data"]["issues"]["nodes"][1]["history"]["nodes"][1]
        past["botActor"] = {"id": None}

    changes = linear.issues_page(load("linear/issues", by_bot)).changes
    assert changes[1].valued_by == Account(is_bot=True)


def test_each_completion_on_a_page_has_its_own_time_and_author() -> None:
    """Completed by one, reopened, handed on, and completed by another."""

    def again(said: Any) -> None:
        issue = said["data"]["issues"]["nodes"][0]
        past = issue["history"]["nodes"]
        moved = dict(past[1], createdAt="2026-11-07T10:00:00.040Z")
        handed = dict(past[2], createdAt="2026-11-07T09:00:00.000Z", fromState=None)
        handed |= {"fromAssignee": past[2]["toAssignee"], "toAssignee": past[1]["actor"]}
        issue["history"]["nodes"] = [moved, handed, *past]
        issue |= {"completedAt": "2026-11-07T10:00:00.010Z", "assignee": past[1]["actor"]}

    outcomes = linear.issues_page(load("linear/issues", again)).outcomes[:3]

    assert [(one.kind, one.event_id.partition(":")[2], one.author) for one in outcomes] == [
        ("closed", "completed:1793895630", OMAR),
        ("reopened", "reopened:1793895630", INES),
        ("closed", "completed:1794045600", INES),
    ]
    assert outcomes[2].at == 1794045600.01


def test_an_application_on_a_page_is_a_bot() -> None:
    """Linear says so, whatever its e-mail."""

    def act(said: Any) -> None:
        said["data"]["issues"]["nodes"][0]["history"]["nodes"][1]["actor"]["app"] = True

    assert linear.issues_page(load("linear/issues", act)).outcomes[0].reviewers[0].is_bot


def test_a_reopening_whose_completion_is_cut_off_is_told_all_the_same() -> None:
    """It undoes whatever came before it."""

    def cut(said: Any) -> None:
        del said["data"]["issues"]["nodes"][0]["history"]["nodes"][1:]

    outcome = linear.issues_page(load("linear/issues", cut)).outcomes[0]
    assert (outcome.kind, outcome.event_id) == ("reopened", f"{ISSUE_ID}:reopened:1793952300")


def test_a_reply_with_errors_is_refused() -> None:
    """It tells nothing of any issue."""
    with pytest.raises(WebhookRefused, match="data"):
        linear.issues_page(b'{"errors":[{"message":"x","extensions":{"code":"RATELIMITED"}}]}')


def test_the_query_asks_for_all_that_is_read() -> None:
    """Each field of an issue in the recorded reply is asked for."""
    (issue, _) = json.loads(load("linear/issues"))["data"]["issues"]["nodes"]
    asked = set(linear.ISSUES_QUERY.replace("(", " ").split())

    assert {*issue, *issue["history"]["nodes"][0]} <= asked


def test_only_a_true_signature_is_taken() -> None:
    """Of this body, under either secret."""
    body = load("linear/completed")

    old = linear.read(
        signed(body, OLD_SECRET), body, secret=SECRET, previous_secret=OLD_SECRET, now=SENT_AT
    )
    assert len(old.outcomes) == 1
    for headers, said in (
        (signed(body, OLD_SECRET), body),
        (signed(body), body[:-2] + b" }"),
        (signed(body, b""), body),
        (signed(body, signature="é".encode()), body),
    ):
        with pytest.raises(WebhookRefused, match="signature is not good"):
            linear.read(headers, said, secret=SECRET, now=SENT_AT)


@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_of_the_body_can_be_changed(position: int, bit: int) -> None:
    """Wherever it is."""
    body = load("linear/completed")
    flipped = bytearray(body)
    flipped[position % len(body)] ^= 1 << bit

    with pytest.raises(WebhookRefused, match="signature is not good"):
        linear.read(signed(body), bytes(flipped), secret=SECRET, now=SENT_AT)


def test_an_empty_secret_takes_nothing() -> None:
    """Not even what is signed with it."""
    body = load("linear/completed")
    with pytest.raises(WebhookRefused, match="no secret"):
        linear.read(signed(body, b""), body, secret=b"", now=SENT_AT)


@pytest.mark.parametrize("late_s", [-61.0, 61.0])
def test_what_was_sent_long_ago_or_in_the_future_is_refused(late_s: float) -> None:
    """A minute either way is taken."""
    body = load("linear/completed")
    with pytest.raises(WebhookRefused, match="60 s"):
        linear.read(signed(body), body, secret=SECRET, now=SENT_AT + late_s)

    within = linear.read(signed(body), body, secret=SECRET, now=SENT_AT + late_s * 0.95)
    assert within.delivery_id == "234d1a4e-b617"


@pytest.mark.parametrize("name", [b"linear-signature", b"linear-delivery"])
def test_every_header_must_be_there(name: bytes) -> None:
    """And is named when it is not."""
    body = load("linear/completed")
    headers = signed(body)
    del headers[name]

    with pytest.raises(WebhookRefused, match=name.decode()):
        linear.read(headers, body, secret=SECRET, now=SENT_AT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("data.identifier", 18),
        ("data.updatedAt", "PRIVATE"),
        ("data.state", "PRIVATE"),
        ("data.state.type", ["PRIVATE"]),
        ("data.title", {"PRIVATE": 1}),
        ("webhookTimestamp", "PRIVATE"),
        ("type", 1),
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
        read_at_completion(load("linear/completed", change))
    assert path in str(refused.value)
    assert "PRIVATE" not in str(refused.value)

    def remove(said: Any) -> None:
        for parent in parents:
            said = said[parent]
        del said[name]

    with pytest.raises(WebhookRefused, match=f"missing required field `{name}`"):
        read_at_completion(load("linear/completed", remove))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"\xff"', b"{}{}", b'{"data":' * 100_000,
     b'{"type":"Issue","action":"\xff","webhookTimestamp":1}'],
)  # fmt: skip
def test_garbage_is_refused(body: bytes) -> None:
    """Although it is signed."""
    with pytest.raises(WebhookRefused):
        read_at_completion(body)
    with pytest.raises(WebhookRefused):
        linear.issues_page(body)


def test_no_message_shows_a_secret_or_a_person() -> None:
    """Whatever is wrong."""
    body = load("linear/completed", lambda said: said["data"].pop("identifier"))
    for headers in (signed(body), signed(body, OLD_SECRET), {}):
        with pytest.raises(WebhookRefused) as refused:
            linear.read(headers, body, secret=SECRET, now=SENT_AT)
        for private in ("agreed", "ines", "Omar", "last page"):
            assert private not in str(refused.value)


@given(st.binary() | st.binary().map(lambda some: load("linear/completed")[:-40] + some))
def test_any_bytes_come_to_a_delivery_or_a_refusal(body: bytes) -> None:
    """Nothing else is ever raised."""
    for attempt in (read_at_completion, linear.issues_page):
        assert comes_to(attempt, body) in ("a delivery", "a refusal")
