"""A catalogue in YAML, through the strict reader that policies go through too."""

from collections.abc import Iterator

from gateway import documents
from gateway.documents import Node, Problems
from gateway.tasks.rows import FORM, SIZE_MAX, Cell, Row, check_names

VALUES_MAX = 16_000_000
DEPTH_MAX = 8


def read(name: str, text: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a list of tasks, or of what stands under the key `tasks`."""
    root = documents.parse(
        name, text, size_max=SIZE_MAX, depth_max=DEPTH_MAX, values_max=VALUES_MAX
    )
    listed = root
    if isinstance(root.value, dict):
        for key in root.value:
            if key != "tasks":
                hint = documents.nearest(key, ("tasks",))
                problems.add(root, f"unknown key {key[:40]!r} in a catalogue{hint}", key=key)
        listed = root.value.get("tasks", root)
    if not isinstance(listed.value, list):
        problems.add(listed, f"read {listed.shown}, {FORM}")
        return
    for node in listed.value:
        row = _row(node, problems)
        if row is not None:
            yield row


def _row(node: Node, problems: Problems) -> Row | None:
    if not isinstance(node.value, dict):
        problems.add(node, f"read {node.shown}, expected a task: a mapping")
        return None
    for key, place in node.key_places.items():
        check_names(node.name, (key,), problems, place)
    return Row(
        fields={key: _cell(key, value, problems) for key, value in node.value.items()},
        line=node.line,
        col=node.col,
        places={key: (value.line, value.col) for key, value in node.value.items()},
    )


def _cell(key: str, node: Node, problems: Problems) -> Cell:
    if isinstance(node.value, list):
        return tuple(text for item in node.value if (text := _text(key, item, problems)))
    return _text(key, node, problems)


def _text(key: str, node: Node, problems: Problems) -> str:
    """Return a scalar as it was written: an id 007 is not 7."""
    if isinstance(node.value, dict | list):
        problems.add(node, f"read {node.shown} in {key[:40]!r}, expected a text")
    return "" if node.value is None else node.text
