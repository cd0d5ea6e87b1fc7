"""
Run by test_openai3.py under the environment that holds openai 3.x, never imported.

It prints one JSON object: what each call came to.
"""

import asyncio
import json
import sys
from typing import Any

import openai


def main(base_url: str, key: str) -> None:
    """Make every call and print what came of them."""
    found: dict[str, object] = {"version": openai.__version__}
    messages: Any = [{"role": "user", "content": "Explain the parser."}]
    with openai.OpenAI(
        base_url=base_url, api_key=key, default_headers={"X-Task-Id": "PROJ-1"}
    ) as client:
        reply = client.chat.completions.create(model="gpt-5-mini", messages=messages)
        found["chat"] = [reply.choices[0].message.content, reply._request_id]
        stream = client.chat.completions.create(model="gpt-5-mini", messages=messages, stream=True)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        found["chat stream"] = [said, stream.response.headers["x-request-id"]]
        answer = client.responses.create(model="gpt-5-mini", input="Explain.")
        found["responses"] = [answer.output_text, answer._request_id]
        events: Any = client.responses.create(model="gpt-5-mini", input="Explain.", stream=True)
        said = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        found["responses stream"] = [said, events.response.headers["x-request-id"]]
        found["models"] = [model.id for model in client.models.list()]
        try:
            client.chat.completions.create(
                model="gpt-5-mini", messages=messages, extra_headers={"X-Task-Id": ""}
            )
        except openai.BadRequestError as error:
            found["refusal"] = error.code
    found["async"] = asyncio.run(_async_chat(base_url, key))
    print(json.dumps(found))


async def _async_chat(base_url: str, key: str) -> list[str | None]:
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key=key, default_headers={"X-Task-Id": "PROJ-1"}
    ) as client:
        reply = await client.chat.completions.create(
            model="gpt-5-mini", messages=[{"role": "user", "content": "Explain."}]
        )
        return [reply.choices[0].message.content, reply._request_id]


if __name__ == "__main__":
    main(*sys.argv[1:])
