"""
What a request asks of a simulated provider: the few fields that shape a reply.

Everything else in a request is skipped, not checked. Shapes: OpenAI's chat, completions,
responses and embeddings, Anthropic's messages.
"""

from typing import Any

import msgspec
from msgspec import Struct


class Part(Struct):
    """One piece of a message's content."""

    type: str = ""
    text: str | None = None


class Message(Struct):
    """One turn; for the responses API also an item that is no message."""

    role: str = ""
    type: str = ""
    content: str | list[Part] | None = None


class Function(Struct):
    """A function a model may call."""

    name: str = ""
    parameters: dict[str, Any] | None = None


class Tool(Struct):
    """A tool, in whichever of the three shapes."""

    type: str = ""
    name: str = ""
    function: Function | None = None
    parameters: dict[str, Any] | None = None
    input_schema: dict[str, Any] | None = None

    @property
    def called(self) -> Function:
        """Return its name and the schema of its arguments."""
        return self.function or Function(self.name, self.parameters or self.input_schema)


class Schema(Struct):
    """A format for the answer; OpenAI's chat nests it in `json_schema`."""

    type: str = ""
    schema: dict[str, Any] | None = None
    json_schema: "Schema | None" = None


class StreamOptions(Struct):
    """What a stream should hold besides."""

    include_usage: bool = False


class TextOptions(Struct):
    """`text` of the responses API, `output_config` of Anthropic."""

    format: Schema | None = None


class Request(Struct):
    """A call to generate text, in any of the formats."""

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    messages: list[Message] = []
    input: str | list[Message] = ""
    prompt: str | list[str | int | list[int]] = ""
    system: str | list[Part] | None = None
    instructions: str | None = None
    n: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    tools: list[Tool] | None = None
    tool_choice: str | Tool | None = None
    response_format: Schema | None = None
    output_format: Schema | None = None
    output_config: TextOptions | None = None
    text: TextOptions | None = None

    @property
    def turns(self) -> list[Message]:
        """Return the conversation."""
        if self.messages:
            return self.messages
        return [Message("user", content=self.input)] if isinstance(self.input, str) else self.input

    @property
    def tokens_max(self) -> int | None:
        """Return the most tokens to answer with."""
        return self.max_completion_tokens or self.max_output_tokens or self.max_tokens

    @property
    def schema(self) -> dict[str, Any] | None:
        """Return the JSON schema the answer must fit."""
        given = self.response_format or self.output_format
        for options in (self.text, self.output_config):
            given = given or (options.format if options else None)
        nested = given.json_schema or given if given else None
        return nested.schema if nested else None


class EmbeddingRequest(Struct):
    """A call for embeddings."""

    model: str = ""
    input: str | list[str | int | list[int]] = ""
    dimensions: int | None = None
    encoding_format: str | None = None

    @property
    def texts(self) -> list[str]:
        """Return what to embed, tokens as text."""
        if isinstance(self.input, str):
            return [self.input]
        if self.input and isinstance(self.input[0], int):
            return [str(self.input)]
        return [str(item) for item in self.input]


REQUEST = msgspec.json.Decoder(Request)
EMBEDDING_REQUEST = msgspec.json.Decoder(EmbeddingRequest)


def text_of(content: str | list[Part] | None) -> str:
    """Return the text of some content."""
    if isinstance(content, str):
        return content
    return "\n".join(part.text for part in content or () if part.text)


def last_user_text(request: Request) -> str:
    """Return what the user said last."""
    for turn in reversed(request.turns):
        if turn.role == "user" and (text := text_of(turn.content)):
            return text
    return str(request.prompt)


def input_tokens(request: Request) -> int:
    """Return how many tokens a simulated provider counts for the input: four characters each."""
    characters = len(request.instructions or "") + len(str(request.prompt or ""))
    characters += len(text_of(request.system))
    for turn in request.turns:
        characters += 8 + len(text_of(turn.content))
    if request.tools:
        characters += len(msgspec.json.encode(request.tools))
    return max(1, characters // 4)
