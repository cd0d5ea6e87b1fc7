"""
What developers write, from a seed: requests, code, traces, logs and diffs, none alike.

A small grammar over the vocabulary of a trade. No line of it was ever written by a user.
"""

from random import Random

_NOUNS = [
    "invoice",
    "order",
    "basket",
    "refund",
    "ledger",
    "session",
    "token",
    "cache",
    "queue",
    "worker",
    "index",
    "shard",
    "replica",
    "parser",
    "renderer",
    "scheduler",
    "importer",
    "exporter",
    "webhook",
    "migration",
    "schema",
    "cursor",
    "buffer",
    "socket",
    "tenant",
    "profile",
    "address",
    "coupon",
    "shipment",
    "catalogue",
    "price",
    "currency",
    "timezone",
    "calendar",
    "reminder",
    "attachment",
    "thumbnail",
    "transcript",
    "archive",
    "checkpoint",
    "snapshot",
    "lease",
    "heartbeat",
    "retry",
    "backoff",
    "quota",
    "limiter",
    "router",
    "gateway",
    "proxy",
    "resolver",
    "validator",
    "serializer",
    "formatter",
    "tokenizer",
]
_VERBS = [
    "load",
    "store",
    "merge",
    "split",
    "flush",
    "rotate",
    "replay",
    "encode",
    "decode",
    "compress",
    "fetch",
    "publish",
    "consume",
    "validate",
    "normalise",
    "reconcile",
    "expire",
    "evict",
    "schedule",
    "cancel",
    "resume",
    "verify",
    "sign",
    "hash",
    "render",
    "paginate",
    "batch",
    "deduplicate",
    "rollback",
    "migrate",
    "backfill",
    "throttle",
]
_CASES = (
    "the list is empty",
    "two workers start in the same second",
    "the clock goes back an hour in October",
    "a name holds an umlaut and an apostrophe",
    "the file is larger than memory",
    "the connection is cut half way through the body",
    "a customer has no address at all",
    "the same message is delivered three times",
    "the amount is negative",
    "the disk is full",
    "someone closes the laptop during the upload",
    "the previous release wrote the older format",
    "the tenant was deleted while the job was queued",
    "the currency has no minor unit",
    "a replica lags behind by ten minutes",
    "the header arrives twice",
)
_ASKS = (
    "Why does {f} fail when {c}?",
    "Write a test that shows what {f} does when {c}, and keep it under {k} lines.",
    "Please refactor {f} so that {n} and {m} no longer know of each other; {c} must still work.",
    "Explain in a few sentences how {f} decides which {n} to {v} first.",
    "{f} is slow for about {k} thousand rows of {n}. Where would you look first, and why?",
    "Review this change to {f}: is it still right when {c}?",
    "We need {f} to {v} every {n} at most once per {m}, even when {c}.",
    "Add a flag to {f} that makes it {v} the {n} without touching the {m}.",
    "What is the smallest change that lets {f} accept a {n} that has no {m}?",
    "Draft the release note for the fix in {f}: before, {c} lost the {n}.",
    "Find out why the {n} {m} of {f} differ between staging and production when {c}.",
    "Port {f} from callbacks to async, but keep the order in which a {n} is {v}ed.",
    "Our {n} alert fired {k} times last night. Could {f} be the cause if {c}?",
    "Suggest better names for {f}, {g} and the {m} between them.",
    "Turn the comment above {f} into types: a {n} is never a {m}, and {c} is an error.",
)
_MORE = (
    "The {n} comes from {g}, which I cannot change.",
    "Do not touch the public signature of {g}.",
    "It started after we moved the {m} to its own {n}.",
    "I have tried to {v} the {m} first, and it made no difference.",
    "On my machine it takes {k} ms; in production it takes {k2} s.",
    "Assume Python {p} and PostgreSQL 1{q}.",
    "The {m} is written by another team, so be careful with its {n}.",
    "If there are several ways, list them with what each costs.",
    "{g} has no tests yet, add the two that matter most.",
    "Note that {c} happens about {k} times a day.",
    "The deadline is Thursday, so prefer what can be shipped behind a flag.",
)
SYSTEM = (
    "You are a careful senior engineer. Answer briefly, name the files you would change, and say "
    "what you are not sure of. Never invent an interface that you have not been shown."
)


def name(chance: Random) -> str:
    """Return a function's name."""
    verb, noun, other = chance.choice(_VERBS), chance.choice(_NOUNS), chance.choice(_NOUNS)
    return f"{verb}_{noun}_{other}" if chance.random() < 0.5 else f"{verb}_{noun}"


def _fill(chance: Random, template: str, about: str) -> str:
    return template.format(
        f=about,
        g=name(chance),
        n=chance.choice(_NOUNS),
        m=chance.choice(_NOUNS),
        v=chance.choice(_VERBS),
        c=chance.choice(_CASES),
        k=chance.randint(2, 90),
        k2=chance.randint(2, 90),
        p=f"3.1{chance.randint(0, 4)}",
        q=chance.randint(4, 8),
    )


