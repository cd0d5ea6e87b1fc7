"""What is kept of a root: under 2 KB, grown by leaves in any order."""

from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from gateway.credit.acceptance import Event
from gateway.credit.sketch import UNIT_BYTES, merged
from gateway.ledger import Weight

EVENTS_MAX: Final = 10_000
"""Of one root. Whoever has more is no task but a machine."""


class Worth(Struct, frozen=True, kw_only=True):
    """What a valuation says."""

    n: int
    at_us: int
    team: str
    team_size: int
    value: str
    is_independent: bool
    """Whether somebody set the value who does not profit from it."""
    by_bot: bool
    weights: tuple[Weight, ...] = ()
    """Of the first; empty for all others."""


class Root(Struct, kw_only=True):
    """All that credit needs of one root."""

    units: tuple[str, ...] = ()
    calls: int = 0
    """Valid calls that asked something; one alone bears a mark."""
    all_calls: int = 0
    cost_nano_usd: int = 0
    """Of all its calls, valid or not."""
    newest_us: dict[str, int] = {}
    """When the newest valid call was received, by task."""
    events: dict[str, set[Event]] = {}
    """By task."""
    worth: dict[int, Worth] = {}
    """By n."""
    refused: int = 0
    """Outcomes that were no acceptance."""

    @property
    def is_flooded(self) -> bool:
        """Whether more was said of its tasks than of any real one."""
        return sum(map(len, self.events.values())) > EVENTS_MAX

    def first_accepted_us(self, task_id: str) -> int | None:
        """Return when the gateway first learnt that a task was accepted; None: it never did."""
        times = (each.at_us for each in self.events.get(task_id, ()) if each.kind == "accepted")
        return min(times, default=None)

    def add_call(self, task_id: str, received_at_us: int, units: tuple[str, ...]) -> None:
        """Count a call that was completed, unless its task was accepted before."""
        accepted_us = self.first_accepted_us(task_id) if self.events else None
        if accepted_us is not None and received_at_us >= accepted_us:
            return
        if received_at_us > self.newest_us.get(task_id, 0):
            self.newest_us[task_id] = received_at_us
        if units:
            self.calls += 1
            self.units = merged(self.units, units)

    def add_event(self, task_id: str, event: Event) -> bool:
        """Add what was said of a task; return whether calls were counted that must not be."""
        self.events.setdefault(task_id, set()).add(event)
        return event.kind == "accepted" and event.at_us <= self.newest_us.get(task_id, -1)

    def forget_calls(self) -> None:
        """Begin again with the calls; what they cost and how many there were stands."""
        self.units, self.calls, self.newest_us = (), 0, {}


class Folded(Struct, frozen=True, kw_only=True):
    """What a store's fold has come to."""

    size: int
    """Leaves it is of."""
    checkpoint: str
    """The newest there was; it may be of fewer leaves."""
    roots: Mapping[str, Root]


class _Packed(Struct, array_like=True):
    units: bytes
    calls: int
    all_calls: int
    cost_nano_usd: int
    newest_us: dict[str, int]
    events: dict[str, list[Event]]
    worth: list[Worth]
    refused: int


_Key = TypeVar("_Key", str, int)
_Value = TypeVar("_Value")
_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(root: Root) -> bytes:
    """Return a root as bytes for a store; equal roots give equal bytes."""
    return msgspec.msgpack.encode(
        _Packed(
            units=bytes.fromhex("".join(root.units)),
            calls=root.calls,
            all_calls=root.all_calls,
            cost_nano_usd=root.cost_nano_usd,
            newest_us=_in_order(root.newest_us),
            events={task: sorted(of) for task, of in _in_order(root.events).items()},
            worth=list(_in_order(root.worth).values()),
            refused=root.refused,
        )
    )


def _in_order(found: dict[_Key, _Value]) -> dict[_Key, _Value]:
    return found if len(found) < 2 else {key: found[key] for key in sorted(found)}  # noqa: PLR2004  # one is in order


def unpack(packed: bytes) -> Root:
    """Return the root that was packed; raises msgspec.ValidationError when it is none."""
    found = _decoder.decode(packed)
    text = found.units.hex()
    size = 2 * UNIT_BYTES
    return Root(
        units=tuple(text[at : at + size] for at in range(0, len(text), size)),
        calls=found.calls,
        all_calls=found.all_calls,
        cost_nano_usd=found.cost_nano_usd,
        newest_us=found.newest_us,
        events={task: set(events) for task, events in found.events.items()},
        worth={each.n: each for each in found.worth},
        refused=found.refused,
    )
