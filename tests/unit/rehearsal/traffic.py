"""
Random traffic through the real line: calls that overlap, fail, are refused or share a reply.

Now and then the gateway ends, at rest or in the middle of calls, and another one goes on from
the same ledger with quotas that are empty.

`python -m tests.unit.rehearsal.traffic 100000` decides so many again, by the policies that were
in force, and prints how many came out as they were recorded.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncGenerator

from gateway import ledger, policy
from gateway.app.budgets import Seeding
from gateway.errors import GatewayError, ProviderTimeout
from gateway.ledger import hours, projection
from gateway.ledger.decision_log import Entry
from gateway.passage import Snapshot
from gateway.pipeline import Answer, Gateway
from gateway.ports import Outside
from gateway.rehearsal.replays.people import People
from gateway.rehearsal.replays.verification import verify
from gateway.repeats import Repeats
from gateway.sharing import Flights
from gateway.stores.memory import MemoryQuotas
from gateway.stores.memory_ledger import MemoryLedger
from gateway.values import Call, Reply, Target
from tests.playbook import OBSERVER, PEPPER, SECRET, START, WHOLE, Playbook, ScriptedUpstream

PEOPLE = ("alice", "bob", "carol", "dave")
TEAMS = {"alice": "parsers", "bob": "parsers", "carol": "payments", "dave": "search"}
TASKS = ("DEMO-1", "DEMO-2", "DEMO-3", "DEMO-4")
MODELS = ("gpt-4o", "gpt-4o-mini")
PROMPTS = (
    "Please explain why the parser drops the last token of every line that ends in a comma.",
    "please explain why the parser drops the last token of each line that ends in a comma!!",
    "Write a table driven test for the tokenizer of arithmetic expressions with brackets in it.",
    "yes, go on",
    "Summarise the design of the ledger in five sentences, with its guarantees and its limits.",
)
USAGE = (
    b'{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}'
)


class BusyUpstream(ScriptedUpstream):
    """A provider whose answers wait to be let go, and fail now and then."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice
        self.open: list[asyncio.Event] = []

    async def send(self, call: Call, target: Target) -> Reply:
        """Return a reply that waits; or fail."""
        if self.dice.random() < 0.04:
            raise ProviderTimeout("the provider took too long")
        body = USAGE % (self.dice.randint(1, 900), self.dice.randint(1, 4_000))
        ends = asyncio.Event()
        self.open.append(ends)
        return Reply(
            status=500 if self.dice.random() < 0.04 else 200,
            headers=((b"content-type", b"application/json"),),
            chunks=self._body(ends, body if self.dice.random() < 0.9 else WHOLE),
            close=self._close,
            stream=False,
        )

    async def _body(self, ends: asyncio.Event, body: bytes) -> AsyncGenerator[bytes, None]:
        yield body[:10]
        await ends.wait()
        yield body[10:]


def rules(dice: random.Random) -> str:
    """Return random policies: some of each kind of rule, with limits that are reached."""
    near = 'when: \'likeness.kind in ["near", "exact"] && call.metered\''
    some = [
        f"{{id: rate, quota: {{calls: {dice.randint(2, 9)}, per: 10s, by: [principal]}}}}",
        "{id: tokens, quota: {tokens: 60000, per: 30s, by: [team, model]}}",
        f"{{id: at-once, quota: {{concurrent: {dice.randint(1, 4)}, by: [principal]}}}}",
        "{id: at-once-shadow, mode: shadow, quota: {concurrent: 1, by: [task]}}",
        "{id: day-cost, budget: {cost_usd: 0.9, period: hour, by: [task]}}",
        "{id: week, mode: shadow, budget: {calls: 30, period: week, by: [principal, model]}}",
        f"{{id: near, {near}, quota: {{calls: 2, per: 1m, by: [principal, likeness.cluster]}}}}",
        "{id: cheap, when: call.input_tokens > 18, route: {model: gpt-4o-mini}}",
        "{id: dear, mode: shadow, when: task.value == 0.0, route: {model: o3, priority: 2}}",
        "{id: short, when: 'principal.id == \"bob\"', obligations: {max_output_tokens: 700}}",
        "{id: carol, effect: forbid, when: 'principal.id == \"carol\" && call.choices > 1'}",
        "{id: no-exact, when: 'likeness.kind == \"exact\"', effect: forbid, mode: shadow}",
        "{id: spent, when: usage.task.day.cost_usd > 0.6, effect: forbid}",
        "{id: many, when: usage.principal.month.calls > 40, route: {model: o4, priority: 5}}",
        "{id: task, when: 'task.evidence == \"none\"', effect: forbid, code: task_required}",
        "{id: erring, when: 1 / (call.choices - 2) > 0, effect: forbid, mode: shadow}",
    ]
    chosen = dice.sample(some, dice.randint(3, len(some)))
    reuse = dice.choice(["off", "coalesce", "coalesce_sampled"])
    listed = "\n".join(f"  - {rule}" for rule in chosen)
    return f"version: 1\nreuse: {{exact: {reuse}}}\nrules:\n{listed}\n"


