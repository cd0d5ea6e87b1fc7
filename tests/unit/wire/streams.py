"""Replies as providers send them, in the shapes their references show."""

CHAT_USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"gpt-5-mini","choices":[],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":7,"total_tokens":27,'
    b'"prompt_tokens_details":{"cached_tokens":8,"audio_tokens":0},'
    b'"completion_tokens_details":{"reasoning_tokens":2}}}\n\n'
)
CHAT_HEAD = (
    b": connected\n\n"
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    b'"finish_reason":null}],"usage":null}\n\n'
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"Hi \\u00fc"}}],"usage":null}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"\xc3\xbc\\n\\ndata: [DONE]"}}]}\n\n'
    b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
)
CHAT_DONE = b"data: [DONE]\n\n"
CHAT = CHAT_HEAD + CHAT_USAGE + CHAT_DONE
CHAT_TEXT_BYTES = len("Hi ü".encode()) + len("ü\n\ndata: [DONE]".encode())

CHAT_TOOLS = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,'
    b'"id":"call_1","type":"function","function":{"name":"look","arguments":""}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":'
    b'{"arguments":"{\\"a\\":"}}]}}]}\n\n'
    b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"custom":{"input":"1}"}}]}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"refusal":"no"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":"xyz"}}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hmm","reasoning":"hmm"}}]}\n\n'
)
CHAT_TOOLS_TEXT_BYTES = len('{"a":') + len("1}") + len("no") + len("xyz") + len("hmm")

RESPONSES = (
    b"event: response.created\n"
    b'data: {"type":"response.created","response":{"id":"r1","usage":null}}\n\n'
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","item_id":"m1","delta":"Hello","logprobs":[]}\n\n'
    b"event: response.function_call_arguments.delta\n"
    b'data: {"type":"response.function_call_arguments.delta","delta":"{}"}\n\n'
    b"event: response.audio.delta\n"
    b'data: {"type":"response.audio.delta","delta":"AAAAAAAA"}\n\n'
    b"event: response.completed\n"
    b'data: {"type":"response.completed","response":{"id":"r1","status":"completed","output":[],'
    b'"usage":{"input_tokens":30,"input_tokens_details":{"cached_tokens":10,"cache_write_tokens":5},'
    b'"output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":39}}}\n\n'
)

MESSAGES = (
    b"event: message_start\r\n"
    b'data: {"type":"message_start","message":{"id":"msg_1","role":"assistant","content":[],'
    b'"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,'
    b'"output_tokens":1}}}\r\n\r\n'
    b"event: content_block_start\n"
    b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b"event: ping\n"
    b'data: {"type": "ping"}\n\n'
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}\n\n'
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":1,"delta":'
    b'{"type":"input_json_delta","partial_json":"{\\"a\\""}}\n\n'
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"So"}}\n\n'
    b"event: message_delta\n"
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
    b'"usage":{"output_tokens":15,"cache_read_input_tokens":null}}\n\n'
)
MESSAGES_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
