"""
The languages callers speak: bytes to values and back.

Sans-I/O. A request becomes a Call, a Call becomes the bytes a provider gets, a reply
tells its usage while it passes. Nothing is decided here, and no byte is changed that
does not have to be.
"""

from gateway.wire.calls import parse
from gateway.wire.outgoing import outgoing_body
from gateway.wire.replies import Reader, reader
from gateway.wire.routes import ROUTES, ROUTES_BY_PATH, locate
from gateway.wire.shapes import model, models, problem
from gateway.wire.toolless import is_tool_free

__all__ = [
    "ROUTES",
    "ROUTES_BY_PATH",
    "Reader",
    "is_tool_free",
    "locate",
    "model",
    "models",
    "outgoing_body",
    "parse",
    "problem",
    "reader",
]
