"""Where the store is, as its URL says. A credential in it shows in no repr and in no error."""

import ssl
from functools import cache
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import ConfigError

PORT: Final = 6379
SCHEMES: Final = ("redis", "rediss", "unix")


class Address(Struct, frozen=True, kw_only=True):
    """One server, and how to introduce oneself."""

    host: str = ""
    port: int = PORT
    path: str = ""
    """Of a Unix socket; empty for TCP."""
    is_tls: bool = False
    username: str = ""
    password: str = ""
    db: int = 0

    def __repr__(self) -> str:
        """Return the place alone."""
        return self.place

    @property
    def place(self) -> str:
        """Return `host:port` or the path of the socket."""
        return self.path or f"{self.host}:{self.port}"

    def at(self, place: str) -> "Address":
        """Return another node of the same cluster, by its `host:port`; no host: this one's."""
        host, _, port = place.rpartition(":")
        return replace(self, host=host or self.host, port=int(port), path="")

    @property
    def context(self) -> ssl.SSLContext | None:
        """Return how its certificate is checked: as the system does; None without TLS."""
        return _tls() if self.is_tls else None


def read(url: str) -> Address:
    """
    Return what a URL says: `redis://`, `rediss://` (TLS) or `unix:///path`.

    Raises:
        ConfigError: it says something else; what it says is not repeated.

    """
    try:
        parts = urlsplit(url)
        return _address(parts, parts.path, parts.port or PORT)
    except ValueError:
        raise ConfigError(
            "GOODGATE_REDIS_URL cannot be used: write redis://[user:password@]host[:port][/db],"
            " rediss://… for TLS, or unix:///path/to/socket[?db=N]"
        ) from None


def _address(parts: SplitResult, path: str, port: int) -> Address:
    is_unix = parts.scheme == "unix"
    if parts.scheme not in SCHEMES or not (path if is_unix else parts.hostname):
        raise ValueError
    asked = parse_qs(parts.query, keep_blank_values=True)
    in_path = "" if is_unix else path.strip("/")
    db = in_path or asked.get("db", ["0"])[0]
    # A wish that is passed over in silence (`?ssl=…`) would be taken for granted.
    if asked.keys() - {"db"} or not (db.isascii() and db.isdigit()):
        raise ValueError
    return Address(
        host="" if is_unix else parts.hostname or "",
        port=port,
        path=unquote(path) if is_unix else "",
        is_tls=parts.scheme == "rediss",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        db=int(db),
    )


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
