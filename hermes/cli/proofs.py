"""One call each to a platform and to a model's server, that prove what is about to be written."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import trio

from hermes.agents.openai import refusals, wire
from hermes.agents.openai.agent import PURPOSE
from hermes.config.load import Settings
from hermes.config.model import Model
from hermes.net.http.client import Purpose, Reply, open_client
from hermes.ops.clock import SystemClock, SystemIds
from hermes.ops.redaction import Redaction
from hermes.registry.accounts import enabled_accounts
from hermes.registry.entry import AdapterSetup
from hermes.registry.registry import PlatformRegistry, Unavailable
from hermes.types.errors import BAD_CONFIG, MODEL_ERROR, UNREACHABLE, Failure, GatewayError
from hermes.types.origin import DEFAULT_ACCOUNT

PROOF_S = 15.0
ANSWER_S = 90.0
"""A model on this machine may have to be read from the disk first."""

GREETING = "Say OK, and nothing else."
LOCAL_S = 1.0
LOCAL_PORTS: Sequence[int] = (11434, 1234, 8080, 8000)
"""Where Ollama, LM Studio, llama.cpp and vLLM listen by themselves."""

_OK, _WORDS = 200, 200

T = TypeVar("T")


def models(base_url: str, api_key: str) -> list[str]:
    """The names of the models that the server at ``base_url`` has. Raises ``GatewayError`` that says what it answered."""
    reply = _within(PROOF_S, lambda: _listed(base_url, api_key))
    if reply.status != _OK:
        raise _refused(f"{base_url} answered {reply.status}: {_said(reply)}")
    try:
        return [str(one["id"]) for one in reply.json()["data"]]
    except (KeyError, TypeError) as wrong:
        raise _refused(f"{base_url}/models is no list of models; does the address end in /v1?") from wrong


def answer(model: Model) -> str:
    """What ``model`` says to a small request, in at most ``ANSWER_S``. Raises ``GatewayError`` that says why it did not."""
    reply = _within(ANSWER_S, lambda: _asked(model))
    if reply.status != _OK:
        said = refusals.of_status(reply.status, reply.headers, reply.body, Redaction((model.api_key,)).redact)
        raise GatewayError(said.failure)
    try:
        piece = wire.read(reply.body)
    except ValueError as wrong:
        raise _refused(f"its answer is not understood: {wrong}") from wrong
    if piece.error is not None:
        raise GatewayError(refusals.of_error(piece.error, Redaction((model.api_key,)).redact).failure)
    if not piece.text.strip():
        raise _refused("its answer is empty")
    return piece.text


def local_server() -> str | None:
    """The address of a model's server on this machine that lists its models, on one of ``LOCAL_PORTS``."""
    for port in LOCAL_PORTS:
        base_url = f"http://127.0.0.1:{port}/v1"
        try:
            reply = _within(LOCAL_S, lambda base_url=base_url: _listed(base_url, ""))  # type: ignore[misc]
            if reply.status == _OK and "data" in reply.json():
                return base_url
        except (GatewayError, TypeError):
            continue
    return None


def account(registry: PlatformRegistry, settings: Settings, platform: str, home: Path) -> str:
    """As whom ``platform`` knows its default account by ``settings``; empty where it has no way to be asked.

    Raises ``GatewayError`` in the platform's words, or in ours: what it needs is not installed, or what is set cannot be right.
    """
    entry = registry.get(platform)
    config = enabled_accounts(registry, settings).get((platform, DEFAULT_ACCOUNT))
    if entry is None or config is None:
        raise GatewayError(Failure(BAD_CONFIG, detail=f"{platform} is not turned on by what is set"))
    setup = AdapterSetup(platform, DEFAULT_ACCOUNT, config, home, SystemClock(), SystemIds())
    made = registry.create_adapter(platform, setup)
    if isinstance(made, Unavailable):
        raise GatewayError(Failure(made.code, detail=str(made)))
    if (probe := entry.probe) is None:
        return ""
    return _within(PROOF_S, lambda: probe(setup)).who


async def _listed(base_url: str, api_key: str) -> Reply:
    async with open_client() as client:
        return await client.request("GET", f"{base_url}/models", headers=_key(api_key))


async def _asked(model: Model) -> Reply:
    """Once, with no option that any server could refuse."""
    body = {"messages": [{"role": "user", "content": GREETING}]} | (
        {"model": model.default} if model.default else {}
    )
    async with open_client(purposes={PURPOSE: Purpose(most=1, timeout_s=ANSWER_S)}) as client:
        url = f"{model.base_url}/chat/completions"
        return await client.request("POST", url, purpose=PURPOSE, headers=_key(model.api_key), json=body)


def _key(api_key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {api_key}"} if api_key else {}


def _within(deadline_s: float, ask: Callable[[], Awaitable[T]]) -> T:
    async def asked() -> T:
        with trio.move_on_after(deadline_s):
            return await ask()
        raise GatewayError(Failure(UNREACHABLE, detail=f"no answer within {deadline_s:.0f} s"))

    return trio.run(asked)


def _said(reply: Reply) -> str:
    """The server's own words, as well as they can be found."""
    try:
        said: Any = reply.json()
        said = said.get("error", said)
        words = said if isinstance(said, str) else said.get("message", "")
    except (GatewayError, AttributeError):
        words = reply.body.decode(errors="replace")
    return " ".join(str(words).split())[:_WORDS] or "nothing more"


def _refused(detail: str) -> GatewayError:
    return GatewayError(Failure(MODEL_ERROR, detail=detail))
