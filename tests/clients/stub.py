"""A model server that knows one answer: enough of the OpenAI, Anthropic and Gemini APIs for a client's first trace.

Every answer has the same text and the same usage, streamed or not, so that the trace can be checked for both.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER = "The capital of France is Paris."
INPUT_TOKENS = 21
OUTPUT_TOKENS = 7
MODEL = "gpt-4o-mini"


@contextlib.contextmanager
def model_server() -> Iterator[str]:
    """The address of a running model server on the loopback address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), ModelApi)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def addresses(url: str) -> dict[str, str]:
    """The environment variables by which the SDKs of the three APIs find the server."""
    return {
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",
        "OPENAI_API_KEY": "sk-stub",
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-ant-stub",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_API_KEY": "stub",
        "GOOGLE_API_KEY": "stub",
    }


class ModelApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "stub"}]})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        path = self.path.partition("?")[0]
        streams = request.get("stream") is True
        if path.endswith("/chat/completions"):
            self.events(chat_chunks(request), done=True) if streams else self.answer(chat(request))
        elif path.endswith("/responses"):
            self.events(response_events(request), named=True) if streams else self.answer(response(request))
        elif path.endswith("/embeddings"):
            self.answer(embeddings(request))
        elif path.endswith("/count_tokens"):
            self.answer({"input_tokens": INPUT_TOKENS})
        elif path.endswith("/messages"):
            self.events(message_events(request), named=True) if streams else self.answer(message(request))
        elif ":streamGenerateContent" in path:
            self.events([gemini()])
        elif ":countTokens" in path:
            self.answer({"totalTokens": INPUT_TOKENS})
        elif ":generateContent" in path:
            self.answer(gemini())
        else:
            self.answer({"error": {"message": f"nothing at {path}"}}, 404)

    def answer(self, document: Any, status: int = 200) -> None:
        self.send(json.dumps(document).encode(), "application/json", status)

    def events(self, documents: list[dict[str, Any]], named: bool = False, done: bool = False) -> None:
        lines = [
            (f"event: {document['type']}\n" if named else "") + f"data: {json.dumps(document)}\n\n"
            for document in documents
        ]
        self.send("".join([*lines, "data: [DONE]\n\n" if done else ""]).encode(), "text/event-stream", 200)

    def send(self, body: bytes, content_type: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def text_for(request: dict[str, Any]) -> str:
    """The answer, in the form that frameworks with a format of their own ask for."""
    asked = json.dumps(request)
    if "[[ ## answer ## ]]" in asked:  # DSPy
        return f"[[ ## reasoning ## ]]\nIt is known.\n\n[[ ## answer ## ]]\n{ANSWER}\n\n[[ ## completed ## ]]"
    return ANSWER


def final_call(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The call by which BeeAI's agents want to be given their answer."""
    names = [tool.get("function", {}).get("name") for tool in request.get("tools") or []]
    if "final_answer" not in names:
        return []
    function = {"name": "final_answer", "arguments": json.dumps({"response": ANSWER})}
    return [{"index": 0, "id": "call_1", "type": "function", "function": function}]


def chat_usage() -> dict[str, int]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }


def chat(request: dict[str, Any]) -> dict[str, Any]:
    calls = final_call(request)
    said: dict[str, Any] = {"role": "assistant", "content": None if calls else text_for(request)}
    choice = {
        "index": 0,
        "message": said | ({"tool_calls": calls} if calls else {}),
        "finish_reason": "tool_calls" if calls else "stop",
    }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": request.get("model", MODEL),
        "choices": [choice],
        "usage": chat_usage(),
    }


def chat_chunks(request: dict[str, Any]) -> list[dict[str, Any]]:
    whole = chat(request)
    message = whole["choices"][0].pop("message")
    head = {**whole, "object": "chat.completion.chunk", "usage": None}
    finish = whole["choices"][0]["finish_reason"]
    return [
        {**head, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**head, "choices": [], "usage": chat_usage()},
    ]


def response(request: dict[str, Any]) -> dict[str, Any]:
    item = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text_for(request), "annotations": []}],
    }
    usage = {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_767_225_600,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": request.get("model", MODEL),
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage,
    }


def response_events(request: dict[str, Any]) -> list[dict[str, Any]]:
    whole = response(request)
    item = whole["output"][0]
    part = item["content"][0]
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": part["text"], "logprobs": []},
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings(request: dict[str, Any]) -> dict[str, Any]:
    inputs = request.get("input")
    count = len(inputs) if isinstance(inputs, list) else 1
    return {
        "object": "list",
        "model": request.get("model", "text-embedding-3-small"),
        "data": [{"object": "embedding", "index": index, "embedding": [0.1, 0.2]} for index in range(count)],
        "usage": {"prompt_tokens": INPUT_TOKENS, "total_tokens": INPUT_TOKENS},
    }


def message(request: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request.get("model", "claude-sonnet-4-5"),
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS},
    }


def message_events(request: dict[str, Any]) -> list[dict[str, Any]]:
    whole = message(request)
    start = {**whole, "content": [], "stop_reason": None, "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1}}
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": OUTPUT_TOKENS},
        },
        {"type": "message_stop"},
    ]


def gemini() -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": ANSWER}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
    }
