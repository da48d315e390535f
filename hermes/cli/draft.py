"""The files of a home as ``hermes setup`` would write them."""

import os
from collections.abc import Mapping
from pathlib import Path

from hermes.config.change import MODEL_VARIABLE, refused
from hermes.config.document import read_text
from hermes.config.dotenv import NAME as DOTENV
from hermes.config.load import Settings, load
from hermes.config.paths import CONFIG_NAME
from hermes.config.setting_up import ModelAnswer, with_model, with_platform
from hermes.ops.settings_files import write_settings
from hermes.registry.accounts import enabled_accounts
from hermes.registry.registry import PlatformRegistry
from hermes.types.errors import CONFIG_INVALID, Failure, GatewayError


class Draft:
    """The files as they would be. ``pairs_on``: the platform whose people are to be let in by codes."""

    def __init__(self, home: Path, registry: PlatformRegistry) -> None:
        self.home, self.registry = home, registry
        self.file, self.env_file = home / CONFIG_NAME, home / DOTENV
        self.before = {one: read_text(one, must_exist=False) for one in (self.file, self.env_file)}
        self.config, self.dotenv = self.before[self.file], self.before[self.env_file]
        self.pairs_on = ""
        self._ours: set[str] = set()

    @property
    def texts(self) -> tuple[str, str]:
        """What would be written, to be put back."""
        return self.config, self.dotenv

    @texts.setter
    def texts(self, texts: tuple[str, str]) -> None:
        self.config, self.dotenv = texts

    def settings(self) -> Settings:
        """As the gateway would have them. Raises ``GatewayError`` (``config_invalid``)."""
        # What is to be written is what is proved, and not what the environment of this shell says over it.
        environ = {name: value for name, value in os.environ.items() if name not in self._ours}
        return load(self.home, environ, instead={self.file: self.config, self.env_file: self.dotenv})

    def set_model(self, where: str, key: str | None, name: str) -> None:
        """Have this model."""
        answer = ModelAnswer(where, key, name)
        self.config, self.dotenv = with_model(self.file, self.config, self.dotenv, answer)
        self._ours.add(MODEL_VARIABLE)

    def set_platform(self, name: str, variables: Mapping[str, str | None]) -> None:
        """Have this platform, turned on."""
        self._ours |= variables.keys()
        texts = with_platform(self.file, self.config, self.dotenv, variables, "")
        self.config, self.dotenv = texts
        if not any(platform == name for platform, _ in enabled_accounts(self.registry, self.settings())):
            self.config, self.dotenv = with_platform(self.file, self.config, self.dotenv, {}, name)

    def write(self) -> list[Path]:
        """Write what is another text than before, if it can be used."""
        texts = {self.env_file: self.dotenv, self.file: self.config}
        if wrong := refused(self.home, os.environ, texts):
            raise GatewayError(Failure(CONFIG_INVALID, detail="\n".join(wrong)))
        changed = [path for path, text in texts.items() if text != self.before[path]]
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in changed:
            write_settings(path, texts[path])
        return changed