class Process:
    """A gateway's hold on a ledger that outlives it."""

    def __init__(self, kept: MemoryLedger) -> None:
        self.kept = kept
        self.is_gone = False

    def stamp(self, *, unlinked: bool = False) -> tuple[str, int]:
        """Return the next stamp."""
        return self.kept.stamp(unlinked=unlinked)

    def append(self, record: ledger.Record, *, urgent: bool = True) -> asyncio.Future[str]:
        """Append, unless the process is gone."""
        if not self.is_gone:
            return self.kept.append(record, urgent=urgent)
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.set_result("")
        return done

    def expedite(self) -> None:
        """Do nothing: it is durable."""

    def note(self, record: Entry) -> None:
        """Note, unless the process is gone."""
        if not self.is_gone:
            self.kept.note(record)


def settle_orphans(kept: MemoryLedger, now_us: int) -> None:
    """Settle what has no settle, as a ledger does that is opened after a crash."""
    leaves = [ledger.decode(line) for line in kept.leaves()]
    settled = {each.attempt_id for each in leaves if isinstance(each, ledger.Settle)}
    for each in leaves:
        if isinstance(each, ledger.Intent) and each.attempt_id not in settled:
            kept.add(projection.orphan(each, kept.stamp(), now_us))
    for cost in hours.fold(kept._costs, lambda _: None).opened.values():
        kept.add(hours.orphan(cost, kept.stamp(unlinked=True)))


