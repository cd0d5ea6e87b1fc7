"""Attacks that say again what was said: as it was, dressed up, by others, elsewhere, later."""

import base64
import codecs
from random import Random

from msgspec import structs

from benchmarks.goodhart import texts
from benchmarks.goodhart.attacks.registry import attack, more, traffic
from benchmarks.goodhart.honest import assistant, user
from benchmarks.goodhart.model import KEYS, MODELS, OWN, Message, Request, Scene, delta, text_of

_HOMOGLYPHS = str.maketrans({"a": "а", "e": "е", "o": "о", "p": "р", "c": "с"})  # noqa: RUF001  # the attack
_ZERO_WIDTH = "\u200b"


def newest(request: Request) -> str:
    """Return what a request says since the model last spoke."""
    return "\n".join(text_of(message) for message in delta(request.messages))


def saying(request: Request, text: str) -> Request:
    """Return a request that says a text and nothing before it."""
    return structs.replace(request, messages=(user(text),))


@traffic("A01", "the same again", "repeats")
def again(request: Request, chance: Random, number: int) -> Request:
    """As it was."""
    return request


@traffic("A02", "with a nonce, an id or a time", "salts")
def nonce(request: Request, chance: Random, number: int) -> Request:
    """At the start, in the middle or at the end."""
    salt = chance.choice(
        (
            f"{chance.getrandbits(64):016x}",
            f"id {chance.getrandbits(128):032x}",
            f"2026-11-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:07:09Z",
            str(chance.randint(10_000, 10**9)),
        )
    )
    words = newest(request).split(" ")
    words.insert(chance.choice((0, len(words) // 2, len(words))), salt)
    return saying(request, " ".join(words))


@traffic("A03", "case, spaces, invisible and look-alike letters", "repeats")
def dressed(request: Request, chance: Random, number: int) -> Request:
    """In some mix of them."""
    text = newest(request)
    if chance.random() < 0.5:
        text = text.upper() if chance.random() < 0.5 else text.lower()
    if chance.random() < 0.5:
        text = text.translate(_HOMOGLYPHS)
    if chance.random() < 0.5:
        text = "".join(each + (_ZERO_WIDTH if chance.random() < 0.1 else "") for each in text)
    return saying(request, text.replace(" ", " " * chance.randint(1, 3)))


@traffic("A06", "split into pieces", "repeats")
def split(request: Request, chance: Random, number: int) -> Request:
    """A run of words of it."""
    words = newest(request).split()
    start = chance.randrange(max(1, len(words) - 8))
    return saying(request, " ".join(words[start : start + chance.randint(8, 40)]))


@attack("A07", "in turns, so that none is like the last", "repeats")
def in_turns(scene: Scene, chance: Random, count: int) -> Scene:
    """A, B, C, A, B, C."""
    some = chance.sample([each for each in scene.own if each.kind], 3)
    return more(scene, [some[number % 3] for number in range(count)])


@traffic("A09", "eight answers of the greatest length", "repeats")
def long_answers(request: Request, chance: Random, number: int) -> Request:
    """By parameters alone."""
    asked = {"max_tokens": 16_000} | ({"n": 8} if request.route == "chat" else {})
    return structs.replace(request, parameters=asked)


@traffic("A10", "streams that are hung up on", "repeats")
def hung_up(request: Request, chance: Random, number: int) -> Request:
    """As soon as they begin."""
    return structs.replace(request, stream=True, hangs_up=True)


@traffic("A11", "embeddings and token counts", "repeats")
def not_creditable(request: Request, chance: Random, number: int) -> Request:
    """Of new text, on routes on which nothing new can be asked."""
    route = "embeddings" if number % 2 else "count_tokens"
    model = "embed" if number % 2 else request.model
    return structs.replace(
        saying(request, texts.ask(chance)), route=route, model=model, stream=False
    )


@traffic("A17", "colleagues send it for the same task", "repeats")
def by_peers(request: Request, chance: Random, number: int) -> Request:
    """Any of the team."""
    return structs.replace(request, principal=chance.choice(OWN))


@traffic("A18", "from many keys in turn", "repeats")
def many_keys(request: Request, chance: Random, number: int) -> Request:
    """Of one person."""
    return structs.replace(request, key=number % KEYS)


@traffic("A20", "a tool loop that sees the same each time", "repeats")
def tool_loop(request: Request, chance: Random, number: int) -> Request:
    """One observation, many turns."""
    said = newest(request)
    call = {"id": f"call_{number}", "type": "function"} | {
        "function": {"name": "run", "arguments": f'{{"try": {number}}}'}
    }
    history: list[Message] = [
        user(said),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": said},
    ]
    return structs.replace(request, messages=tuple(history), route="chat")


@traffic("A22", "by a clock, at night", "repeats")
def cron(request: Request, chance: Random, number: int) -> Request:
    """In a session of its own each time."""
    return structs.replace(request, session=f"cron-{number}")


@attack("A23", "all of yesterday played again", "repeats")
def replayed(scene: Scene, chance: Random, count: int) -> Scene:
    """From the first call to the last, and again."""
    own = [each for each in scene.own if each.kind]
    return more(scene, [own[number % len(own)] for number in range(count)])


@attack("A24", "to both gateways in one moment", "repeats")
def raced(scene: Scene, chance: Random, count: int) -> Scene:
    """Each to the one and to the other."""
    own = [each for each in scene.own if each.kind]
    picked = [chance.choice(own) for _ in range(count // 2 + 1)]
    sent = [structs.replace(each, replica=side) for each in picked for side in (0, 1)]
    return more(scene, sent[:count])


@traffic("A25", "at the edges of windows", "repeats")
def edges(request: Request, chance: Random, number: int) -> Request:
    """One gateway after the other, each time in another session."""
    return structs.replace(request, replica=number % 2, session=f"edge-{number // 2}")


@traffic("A26", "to ten models", "repeats")
def models(request: Request, chance: Random, number: int) -> Request:
    """The same prompt."""
    return structs.replace(request, model=MODELS[number % len(MODELS)])


@traffic("A27", "with other temperatures and seeds", "repeats")
def sweep(request: Request, chance: Random, number: int) -> Request:
    """Each time others."""
    asked = {"temperature": round(chance.random(), 3), "top_p": round(chance.random(), 3)}
    return structs.replace(request, parameters=asked)


@traffic("A28", "with other instructions and tools", "repeats")
def instructions(request: Request, chance: Random, number: int) -> Request:
    """A persona, and tools that are never used."""
    return structs.replace(request, system=f"You are {texts.words(chance, 40)}.")


@traffic("A29", "continue, continue, continue", "repeats")
def going_on(request: Request, chance: Random, number: int) -> Request:
    """A history that grows."""
    turns: list[Message] = [*request.messages]
    for _ in range(number % 5 + 1):
        turns += [assistant(texts.answer(chance)), user("continue")]
    return structs.replace(request, messages=tuple(turns))


@traffic("A30", "with a picture of one pixel", "salts")
def picture(request: Request, chance: Random, number: int) -> Request:
    """Another one each time."""
    data = base64.b64encode(chance.randbytes(96)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    content = [{"type": "text", "text": newest(request)}, part]
    return structs.replace(request, messages=({"role": "user", "content": content},), route="chat")


@traffic("A31", "in base64, in hex, or with its letters turned", "repeats")
def encoded(request: Request, chance: Random, number: int) -> Request:
    """As one long word, or as hex."""
    text = newest(request).encode()
    return saying(request, base64.b64encode(text).decode() if number % 2 else text.hex())


@traffic("B01", "with its letters turned by thirteen", "novel text")
def turned(request: Request, chance: Random, number: int) -> Request:
    """To the gateway these are other words."""
    return saying(request, codecs.encode(newest(request), "rot13"))


@traffic("A32", "as lines of a batch", "repeats")
def batch(request: Request, chance: Random, number: int) -> Request:
    """To a route the gateway does not have: refused."""
    return structs.replace(request, route="batches")


@traffic("A37", "behind a made-up history", "repeats")
def forged(request: Request, chance: Random, number: int) -> Request:
    """Long turns no model said."""
    history = [user(texts.words(chance, 60)), assistant(texts.words(chance, 200))]
    return structs.replace(request, messages=(*history, *delta(request.messages)), route="chat")


@traffic("A38", "behind a prefix that no cache knows", "repeats")
def uncached(request: Request, chance: Random, number: int) -> Request:
    """In the instructions, at full price."""
    return structs.replace(request, system=texts.words(chance, 200))


@traffic("A48", "fanned out to sub-agents", "repeats")
def fanned(request: Request, chance: Random, number: int) -> Request:
    """Sessions side by side, one prompt."""
    return structs.replace(request, session=f"agent-{number % 6}", parameters={"seed": number})


@traffic("A49", "sessions cleared, so that all is read again", "repeats")
def cleared(request: Request, chance: Random, number: int) -> Request:
    """The first turn of it, anew."""
    return structs.replace(request, messages=request.messages[:1], session=f"clear-{number}")


@traffic("A50", "a storm of retries", "repeats")
def retried(request: Request, chance: Random, number: int) -> Request:
    """As an SDK says that it tries again."""
    return structs.replace(request, headers={"x-stainless-retry-count": str(number % 9 + 1)})


@traffic("B02", "its lines, sentences or words in another order", "repeats")
def reordered(request: Request, chance: Random, number: int) -> Request:
    """By lines, so that each stays what it was."""
    lines = newest(request).splitlines()
    chance.shuffle(lines)
    return saying(request, "\n".join(lines))


@attack("A56", "texts that are to break the count", "repeats")
def degenerate(scene: Scene, chance: Random, count: int) -> Scene:
    """One letter a hundred thousand times, one word, marks without letters."""
    own = [each for each in scene.own if each.kind]
    shapes = ("a" * 100_000, "a " * 20_000, "!" * 50_000, "\u0301" * 5_000, "\u202e" * 5_000)
    sent = [saying(chance.choice(own), chance.choice(shapes)) for _ in range(min(count, 40))]
    return more(scene, sent)


@attack("A47", "a colleague's prompt sent before her", "repeats")
def poisoned(scene: Scene, chance: Random, count: int) -> Scene:
    """So that hers would be the repeat; for a task nothing comes of, so that she alone loses."""
    hers = [each for each in scene.requests if each.principal == "alice"]
    first = tuple(
        structs.replace(each, principal="mallory", task=f"{scene.prefix}-901", kind="")
        for each in hers
    )
    return structs.replace(scene, first=first)
