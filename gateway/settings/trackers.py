"""
`trackers:` and `people:` of goodgate.yaml: who may tell what came of tasks, and who is who there.

A tracker without a secret would be anybody, so one without is no tracker: nothing starts.
"""

import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.documents import Fields, Node, Problems, nearest
from gateway.errors import ConfigError
from gateway.tasks import Directory, Person

Kind: TypeAlias = Literal["github", "gitlab", "jira", "linear", "standard"]

SECRET_BYTES_MIN: Final = 16
STALE_S_MAX: Final = Decimal(366 * 86_400)

_KINDS: Final = ("github", "gitlab", "jira", "linear", "standard")
_KEYS: Final = (
    *("kind", "secret", "previous_secret", "team", "stale_after_s"),
    *("api_key", "base_url", "projects", "value_field"),
)
_BASE_URLS: Final[Mapping[str, str]] = {
    "github": "https://api.github.com",
    "gitlab": "https://gitlab.com/api/v4",
    "jira": "",
    "linear": "https://api.linear.app",
}
"""Where the kinds that can be asked are asked, unless goodgate.yaml says otherwise."""
_REPOSITORY: Final = re.compile(r"(?:(?!\.+(?:/|$))[A-Za-z0-9_.-]{1,100}(?:/(?!$)|$)){2,20}")
_KEY: Final = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_KEYED: Final = frozenset(("jira", "linear"))
"""Kinds whose projects have short keys and no paths."""
_FIELD: Final = re.compile(r"customfield_[0-9]{1,20}|")
_LOOPBACK: Final = frozenset(("127.0.0.1", "localhost", "::1"))
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENCODED: Final = "whsec_"
_LINEAR_KEY: Final = "lin_api_"


