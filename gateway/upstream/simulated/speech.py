"""What a simulated model says: decided by a hash of the model and the last user text."""

import hashlib

import msgspec
from msgspec import Struct

from gateway.upstream.simulated import requests, schemas
from gateway.upstream.simulated.requests import Function, Request, Tool

TOKENS_DEFAULT = 16
CHOICES_MAX = 16
PIECE_CHARACTERS = 4
"""How long a token is where the text is JSON."""

_VOCABULARY = """
a able again all along also and any are as ask at back be been before bring but by call
can check clear come day do each even find first for form from get give go good great
have here how in it keep know large last let like line long look make many may more
most move much must name near need new
"""
_WORDS = tuple(f"{word} " for word in _VOCABULARY.split())
_CALL_THE_TOOL = "call the tool"


class Speech(Struct, frozen=True):
    """One answer, in tokens."""

    pieces: tuple[str, ...]
    """The text, or a tool's arguments, token by token."""
    tool: str
    """Name of the tool that is called; empty for text."""
    cut_short: bool
    """Whether the limit the caller set ended it."""
    id: str
    """16 hex digits."""

    @property
    def text(self) -> str:
        """Return it in one piece."""
        return "".join(self.pieces)


def digest(request: Request, salt: str = "") -> bytes:
    """Return what decides everything: 32 bytes of model, last user text and a salt."""
    said = f"{request.model}\0{requests.last_user_text(request)}\0{salt}"
    return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=32).digest()


def speeches(request: Request, seed: bytes, tokens: int) -> list[Speech]:
    """Return as many answers as were asked for."""
    count = min(max(1, request.n or 1), CHOICES_MAX)
    return [_speech(request, seed, index, tokens) for index in range(count)]


def _speech(request: Request, seed: bytes, index: int, tokens: int) -> Speech:
    function = _called(request) if request.tools else None
    schema = request.schema if function is None else None
    if function is not None:
        pieces = _cut_up(schemas.instance(function.parameters or {}))
    elif schema is not None:
        pieces = _cut_up(schemas.instance(schema))
    else:
        pieces = tuple([_WORDS[(seed[at & 31] + 7 * at + 11 * index) & 63] for at in range(tokens)])
    most = request.tokens_max
    cut_short = most is not None and most < len(pieces)
    name = function.name if function else ""
    kept = pieces[:most] if cut_short else pieces
    return Speech(kept, name, cut_short, f"{seed[:7].hex()}{index:02x}")


def _called(request: Request) -> Function | None:
    """Return the tool to call: the one demanded, or the first when the user says so."""
    assert request.tools
    choice = request.tool_choice
    functions = [tool.called for tool in request.tools if tool.called.name]
    if isinstance(choice, Tool):
        named = choice.called.name
        if choice.type == "any" or named:
            return next((each for each in functions if each.name == named or not named), None)
        choice = choice.type
    if choice == "required":
        return next(iter(functions), None)
    turns = request.turns
    asked = bool(turns) and _is_asking(turns[-1])
    return next(iter(functions), None) if asked and choice != "none" else None


def _is_asking(turn: requests.Message) -> bool:
    return turn.role == "user" and _CALL_THE_TOOL in requests.text_of(turn.content).lower()


def _cut_up(value: object) -> tuple[str, ...]:
    text = msgspec.json.encode(value).decode()
    return tuple(text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS))
