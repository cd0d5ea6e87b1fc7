"""What the parts of a message say, in the shapes of all three formats."""

import base64
import hashlib

import pytest

from gateway.values import Turn
from gateway.wire import parts
from gateway.wire.parts import Heard
from tests.unit.wire.calls import call

PNG = b"\x89PNG\r\n\x1a\n\xfb\xff" * 9 + b"\0"
WRITTEN = base64.b64encode(PNG).decode()
URL = "https://files.example/cat.png"


def digest(content: bytes | str) -> bytes:
    return hashlib.sha256(content if isinstance(content, bytes) else content.encode()).digest()


def heard(*blocks: object) -> Turn:
    return call("messages", messages=[{"role": "user", "content": blocks}]).turn


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
        {"type": "input_text", "text": "hi"},
        {"type": "refusal", "refusal": "hi"},
        {"type": "document", "source": {"type": "text", "data": "hi"}, "title": "t"},
        {"type": "document", "source": {"type": "content", "content": "hi"}},
        {
            "type": "document",
            "source": {"type": "content", "content": [{"type": "text", "text": "hi"}]},
        },
        {"type": "search_result", "source": "s", "content": [{"type": "text", "text": "hi"}]},
        {"text": "hi"},
        {"type": "of_next_year", "text": "hi"},
        "hi",
    ],
)
def test_text_is_read(block):
    assert heard(block) == Turn(texts=("hi",))


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{WRITTEN}"}},
        {"type": "image_url", "image_url": {"url": f"DATA:;BASE64,{WRITTEN}", "detail": "low"}},
        {"type": "image_url", "image_url": f"data:image/png;base64,{WRITTEN}"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{WRITTEN}"},
        {"type": "input_audio", "input_audio": {"data": WRITTEN, "format": "wav"}},
        {"type": "file", "file": {"filename": "a", "file_data": WRITTEN}},
        {"type": "file", "file": {"file_data": f"data:a/b;base64,{WRITTEN}"}},
        {"type": "input_file", "filename": "a", "file_data": f"data:a/b;base64,{WRITTEN}"},
        {"type": "image", "source": {"type": "base64", "media_type": "i/p", "data": WRITTEN}},
        {"type": "document", "source": {"type": "base64", "data": WRITTEN}},
    ],
)
def test_content_is_told_by_what_it_holds(block):
    assert heard(block) == Turn(attachments=(digest(PNG),))


@pytest.mark.parametrize(
    "written",
    [
        WRITTEN.rstrip("="),
        WRITTEN + "==",
        "\n".join(WRITTEN[place : place + 7] for place in range(0, len(WRITTEN), 7)),
        base64.urlsafe_b64encode(PNG).decode(),
    ],
)
def test_how_base64_is_written_does_not_matter(written):
    block = {"type": "image", "source": {"type": "base64", "data": written}}
    assert heard(block).attachments == (digest(PNG),)


@pytest.mark.parametrize("written", ["A", "caf\u00e9"])
def test_what_is_no_base64_stands_for_itself(written):
    block = {"type": "image", "source": {"type": "base64", "data": written}}
    assert heard(block).attachments == (digest(written),)


def test_a_data_url_may_be_written_out():
    block = {"type": "image_url", "image_url": {"url": "data:text/plain,a%20b"}}
    assert heard(block).attachments == (digest("a b"),)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "input_image", "image_url": URL, "detail": "auto"},
        {"type": "input_image", "image_url": None, "file_id": URL},
        {"type": "input_file", "file_url": URL},
        {"type": "input_file", "file_id": URL},
        {"type": "file", "file": {"file_id": URL}},
        {"type": "image", "source": {"type": "url", "url": URL}},
        {"type": "document", "source": {"type": "file", "file_id": URL}},
        {"type": "container_upload", "file_id": URL},
    ],
)
def test_what_is_elsewhere_is_told_by_its_name(block):
    assert heard(block) == Turn(attachments=(digest(URL),))


def test_an_attachment_of_another_shape_stands_for_itself_in_any_order():
    one = heard({"type": "image", "source": {"type": "s3", "bucket": "b"}})
    two = heard({"source": {"bucket": "b", "type": "s3"}, "type": "image"})
    other = heard({"type": "image", "source": {"type": "s3", "bucket": "c"}})
    assert one == two != other
    assert len(one.attachments) == 1


def test_a_part_of_another_kind_stands_for_itself():
    one = heard({"type": "video", "video": {"id": "1"}})
    assert one != heard({"type": "video", "video": {"id": "2"}})
    assert (one.texts, len(one.attachments)) == ((), 1)


def test_text_where_its_provider_reads_none_changes_nothing():
    block = {"type": "image_url", "image_url": {"url": URL}}
    assert heard(block | {"text": "salt"}) == heard(block)
    text = {"type": "text", "text": "hi"}
    assert heard(text | {"image_url": {"url": URL}, "salt": 1}) == heard(text)


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text"},
        {"type": "text", "text": 5},
        {"type": "text", "text": " "},
        {"type": "image"},
        {"type": "image", "source": {}},
        {"type": "image", "source": 5},
        {"type": "document", "source": "x"},
        {"type": "document", "source": {"type": "text"}},
        {"type": "search_result"},
        {"type": "unknown", "text": ""},
    ],
)
def test_a_part_with_nothing_in_it_says_nothing(block):
    assert heard(block) == Turn()


def test_a_picture_among_what_a_tool_answered_is_attached():
    picture = {"type": "image", "source": {"type": "base64", "data": WRITTEN}}
    text = {"type": "text", "text": "a cat"}
    nested = {"type": "tool_result", "content": [text, picture, text]}
    assert heard(nested) == Turn(results=("a cat\na cat",), attachments=(digest(PNG),))


def test_an_answer_inside_an_answer_is_part_of_it():
    inner = {"type": "tool_result", "content": "one"}
    outer = {"type": "tool_result", "content": [inner, {"type": "text", "text": "two"}]}
    assert heard(outer) == Turn(results=("one\ntwo",))


def test_nothing_is_taken_apart_without_end():
    block: object = {"type": "text", "text": "hi"}
    for _ in range(100):
        block = {"type": "search_result", "content": [block]}
    assert heard(block) == Turn()
    for _ in range(100):
        block = {"type": "tool_result", "content": block}
    assert heard(block) == Turn(results=("",))
    for _ in range(100):
        block = {"content": block, "text": block, "input": [block]}
        assert parts.said(block, 9) == ""


def test_what_was_heard_is_true_when_there_is_any():
    said = Heard()
    assert not said
    said.answer(None)
    assert said


def test_what_the_model_said_is_cut_to_its_end():
    assert parts.said({"content": "abcdef"}, 3) == "def"
    assert parts.said({"content": [{"text": "abc"}, {"text": "d"}]}, 4) == "bc\nd"
    assert parts.said({"content": [5, None], "name": ""}, 4) == ""
