"""
What the ledger adds to a call: the gateway before a provider that takes 20 ms, side by side.

Three gateways on one core: as it is; one that appends settles alone, so that the difference is
the intent's; one that appends nothing. `python -m benchmarks.ledger_line settles|nothing serve ...`
is the gateway of which these records are left out. For benchmarks only: it keeps no record.
"""

import asyncio
import runpy
import sys
from pathlib import Path

import msgspec

from benchmarks import measures
from benchmarks.contenders import Site, start_provider
from benchmarks.programs import cores
from gateway import ledger
from gateway.stores.sqlite.ledger import Ledger

AS_IS, SETTLES, NOTHING = "as it is", "settles alone", "nothing"
PROVIDER_MS = 20.0
RATE = 500


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """How long calls take, by what is appended."""

    as_it_is: measures.Latency
    settles_alone: measures.Latency
    nothing: measures.Latency

    @property
    def intent_p50_ms(self) -> float:
        """What the intent adds to the median."""
        return self.as_it_is.p50_ms - self.settles_alone.p50_ms


def measured(folder: Path, *, seconds: float, rounds: int) -> Line:
    """Return medians of alternating rounds."""
    one, other = cores()
    provider = start_provider(folder, core=other, events=300, interval_ms=2, latency_ms=PROVIDER_MS)
    modules = {
        AS_IS: ("gateway",),
        SETTLES: ("benchmarks.ledger_line", "settles"),
        NOTHING: ("benchmarks.ledger_line", "nothing"),
    }
    contenders = []
    with provider.program:
        try:
            for name, module in modules.items():
                site = Site(folder / name.replace(" ", "-"), provider=provider.port)
                started = site.start(core=one, module=module)
                contenders.append(msgspec.structs.replace(started, name=name))
            found = measures.latency(contenders, seconds=seconds, rounds=rounds, rate=RATE)
        finally:
            for contender in contenders:
                contender.program.stop()
    return Line(as_it_is=found[AS_IS], settles_alone=found[SETTLES], nothing=found[NOTHING])


def leave_out(kinds: tuple[type[ledger.Record], ...]) -> None:
    """Have the ledger of this process take records of some kinds and throw them away."""
    append = Ledger.append

    def without(self: Ledger, record: ledger.Record, *, urgent: bool = True) -> asyncio.Future[str]:
        if not isinstance(record, kinds):
            return append(self, record, urgent=urgent)
        done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done.set_result("")
        return done

    Ledger.append = without  # type: ignore[assignment]  # the point of it


def main() -> None:
    """Run `goodgate` with some records left out."""
    which = sys.argv.pop(1)
    intents = (ledger.Intent, ledger.CostIntent, ledger.Refusal)
    settles = (ledger.Settle, ledger.CostSettle)
    leave_out(intents if which == "settles" else (*intents, *settles))
    runpy.run_module("gateway", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
