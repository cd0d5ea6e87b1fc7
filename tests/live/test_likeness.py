"""What the shipped policy makes of repeats, as the SDKs' users meet it."""

import asyncio
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import anthropic
import openai
import pytest

from tests.live.raw import RawCaller, statuses
from tests.live.scripted import ProviderThread
from tests.live.server import (
    POLICIES,
    Answer,
    RunningGateway,
    Site,
    chat,
    message,
    until,
)

CHAT = "/v1/chat/completions"
MODEL = "gpt-5-mini"
CLAUDE = "claude-haiku-4-5"
TOPICS = itertools.count()
STORY = (
    "Explain why the {} importer drops every row after the first empty line, and which of its"
    " three readers has to be changed so that the nightly export of customer invoices is whole"
)
OTHER = "Write a haiku about the {} harbour in autumn, with gulls and a lighthouse keeper in it"
LIMIT: Final = 10
"""How many near-identical calls the shipped policy lets through at once."""
WAIT_S: Final = 20


@dataclass(frozen=True)
class Said:
    """What an SDK's user sees of a reply, or of a refusal."""

    status: int
    headers: Mapping[str, str]
    code: str = ""

    @property
    def kind(self) -> str:
        """What the call is like."""
        return self.headers["x-goodgate-likeness"]

    @property
    def of(self) -> str:
        """The call it is like."""
        return self.headers.get("x-goodgate-likeness-of", "")

    @property
    def request_id(self) -> str:
        """What the gateway calls this call."""
        return self.headers["x-request-id"]


Asking = Callable[[list[dict[str, Any]]], Any]


class Format:
    """One wire format, spoken by the SDK that speaks it: refusals are answers here too."""

    def __init__(self, gateway: RunningGateway, name: str) -> None:
        key, task = gateway.site.keys["alice"], {"X-Task-Id": "PROJ-1"}
        self.name = name
        self.sdk = openai.OpenAI(
            base_url=f"{gateway.url}/v1", api_key=key, default_headers=task, max_retries=0
        )
        self.claude = anthropic.Anthropic(
            base_url=gateway.url, api_key=key, default_headers=task, max_retries=0
        )

    def ask(self, text: str) -> Said:
        """Ask something."""
        return self.turns([{"role": "user", "content": text}])

    def turns(self, messages: list[dict[str, Any]], *, retries: int = 0) -> Said:
        """Send a conversation."""
        try:
            reply = self._asking(retries)(messages)
        except openai.APIStatusError as error:
            return Said(error.status_code, error.response.headers, error.code or "")
        except anthropic.APIStatusError as error:
            body: Any = error.body
            details = body["error"].get("details") or {}
            return Said(error.status_code, error.response.headers, details.get("error_code", ""))
        return Said(reply.status_code, reply.headers)

    def polled(self, number: int, question: str) -> list[dict[str, Any]]:
        """Return a conversation in which a tool has just said, as ever, that it is not done."""
        asked: dict[str, Any] = {"role": "user", "content": question}
        if self.name == "messages":
            use = {"type": "tool_use", "id": f"toolu_{number}", "name": "look", "input": {}}
            result = {"type": "tool_result", "tool_use_id": use["id"], "content": PENDING}
            return [
                asked,
                {"role": "assistant", "content": [use]},
                {"role": "user", "content": [result]},
            ]
        if self.name == "responses":
            call = {
                "type": "function_call",
                "call_id": f"call_{number}",
                "name": "look",
                "arguments": "{}",
            }
            result = {
                "type": "function_call_output",
                "call_id": call["call_id"],
                "output": PENDING,
            }
            return [asked, call, result]
        function = {"name": "look", "arguments": "{}"}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        return [
            asked,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": PENDING},
        ]

    def _asking(self, retries: int) -> Asking:
        sdk, claude = self.sdk.with_options(max_retries=retries), self.claude
        if self.name == "chat":
            return lambda messages: sdk.chat.completions.with_raw_response.create(
                model=MODEL, messages=messages
            )
        if self.name == "responses":
            return lambda messages: sdk.responses.with_raw_response.create(
                model=MODEL, input=messages
            )
        claude = claude.with_options(max_retries=retries)
        return lambda messages: claude.messages.with_raw_response.create(
            model=CLAUDE, max_tokens=64, messages=messages
        )

    def close(self) -> None:
        """Hang up."""
        self.sdk.close()
        self.claude.close()


PENDING = "status: the deployment is still pending, nothing has changed, look again in a minute"


