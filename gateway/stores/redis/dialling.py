"""How a server is met: connect, introduce oneself, and see that it does its work."""

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.stores.redis.address import Address
from gateway.stores.redis.resp import Away, Link, NoScript, ServerError

NAME: Final = b"goodgate"
PROBE: Final = (b"SET", b"gg:{probe}:up", b"1", b"PX", b"1000")


async def dial(address: Address, make: Callable[[], Link], timeout_s: float) -> tuple[Link, str]:
    """
    Return a link that has introduced itself, and the server's mode: `standalone` or `cluster`.

    Raises:
        Away: nobody is there, or they do not let us in.

    """
    link = await _connect(address, make, timeout_s)
    try:
        hello = await link.send(*_hello(address))
        facts = dict(zip(hello[::2], hello[1::2], strict=False))
        mode = facts.get(b"mode", b"standalone").decode()
        if address.db:
            await link.send(b"SELECT", b"%d" % address.db)
    except ServerError as error:
        link.close()
        raise Away(f"it refuses HELLO or SELECT: {error}") from None
    except BaseException:
        link.close()
        raise
    return link, mode


async def probe(link: Link) -> None:
    """
    Write something: a replica, a full or a loading server will not have it.

    Raises:
        Away

    """
    try:
        await link.send(*PROBE)
    except (ServerError, NoScript) as error:
        raise Away(f"it takes no writes: {error}") from None


async def _connect(address: Address, make: Callable[[], Link], timeout_s: float) -> Link:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            if address.path:
                return (await loop.create_unix_connection(make, address.path))[1]
            context = address.context
            return (
                await loop.create_connection(
                    make,
                    address.host,
                    address.port,
                    ssl=context,
                    server_hostname=address.host if context else None,
                )
            )[1]
    except TimeoutError:
        raise Away(f"no connection in {timeout_s:g} s") from None
    except (OSError, UnicodeError) as error:  # ssl.SSLError is an OSError
        raise Away(f"no connection: {type(error).__name__}") from None


def _hello(address: Address) -> tuple[bytes, ...]:
    """Return RESP2 whatever the server's default (https://valkey.io/commands/hello/)."""
    parts: tuple[bytes, ...] = (b"HELLO", b"2")
    if address.password:
        parts += (b"AUTH", (address.username or "default").encode(), address.password.encode())
    return (*parts, b"SETNAME", NAME)
