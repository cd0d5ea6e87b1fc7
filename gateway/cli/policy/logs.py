"""
Where a decision log is read from: a folder's store, a gateway over HTTP, or files of lines.

Only behind `--data`, where the deployment's secret is, can weekly pseudonyms be told apart by
person. Whoever reads over HTTP, or from a file, has the pseudonyms and no more.
"""

import datetime
import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import lru_cache, partial
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from gateway import policy
from gateway.cli import terminal
from gateway.cli.desk import Desk
from gateway.cli.remote import Remote
from gateway.cli.terminal import WrongUse
from gateway.errors import ConfigError
from gateway.ledger import decision_log
from gateway.ledger.decision_log import Entry
from gateway.ledger.pseudonyms import Weekly
from gateway.rehearsal.replays.people import People

PAGE = 2_000
TIMEOUT_S = 60.0
SETS_KEPT = 16
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

Policies = policy.PolicySet | None


class Log(Struct, frozen=True, kw_only=True):
    """A log that can be read more than once, and what is known beside it."""

    entries: Callable[[int, int], Iterator[Entry]]
    """Those of a window (Unix microseconds), in the order they were written."""
    shadowed: Callable[[int, int], Iterator[Entry]]
    """The same, but only decisions some shadow rule was against."""
    people: People
    policies: Callable[[str], Policies]
    """The policies behind a digest, where they are known."""
    in_force: str
    """Digest of the policies in force, or those that decided last; empty: not known."""


class _Page(Struct):
    records: list[msgspec.Raw]
    after: str


def opened(desk: Desk, data: Path | None, files: Sequence[Path], given: Policies = None) -> Log:
    """Return the log a command was told of: files, else a folder, else the gateway's."""
    log = _opened(desk, data, files)
    if given is None:
        return log

    def known(digest: str) -> Policies:
        # What an admin names is often what is in force, and the only copy on their machine.
        return _same(given, digest) or log.policies(digest)

    return msgspec.structs.replace(log, policies=known)


def _opened(desk: Desk, data: Path | None, files: Sequence[Path]) -> Log:
    here = _here(desk)
    folder = data or (None if files else desk.settings.data)
    if folder is not None:
        log = _stored(desk, folder, here)
        return msgspec.structs.replace(log, entries=partial(_merged, files)) if files else log
    return _filed(files, here) if files else _remote(desk.remote(), here)


def _stored(desk: Desk, folder: Path, here: Policies) -> Log:
    # Imported here: SQLite only where it is opened.
    from gateway.stores.sqlite.reading import Reading  # noqa: PLC0415  # as above

    reading = Reading(folder)

    def known(digest: str) -> Policies:
        files = reading.policy_files(digest)
        return _same(here, digest) if files is None else _loaded(tuple(files))

    return Log(
        entries=reading.decision_log,
        shadowed=partial(reading.decision_log, shadowed=True),
        people=_people(desk, folder),
        policies=known,
        in_force=reading.last_policy(),
    )


def _people(desk: Desk, folder: Path) -> People:
    """Return who pseudonyms stand for: nobody, where the secret or the registry is not here."""
    from gateway.stores import secrets  # noqa: PLC0415  # as in `_stored`
    from gateway.stores.sqlite import registry  # noqa: PLC0415  # as above

    secret = secrets.find(folder, "secret", desk.settings.secret)
    if secret is None or not (folder / registry.FILE).exists():
        return People()
    with closing(registry.Registry.open(folder, create=False)) as held:
        keys = held.list_keys()
    return People(
        Weekly(secret).of,
        principals=[key.principal.id for key in keys],
        keys=[key.id for key in keys],
    )


def _remote(remote: Remote, here: Policies) -> Log:
    in_force = str(remote.ask("GET", "/api/whoami").get("policy", ""))
    read = partial(_paged, remote)
    return Log(
        entries=read,
        shadowed=read,
        people=People(),
        policies=lambda digest: _same(here, digest),
        in_force=in_force,
    )


def _filed(files: Sequence[Path], here: Policies) -> Log:
    read = partial(_merged, files)
    return Log(
        entries=read,
        shadowed=read,
        people=People(),
        policies=lambda digest: _same(here, digest),
        in_force="" if here is None else here.digest,
    )


def _paged(remote: Remote, since_us: int, until_us: int) -> Iterator[Entry]:
    query = {"since": _moment(since_us), "until": _moment(until_us), "limit": str(PAGE)}
    while True:
        path = f"/api/decisions?{urlencode(query)}"
        answer = remote.fetch("GET", path, timeout_s=TIMEOUT_S)
        if answer.status != 200:  # noqa: PLR2004  # HTTP: OK
            remote.ask("GET", "/api/decisions", query=query)  # which tells what is wrong
        try:
            page = msgspec.json.decode(answer.body, type=_Page)
            found = [decision_log.entry(bytes(line)) for line in page.records]
        except msgspec.MsgspecError:
            raise terminal.Unreachable(
                f"what {remote.url} says of its decisions cannot be read: is it a gateway of"
                " another version?"
            ) from None
        yield from found
        if not page.after:
            return
        query["after"] = page.after


def _moment(at_us: int) -> str:
    """Return a moment as the API takes it, to the microsecond."""
    return (_EPOCH + datetime.timedelta(microseconds=at_us)).isoformat()


def _merged(files: Sequence[Path], since_us: int, until_us: int) -> Iterator[Entry]:
    """Yield the entries of some files, those of several replicas in the order of their times."""
    logs = [_lines(file) for file in files]
    entries = logs[0] if len(logs) == 1 else heapq.merge(*logs, key=attrgetter("at_us"))
    return decision_log.within(entries, since_us, until_us)


def _lines(file: Path) -> Iterator[Entry]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _entry(line, file, number)
    except OSError as error:
        raise WrongUse(f"{file} cannot be read: {error.strerror}") from None


def _entry(line: bytes, file: Path, number: int) -> Entry:
    try:
        return decision_log.entry(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise WrongUse(
            f"{file}:{number}: this is no line of a decision log: one JSON object a line, as"
            " GET /api/decisions has them under `records`"
        ) from None


def _here(desk: Desk) -> Policies:
    """Return the policies on this machine, which may be those in force."""
    from gateway.app import folders  # noqa: PLC0415  # the composition root, only for its files

    try:
        return policy.load(folders.policy_files(desk.settings.policies))
    except ConfigError:
        return None


def _same(here: Policies, digest: str) -> Policies:
    return here if here is not None and here.digest == digest else None


@lru_cache(maxsize=SETS_KEPT)
def _loaded(files: tuple[tuple[str, str], ...]) -> Policies:
    try:
        return policy.load(list(files))
    except ConfigError:
        return None  # of a language since left
