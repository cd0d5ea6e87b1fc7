"""
The flights under way in this process.

The rule it keeps: of all the calls that share a key, at most one at a time is on its way to
a provider from here.
"""

import asyncio

from gateway.errors import GatewayError
from gateway.sharing import remote
from gateway.sharing.boarding import Boarding
from gateway.sharing.flight import Flight, Jobs
from gateway.values import Reply


class Flights:
    """Where calls that may share a reply find each other."""

    def __init__(self, relay: remote.Relay | None = None) -> None:
        """Share within this process, and through `relay` with other replicas."""
        self._relay = relay
        self._table: dict[bytes, Flight] = {}
        self._jobs: Jobs = set()

    @property
    def under_way(self) -> int:
        """How many flights take followers now."""
        return len(self._table)

    def shares(self) -> list[bytes]:
        """Return the shares of the replies that this process reads from their provider."""
        return [share for share, flight in self._table.items() if not flight.is_borrowed]

    @property
    def jobs(self) -> int:
        """How many replies are read beside the calls that wait for them."""
        return len(self._jobs)

    def board(self, share: bytes, request_id: str, failures: int = 0) -> Boarding:
        """
        Return a seat on the flight of a share: a new one's leader, or a follower.

        An empty share is a flight nobody can follow. `failures` are those the same call has
        had so far (`Boarding.failures`).
        """
        flight = self._table.get(share)
        if flight is None:
            flight = Flight(share, request_id, self._table, self._jobs)
            if share:
                self._table[share] = flight
            return Boarding(flight, leads=True, failures=failures)
        boarding = Boarding(flight, leads=False, failures=failures)
        flight.enter(boarding)
        return boarding

    def find(self, share: bytes) -> Boarding | None:
        """Return a follower's seat, for another replica; None when no call is sent from here."""
        flight = self._table.get(share)
        if flight is None or flight.is_borrowed:
            return None
        return self.board(share, "")

    async def join(self, boarding: Boarding, replica: str) -> Reply | None:
        """
        Return the reply another replica waits for, and have it carried; None: lead on.

        For a leader who was told that the replica leads (`Observation.leader`). Its first byte
        is here then; a failure before that is none of the provider's.
        """
        if self._relay is None:
            return None
        # Not to be found while it follows: two replicas would wait for each other.
        boarding.flight.is_borrowed = True
        try:
            found = await self._relay.follow(boarding.flight.share, replica)
        except GatewayError:
            found = None
        reply = None if found is None else await boarding.carry_remote(found)
        boarding.flight.is_borrowed = reply is not None
        return reply

    async def close(self) -> None:
        """Give up every reply that is read beside its callers: the process is stopping."""
        jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
