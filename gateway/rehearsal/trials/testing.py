"""
Running test cases: the calls of a case, in order, and the first that comes out otherwise.

Each case begins with nothing counted, and its clock stands where its file says: a case comes
out the same whenever, wherever and beside whatever it runs.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from gateway.policy import PolicySet
from gateway.rehearsal.simulation import Asked, Decided, Simulation
from gateway.rehearsal.trials.cases import NANO, Case, Step, Used
from gateway.rehearsal.trials.expectations import Expected, Value
from gateway.values import Refusal, Reserve, Terms, Usage

Watch: TypeAlias = Callable[[Decided], None]
"""Is shown everything that was decided."""

NOTHING_USED = Used(usage=Usage(), cost_nano_usd=0)


class Shortfall(Struct, frozen=True, kw_only=True):
    """One thing that came out otherwise."""

    what: str
    line: int
    expected: str
    came: str


class Failure(Struct, frozen=True, kw_only=True):
    """The first call of a case that came out otherwise."""

    step: int
    """Counted from 1; 0 when the case has only the one call."""
    call: int
    """Which of the step's calls, from 1."""
    times: int
    line: int
    shortfalls: tuple[Shortfall, ...]
    decided_by: str
    """The rule that decided and where it is; empty when none refused."""
    message: str
    """What the caller would have read."""

    @property
    def where(self) -> str:
        """Return which call it was: `step 2, call 7 of 10`; empty in a case of one call."""
        call = f"call {self.call} of {self.times}" if self.times > 1 else ""
        step = f"step {self.step}" if self.step else ""
        return ", ".join(each for each in (step, call) if each)

    @property
    def lines(self) -> tuple[str, ...]:
        """Return all of it in words."""
        differences = [
            f"{each.what}: expected {each.expected}, came {each.came}" for each in self.shortfalls
        ]
        decided = f"decided by {self.decided_by}: {self.message}" if self.decided_by else ""
        return tuple(each for each in (*differences, decided or "no rule refused the call") if each)


class Result(Struct, frozen=True, kw_only=True):
    """What came of a case."""

    case: Case
    failure: Failure | None

    @property
    def passed(self) -> bool:
        """Return whether everything came out as expected."""
        return self.failure is None


def run(case: Case, policies: PolicySet, watch: Watch | None = None) -> Result:
    """Return what comes of a case under some policies; it ends with the first failing call."""
    run_ = _Run(case, policies, watch)
    for at, step in enumerate(case.steps, 1):
        failure = run_.step(step, at if len(case.steps) > 1 else 0)
        if failure is not None:
            return Result(case=case, failure=failure)
    return Result(case=case, failure=None)


class _Run:
    """One case under way."""

    def __init__(self, case: Case, policies: PolicySet, watch: Watch | None) -> None:
        self._policies = policies
        self._simulation = Simulation(policies)
        self._watch = watch
        self._calls = 0
        self._open: dict[str, list[tuple[str, Used]]] = {}

    def step(self, step: Step, at: int) -> Failure | None:
        """Make a step's calls; return the first that comes out otherwise."""
        for request_id, used in self._open.pop(step.closes, ()):
            self._settle(request_id, used, step.now)
        for call in range(1, step.times + 1):
            decided = self._call(step)
            short = _shortfalls(step, decided)
            if short:
                return self._failure(step, at, call, short, decided.decision.refusal)
        return None

    def _call(self, step: Step) -> Decided:
        self._calls += 1
        request_id = f"req_{self._calls}"
        decided = self._simulation.decide(_asked(step, request_id))
        if self._watch is not None:
            self._watch(decided)
        used = _used(step, decided)
        if step.opens:
            self._open.setdefault(step.opens, []).append((request_id, used))
        else:
            self._settle(request_id, used, step.now)
        return decided

    def _settle(self, request_id: str, used: Used, now: float) -> None:
        self._simulation.settle(request_id, used.usage, used.cost_nano_usd, now)

    def _failure(
        self,
        step: Step,
        at: int,
        call: int,
        short: Sequence[Shortfall],
        refusal: Refusal | None,
    ) -> Failure:
        return Failure(
            step=at,
            call=call,
            times=step.times,
            line=step.line,
            shortfalls=tuple(short),
            decided_by=f"{refusal.rule} ({refusal.place})" if refusal is not None else "",
            message=refusal.message if refusal is not None else "",
        )


def _asked(step: Step, request_id: str) -> Asked:
    facts = step.facts
    reserve = Reserve(
        input_tokens=facts["call.input_tokens"],
        output_tokens=facts["call.output_tokens_max"],
        cost_usd=Decimal(str(facts["call.cost_usd_max"])),
    )
    return Asked(
        request_id=request_id,
        facts=facts,
        reserve=reserve,
        now=step.now,
        served=step.served,
        given=step.given,
        reserve_for=lambda terms: _on_terms(reserve, terms),
    )


def _on_terms(reserve: Reserve, terms: Terms) -> Reserve:
    """Return the most a call can come to on terms. What fewer tokens cost, no test file says."""
    most = terms.output_tokens_max
    if most is None or most >= reserve.output_tokens:
        return reserve
    return Reserve(input_tokens=reserve.input_tokens, output_tokens=most, cost_usd=reserve.cost_usd)


def _used(step: Step, decided: Decided) -> Used:
    """Return what a call came to: as the step says, else all it reserved."""
    if step.used is not None:
        return step.used
    if step.failed or step.served != "forwarded":
        return NOTHING_USED
    reserve = decided.reserve
    return Used(
        usage=Usage(input_tokens=reserve.input_tokens, output_tokens=reserve.output_tokens),
        cost_nano_usd=int(reserve.cost_usd * NANO),
    )


def _shortfalls(step: Step, decided: Decided) -> list[Shortfall]:
    return [
        Shortfall(
            what=each.what,
            line=each.line,
            expected=_wanted(each),
            came=shown(each.came(decided)),
        )
        for each in step.expected
        if not each.met(decided)
    ]


def _wanted(expected: Expected) -> str:
    said = shown(expected.value)
    return f"one with {said!r} in it" if expected.contained else said


def shown(value: Value) -> str:
    """Return a value as messages show it."""
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(value))}]"
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{name}: {text}" for name, text in value) + "}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if value is None or value == "":
        return "none"
    return str(value)
