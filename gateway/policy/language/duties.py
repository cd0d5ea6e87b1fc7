"""What a rule that permits adds to a call: another who answers it, or what it must keep to."""

from gateway.documents import Node, Problems
from gateway.policy.language import headers
from gateway.policy.language.clauses import OBLIGATIONS, PROVIDER_HEADERS, REPLY_HEADERS, ROUTE
from gateway.policy.language.forms import Form
from gateway.policy.language.headers import Reserved
from gateway.policy.language.kinds import Entries
from gateway.policy.rules import Duties, Rerouting


def read_route(node: Node, problems: Problems) -> Rerouting:
    """Return who answers instead; what is wrong with it is among the problems."""
    return Rerouting(**Form(ROUTE, node, problems).values)


def read_obligations(node: Node, problems: Problems) -> Duties:
    """Return what a call must keep to; what is wrong with it is among the problems."""
    form = Form(OBLIGATIONS, node, problems)
    return Duties(
        output_tokens_max=form.get("max_output_tokens", None),
        provider_headers=_headers(form, "provider_headers", PROVIDER_HEADERS, headers.PROVIDER),
        reply_headers=_headers(form, "reply_headers", REPLY_HEADERS, headers.REPLY),
        note=" ".join(form.get("note", "").split()),
    )


def _headers(
    form: Form, key: str, entries: Entries, reserved: tuple[Reserved, ...]
) -> tuple[tuple[str, str], ...]:
    """Return headers to add, sorted by name."""
    found: dict[str, str] = {}
    given: dict[str, Node] = form.get(key, {})
    for name, node in given.items():
        why = headers.why_not(name, reserved)
        value = entries.value.read(node)
        if why:
            said = f"the header {name[:64]!r} cannot stand in {key!r}: {why}"
            form.problems.add(form.at(key), said, key=name)
        if value is None:
            said = f"read {node.shown} in {name[:64]!r}, expected {entries.value.wanted(node)}"
            form.problems.add(node, said)
        else:
            found[name] = value
    return tuple(sorted(found.items()))
