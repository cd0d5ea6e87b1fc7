"""
Boilerplate: what roots are heard to say is written down now and then, and frozen for a policy.

Nothing of it is on the line. What a replica has not written down when it is killed is not learnt.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from gateway import policy
from gateway.app.stores import Boilerplate
from gateway.errors import RegistryUnavailable
from gateway.likeness import Learning, widespread

log = logging.getLogger("goodgate.learning")

FLUSH_S: Final = 10.0


class Learner:
    """Keeps what an observer learns, and says what is boilerplate under a policy version."""

    def __init__(self, store: Boilerplate, learning: Learning, clock: Callable[[], float]) -> None:
        self._store = store
        self._learning = learning
        self._clock = clock
        self._forgotten = ""

    def frozen(self, policies: policy.PolicySet) -> bytes:
        """
        Return what is boilerplate under a policy version, frozen now if it never was. Blocks.

        Raises:
            RegistryUnavailable: it cannot be read or kept; nothing may be guessed here.

        """
        kept = self._store.frozen(policies.digest)
        if kept is not None:
            return kept
        seen = [each for period in self._periods() for each in self._store.seen(period)]
        found = widespread(seen, policies.settings.credit.boilerplate_roots)
        return self._store.freeze(policies.digest, found, self._clock())

    async def freeze(self, policies: policy.PolicySet) -> bytes:
        """Return the same, with all that this replica has heard."""
        await self.flush()
        return await asyncio.to_thread(self.frozen, policies)

    async def flush(self) -> None:
        """Write down what was heard; raises RegistryUnavailable, and what was heard is lost."""
        earlier, period = self._periods()
        seen = self._learning.take(period)
        if seen:
            await asyncio.to_thread(self._store.add, period, seen)
        if earlier != self._forgotten:
            await asyncio.to_thread(self._store.forget, earlier)
            self._forgotten = earlier

    async def run(self) -> None:
        """Write down what is heard, for as long as the gateway runs."""
        is_away = False
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
                is_away = False
            except RegistryUnavailable as error:
                if not is_away:
                    log.warning("no boilerplate is learnt for now: %s", error)
                is_away = True

    def _periods(self) -> tuple[str, str]:
        """Return the month before this one, and this one."""
        year, month = time.gmtime(self._clock())[:2]
        before = (year, month - 1) if month > 1 else (year - 1, 12)
        return f"{before[0]:04}-{before[1]:02}", f"{year:04}-{month:02}"
