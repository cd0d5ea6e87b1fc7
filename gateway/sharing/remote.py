"""
What sharing needs to follow a reply that another replica waits for.

The rule it keeps: a relay only carries bytes. Whom a call may share with is in its share
(`sharing.key`), and who leads is the store's to say (`Observation.leader`).
"""

from collections.abc import AsyncIterator
from typing import Protocol

from gateway.errors import GatewayError
from gateway.values import Reply


class RemoteFlight(Protocol):
    """A reply that another replica reads from its provider, from its first byte."""

    @property
    def request_id(self) -> str:
        """Request id of the call the other replica sent."""
        ...

    @property
    def status(self) -> int:
        """HTTP status of the reply."""
        ...

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Headers of the reply, as `Reply.headers`."""
        ...

    @property
    def stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        ...

    @property
    def chunks(self) -> AsyncIterator[bytes]:
        """The body; ends early by raising `errors.ProviderCut`, whoever failed."""
        ...

    async def close(self) -> None:
        """Stop following. A second time does nothing; needed unless `chunks` was read out."""
        ...


class Relay(Protocol):
    """The way to the other replicas."""

    async def follow(self, share: bytes, leader: str) -> RemoteFlight | None:
        """
        Return the reply the replica `leader` waits for, once its head is there.

        None when it has none, or failed, or cannot be reached: then the call is sent from here.
        """
        ...


async def begun(remote: RemoteFlight) -> Reply | None:
    """Return a remote reply once its first byte is here; None when it failed before."""
    chunks = remote.chunks
    first: tuple[bytes, ...] = ()
    try:
        first = (await anext(chunks),)
    except StopAsyncIteration:
        pass
    except GatewayError:
        await remote.close()
        return None
    except BaseException:
        await remote.close()
        raise
    return Reply(
        status=remote.status,
        headers=remote.headers,
        chunks=_preceded(first, chunks),
        close=remote.close,
        stream=remote.stream,
    )


async def _preceded(first: tuple[bytes, ...], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in first:
        yield chunk
    async for chunk in chunks:
        yield chunk