def ask(chance: Random, about: str = "") -> str:
    """Return a developer's request of one to five sentences, sometimes with code below."""
    about = about or name(chance)
    lines = [_fill(chance, chance.choice(_ASKS), about)]
    lines += [_fill(chance, line, about) for line in chance.sample(_MORE, chance.randint(0, 4))]
    text = " ".join(lines)
    if chance.random() < 0.4:
        text += "\n\n```python\n" + code(chance, about) + "\n```"
    elif chance.random() < 0.2:
        text += "\n\n" + trace(chance)
    return text


def question(chance: Random) -> str:
    """Return a short question of one sentence or two."""
    about = name(chance)
    lines = [chance.choice(_ASKS), *chance.sample(_MORE, chance.randint(0, 1))]
    return " ".join(_fill(chance, line, about) for line in lines)


def code(chance: Random, about: str = "") -> str:
    """Return a function that looks like one."""
    about = about or name(chance)
    a, b, c = (chance.choice(_NOUNS) for _ in range(3))
    head = f"def {about}({a}, {b}=None, *, limit={chance.randint(1, 900)}):"
    lines = [
        "    "
        + chance.choice(
            (
                f"{c} = {name(chance)}({a}.{chance.choice(_NOUNS)}, limit)",
                f"if {b} is None: {b} = {a}.{chance.choice(_NOUNS)} or []",
                f"for {chance.choice(_NOUNS)} in {b}: {name(chance)}({c!r})",
                f"log.info('{chance.choice(_VERBS)} %s of {chance.choice(_NOUNS)}', {a})",
                f"assert {a}.{chance.choice(_NOUNS)} != {b}",
            )
        )
        for _ in range(chance.randint(2, 7))
    ]
    return "\n".join([head, *lines, f"    return {c}"])


def trace(chance: Random) -> str:
    """Return a stack trace."""
    lines = ["Traceback (most recent call last):"]
    for _ in range(chance.randint(2, 5)):
        module = f"{chance.choice(_NOUNS)}/{chance.choice(_NOUNS)}.py"
        lines.append(f'  File "src/{module}", line {chance.randint(3, 700)}, in {name(chance)}')
        lines.append(f"    {chance.choice(_NOUNS)} = {name(chance)}({chance.choice(_NOUNS)})")
    kind = chance.choice(("ValueError", "KeyError", "TimeoutError", "TypeError", "LookupError"))
    return "\n".join([*lines, f"{kind}: {chance.choice(_NOUNS)} when {chance.choice(_CASES)}"])


def log(chance: Random, lines: int = 6) -> str:
    """Return what a test run or a job prints."""
    found = [
        f"{chance.choice(('PASSED', 'FAILED', 'SKIPPED'))} tests/{chance.choice(_NOUNS)}/"
        f"test_{chance.choice(_NOUNS)}.py::test_{name(chance)} when {chance.choice(_CASES)}"
        for _ in range(lines)
    ]
    return "\n".join([*found, f"{chance.randint(1, 40)} failed, {chance.randint(9, 400)} passed"])


def tool_result(chance: Random) -> str:
    """Return what a tool tells an agent."""
    made = chance.choice((code, trace, log, listing))
    return made(chance)


def listing(chance: Random) -> str:
    """Return what a search in a tree of files finds."""
    return "\n".join(
        f"src/{chance.choice(_NOUNS)}/{chance.choice(_NOUNS)}.py:{chance.randint(1, 900)}: "
        f"{name(chance)}({chance.choice(_NOUNS)}, {chance.choice(_NOUNS)})"
        for _ in range(chance.randint(3, 9))
    )


def answer(chance: Random) -> str:
    """Return what a model says."""
    told = " ".join(_fill(chance, line, name(chance)) for line in chance.sample(_MORE, 2))
    return f"I looked at {name(chance)}. {told}"


def ci_prompt(chance: Random, job: str) -> str:
    """Return a prompt made by a template, as a job fills it in for each change."""
    return (
        f"You review changes to the {job} service. Report bugs only, as a list, each with file and "
        "line; say NONE when there are none. Do not comment on style or naming.\n\n"
        f"Title: {_fill(chance, chance.choice(_ASKS), name(chance))}\n\n"
        f"```diff\n{diff(chance)}\n```"
    )


def diff(chance: Random) -> str:
    """Return a change to a file."""
    old, new = code(chance).splitlines(), code(chance).splitlines()
    return "\n".join([f"- {line}" for line in old[:4]] + [f"+ {line}" for line in new])


def words(chance: Random, count: int) -> str:
    """Return words in no order, which mean nothing together."""
    pool = _NOUNS + _VERBS
    return " ".join(
        chance.choice(pool) + chance.choice(("", "s", "ed", "er")) for _ in range(count)
    )
