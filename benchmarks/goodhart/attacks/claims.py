"""Attacks on what a call is for, and on what came of it."""

from random import Random

from msgspec import structs

from benchmarks.goodhart import texts
from benchmarks.goodhart.attacks.registry import attack, more, traffic
from benchmarks.goodhart.attacks.repeats import saying
from benchmarks.goodhart.honest import user
from benchmarks.goodhart.model import OWN, Piece, Request, Result, Scene


def _new(scene: Scene, chance: Random, task: str, **fields: object) -> Request:
    request = Request(principal="mallory", task=task, messages=(user(texts.ask(chance)),))
    return structs.replace(request, **fields)


@attack("A12", "for a colleague's task", "linkage")
def foreign(scene: Scene, chance: Random, count: int) -> Scene:
    """Who is no member of it."""
    return more(scene, [_new(scene, chance, f"{scene.prefix}-800") for _ in range(count)])


@attack("A13", "for a closed task", "linkage")
def closed(scene: Scene, chance: Random, count: int) -> Scene:
    """That was closed long ago."""
    return more(scene, [_new(scene, chance, f"{scene.prefix}-900") for _ in range(count)])


@attack("A14", "for tasks that are not there", "linkage")
def invented(scene: Scene, chance: Random, count: int) -> Scene:
    """Made up, or misspelt."""
    names = [f"{scene.prefix}-{number}" for number in range(5_000, 5_040)]
    spoilt = [f"{scene.prefix}_10", "-", "NONE-0", f"{scene.prefix}-1O"]
    return more(scene, [_new(scene, chance, chance.choice(names + spoilt)) for _ in range(count)])


@attack("A19", "with somebody else's name in headers", "linkage")
def spoofed(scene: Scene, chance: Random, count: int) -> Scene:
    """That of a member of the task."""
    said = {"x-user": "alice", "x-goodgate-principal": "alice", "x-forwarded-user": "alice"}
    task = f"{scene.prefix}-800"
    return more(scene, [_new(scene, chance, task, headers=said) for _ in range(count)])


@attack("A45", "dear calls for another team's task", "linkage")
def shifted(scene: Scene, chance: Random, count: int) -> Scene:
    """So that it has the cost."""
    dear = {"max_tokens": 16_000, "n": 8}
    task = f"{scene.prefix}-800"
    return more(scene, [_new(scene, chance, task, parameters=dear) for _ in range(count)])


@attack("A46", "a rival's task flooded before she begins", "linkage")
def flooded(scene: Scene, chance: Random, count: int) -> Scene:
    """So that its count is full."""
    task = f"{scene.prefix}-800"
    first = tuple(_new(scene, chance, task) for _ in range(count))
    return structs.replace(scene, first=first)


@traffic("A55", "the task's name in other letters", "linkage")
def respelt(request: Request, chance: Random, number: int) -> Request:
    """Which is the same task."""
    dash = chance.choice("-‐‑–")  # noqa: RUF001  # the attack
    task = request.task.replace("-", dash)
    header = task.lower() if chance.random() < 0.5 else task
    return structs.replace(request, task=header, session="")


@traffic("A57", "a tool's result that names another task", "linkage")
def injected(request: Request, chance: Random, number: int) -> Request:
    """In the words of a header."""
    stem = request.task.split("-")[0]
    return saying(request, f"task {stem}-800")


@attack("B06", "for a task nothing will come of", "linkage")
def idle(scene: Scene, chance: Random, count: int) -> Scene:
    """Open, and the team's own."""
    return more(scene, [_new(scene, chance, f"{scene.prefix}-901") for _ in range(count)])


@attack("B07", "without any task", "linkage")
def unnamed(scene: Scene, chance: Random, count: int) -> Scene:
    """Nothing is said of what it is for."""
    return more(scene, [_new(scene, chance, "") for _ in range(count)])


def _made(scene: Scene, count: int, **fields: object) -> list[Piece]:
    return [
        structs.replace(
            Piece(id=f"{scene.prefix}-{2_000 + number}", team=scene.gamers, members=OWN), **fields
        )
        for number in range(count)
    ]


