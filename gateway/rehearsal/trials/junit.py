"""
Results as JUnit XML, which every CI reads: a suite per file, a test case per case.

JUnit has no standard; this keeps to what Jenkins' and GitLab's readers and the common schema
agree on. Characters that XML 1.0 (section 2.2) cannot hold are replaced.
"""

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree as Xml

from gateway.rehearsal.trials.testing import Failure, Result

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml(results: Sequence[Result]) -> str:
    """Return the document; the same results give the same text."""
    files: dict[str, list[Result]] = {}
    for result in results:
        files.setdefault(result.case.file, []).append(result)
    root = Xml.Element("testsuites", _counts("goodgate policy test", results))
    for file, found in files.items():
        suite = Xml.SubElement(root, "testsuite", _counts(file, found))
        for result in found:
            _case(suite, result)
    Xml.indent(root)
    body = Xml.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _counts(name: str, results: Sequence[Result]) -> dict[str, str]:
    failures = sum(not result.passed for result in results)
    return {
        "name": _clean(name),
        "tests": str(len(results)),
        "failures": str(failures),
        "errors": "0",
        "skipped": "0",
        "time": "0",
    }


def _case(suite: Xml.Element, result: Result) -> None:
    case = result.case
    attributes = {
        "name": _clean(case.name),
        "classname": _clean(case.file),
        "file": _clean(case.file),
        "line": str(case.line),
        "time": "0",
    }
    element = Xml.SubElement(suite, "testcase", attributes)
    if result.failure is not None:
        _failure(element, case.file, result.failure)


def _failure(element: Xml.Element, file: str, failure: Failure) -> None:
    said = {"message": _clean(failure.lines[0]), "type": failure.shortfalls[0].what}
    found = Xml.SubElement(element, "failure", said)
    where = f" {failure.where}" if failure.where else ""
    found.text = _clean("\n".join((f"{file}:{failure.line}{where}", *failure.lines)))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
