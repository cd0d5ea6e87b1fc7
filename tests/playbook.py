"""
The language scenarios are told in.

    admission = await play.admits("fix the parser", task="DEMO-1")
    answer = await play.asks("fix the parser", task="DEMO-1")

A scenario runs the real line with the reference stores, a provider that answers from a
script and a clock that only moves when told to.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from gateway import identity, ledger, likeness, metering, policy, sharing, tasks, wire
from gateway.errors import GatewayError
from gateway.passage import Admission, Snapshot
from gateway.pipeline import Answer, Gateway
from gateway.ports import Outside
from gateway.repeats import Repeats
from gateway.stores.memory import MemoryQuotas
from gateway.stores.memory_ledger import MemoryLedger
from gateway.stores.memory_registry import MemoryRegistry
from gateway.values import Call, Inbound, Reply, Target, Task, Terms
from gateway.web.metrics import Tally

PEPPER = b"p" * 32
SECRET = b"s" * 32
HIDDEN = (b"authorization", b"x-task-id", b"x-stainless-retry-count")
AS_ASKED = Terms()
OBSERVER = likeness.Observer(SECRET)
START = 1_767_603_600.0  # 2026-01-05 09:00 UTC
POLICIES = Path(__file__).parent.parent / "policies" / "default.yaml"


WHOLE = (
    b'{"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":5,"completion_tokens":7}}'
)


class ScriptedUpstream:
    """A provider that answers every call with the same reply, piece by piece."""

    def __init__(self) -> None:
        self.status = 200
        self.pieces: Sequence[bytes | Exception] = (WHOLE,)
        self.stream = False
        self.error: BaseException | None = None
        self.calls: list[Call] = []
        self.targets: list[Target] = []
        self.called = asyncio.Event()
        self.waiting = asyncio.Event()
        self.closed = 0
        self.holds: asyncio.Event | None = None
        """Set: wait for it before the first piece."""

    def names(self) -> tuple[str, ...]:
        """Return the one model there is."""
        return ("gpt-4o",)

    def target(self, call: Call, terms: Terms = AS_ASKED) -> Target:
        """Return the provider, or what rules want instead."""
        return Target(
            provider=terms.provider or "scripted",
            model=terms.model or call.model,
            format="openai",
            output_tokens_max=terms.output_tokens_max,
            headers=terms.headers,
        )

    def fingerprint(self, call: Call, target: Target) -> bytes:
        """Return what the provider sees: the body, and the headers that are no secret."""
        headers = {k: v for k, v in call.inbound.headers.items() if k not in HIDDEN}
        return call.inbound.body + repr((target, sorted(headers.items()))).encode()

    async def send(self, call: Call, target: Target) -> Reply:
        """Return the scripted reply."""
        self.calls.append(call)
        self.targets.append(target)
        self.called.set()
        if self.error is not None:
            raise self.error
        return Reply(
            status=self.status,
            headers=((b"content-type", b"application/json"),),
            chunks=self._chunks(),
            close=self._close,
            stream=self.stream,
        )

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        if self.holds is not None:
            self.waiting.set()
            await self.holds.wait()
        for piece in self.pieces:
            await asyncio.sleep(0)
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def _close(self) -> None:
        self.closed += 1


class Playbook:
    """The line, and everything around it, in one process and without waiting."""

    def __init__(self, policies: str | None = None) -> None:
        self.now = START
        self.upstream = ScriptedUpstream()
        self.registry = MemoryRegistry()
        self.ledger = MemoryLedger()
        self.quotas = MemoryQuotas()
        self.tally = Tally()
        self.credentials = tasks.TaskCredentials(b"s" * 32)
        self.flights = sharing.Flights()
        self.gone = False
        ids = itertools.count(1)
        self.new_id = lambda: f"{next(ids):032x}"
        text = POLICIES.read_text() if policies is None else policies
        outside = Outside(
            keys=self.registry.keys,
            tasks=self.registry.tasks,
            quotas=self.quotas,
            ledger=self.ledger,
            pseudonyms=self.ledger,
            tally=self.tally,
            clock=lambda: self.now,
            new_id=self.new_id,
        )
        self.gateway = Gateway(
            snapshot=Snapshot(
                policies=policy.load([("default.yaml", text)]),
                upstream=self.upstream,
                prices=metering.PriceBook({}),
            ),
            outside=outside,
            repeats=Repeats(outside, observer=OBSERVER, flights=self.flights, secret=SECRET),
            credentials=self.credentials,
            pepper=PEPPER,
        )
        self.key = self.new_key("alice")
        self.registry.import_tasks([self.task("DEMO-1"), self.task("DEMO-2")], now=self.now)

    def new_key(self, principal: str, *, team: str = "parsers", models: Sequence[str] = ()) -> str:
        """Return the credential of a new key."""
        text, key = identity.mint(
            pepper=PEPPER,
            principal_id=principal,
            team=team,
            role="developer",
            models=frozenset(models),
            now=self.now,
        )
        self.registry.add_key(key)
        return text

    def task(self, task_id: str, **changes: Any) -> Task:
        """Return an open task of alice's."""
        plain = Task(id=task_id, spelling=task_id, root_id=task_id, members=frozenset({"alice"}))
        return msgspec.structs.replace(plain, **changes)

    async def admits(self, prompt: str = "fix the parser", **options: Any) -> Admission:
        """Return what the line decides about a chat call that is not sent then."""
        admission = await self.places(prompt, **options)
        admission.close()
        return admission

    async def places(
        self,
        prompt: str = "fix the parser",
        *,
        task: str | None = "DEMO-1",
        key: str | None = None,
        headers: dict[bytes, bytes] | None = None,
        **fields: Any,
    ) -> Admission:
        """Return what the line decides about a chat call; forward it, or close its boarding."""
        named = {b"x-task-id": task.encode()} if task else {}
        sent = {b"authorization": b"Bearer " + (key or self.key).encode()} | named | (headers or {})
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]} | fields
        principal, task_credential = await self.gateway.authenticate(sent)
        inbound = Inbound(
            route=wire.ROUTES_BY_PATH["/v1/chat/completions"],
            path_task="",
            query=b"",
            headers=sent,
            body=msgspec.json.encode(body),
        )
        return await self.gateway.admit(inbound, principal, task_credential)

    async def asks(self, prompt: str = "fix the parser", **options: Any) -> Answer:
        """Return the answer to a call the line permits."""
        admission = await self.places(prompt, **options)
        try:
            return await self.gateway.forward(admission, lambda: self.gone)
        finally:
            admission.close()

    async def fails(self, prompt: str = "fix the parser", **options: Any) -> GatewayError:
        """Return the error a call ends with."""
        try:
            answer = await self.asks(prompt, **options)
            if answer.chunks is not None:
                async for _ in answer.chunks:
                    pass
        except GatewayError as error:
            return error
        raise AssertionError("the call was answered")

    def decisions(self) -> list[ledger.DecisionRecord]:
        """Return what was decided, as the decision log has it."""
        log = self.ledger.decision_log(0, 2**62)
        return [each for each in log if isinstance(each, ledger.DecisionRecord)]

    def entries(self) -> list[ledger.Leaf]:
        """Return the leaves of calls, in order."""
        found = [ledger.decode(line) for line in self.ledger.leaves()]
        calls = (ledger.Intent, ledger.Settle, ledger.Refusal)
        return [leaf for leaf in found if isinstance(leaf, calls)]
