"""Attacks that say something new each time, though nothing of it is work."""

from random import Random

from msgspec import structs

from benchmarks.goodhart import texts
from benchmarks.goodhart.attacks.registry import attack, more, traffic
from benchmarks.goodhart.attacks.repeats import newest, saying
from benchmarks.goodhart.honest import user
from benchmarks.goodhart.model import Request, Scene

_SYLLABLES = ("ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "dra", "fle", "sto")


def made_up(chance: Random) -> str:
    """Return a word nobody has heard of."""
    return "".join(chance.choice(_SYLLABLES) for _ in range(chance.randint(2, 4)))


def reworded(chance: Random, text: str, share: float) -> str:
    """Return a text with a share of its words replaced: the worst a paraphrase can do."""
    return " ".join(
        made_up(chance) if chance.random() < share else word for word in text.split(" ")
    )


@traffic("A04", "paraphrased", "novel text")
def paraphrased(request: Request, chance: Random, number: int) -> Request:
    """A tenth, a third or more of its words."""
    share = chance.choice((0.1, 0.35, 0.6))
    return saying(request, reworded(chance, newest(request), share))


@traffic("A05", "translated", "novel text")
def translated(request: Request, chance: Random, number: int) -> Request:
    """Every word of it."""
    return saying(request, reworded(chance, newest(request), 1))


@traffic("A08", "padded with 300 words", "novel text")
def padded(request: Request, chance: Random, number: int) -> Request:
    """In no order."""
    return saying(request, f"{newest(request)}\n{texts.words(chance, 300)}")


@attack("A16", "one prompt for one task after the other", "novel text")
def rotated(scene: Scene, chance: Random, count: int) -> Scene:
    """Each root is told what another was."""
    own = [each for each in scene.own if each.kind]
    tasks = list(dict.fromkeys(each.task for each in own))
    sent = [
        structs.replace(own[number % len(own)], task=tasks[number % len(tasks)], session="")
        for number in range(count)
    ]
    return more(scene, sent)


@traffic("A21", "off the topic", "novel text")
def off_topic(request: Request, chance: Random, number: int) -> Request:
    """Recipes, under a valid task."""
    return saying(request, f"Write a poem about {texts.words(chance, 25)} and a river.")


@traffic("A42", "new words on the topic", "novel text")
def on_topic(request: Request, chance: Random, number: int) -> Request:
    """Another question of the same trade."""
    return saying(request, texts.ask(chance))


@traffic("B03", "a dump of code, another part each time", "novel text")
def dumped(request: Request, chance: Random, number: int) -> Request:
    """As an agent would read it."""
    return saying(request, "\n\n".join(texts.code(chance) for _ in range(6)))


@traffic("B04", "one new sentence behind the same prompt", "novel text")
def one_more(request: Request, chance: Random, number: int) -> Request:
    """A little each time."""
    return saying(request, f"{newest(request)} {texts.question(chance)}")


@traffic("B05", "in another language each time", "novel text")
def languages(request: Request, chance: Random, number: int) -> Request:
    """In scripts with and without spaces."""
    signs = "".join(chr(chance.randint(0x4E00, 0x9FA5)) for _ in range(80))
    letters = " ".join(
        "".join(chr(chance.randint(0x430, 0x44F)) for _ in range(6)) for _ in range(20)
    )
    return saying(request, signs if number % 2 else letters)


@attack("A39", "one prompt on each task that was done without AI", "drive-by")
def drive_by(scene: Scene, chance: Random, count: int) -> Scene:
    """Twelve words, so that AI has helped."""
    used = {each.task for each in scene.own}
    done = [each.task for each in scene.results if each.author != "alice" and each.task not in used]
    sent = [
        Request(principal="mallory", task=task, messages=(user(texts.words(chance, 12)),))
        for task in done
    ]
    return more(scene, sent)