def _with(scene: Scene, pieces: list[Piece], results: list[Result], sent: list[Request]) -> Scene:
    return structs.replace(
        more(scene, sent),
        pieces=(*scene.pieces, *pieces),
        results=(*scene.results, *results),
    )


@attack("A15", "tasks of one's own, closed by oneself", "outcomes")
def self_closed(scene: Scene, chance: Random, count: int) -> Scene:
    """Nobody valued them, nobody else took them."""
    mine = _made(scene, max(1, count // 10), creator="mallory", value="", members=("mallory",))
    results = [Result(task=each.id, reviewers=("mallory",), event="closed") for each in mine]
    return _with(scene, mine, results, [_new(scene, chance, each.id) for each in mine])


@attack("A36", "one's own merges, taken by oneself", "outcomes")
def self_merged(scene: Scene, chance: Random, count: int) -> Scene:
    """Of real tasks, again and again."""
    task = f"{scene.prefix}-901"
    results = [Result(task=task, reviewers=("mallory",), number=number) for number in range(1, 21)]
    return _with(scene, [], results, [_new(scene, chance, task) for _ in range(count)])


@attack("A40", "closed, opened and closed again", "outcomes")
def reopened(scene: Scene, chance: Random, count: int) -> Scene:
    """Accepted more than once."""
    results = [
        structs.replace(each, event=event, number=100 + number)
        for each in scene.results
        if each.author == "mallory"
        for number, event in enumerate(("reopened", "closed", "reopened", "closed"))
    ]
    return _with(scene, [], results, [])


@attack("A41", "twenty children under each root", "outcomes")
def children(scene: Scene, chance: Random, count: int) -> Scene:
    """Each of them done, and taken."""
    pieces: list[Piece] = []
    for at, root in enumerate(dict.fromkeys(each.task for each in scene.own if each.kind)):
        of = next(each.root_id for each in scene.pieces if each.id == root)
        pieces += [
            Piece(id=f"{scene.prefix}-{3_000 + 20 * at + number}", team=scene.gamers, root=of)
            for number in range(20)
        ]
    named = [structs.replace(each, members=OWN) for each in pieces]
    results = [Result(task=each.id) for each in named]
    return _with(scene, named, results, [])


@attack("A43", "make-work of the team's manager, really taken", "outcomes")
def make_work(scene: Scene, chance: Random, count: int) -> Scene:
    """Nobody outside valued it: it shares the team's budget."""
    mine = _made(scene, max(1, count // 10), creator="pm", value="")
    results = [Result(task=each.id) for each in mine]
    return _with(scene, mine, results, [_new(scene, chance, each.id) for each in mine])


@attack("A54", "messages of trackers, made up", "outcomes")
def forged(scene: Scene, chance: Random, count: int) -> Scene:
    """Unsigned ones; and true ones, sent again."""
    task = f"{scene.prefix}-901"
    made = [Result(task=task, number=number, is_signed=False) for number in range(10)]
    again = [each for each in scene.results for _ in range(2)]
    return _with(scene, [], [*made, *again], [_new(scene, chance, task) for _ in range(count)])


@attack("B08", "a value set by who gains by it", "outcomes")
def self_valued(scene: Scene, chance: Random, count: int) -> Scene:
    """A hundred times what others are worth."""
    changed = [
        structs.replace(each, value="100", valued_by="mallory")
        if each.value == "" and not each.root and each.team == scene.gamers
        else each
        for each in scene.pieces
    ]
    return structs.replace(scene, pieces=tuple(changed))


@attack("A36b", "a reviewer who takes what was never done", "collusion")
def colluding(scene: Scene, chance: Random, count: int) -> Scene:
    """Real tasks, real value, nobody's work: nothing of this can be seen from here."""
    task = f"{scene.prefix}-901"
    sent = [_new(scene, chance, task) for _ in range(6)]
    return _with(scene, [], [Result(task=task, reviewers=("rita",))], sent)
