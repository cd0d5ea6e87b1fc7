"""
What trackers told, on its way into the catalogue and the ledger.

Every step can be done again without harm: a change older than what is known changes nothing, an
event has one id however often it is told, and what the ledger is to be told waits in the outbox
until it was. So a process may end anywhere in between, and the tracker or the next one goes on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from gateway import tasks
from gateway.app.stores import Ledger, Outbox, Registry
from gateway.app.syncing import AWAY
from gateway.credit import telling
from gateway.errors import LedgerUnavailable, RegistryUnavailable
from gateway.settings import Tracker
from gateway.values import Account, Approval, Delivery, OutcomeEvent, Telling

log = logging.getLogger("goodgate.tracking")

TELL_S: Final = 2.0
"""How often the outbox is looked at without being asked to."""
REVALUE_S: Final = 30.0
"""All roots that were ever valued are looked at no more often, however often tasks change."""
LATE_S: Final = 20.0
"""What waited longer may have been appended by a process that ended before it could say so."""
FORGET_S: Final = 30 * 86_400.0
"""How long ids of deliveries are remembered: no tracker tries again for a month."""
APPROVALS_MAX: Final = 50
"""Of one subject; the newest are kept."""
PLACE_CHARS_MAX: Final = 500


class _Holding(Protocol):
    def holds(self, attempt_id: str, kind: str, n: int) -> bool:
        """Return whether there is such a leaf."""
        ...


class Around(Struct, frozen=True, kw_only=True):
    """What tracking needs of the program around it."""

    registry: Registry
    outbox: Outbox
    ledger: Ledger
    trackers: Callable[[], Mapping[str, Tracker]]
    people: Callable[[], tasks.Directory]
    policy: Callable[[], str]
    """Digest of the policy set in force."""
    clock: Callable[[], float]


class Approvals:
    """Who approves of what is not merged yet, by the handles of a tracker."""

    def __init__(self, outbox: Outbox, tracker: str) -> None:
        self._outbox = outbox
        self._tracker = tracker

    def take(self, approval: Approval) -> None:
        """Remember an approval, or that it was taken back; what is older changes nothing."""
        if approval.by.is_bot:
            return
        found = self._found(approval.subject)
        handle = approval.by.handle
        if approval.at < found.get(handle, (0.0, False))[0]:
            return
        found[handle] = (approval.at, approval.stands)
        newest = sorted(found.items(), key=lambda each: each[1])[-APPROVALS_MAX:]
        self._outbox.set_place(
            self._tracker, _place(approval.subject), msgspec.json.encode(dict(newest)).decode()
        )

    def of(self, event: OutcomeEvent) -> OutcomeEvent:
        """Return what was merged with those who had approved of it among its reviewers."""
        if event.kind != "merged":
            return event
        handles = {each.handle for each in event.reviewers}
        more = [
            Account(handle=handle)
            for handle, (at, stands) in sorted(self._found(event.subject).items())
            if stands and at <= event.at and handle not in handles
        ]
        return msgspec.structs.replace(event, reviewers=(*event.reviewers, *more))

    def forget(self, event: OutcomeEvent) -> None:
        """Forget who approved of what is merged now: its outcome says so."""
        if event.kind == "merged" and self._found(event.subject):
            self._outbox.set_place(self._tracker, _place(event.subject), "")

    def _found(self, subject: str) -> dict[str, tuple[float, bool]]:
        text = self._outbox.place(self._tracker, _place(subject))
        return msgspec.json.decode(text, type=dict[str, tuple[float, bool]]) if text else {}


class Tracking:
    """Takes what trackers tell, and tells the ledger."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._asked = asyncio.Event()
        self._taking, self._telling = asyncio.Lock(), asyncio.Lock()
        self._job: asyncio.Task[int] | None = None
        self._began = around.clock()
        self._valued, self._valued_at = "", -REVALUE_S
        """Digest of the catalogue that roots were valued by last, and when that was."""

    async def take(self, tracker: Tracker, delivery: Delivery) -> bool:
        """
        Take in a message or a page; False: it had been taken before.

        Raises:
            RegistryUnavailable: it could not be kept; the tracker tries again.

        """
        async with self._taking:
            is_new = await asyncio.to_thread(self._take, tracker, delivery)
        self._asked.set()
        return is_new

    async def revalue(self) -> None:
        """Tell the ledger what roots are worth now, where that changed since it was told."""
        async with self._taking:
            await asyncio.to_thread(self._revalue, self._around.outbox.valued_roots())
        self._asked.set()

    async def run(self) -> None:
        """Tell the ledger what waits, for as long as the gateway runs."""
        is_away = False
        while True:
            try:
                await self._chores()
                is_away = False
            except (LedgerUnavailable, RegistryUnavailable) as error:
                if not is_away:
                    log.warning("what trackers told waits in the outbox: %s", error)
                is_away = True
            self._asked.clear()
            try:
                async with asyncio.timeout(TELL_S):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def tell(self) -> int:
        """
        Tell the ledger what waits in the outbox; return how much that was.

        Once begun it goes on to its end, whoever is cancelled: nothing is appended twice.
        """
        self._job = asyncio.ensure_future(self._tell())
        return await asyncio.shield(self._job)

    def stale(self) -> frozenset[str]:
        """Return the trackers nobody has heard of for too long, or a sync did not find. Blocks."""
        heard, now = self._around.outbox.heard_at(), self._around.clock()
        return frozenset(
            name
            for name, tracker in self._around.trackers().items()
            if tracker.stale_after_s
            and (
                now - max(heard.get(name, 0.0), self._began) > tracker.stale_after_s
                or float(self._around.outbox.place(name, AWAY) or 0) > heard.get(name, 0.0)
            )
        )

    async def _chores(self) -> None:
        await self._revalue_if_changed()
        await self.tell()
        stale = await asyncio.to_thread(self.stale)
        if stale != self._around.registry.tasks.stale_trackers:
            for name in sorted(stale - self._around.registry.tasks.stale_trackers):
                log.warning("tracker %s was not heard of for too long: its tasks are stale", name)
            self._around.registry.tasks.stale_trackers = stale
        await asyncio.to_thread(self._around.outbox.forget, self._around.clock() - FORGET_S)

    async def _revalue_if_changed(self) -> None:
        """Tell what roots are worth after the catalogue was imported, or followed elsewhere."""
        digest, now = self._around.registry.tasks.digest, self._around.clock()
        if digest != self._valued and now >= self._valued_at + REVALUE_S:
            await self.revalue()
            self._valued, self._valued_at = digest, now

    async def _tell(self) -> int:
        around, count = self._around, 0
        async with self._telling:
            while found := await asyncio.to_thread(around.outbox.lease, around.clock()):
                for each in await self._untold(found):
                    await self._append(each)
                ids = [each.id for each in found]
                await asyncio.to_thread(around.outbox.told, ids, around.clock())
                count += len(found)
        return count

    async def _untold(self, found: list[Telling]) -> list[Telling]:
        """Return what the ledger does not hold yet."""
        around = self._around
        since_s = max(self._began, around.clock() - LATE_S)
        if all(each.at_us / 1_000_000 >= since_s for each in found):
            return found
        await around.ledger.flush()
        held = await asyncio.to_thread(_held, around.ledger.reading, found)
        return [each for each in found if each.id not in held]

    def _append(self, each: Telling) -> Awaitable[object]:
        around = self._around
        made = telling.leaf(
            each,
            commitment=around.ledger.commitment,
            policy=around.policy(),
            catalogue=around.registry.tasks.digest,
            stamp=around.ledger.stamp(),
        )
        return around.ledger.append(made)

    def _take(self, tracker: Tracker, delivery: Delivery) -> bool:
        around, now = self._around, self._around.clock()
        outbox, who = around.outbox, partial(around.people().who, tracker.name)
        if delivery.delivery_id and outbox.is_replay(tracker.name, delivery.delivery_id):
            return False
        if delivery.changes:
            around.registry.follow(
                delivery.changes, tracker=tracker.name, who=who, team=tracker.team
            )
        approvals = Approvals(outbox, tracker.name)
        for approval in delivery.approvals:
            approvals.take(approval)
        known = self._known(who)
        at_us = round(now * 1_000_000)
        for event in sorted(delivery.outcomes, key=lambda each: each.at):
            # One by one: what the next one comes to may rest on what this one was told.
            approved = approvals.of(event)
            told = telling.told(approved, tracker=tracker.name, around=known, at_us=at_us)
            outbox.add(told, now=now)
            approvals.forget(event)
        self._revalue(self._roots(delivery))
        outbox.heard(tracker.name, now)
        return outbox.add((), tracker=tracker.name, delivery_id=delivery.delivery_id, now=now)

    def _roots(self, delivery: Delivery) -> set[str]:
        find = self._around.registry.tasks.get
        named = (find(tasks.canonical(change.task)) for change in delivery.changes)
        return {task.root_id or task.id for task in named if task is not None}

    def _revalue(self, roots: Iterable[str]) -> None:
        known, now = self._known(_nobody), self._around.clock()
        for root_id in sorted(roots):
            worth = telling.valued(root_id, known, round(now * 1_000_000))
            if worth is not None:
                self._around.outbox.add((worth,), now=now)

    def _known(self, who: Callable[[Account | None], str]) -> telling.Around:
        around, teams = self._around, dict[str, set[str]]()
        for key in around.registry.list_keys():
            if key.revoked_at is None:
                teams.setdefault(key.principal.team, set()).add(key.principal.id)
        return telling.Around(
            find=around.registry.tasks.get,
            under=around.registry.tasks.under,
            team=lambda team: frozenset(teams.get(team, ())),
            who=who,
            accepted_for=around.outbox.accepted_for,
            last_valuation=around.outbox.last_valuation,
        )


def _nobody(_account: Account | None) -> str:
    return ""


def _place(subject: str) -> str:
    return f"approved {subject}"[:PLACE_CHARS_MAX]


def _held(reading: _Holding, found: Iterable[Telling]) -> set[str]:
    held: set[str] = set()
    for each in found:
        if each.event == "valuation":
            n = int(each.id.rpartition(":")[2])
            is_there = reading.holds(telling.valuation_id(each.root_id), "valuation", n)
        else:
            is_there = reading.holds(each.id, "outcome", 0)
        if is_there:
            held.add(each.id)
    return held
