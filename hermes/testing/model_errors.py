"""The errors of a model's endpoint, as four servers word them; for ``hermes.testing.model``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Server = Literal["openai", "llama.cpp", "vllm", "ollama"]
Kind = Literal["key", "model", "context", "busy", "failed"]


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def error(**said: object) -> dict[str, object]:
    """As most of them wrap it."""
    return {"error": said}


_REFUSALS: Mapping[tuple[Server, Kind], tuple[int, Mapping[str, object]]] = {
    ("openai", "key"): (
        401,
        error(
            message="Incorrect API key provided: sk-no*****good.",
            type="invalid_request_error",
            param=None,
            code="invalid_api_key",
        ),
    ),
    ("openai", "model"): (
        404,
        error(
            message="The model `x` does not exist or you do not have access to it.",
            type="invalid_request_error",
            param=None,
            code="model_not_found",
        ),
    ),
    ("openai", "context"): (
        400,
        error(
            message="This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
            type="invalid_request_error",
            param="messages",
            code="context_length_exceeded",
        ),
    ),
    ("openai", "busy"): (
        429,
        error(
            message="Rate limit reached for x in organization org-1 on requests per min (RPM). Visit /account/billing.",
            type="requests",
            param=None,
            code="rate_limit_exceeded",
        ),
    ),
    ("openai", "failed"): (
        500,
        error(
            message="The server had an error while processing your request.",
            type="server_error",
            param=None,
            code=None,
        ),
    ),
    ("llama.cpp", "key"): (
        401,
        error(message="Invalid API Key", type="authentication_error", code=401),
    ),
    ("llama.cpp", "model"): (
        404,
        error(message="File Not Found", type="not_found_error", code=404),
    ),
    ("llama.cpp", "context"): (
        400,
        error(
            message="request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it",
            type="exceed_context_size_error",
            code=400,
            n_prompt_tokens=9001,
            n_ctx=8192,
        ),
    ),
    ("llama.cpp", "busy"): (
        503,
        error(message="Loading model", type="unavailable_error", code=503),
    ),
    ("llama.cpp", "failed"): (
        500,
        error(message="Internal error", type="server_error", code=500),
    ),
    ("vllm", "key"): (401, {"error": "Unauthorized"}),
    ("vllm", "model"): (
        404,
        {
            "object": "error",
            "message": "The model `x` does not exist.",
            "type": "NotFoundError",
            "param": None,
            "code": 404,
        },
    ),
    ("vllm", "context"): (
        400,
        {
            "object": "error",
            "message": "'max_tokens' or 'max_completion_tokens' is too large: 100. This model's maximum context length is 8192"
            " tokens and your request has 9001 input tokens.",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    ("vllm", "busy"): (
        503,
        error(message="The server is overloaded.", type="ServiceUnavailable", param=None, code=503),
    ),
    ("vllm", "failed"): (
        500,
        error(message="EngineCore encountered an issue.", type="InternalServerError", param=None, code=500),
    ),
    ("ollama", "key"): (401, {"error": "unauthorized"}),
    ("ollama", "model"): (
        404,
        error(message='model "x" not found, try pulling it first', type="api_error", param=None, code=None),
    ),
    ("ollama", "context"): (
        400,
        error(message="input length exceeds maximum context length", type="api_error", param=None, code=None),
    ),
    ("ollama", "busy"): (
        503,
        error(
            message="server busy, please try again. maximum pending requests exceeded",
            type="api_error",
            param=None,
            code=None,
        ),
    ),
    ("ollama", "failed"): (
        500,
        error(message="llama runner process has terminated", type="api_error", param=None, code=None),
    ),
}


def refusal(server: Server, kind: Kind, **headers: str) -> Refuse:
    """An error in that server's form; ``retry_after="3"`` and the like are headers."""
    status, body = _REFUSALS[server, kind]
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refuse(status, json.dumps(body).encode(), {"content-type": "application/json", **named})


HTML = Refuse(502, b"<html><h1>502 Bad Gateway</h1></html>", {"content-type": "text/html"})
