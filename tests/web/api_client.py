"""The JSON API as its callers meet it: through HTTP, over the reference registry."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.types import Message

from gateway import identity, ledger, policy, tasks
from gateway.errors import ConfigError
from gateway.ledger.decision_log import Entry, Page, within
from gateway.ledger.hours import HourKey, HourSum
from gateway.stores.memory_ledger import MemoryLedger
from gateway.stores.memory_registry import MemoryRegistry
from gateway.values import Key, Role, Task
from gateway.web import api

NOW = 1_800_000_000.0
PEPPER = b"p" * 32
ROLES: tuple[Role, ...] = ("developer", "admin", "auditor")


class Book:
    """A ledger that keeps what it was told, in order with what was read from it; and a log."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.fails: Exception | None = None
        self.people = {"c1": "alice", "c2": "alice"}
        self.log_of = MemoryLedger(random=lambda size: b"r" * size, clock=lambda: NOW)

    def __getattr__(self, name: str) -> Any:
        """Return what a ledger can do besides: its log's."""
        return getattr(self.log_of, name)

    def stamp(self) -> tuple[str, int]:
        """Return the next sequence number."""
        return "r1", len(self.events) + 1

    async def append(self, record: ledger.Leaf) -> None:
        """Keep a record."""
        if self.fails is not None:
            raise self.fails
        self.events.append(record)

    def rows(
        self, query: ledger.Query, people: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        """Return three entries of two people, and note that somebody looked."""
        self.events.append(("read", query, people))
        names = enumerate(("c1", "c2", "c3"))
        of = {"root_id": "PROJ-1", "cost_usd": None, "decision": "forwarded"}
        return [{"index": n, "principal": name} | of for n, name in names]

    def cost_hours(self, query: ledger.Query) -> list[tuple[HourKey, HourSum]]:
        """Return one row, and note that somebody looked."""
        self.events.append(("read", query, None))
        key = HourKey(hour=int(NOW), team="t", model="m", reason="closed")
        return [(key, HourSum(calls=3, refused=1, tokens=9, cost_usd=Decimal("1E-7")))]

    def persons(self) -> dict[str, str]:
        """Return who is who: one of the commitments was erased."""
        return self.people

    def commitments(self, principal: str) -> frozenset[str]:
        """Return the commitments of a person."""
        return frozenset(each for each, name in self.persons().items() if name == principal)


class Syncs:
    """Syncs that are done as soon as they are asked for."""

    def __init__(self) -> None:
        self.done: dict[str, Any] = {}

    def start(self, name: str) -> dict[str, Any]:
        """Note which tracker was asked for."""
        self.done[name] = {"tracker": name, "state": "done"}
        return dict(self.done[name])

    def status(self) -> dict[str, Any]:
        """Return what was asked for."""
        return self.done


class DecisionLog:
    """Decisions by request id, those still in memory apart; and files of policies by digest."""

    def __init__(self) -> None:
        self.records: dict[str, ledger.DecisionRecord] = {}
        self.unwritten: dict[str, ledger.DecisionRecord] = {}
        self.files: dict[str, list[tuple[str, str]]] = {}
        self.flushes = 0
        self.then: Callable[[], object] = list
        """What a flush brings about besides."""

    def decision(self, request_id: str) -> ledger.DecisionRecord | None:
        """Return a decision that is written."""
        return self.records.get(request_id)

    def decision_log(
        self, since_us: int, until_us: int, *, shadowed: bool = False
    ) -> Iterator[Entry]:
        """Yield the decisions of a window, whatever shadow rules said of them."""
        yield from within(self.records.values(), since_us, until_us)

    def decision_page(self, *, after: str, since_us: int, until_us: int, limit: int) -> Page:
        """Return all decisions of a window on one page."""
        found = within(self.records.values(), since_us, until_us)
        return Page(lines=[ledger.encode(each) for each in found], after="")

    def policy_files(self, digest: str) -> list[tuple[str, str]] | None:
        """Return the files behind a digest."""
        return self.files.get(digest)

    async def flush(self) -> None:
        """Write what is in memory."""
        self.flushes += 1
        self.then()
        self.records |= self.unwritten


def _weekly(name: str, at_us: int) -> str:
    return f"{name}@{at_us // 604_800_000_000}"


class World:
    """An API over a registry with three people, and a way to ask it."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.book = Book()
        self.decided = DecisionLog()
        self.policies = policy.load([("a.yaml", "version: 1\nrules: []\n")])
        self.now = NOW
        self.signers = [self.book.log_of._signer]
        self.reloads = 0
        self.broken = ""
        numbers = itertools.count(1)
        context = api.Api(
            registry=self.registry,
            ledger=self.book,
            reading=self.book,
            decisions=self.decided,
            flush=self.decided.flush,
            policies=lambda: self.policies,
            weekly=_weekly,
            weekly_apart=lambda: _weekly,
            credentials=tasks.TaskCredentials(b"s" * 32),
            pepper=PEPPER,
            clock=lambda: self.now,
            new_id=lambda: f"{next(numbers):032x}",
            reload=self._reload,
            status=lambda: {"version": "1", "policy": "sha256:p", "prices_as_of": "2026-11-01"},
            signers=lambda: self.signers,
            syncs=Syncs(),
        )
        self.app = Starlette(routes=api.routes(context))
        self.keys: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        for role in ROLES:
            self.add_key(role, principal=role, role=role)
        self.registry.import_tasks(
            [
                Task(
                    id="PROJ-1", spelling="proj-1", title="Login", members=frozenset({"developer"})
                ),
                Task(id="PROJ-2", spelling="PROJ-2", team="payments"),
                Task(id="OPS-7", spelling="OPS-7", members=frozenset({"carol"})),
                Task(
                    id="OLD-1",
                    spelling="OLD-1",
                    status="closed",
                    closed_at=NOW - 90_000,
                    members=frozenset({"developer"}),
                ),
                Task(
                    id="NEW-1",
                    spelling="NEW-1",
                    status="closed",
                    closed_at=NOW - 60,
                    members=frozenset({"developer"}),
                ),
            ],
            now=NOW,
        )

    def add_key(self, name: str, *, principal: str, role: Role, team: str = "payments") -> Key:
        """File a key under a name the tests use."""
        credential, key = identity.mint(
            pepper=PEPPER, principal_id=principal, team=team, role=role, models=(), now=NOW
        )
        self.registry.add_key(key)
        self.keys[name], self.ids[name] = credential, key.id
        return key

    def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> "Reply":
        """Return the reply to one request; `body` is JSON unless it is bytes."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        sent = {"host": "gateway", "content-length": str(len(raw)), **(headers or {})}
        if who:
            sent.setdefault("authorization", f"Bearer {self.keys.get(who, who)}")
        return asyncio.run(_exchange(self.app, method, path, sent, raw))

    async def _reload(self) -> str:
        if self.broken:
            raise ConfigError(self.broken)
        self.reloads += 1
        return "sha256:new"


class Reply(msgspec.Struct):
    """A reply, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.json["error"]["code"])


async def _exchange(
    app: Starlette, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    plain, _, query = path.partition("?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": plain,
        "raw_path": plain.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    pieces = [body[at : at + 60_000] for at in range(0, len(body), 60_000)] or [b""]
    inbox: list[Message] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    inbox[-1]["more_body"] = False
    said: list[Message] = []

    async def receive() -> Message:
        return inbox.pop(0) if inbox else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        said.append(message)

    # What nobody foresaw is answered first and raised for the server's log after that.
    with contextlib.suppress(ZeroDivisionError):
        await app(scope, receive, send)
    return Reply(
        status=said[0]["status"],
        headers={name.decode(): value.decode() for name, value in said[0]["headers"]},
        body=b"".join(message.get("body", b"") for message in said[1:]),
    )
