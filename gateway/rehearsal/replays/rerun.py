"""
A log run again: each recorded call decided anew, each end settled, in their order.

What the log leaves open is taken to end: a call its key refused gives back what it drew, and a
call nobody ever made uses all it could and lasts as long as calls do.
"""

import heapq
from collections import deque
from typing import Final

from gateway import metering, policy
from gateway.ledger import DecisionRecord, SettledRecord, StartedRecord
from gateway.ledger.decision_log import received_ms
from gateway.rehearsal.replays.recorded import Recorded
from gateway.rehearsal.replays.seeds import Seeds
from gateway.rehearsal.simulation import Decided, Simulation
from gateway.values import Usage

RELEASED_AFTER_S: Final = 1.0
"""When a call its key refused has given back what it drew, if the log does not say."""
LASTS_S: Final = 10.0
"""How long a call lasts, while nothing is known of how long calls last."""
LASTS_S_MAX: Final = 86_400.0


class Rerun:
    """A simulation fed by a log."""

    def __init__(
        self, policies: policy.PolicySet, old: policy.PolicySet | None, recorded: Recorded
    ) -> None:
        """Begin with nothing drawn; `old` are the policies recorded levels are read by."""
        self.simulation = Simulation(policies)
        self._recorded = recorded
        self._seeds = Seeds(self.simulation, old)
        self._ends: list[tuple[float, str, Usage, int]] = []
        self._refused: deque[tuple[float, str]] = deque()
        self._lasted_s = 0.0
        self._ended = 0

    def under(self, policies: policy.PolicySet) -> None:
        """Go on under other policies, as after a reload."""
        if policies.digest != self.simulation.policies.digest:
            self.simulation.policies = policies
            self._seeds.under(policies)

    def restart(self, started: StartedRecord) -> None:
        """Begin anew, as a gateway does whose quotas were in its own memory."""
        if not started.shared:
            now = started.at_us / 1e6
            self._pass_time(now)
            self.simulation.restart(now)

    def decide(self, record: DecisionRecord) -> Decided:
        """Return what is decided about a recorded call now."""
        now = record.at_us / 1e6
        self._pass_time(now)
        asked = self._recorded.asked(record, self.simulation.policies)
        self._seeds.sow(record, asked.facts, now)
        decided = self.simulation.decide(asked)
        if record.by_key:
            self._refused.append((now, record.request_id))
        return decided

    def let_through(self, record: DecisionRecord, decided: Decided) -> int:
        """Let a call end that was never made; return what it costs at most, in nano-dollars."""
        reserve, used, cost = decided.reserve, Usage(), 0
        if record.served == "forwarded":
            cost = metering.nano_usd(reserve.cost_usd)
            used = Usage(input_tokens=reserve.input_tokens, output_tokens=reserve.output_tokens)
        lasts_s = self._lasted_s / self._ended if self._ended else LASTS_S
        ends = record.at_us / 1e6 + lasts_s
        heapq.heappush(self._ends, (ends, record.request_id, used, cost))
        return cost

    def settle(self, settled: SettledRecord, cost_nano_usd: int) -> None:
        """Settle a call as the log says, at a cost that may be another."""
        now = settled.at_us / 1e6
        if settled.released:
            self.simulation.release(settled.request_id, now)
            return
        used = Usage(input_tokens=settled.input_tokens, output_tokens=settled.output_tokens)
        self.simulation.settle(settled.request_id, used, cost_nano_usd, now)
        if self._ends:
            self._measure(settled.request_id, now)

    def _measure(self, request_id: str, now: float) -> None:
        began_ms = received_ms(request_id)
        if began_ms is not None and 0 <= now - began_ms / 1e3 < LASTS_S_MAX:
            self._lasted_s += now - began_ms / 1e3
            self._ended += 1

    def _pass_time(self, now: float) -> None:
        """Let end what ends by now although the log does not say so."""
        while self._ends and self._ends[0][0] <= now:
            at, request_id, used, cost = heapq.heappop(self._ends)
            self.simulation.settle(request_id, used, cost, at)
        while self._refused and self._refused[0][0] + RELEASED_AFTER_S < now:
            at, request_id = self._refused.popleft()
            self.simulation.release(request_id, at + RELEASED_AFTER_S)
