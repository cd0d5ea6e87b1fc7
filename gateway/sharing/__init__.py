"""
Identical calls share one provider call.

    flights = sharing.Flights(relay)                     # one for the process
    share = b""
    if sharing.eligible(mode, call):                     # cheap, before the fingerprint
        share = sharing.key(secret, scope=scope, principal=principal, fingerprint=fingerprint,
                            policy=digest, provider=target.provider, model=target.model)

    failures = 0
    while True:
        with flights.board(share, request_id, failures) as boarding:   # or close it in a finally
            if boarding.leads:
                # refused: just leave, and one of the others leads.
                # another replica leads: reply = await flights.join(boarding, replica) or send
                # a reply was kept: boarding.carry_stored(sharing.unpack(kept))
                try:
                    reply = boarding.carry(await upstream.send(call, target))
                except GatewayError as error:
                    boarding.fail(error)
                    raise
            elif await boarding.departure():
                reply = boarding.follow()                # may raise, as `send` does
            else:
                failures = boarding.failures
                continue
            async for chunk in reply.chunks: ...         # or `await reply.close()`
            break

A leader whose caller is gone goes on reading while `boarding.followed`; if it closes its
reply all the same, its followers lose nothing. What leaves here is always the provider's
reply, byte for byte: every caller's own `wire.Reader` makes of it what that caller gets.
"""

from gateway.sharing.boarding import Boarding
from gateway.sharing.flights import Flights
from gateway.sharing.key import canonical, eligible, key
from gateway.sharing.remote import Relay, RemoteFlight
from gateway.sharing.stored import Stored, pack, unpack

__all__ = [
    "Boarding",
    "Flights",
    "Relay",
    "RemoteFlight",
    "Stored",
    "canonical",
    "eligible",
    "key",
    "pack",
    "unpack",
]
