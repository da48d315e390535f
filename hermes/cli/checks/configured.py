"""What is written: whether it can be used, who is let in by it, and what is installed by it."""

import os
from collections.abc import Iterator
from functools import partial

from hermes.cli import service
from hermes.cli.checks.scene import Finding, Scene, problem, warning
from hermes.config.dotenv import exposed
from hermes.config.exposure import SHORTEST_KEY, is_local, is_weak
from hermes.config.remarks import remarks
from hermes.config.unknown import unknown_keys
from hermes.ops.pairing_files import PairingFiles
from hermes.ops.unit import SCOPES
from hermes.ops.whatsapp_aliases import read_aliases
from hermes.plugins.discover import on_disk
from hermes.registry.accounts import enabled_accounts
from hermes.types.errors import GatewayError


def settings(scene: Scene) -> Iterator[Finding]:
    """They can be used, and somebody reads them all."""
    for words in scene.faults:
        yield problem(words, run="hermes config edit")
    if scene.settings is None:
        return
    registered = {entry.name: entry.always for entry in scene.registry.all_entries()}
    said = {exposed(scene.home / name) for name in (".env", "config.yaml")}  # of which permissions speak
    for words in (*unknown_keys(scene.settings.written), *remarks(scene.settings, registered)):
        if words not in said:
            yield warning(words, run="hermes config edit")


def exposure(scene: Scene) -> Iterator[Finding]:
    """Whoever can reach the web server from elsewhere has to prove something."""
    if scene.settings is None or is_local(host := scene.settings.config.web.host):
        return
    api = enabled_accounts(scene.registry, scene.settings).get(("api_server", "default"))
    if api is not None and is_weak(api.text("key")):
        yield problem(
            f"others can reach {host}, and the key of the API server has not {SHORTEST_KEY} random characters",
            "API_SERVER_KEY",
            "hermes config set API_SERVER_KEY $(openssl rand -hex 32)",
        )


def port(scene: Scene) -> Iterator[Finding]:
    """The port that is configured is free for the gateway."""
    if scene.settings is None or scene.status is not None or not (wanted := scene.settings.config.web.port):
        return
    from hermes.web.server import bind

    try:
        bind(scene.settings.config.web.host, wanted).close()
    except GatewayError as wrong:
        yield problem(wrong.failure.detail, f"web.port {wanted}", f"ss -ltnp 'sport = :{wanted}'")


def people(scene: Scene) -> Iterator[Finding]:
    """On every platform somebody may speak, and not everybody."""
    if scene.settings is None:
        return
    from actors.ports.access import canonical_form

    canonical = partial(canonical_form, aliases=read_aliases(scene.home).aliases)
    granted = PairingFiles(scene.home, canonical).look().grants
    for platform, account in enabled_accounts(scene.registry, scene.settings):
        entry = scene.registry.get(platform)
        if entry is None or entry.capabilities.authenticated:
            continue
        rules, name = scene.settings.access.rules(platform, account), f"{platform}:{account}"
        listed = rules.allowed or rules.group_allowed or rules.group_chats or rules.allowed_roles
        paired = granted.get(platform if account == "default" else f"{platform}@{account}")
        if rules.allow_all:
            variable = entry.allow_all_env
            yield warning(
                "everybody may speak, and use what the agent can do", name, f"hermes config unset {variable}"
            )
        elif not (listed or paired):
            if rules.unauthorized_dm == "pair":
                yield warning(
                    "nobody may speak yet: write to it, and let yourself in", name, "hermes pairing list"
                )
            else:
                variable = entry.allowed_users_env
                yield warning(
                    "nobody may speak, and a stranger hears nothing", name, f"hermes config set {variable} ID"
                )


def zone(scene: Scene) -> Iterator[Finding]:
    """Jobs run by a time zone that somebody has chosen."""
    if scene.settings is None or scene.settings.config.timezone or scene.environ.get("TZ"):
        return
    if "/zoneinfo/" not in os.path.realpath("/etc/localtime"):
        words = "neither the gateway nor the machine has a time zone, so jobs and resets go by UTC"
        yield warning(words, "timezone", "hermes config set timezone Europe/Berlin")


def unit(scene: Scene) -> Iterator[Finding]:
    """The service that is installed is what would be installed now."""
    for scope in SCOPES if scene.settings is not None else ():
        if (path := service.installed(scope, scene.home)) is None:
            continue
        _, wanted = service.wanted_unit(scope, scene.home)
        if _essence(path.read_text(encoding="utf-8")) != _essence(wanted):
            words = "it is not what this version and these settings would write"
            yield warning(words, path, f"hermes service install --{scope} --home {scene.home}")


def _essence(text: str) -> list[str]:
    """Without the program's path and its PATH: those are of the shell that installs it."""
    return [line for line in text.splitlines() if not line.startswith(("Environment=", "ExecStart="))]


def plugins(scene: Scene) -> Iterator[Finding]:
    """Those that are there are used."""
    if scene.settings is None:
        return
    if scene.plugins is not None:
        rows = [(one["name"], one["state"], one["reason"], one["source"]) for one in scene.plugins]
    else:
        disabled = scene.settings.config.plugins.disabled
        rows = [(one.name, one.state, one.reason, one.source) for one in on_disk(scene.home, disabled)]
    for name, state, reason, source in rows:
        if state == "unavailable":
            yield problem(f"plug-in {name} is not used: {reason}", source, "hermes plugins list")