def topic() -> str:
    """Return a name that no other test has asked about, and that is no slip for another."""
    digest = hashlib.sha256(b"%d" % next(TOPICS)).digest()
    return "".join("bdfgklmnprstvz"[one % 14] + "aeiou"[one // 14 % 5] for one in digest[:4])


@pytest.fixture(scope="module")
def running(
    seeded: Site, scripted: ProviderThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    """A gateway with the shipped policy, to the letter."""
    site = seeded.copy(tmp_path_factory.mktemp("likeness") / "site").providers(scripted.url)
    site.policy((POLICIES / "default.yaml").read_text())
    # Sketches are keyed: under some secrets two of the topics are taken for slips of one another.
    with site.running(GOODGATE_SECRET="s" * 64) as gateway:
        yield gateway


@pytest.fixture
def own(site: Site) -> Site:
    """A site of the test's own with the shipped policy; not running."""
    return site.policy((POLICIES / "default.yaml").read_text())


@pytest.fixture(name="wire", params=["chat", "responses", "messages"])
def _wire(
    request: pytest.FixtureRequest, running: RunningGateway, provider: ProviderThread
) -> Iterator[Format]:
    provider.reset()
    made = Format(running, request.param)
    yield made
    made.close()


def test_a_reply_says_what_the_call_is_like(wire: Format) -> None:
    text = STORY.format(topic())

    first = wire.ask(text)
    again = wire.ask(f"**{text.upper()}** !")
    salted = wire.ask(f"Hi! Please {text}, thanks. [8f14e45f-ceea-467f-a8cf-5d4c1d7e0b21]")
    other = wire.ask(OTHER.format(topic()))

    assert [said.status for said in (first, again, salted, other)] == [200] * 4
    assert [said.kind for said in (first, again, salted, other)] == ["new", "exact", "near", "new"]
    assert (again.of, salted.of) == (first.request_id, first.request_id)
    assert (first.of, other.of) == ("", "")


def test_a_number_that_matters_makes_another_prompt(wire: Format) -> None:
    text = STORY.format(topic())

    kinds = [wire.ask(f"{text}. This is about ticket {n}.").kind for n in (123, 124, 125)]

    assert kinds == ["new"] * 3


def test_a_retry_after_a_failure_is_free_and_a_repeat_is_not(
    wire: Format, provider: ProviderThread
) -> None:
    text = STORY.format(topic())
    provider.script.append("500")

    failed, again, once_more = wire.ask(text), wire.ask(text), wire.ask(text)

    assert (failed.status, failed.kind) == (500, "new")
    assert (again.status, again.kind) == (200, "retry")
    assert again.of == failed.request_id
    assert once_more.kind == "exact"


def test_the_sdks_own_retry_is_one(wire: Format, provider: ProviderThread) -> None:
    """The SDK says with each attempt which it is; the gateway goes by the failure it saw."""
    provider.script.append("500")

    said = wire.turns([{"role": "user", "content": STORY.format(topic())}], retries=2)

    assert (said.status, said.kind) == (200, "retry")
    assert len(provider.requests) == 2


def test_the_eleventh_at_once_is_slowed_and_told_so(wire: Format, running: RunningGateway) -> None:
    text = STORY.format(topic())

    first = wire.ask(text)
    repeats = [wire.ask(f"{text} {'!' * n}") for n in range(LIMIT)]
    refused = wire.ask(text)
    elsewhere = wire.ask(OTHER.format(topic()))

    assert first.kind == "new"
    assert [said.status for said in repeats] == [200] * LIMIT
    assert (refused.status, refused.code) == (429, "near_identical_rate")
    assert 0 < float(refused.headers["retry-after"]) <= WAIT_S
    assert refused.kind == "exact"
    assert elsewhere.status == 200
    found = {entry["request_id"]: entry for entry in running.site.entries()}
    entry = found[refused.request_id]
    assert (entry["decision"], entry["likeness"]) == ("refused", "exact")
    assert entry["cluster"] == found[first.request_id]["cluster"] != ""
    assert Decimal(entry["cost_usd"]) == 0


def test_polling_a_tool_is_never_slowed(wire: Format) -> None:
    question = STORY.format(topic())

    polls = [wire.turns(wire.polled(0, question)) for _ in range(2 * LIMIT)]

    assert [said.status for said in polls] == [200] * 2 * LIMIT
    assert {said.kind for said in polls} == {"continuation"}


@pytest.mark.parametrize("word", ["yes", "ok, proceed", "Yes, go on please."])
def test_approvals_are_never_slowed(wire: Format, word: str) -> None:
    said = [wire.ask(word) for _ in range(2 * LIMIT)]

    assert [each.status for each in said] == [200] * 2 * LIMIT
    assert {each.kind for each in said} == {"short"}


def test_an_entry_says_kind_and_cluster(wire: Format, running: RunningGateway) -> None:
    text = STORY.format(topic())
    first, again, short = wire.ask(text), wire.ask(text + " please"), wire.ask("yes")

    found = {entry["request_id"]: entry for entry in running.site.entries()}
    entries = [found[said.request_id] for said in (first, again, short)]

    assert [entry["likeness"] for entry in entries] == [first.kind, again.kind, "short"]
    assert entries[0]["cluster"] == entries[1]["cluster"]
    assert text[:20] not in str(entries)


def headers(gateway: RunningGateway, key: str = "alice", task: str = "PROJ-1") -> dict[str, str]:
    """Return what a caller sends with each call."""
    return {
        "authorization": f"Bearer {gateway.site.keys[key]}",
        "x-task-id": task,
        "connection": "close",
    }


Sent = tuple[str, dict[str, Any], dict[str, str]]


async def _all_at_once(
    gateway: RunningGateway, provider: ProviderThread, sent: list[Sent], asked: int
) -> list[bytes]:
    """Send calls; let the provider answer when so many of them have reached it."""
    async with AsyncExitStack() as stack:
        made = [await stack.enter_async_context(RawCaller(gateway.port)) for _ in sent]
        for caller, (path, body, extra) in zip(made, sent, strict=True):
            await caller.post(path, body, extra)
        await asyncio.to_thread(until, lambda: gateway.metric("goodgate_open_calls") == len(sent))
        await asyncio.to_thread(until, lambda: len(provider.requests) == asked)
        provider.go()
        return list(await asyncio.gather(*(caller.read_all() for caller in made)))


def at_once(
    gateway: RunningGateway, provider: ProviderThread, sent: list[Sent], asked: int
) -> list[dict[str, Any]]:
    """Return the entries of calls that are under way together; so many reach the provider."""
    provider.script.extend(["slow"] * asked)
    received = asyncio.run(_all_at_once(gateway, provider, sent, asked))
    assert [statuses(each) for each in received] == [[200]] * len(sent)
    assert len(provider.requests) == asked
    gateway.quiet()
    theirs = {found for each in received for found in REQUEST_ID.findall(each.decode())}
    assert len(theirs) == len(sent)
    return [entry for entry in gateway.site.entries() if entry["request_id"] in theirs]


REQUEST_ID = re.compile(r"^x-request-id: (\S+)\r$", re.MULTILINE)
BODIES: Mapping[str, Callable[..., dict[str, Any]]] = {CHAT: chat, "/v1/messages": message}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_identical_calls_at_once_are_one_call_and_an_entry_each(
    running: RunningGateway, provider: ProviderThread, path: str, *, stream: bool
) -> None:
    """More of them than may come near-identical: sharing costs nobody anything."""
    body = BODIES[path](STORY.format(topic()), stream=stream)

    entries = at_once(running, provider, [(path, body, headers(running))] * 2 * LIMIT, 1)

    (paid,) = [entry for entry in entries if entry["decision"] == "forwarded"]
    others = [entry for entry in entries if entry["decision"] == "coalesced"]
    assert len(others) == 2 * LIMIT - 1
    assert Decimal(paid["cost_usd"]) > 0
    assert {Decimal(entry["cost_usd"]) for entry in others} == {0}
    assert {entry["coalesced_into"] for entry in others} == {paid["request_id"]}
    assert {entry["likeness"] for entry in others} == {"exact"}
    assert {entry["cluster"] for entry in entries} == {paid["cluster"]}


def test_two_people_never_share_and_two_tasks_do(
    running: RunningGateway, provider: ProviderThread
) -> None:
    body = chat(STORY.format(topic()))
    senders = [("alice", "PROJ-1"), ("alice", "PROJ-2"), ("bob", "PROJ-1"), ("mini", "PROJ-1")]
    sent = [(CHAT, body, headers(running, *sender)) for sender in senders]

    entries = at_once(running, provider, sent, 2)

    paid = {e["request_id"]: e for e in entries if e["decision"] == "forwarded"}
    shares = [entry for entry in entries if entry["decision"] == "coalesced"]
    assert (len(paid), len(shares)) == (2, 2)  # alice has two keys
    for entry in shares:
        assert paid[entry["coalesced_into"]]["principal"] == entry["principal"]


@pytest.mark.parametrize(
    ("extra", "wish"),
    [
        ({}, "no-store"),
        ({}, "max-age=0, No-Store"),
        ({"temperature": 0.7}, ""),
        ({"top_p": 0.9}, ""),
        ({"n": 2}, ""),
    ],
)
def test_who_wants_an_answer_of_their_own_gets_one(
    running: RunningGateway, provider: ProviderThread, extra: dict[str, Any], wish: str
) -> None:
    body = chat(STORY.format(topic()), **extra)
    wishes = {"cache-control": wish} if wish else {}

    entries = at_once(running, provider, [(CHAT, body, headers(running) | wishes)] * 3, 3)

    assert [entry["decision"] for entry in entries] == ["forwarded"] * 3


def test_temperature_zero_is_shared(running: RunningGateway, provider: ProviderThread) -> None:
    body = chat(STORY.format(topic()), temperature=0)

    entries = at_once(running, provider, [(CHAT, body, headers(running))] * 3, 1)

    assert sorted(e["decision"] for e in entries) == ["coalesced", "coalesced", "forwarded"]


def storing(site: Site, reuse: str) -> Site:
    """Have a site keep replies."""
    shipped = (POLICIES / "default.yaml").read_text()
    changed = shipped.replace("reuse: {exact: coalesce, share: principal}", f"reuse: {reuse}")
    assert changed != shipped
    return site.policy(changed)


def ask(gateway: RunningGateway, body: object, **options: Any) -> Answer:
    """Send a chat for a task; wait until it is settled too."""
    answer = gateway.ask(CHAT, body, task="PROJ-1", **options)
    assert answer.status == 200, answer.body
    gateway.quiet()
    return answer


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_kept_reply_answers_later_repeats_until_its_time_is_over(
    own: Site, *, stream: bool
) -> None:
    body = chat(STORY.format(topic()), stream=stream)
    with storing(own, "{exact: store, share: principal, ttl: 2s}").running() as gateway:
        first = ask(gateway, body)
        until(lambda: ask(gateway, body).headers["x-goodgate-decision"] == "reused", 2)
        later = ask(gateway, body)
        others = ask(gateway, body, key="bob")
        fresh = ask(gateway, body, headers={"cache-control": "no-store"})
        until(lambda: ask(gateway, body).headers["x-goodgate-decision"] == "forwarded")
        entry = own.entry(later.request_id)

    assert later.headers["x-goodgate-decision"] == "reused"
    assert later.body == first.body
    assert {a.headers["x-goodgate-decision"] for a in (others, fresh)} == {"forwarded"}
    assert entry["coalesced_into"] == first.request_id
    assert Decimal(entry["cost_usd"]) == 0
    assert (entry["output_tokens"], entry["likeness"]) == (0, "exact")


def test_a_cut_reply_and_a_sampled_one_are_not_kept(own: Site, provider: ProviderThread) -> None:
    cut, sampled = chat(STORY.format(topic()), stream=True), chat(temperature=1)
    provider.script.append("cut:2")
    with storing(own, "{exact: store, share: principal, ttl: 10m}").running() as gateway:
        asyncio.run(_cut_off(gateway, cut))
        gateway.quiet()
        found = [ask(gateway, body) for body in (cut, sampled, sampled)]

    assert {answer.headers["x-goodgate-decision"] for answer in found} == {"forwarded"}


async def _cut_off(gateway: RunningGateway, body: object) -> None:
    async with RawCaller(gateway.port) as caller:
        await caller.post(CHAT, body, headers(gateway))
        received = await caller.read_all()
    assert b"word1" in received
    assert b"[DONE]" not in received


def test_another_policy_ends_sharing_with_what_is_under_way_and_with_what_is_kept(
    own: Site, provider: ProviderThread
) -> None:
    kept, slow = chat(STORY.format(topic())), chat(OTHER.format(topic()))
    storing(own, "{exact: store, share: principal, ttl: 10m}")
    with own.running() as gateway:
        ask(gateway, kept)
        assert ask(gateway, kept).headers["x-goodgate-decision"] == "reused"
        provider.reset()
        provider.script.extend(["slow", "slow"])
        received = asyncio.run(_reload_between(gateway, provider, slow))
        again = ask(gateway, kept)

    assert [statuses(each) for each in received] == [[200], [200]]
    assert again.headers["x-goodgate-decision"] == "forwarded"
    entries = own.entries()
    assert len({entry["policy"] for entry in entries}) == 2
    assert sorted(e["decision"] for e in entries) == [*["forwarded"] * 4, "reused"]


async def _reload_between(
    gateway: RunningGateway, provider: ProviderThread, body: object
) -> list[bytes]:
    """Send the same call before and after a reload: the second must reach the provider too."""
    async with RawCaller(gateway.port) as before, RawCaller(gateway.port) as after:
        await before.post(CHAT, body, headers(gateway))
        await asyncio.to_thread(until, lambda: len(provider.requests) == 1)
        storing(gateway.site, "{exact: store, share: principal, ttl: 9m}")
        reload = {"key": "admin", "method": "POST"}
        answer = await asyncio.to_thread(gateway.ask, "/-/reload", b"", **reload)
        assert answer.status == 200, answer.body
        await after.post(CHAT, body, headers(gateway))
        await asyncio.to_thread(until, lambda: len(provider.requests) == 2)
        provider.go()
        return [await before.read_all(), await after.read_all()]
