"""``model:`` as people write it, in the keys of the model, and whether it says enough to ask one. Pure.

model: NAME              the same as {default: NAME}; so is {model: NAME}
api_key: ${NAME}         the value of a variable, in any text of the section; ${env:NAME} is the same
provider: openai         its base_url, and its key from its own variable, where the section says neither
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hermes.config.dotenv import REFERENCE, expanded
from hermes.config.model import Model
from hermes.config.secrets import MOST_NUMBER
from hermes.config.words import did_you_mean, shown

CUSTOM = "custom"
LOCAL = frozenset(
    {"", "auto", CUSTOM, "local", "lmstudio", "lm-studio", "llamacpp", "llama.cpp", "llama-cpp", "ollama"}
    | {"openai-compatible", "vllm"}
)
"""Names, some of them the original's, for whoever listens at ``base_url``."""

HOSTED: Mapping[str, str] = {
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
}
KEYS: Mapping[str, str] = {
    "openai.com": "OPENAI_API_KEY",
    "openai.azure.com": "OPENAI_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
}
"""Whose key a variable holds: it goes to that domain and to nobody else."""

_KEY = re.compile(r"[!-~]*")


def read_provider(section: object, environ: Mapping[str, str]) -> object:
    """``section`` in the keys of ``Model``; what is no section is returned as it is, for others to complain of.

    A variable that is not set stays as it is written.
    """
    if isinstance(section, str):
        section = {"default": section}
    if not isinstance(section, Mapping):
        return section
    keys: dict[Any, Any] = {
        key: expanded(value, environ).strip() if isinstance(value, str) else value
        for key, value in section.items()
    }
    if (name := keys.pop("model", None)) is not None and not keys.get("default"):
        keys["default"] = name
    if type(key := keys.get("api_key")) is int and abs(key) < MOST_NUMBER:
        keys["api_key"] = str(key)  # refused as no text, it would be shown
    provider, base_url = keys.get("provider"), keys.get("base_url")
    if not base_url and isinstance(provider, str):
        base_url = HOSTED.get(provider.lower())
    if isinstance(base_url, str):
        keys["base_url"] = base_url.rstrip("/").removesuffix("/chat/completions")
        if not keys.get("api_key"):
            keys["api_key"] = environ.get(_variable_for(base_url), "").strip()
    return keys


def unusable(model: Model) -> str:
    """Why it cannot be asked, in words; empty if it can, or if there is none at all."""
    if not is_set(model):
        return ""
    known = sorted((CUSTOM, *HOSTED))
    if model.provider.lower() not in LOCAL | HOSTED.keys():
        near = did_you_mean(model.provider, known)
        return f"this version knows the providers {', '.join(known)}, not {shown(model.provider)}{near}"
    for key in ("base_url", "api_key", "default"):
        if found := REFERENCE.search(getattr(model, key)):
            return f"the variable {found[1]}, which {key} is made of, is not set"
    if not model.base_url:
        return "base_url is missing: where the model's server is"
    if not _is_address(model.base_url):
        return "base_url is not of the form http://HOST:PORT/v1 or https://HOST/v1"
    if not _KEY.fullmatch(model.api_key):
        return "api_key holds a space, or a character that no key has"
    return ""


def is_set(model: Model) -> bool:
    """Whether the section says anything."""
    return model != Model()


def _variable_for(base_url: str) -> str:
    host = _host(base_url)
    return next((name for domain, name in KEYS.items() if f".{host}".endswith(f".{domain}")), "")


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    inside = parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
    return plain and inside and "@" not in parts.netloc and not (parts.query or parts.fragment)
