"""How long a connection to a provider may take over anything, and the ways it can fail."""

import enum

from msgspec import Struct


class Failure(enum.Enum):
    """Why there is no reply, or no more of it."""

    UNREACHABLE = "no connection could be made"
    UNCONNECTED = "no connection was made in time"
    SILENT = "nothing arrived in time"
    BROKEN = "the connection ended, or was given up"
    GARBAGE = "what arrived is no HTTP that can be read in only one way"
    TOO_LARGE = "the body is larger than asked for"


class Limits(Struct, frozen=True, kw_only=True):
    """How long each wait may take, in seconds."""

    connect_s: float
    first_byte_s: float
    """From the request's last byte to the end of the reply's head."""
    idle_s: float
    """Between two pieces of a body."""
    keep_alive_s: float = 30.0
    """Between two calls."""


class HttpError(Exception):
    """There is no reply."""

    def __init__(self, failure: Failure) -> None:
        """Say why."""
        super().__init__(failure.value)
        self.failure = failure