class Tracker(Struct, frozen=True, kw_only=True):
    """One that tells how tasks stand."""

    name: str
    kind: Kind
    secret: bytes
    """What its messages are signed with; never empty."""
    previous_secret: bytes = b""
    """The one before, while both are in use."""
    team: str = ""
    """Owns what the tracker brings and gives no team."""
    stale_after_s: float = 0.0
    """After how long a silence its tasks are stale; 0: never, for it may have nothing to tell."""
    api_key: str = ""
    """What a sync asks it with; empty: as anybody."""
    base_url: str = ""
    """Where a sync asks it, without a slash at the end."""
    projects: tuple[str, ...] = ()
    """What a sync reads: `acme/web`; at Jira a project's key, at Linear a team's, `PAY`."""
    value_field: str = ""
    """Jira's id of the field with a task's value; empty: it has none."""

    @property
    def authorization(self) -> str:
        """
        Return what a sync shows a tracker of this kind; empty: nothing.

        Jira Cloud takes `e-mail:token` as RFC 7617 says, Linear its own keys as they stand, and
        all of them a token of OAuth as RFC 6750 says.
        """
        if not self.api_key:
            return ""
        if self.kind == "jira" and ":" in self.api_key:
            return "Basic " + binascii.b2a_base64(self.api_key.encode(), newline=False).decode()
        if self.kind == "linear" and self.api_key.startswith(_LINEAR_KEY):
            return self.api_key
        return f"Bearer {self.api_key}"

    def __repr__(self) -> str:
        """Show which it is, and no secret."""
        return f"Tracker(name={self.name!r}, kind={self.kind!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """Show the same when rich prints it."""
        return [("name", self.name), ("kind", self.kind)]


class Reading(Struct, frozen=True, kw_only=True):
    """What a section is read with; mistakes go to `problems`."""

    problems: Problems
    secret: Callable[[Fields, str], str]
    """Returns a secret that is given by reference; empty when something is wrong with it."""


def tracker(name: str, node: Node, reading: Reading) -> Tracker:
    """Return one tracker, as far as nothing is wrong with it."""
    problems = reading.problems
    fields = Fields(node, problems, f"tracker {name!r}")
    if not _NAME.fullmatch(name):
        problems.add(node, "a tracker's name is made of letters, digits, `.`, `_`, `-`")
    fields.only(*_KEYS)
    fields.need("kind", "secret")
    kind = fields.choice("kind", _KINDS, "")
    stale_after_s = fields.decimal("stale_after_s", Decimal(0)) or Decimal(0)
    if not 0 <= stale_after_s <= STALE_S_MAX:
        fields.expected("stale_after_s", f"seconds, from 0 to {STALE_S_MAX}")
    projects = _projects(fields, kind)
    return Tracker(
        api_key=reading.secret(fields, "api_key") if "api_key" in fields.items else "",
        base_url=_base_url(fields, kind),
        projects=projects,
        name=name,
        kind=cast("Kind", kind),  # or a problem was noted, and nothing starts
        secret=_secret(fields, "secret", reading),
        previous_secret=_secret(fields, "previous_secret", reading),
        team=fields.text("team"),
        stale_after_s=float(stale_after_s),
        value_field=_value_field(fields, kind),
    )


def _projects(fields: Fields, kind: str) -> tuple[str, ...]:
    node = fields.items.get("projects")
    if node is None:
        return ()
    if kind not in _BASE_URLS:
        can = ", ".join(sorted(_BASE_URLS))
        fields.expected("projects", f"no projects here: {can} can be asked, others tell by webhook")
        return ()
    found = _texts(node, "projects", fields)
    pattern, such = (_KEY, "PAY") if kind in _KEYED else (_REPOSITORY, "acme/web")
    if not all(map(pattern.fullmatch, found)):
        fields.expected("projects", f"names such as {such}")
    if not _BASE_URLS[kind] and "base_url" not in fields.items:
        fields.expected("projects", "a `base_url` beside it, as https://acme.atlassian.net")
    return found


def _value_field(fields: Fields, kind: str) -> str:
    text = fields.text("value_field")
    if text and kind != "jira":
        fields.expected("value_field", "no field here: others than jira have one of their own")
    elif not _FIELD.fullmatch(text):
        fields.expected("value_field", "Jira's id of a field, as customfield_10016")
    return text


def _base_url(fields: Fields, kind: str) -> str:
    text = fields.text("base_url") or _BASE_URLS.get(kind, "")
    parts = urlsplit(text)
    is_plain = parts.scheme == "https" or parts.hostname in _LOOPBACK
    if text and not (is_plain and parts.hostname and not parts.query and not parts.username):
        fields.expected(
            "base_url", "an https address without a query, as https://git.acme.test/api/v3"
        )
    return text.rstrip("/")


def people(
    entries: Iterable[tuple[str, Node]], trackers: Sequence[str], problems: Problems
) -> Directory:
    """Return who is who; handles are given by the names of trackers."""
    found: dict[str, Person] = {}
    last: Node | None = None
    for principal, node in entries:
        last = node
        fields = Fields(node, problems, f"person {principal!r}")
        handles: dict[str, tuple[str, ...]] = {}
        for key, value in fields.items.items():
            if key != "email" and key not in trackers:
                hint = nearest(key, trackers) or "; `email`, or a name of `trackers`, is expected"
                problems.add(value, f"no tracker is named {key[:40]!r}{hint}")
            handles[key] = _texts(value, key, fields)
        emails = handles.pop("email", ())
        found[principal] = Person(principal=principal, handles=handles, emails=emails)
    try:
        return Directory(found)
    except ConfigError as error:
        assert last is not None
        problems.add(last, str(error))
        return Directory({})


def _secret(fields: Fields, key: str, reading: Reading) -> bytes:
    node = fields.items.get(key)
    if node is None:
        return b""
    before = len(reading.problems)
    text = reading.secret(fields, key)
    if len(reading.problems) > before:
        return b""
    if len(_bytes(text)) < SECRET_BYTES_MIN:
        reading.problems.add(
            node,
            f"{key!r} of {fields.what} is empty, too short or no base64: anybody could sign with"
            f" it; set one of at least {SECRET_BYTES_MIN} bytes here and at the tracker",
        )
    return text.encode()


def _bytes(text: str) -> bytes:
    """Return what a secret comes to: `whsec_` and base64, or the text itself."""
    if not text.startswith(_ENCODED):
        return text.encode()
    encoded = text.removeprefix(_ENCODED).rstrip("=")
    try:
        return binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True)
    except ValueError:
        return b""


def _texts(node: Node, key: str, fields: Fields) -> tuple[str, ...]:
    """Return one text, or a list of them."""
    nodes = node.value if isinstance(node.value, list) else [node]
    texts = [each.value for each in nodes if isinstance(each.value, str) and each.value.strip()]
    if len(texts) != len(nodes):
        fields.expected(key, "a text, or a list of texts")
    return tuple(each.strip() for each in texts)
