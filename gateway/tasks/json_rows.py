"""A catalogue in JSON, read one task at a time, so that a mistake in one names its line."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from gateway.documents import Problems
from gateway.errors import ConfigError
from gateway.tasks.rows import FORM, Cell, Row, check_names

_SPACE = re.compile(r"[ \t\r\n]*")


def read(name: str, text: str, problems: Problems) -> Iterator[Row]:
    """Yield the rows of a list of tasks, or of what stands under the key `tasks`."""
    return _JsonReader(name, text, problems).rows()


class _JsonReader:
    """Reads a JSON catalogue one value at a time, so that each task's line is known."""

    def __init__(self, name: str, text: str, problems: Problems) -> None:
        self._name = name
        self._text = text
        self._problems = problems
        self._at = 0
        self._line, self._line_at = 1, 0
        self._twice: list[str] = []
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._mapping,
            parse_float=str,
            parse_int=str,
            parse_constant=str,
        )

    def rows(self) -> Iterator[Row]:
        opening = self._peek()
        if opening == "[":
            yield from self._tasks()
        elif opening == "{":
            yield from self._document()
        else:
            raise self._wrong(FORM)
        if self._peek():
            raise self._wrong("something follows the catalogue, expected its end")

    def _document(self) -> Iterator[Row]:
        found = False
        for _ in self._items("{", "}"):
            place, quote = self._place(), self._peek()
            key = str(self._value())
            if quote != '"' or self._peek() != ":":
                raise self._wrong("this is no JSON, expected a key and a colon")
            self._at += 1
            opening = self._peek()
            if key == "tasks" and opening == "[" and not found:
                found = True
                yield from self._tasks()
            else:
                self._problems.add_at(self._name, *place, f"read the key {key[:40]!r}, {FORM}")
                self._value()
        if not found:
            self._problems.add_at(self._name, 1, 1, f"no list of tasks, {FORM}")

    def _tasks(self) -> Iterator[Row]:
        for index in self._items("[", "]"):
            line, col = self._place()
            value = self._value()
            if not isinstance(value, dict):
                self._problems.add_at(
                    self._name, line, col, f"task {index} is no object, expected one"
                )
                continue
            fields = cast("dict[str, Any]", value)
            check_names(self._name, fields, self._problems, (line, col))
            yield Row(
                fields={key: self._cell(key, cell, line, col) for key, cell in fields.items()},
                line=line,
                col=col,
            )

    def _items(self, opening: str, closing: str) -> Iterator[int]:
        """Yield at each item of a list or an object, for its reader to move past it."""
        assert self._peek() == opening
        self._at += 1
        if self._peek() == closing:
            self._at += 1
            return
        index = 0
        while True:
            self._peek()
            yield index
            after = self._peek()
            if after not in (",", closing):
                raise self._wrong(f"this is no JSON, expected a comma or {closing}")
            self._at += 1
            index += 1
            if after == closing:
                return

    def _peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at
        return self._text[self._at : self._at + 1]

    def _value(self) -> Any:
        self._twice.clear()
        try:
            value, self._at = self._decoder.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            self._at = error.pos
            raise self._wrong(f"this is no JSON: {error.msg}") from None
        except RecursionError:
            raise self._wrong("nested too deeply, expected a list of tasks") from None
        for key in self._twice:
            self._problems.add_at(
                self._name, *self._place(), f"the key {key[:40]!r} is there twice"
            )
        return value

    def _mapping(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [key for key, _ in pairs]
            self._twice.extend(sorted({key for key in found if names.count(key) > 1}))
        return found

    def _cell(self, key: str, value: Any, line: int, col: int) -> Cell:
        if isinstance(value, list):
            items = cast("list[object]", value)
            texts = [self._cell(key, item, line, col) for item in items]
            if all(isinstance(text, str) for text in texts):
                return tuple(str(text) for text in texts if text)
        elif isinstance(value, str):
            return value
        elif value is None or isinstance(value, bool):
            return "" if value is None else str(value).lower()
        self._problems.add_at(
            self._name, line, col, f"{key[:40]!r} is an object or a nested list, expected a text"
        )
        return ""

    def _place(self) -> tuple[int, int]:
        self._line += self._text.count("\n", self._line_at, self._at)
        self._line_at = self._at
        return self._line, self._at - self._text.rfind("\n", 0, self._at)

    def _wrong(self, message: str) -> ConfigError:
        line, col = self._place()
        return ConfigError(f"{self._name}:{line}:{col}: {message}")
