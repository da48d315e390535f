"""What the answers of ``hermes setup`` make of the files, on their texts. Pure.

the model   ─▶ config.yaml, its key as ${MODEL_API_KEY}; the key itself ─▶ .env
variables   ─▶ .env
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hermes.config.change import MODEL_VARIABLE
from hermes.config.document import parse, values
from hermes.config.dotenv_edit import set_variables
from hermes.config.edit import as_yaml, set_key, unset_key
from hermes.config.provider import HOSTED

NO_MODEL = "none"


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """``where`` is an address, a name of ``HOSTED``, or ``none``; ``key`` None: as it is."""

    where: str
    key: str | None = field(default=None, repr=False)
    name: str = ""


def with_model(file: Path, text: str, dotenv: str, answer: ModelAnswer) -> tuple[str, str]:
    """The texts of config.yaml, which is ``file``, and .env with the model as answered; all its other keys stay.

    Raises ``GatewayError`` (``config_invalid``) where that is not possible without touching something else.
    """
    if answer.where == NO_MODEL or not isinstance(values(parse(file, text)).get("model", {}), dict):
        text = unset_key(file, text, ("model",))
    if answer.where == NO_MODEL:
        return text, dotenv
    hosted = answer.where in HOSTED
    wanted = {
        "provider": answer.where if hosted else "custom",
        "base_url": None if hosted else answer.where,
        "default": answer.name or None,
    }
    if answer.key is not None:
        wanted["api_key"] = f"${{{MODEL_VARIABLE}}}" if answer.key else None
        dotenv = set_variables(dotenv, {MODEL_VARIABLE: answer.key or None})
    for name, value in wanted.items():
        key = ("model", name)
        text = (
            unset_key(file, text, key)
            if value is None
            else set_key(file, text, key, as_yaml(value, text=True))
        )
    return text, dotenv


def with_platform(
    file: Path, text: str, dotenv: str, variables: Mapping[str, str | None], enable: str
) -> tuple[str, str]:
    """The texts with the variables of a platform, None to take one out. ``enable``: the platform to turn on in the file, or "".

    Raises as ``with_model`` does.
    """
    if enable:
        text = set_key(file, text, ("platforms", enable, "enabled"), "true")
    return text, set_variables(dotenv, dict(variables))