class Traffic:
    """A gateway under random load."""

    def __init__(self, seed: int, text: str | None = None) -> None:
        self.dice = random.Random(seed)
        self.text = rules(self.dice) if text is None else text
        self.play = Playbook(self.text)
        self.upstream = BusyUpstream(self.dice)
        self.policies = policy.load([("default.yaml", self.text)])
        self.restarts = 0
        self._put_together()
        self.now_us = round(START * 1_000_000)
        self.keys = [
            self.play.new_key(name, team=TEAMS[name], models=["gpt-4o"] if name == "dave" else [])
            for name in PEOPLE
        ]
        members = frozenset(PEOPLE)
        tasks = [self.play.task(name, members=members) for name in TASKS]
        self.play.registry.import_tasks(tasks, now=START)
        self.jobs: set[asyncio.Task[Answer]] = set()

    async def run(self, count: int) -> list[Entry]:
        """Return the decision log of so many calls."""
        while count > 0:
            self._tick()
            if self.dice.random() < 0.004:
                await self._restart()
            if self.dice.random() < 0.6:
                count -= 1
                self._ask()
            elif self.upstream.open:
                self.upstream.open.pop(self.dice.randrange(len(self.upstream.open))).set()
            elif self.jobs and self.dice.random() < 0.1:
                next(iter(self.jobs)).cancel()
            for _ in range(self.dice.randint(1, 4)):
                await asyncio.sleep(0)
        await self._end()
        return list(self.play.ledger.decision_log())

    def people(self) -> People:
        """Return who pseudonyms stand for."""
        return People(
            self.play.ledger.weekly,
            principals=PEOPLE,
            keys=[key.split("_")[1] for key in self.keys],
        )

    async def _end(self) -> None:
        """Let all calls come to their end."""
        while self.jobs:
            self._tick()
            for each in self.upstream.open:
                each.set()
            self.upstream.open.clear()
            await asyncio.sleep(0)

    async def _restart(self) -> None:
        """End the gateway, half the time in the middle of calls, and start another."""
        if self.dice.random() < 0.5:
            self.process.is_gone = True
            for job in self.jobs:
                job.cancel()
        await self._end()
        self._tick()
        self.restarts += 1
        settle_orphans(self.play.ledger, self.now_us)
        self._put_together()
        started = ledger.StartedRecord(at_us=self.now_us, replica="memory", shared=False)
        self.play.ledger.note(started)
        seeding = Seeding(self.play.quotas, self.play.ledger, lambda: self.play.now)  # type: ignore[arg-type]  # it has what is asked of a ledger
        await seeding.seed(self.policies)

    def _put_together(self) -> None:
        play, earlier = self.play, self.play.gateway.snapshot
        self.process = Process(play.ledger)
        play.quotas = MemoryQuotas()
        outside = Outside(
            keys=play.registry.keys,
            tasks=play.registry.tasks,
            quotas=play.quotas,
            ledger=self.process,
            pseudonyms=play.ledger,
            tally=play.tally,
            clock=lambda: play.now,
            new_id=play.new_id,
        )
        play.gateway = Gateway(
            snapshot=Snapshot(
                policies=self.policies, upstream=self.upstream, prices=earlier.prices
            ),
            outside=outside,
            repeats=Repeats(outside, observer=OBSERVER, flights=Flights(), secret=SECRET),
            credentials=play.credentials,
            pepper=PEPPER,
        )

    def _tick(self) -> None:
        self.now_us += self.dice.choice([1, 999, 40_000, 700_001, 3_000_017])
        if self.dice.random() < 0.002:
            self.now_us += 3 * 3_600_000_000 + 17
        self.play.now = self.now_us / 1_000_000

    def _ask(self) -> None:
        dice = self.dice
        fields: dict[str, object] = {"model": dice.choice(MODELS)}
        if dice.random() < 0.3:
            fields["max_tokens"] = dice.choice([10, 500, 2_000])
        if dice.random() < 0.2:
            fields["n"] = dice.randint(1, 3)
        prompt = dice.choice(PROMPTS)
        if dice.random() < 0.3:
            prompt += f" The case in question is number {dice.getrandbits(40):x}: {dice.random()}."
        asked = self.play.asks(
            prompt,
            task=dice.choice([*TASKS, None]) if dice.random() < 0.3 else TASKS[0],
            key=dice.choice(self.keys),
            **fields,
        )
        job = asyncio.ensure_future(self._answered(asked))
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    async def _answered(self, asked: object) -> None:
        with contextlib.suppress(GatewayError, AssertionError, asyncio.CancelledError):
            await asked  # type: ignore[misc]  # a coroutine of the playbook's


def decisions(log: list[Entry]) -> list[ledger.DecisionRecord]:
    """Return the decisions of a log."""
    return [each for each in log if isinstance(each, ledger.DecisionRecord)]


async def _exact(count: int, at_once: int = 2_000) -> int:
    same = total = restarts = 0
    for seed in range(-(-count // at_once)):
        traffic = Traffic(seed)
        log = await traffic.run(min(at_once, count - total))
        known = {traffic.policies.digest: traffic.policies}
        found = verify(log, known.get, traffic.people())
        same, total = same + found.same, total + found.calls
        restarts += traffic.restarts
    print(f"{same:,} of {total:,} decisions came out as recorded, over {restarts:,} restarts")
    return int(same != total)


if __name__ == "__main__":
    sys.exit(asyncio.run(_exact(int(sys.argv[1]))))
