"""Whatever happens in whatever order, a caller that stays gets exactly the reply."""

import asyncio
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import sharing
from gateway.errors import GatewayError, ProviderCut, ProviderUnreachable
from gateway.values import Reply
from tests.unit.sharing.source import Caller, Source, outcome

Step: TypeAlias = tuple[str, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["begin", "begin", "begin", "cancel", "close", "answer", "piece", "piece", "turn",
             "unreachable", "busy", "cut", "end"]
        ),
        st.integers(0, 7),
    ),
    max_size=60,
)  # fmt: skip


class Stage:
    """A provider that does what a schedule says, and everybody who calls it."""

    def __init__(self, *, resumable: bool) -> None:
        self.flights = sharing.Flights()
        self.resumable = resumable
        self.callers: list[Caller] = []
        self.asked: list[asyncio.Future[Reply]] = []
        self.sources: list[Source] = []
        self.bodies: dict[int, bytes] = {}
        self.hung_up: set[str] = set()

    async def send(self) -> Reply:
        """Wait for the schedule to say what the provider does."""
        assert all(asked.done() for asked in self.asked), "two calls on their way at once"
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    def answer(self, status: int = 200) -> None:
        """Answer the call that waits, if one does."""
        for asked in self.asked:
            if not asked.done():
                self.sources.append(Source())
                self.bodies[len(self.sources) - 1] = b""
                asked.set_result(self.sources[-1].reply(status, resumable=self.resumable))

    def arrive(self, number: int) -> None:
        """Let a piece arrive in every reply under way that no other reply has."""
        for index, source in enumerate(self.sources):
            if source._end is None:
                piece = b"<%d:%d:%d>" % (index, len(self.bodies[index]), number)
                self.bodies[index] += piece
                source.arrive(piece)

    def end(self, error: GatewayError | None) -> None:
        """End every reply under way."""
        for source in self.sources:
            if source._end is None:
                source.end(error)

    async def step(self, what: str, number: int) -> None:
        """Do one step of a schedule."""
        if what == "begin":
            self.callers.append(Caller(self.flights, f"req_{len(self.callers)}", self).begin())
        elif what in {"cancel", "close"}:
            for caller in self.callers[number : number + 1]:
                await self.hang_up(caller, what)
        elif what == "piece":
            self.arrive(number)
        else:
            self.say(what)
        for _ in range(number):
            await asyncio.sleep(0)

    def say(self, what: str) -> None:
        """Have the provider do something other than send a piece."""
        if what == "answer":
            self.answer()
        elif what == "busy":
            self.answer(503)
        elif what in {"cut", "end"}:
            self.end(ProviderCut("broke off") if what == "cut" else None)
        elif what == "unreachable":
            for asked in self.asked:
                if not asked.done():
                    asked.set_exception(ProviderUnreachable("out of reach"))

    async def hang_up(self, caller: Caller, how: str) -> None:
        """Have a caller's job cancelled, or its reply closed."""
        assert caller.job is not None
        if caller.job.done():
            return
        if how == "cancel":
            self.hung_up.add(caller.name)
            caller.job.cancel()
        elif caller.reply is not None:
            self.hung_up.add(caller.name)
            await caller.reply.close()

    async def finish(self) -> list[BaseException | None]:
        """Let the provider answer everything and return how each call ended."""
        for _ in range(4 * len(self.callers) + 10):
            for _ in range(5):
                await asyncio.sleep(0)
            self.answer()
            self.end(None)
        return [await outcome(caller.job) for caller in self.callers]


async def play(steps: list[Step], *, resumable: bool) -> None:
    """Play a schedule and check what came of everybody."""
    stage = Stage(resumable=resumable)
    for what, number in steps:
        await stage.step(what, number)
    ends = await stage.finish()
    bodies = set(stage.bodies.values())
    for caller, end in zip(stage.callers, ends, strict=True):
        if end is None:
            assert caller.got in bodies, (caller.name, caller.got)
        else:
            assert any(body.startswith(caller.got) for body in bodies | {b""})
        if isinstance(end, asyncio.CancelledError):
            assert caller.name in stage.hung_up
    for source, body in zip(stage.sources, stage.bodies.values(), strict=True):
        assert source.reads <= body.count(b"<")
    for _ in range(10):
        await asyncio.sleep(0)
    assert (stage.flights.under_way, stage.flights.jobs) == (0, 0)


@settings(max_examples=300, deadline=None)
@given(STEPS, st.booleans())
def test_every_caller_gets_one_reply_whole_or_is_told(steps: list[Step], resumable: bool) -> None:  # noqa: FBT001 - hypothesis gives it by position
    """No byte lost, doubled or of another reply; one call at a time; nothing left over."""
    asyncio.run(play(steps, resumable=resumable))


async def storm(cancels: list[int]) -> None:
    """Cancel callers while pieces arrive; nobody but them may notice."""
    stage = Stage(resumable=True)
    callers = 40
    for _ in range(callers):
        await stage.step("begin", 1)
    stage.answer()
    await stage.step("turn", 3)
    for number in cancels:
        await stage.step("piece", number % 3)
        await stage.hang_up(stage.callers[number], "cancel")
    stage.end(None)
    ends = [await outcome(caller.job) for caller in stage.callers]
    for caller, end in zip(stage.callers, ends, strict=True):
        gone = caller.name in stage.hung_up
        assert (end is None) or gone
        assert gone or caller.got == stage.bodies[0]
    if len(stage.hung_up) < callers:
        assert stage.sources[0].reads == stage.bodies[0].count(b"<")
        assert stage.sources[0].closed == 0
    assert len(stage.asked) == 1
    assert (stage.flights.under_way, stage.flights.jobs) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 39), max_size=60))
def test_a_storm_of_hang_ups_costs_the_others_nothing(cancels: list[int]) -> None:
    """One provider call, read once; who stays gets every byte."""
    asyncio.run(storm(cancels))
