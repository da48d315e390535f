"""One question to each platform and to the model's server, by the account's own means; no running gateway notices."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import trio

from hermes.cli import proofs
from hermes.cli.checks.scene import Finding, Scene, problem, warning
from hermes.config.provider import is_set, unusable
from hermes.ops.clock import SystemClock, SystemIds
from hermes.registry import probing
from hermes.registry.accounts import Accounts
from hermes.types.errors import GatewayError

SHOWN = 5
WRONG_S = 30.0
"""A clock that is wrong by more has signatures and certificates refused, and runs jobs at another time."""


def platforms(scene: Scene) -> Iterator[Finding]:
    """Each platform that can be asked knows the account, and has the same time as this machine."""
    dates: dict[str, str] = {}
    if scene.settings is None:
        return
    accounts = Accounts(scene.registry, scene.settings, home=scene.home, clock=SystemClock(), ids=SystemIds())
    for key, outcome in trio.run(probing.probed, accounts).items():
        name = ":".join(key)
        if isinstance(outcome, GatewayError):
            words = f"{outcome.failure.code}: {outcome.failure.detail}"
            yield problem(words, name, f"hermes adapter status {name}")
        else:
            dates[name] = outcome.date
    for name, date in dates.items():
        if (ahead_s := behind(date, time.time())) is not None:
            words = f"the clock is {abs(ahead_s):,.0f} s {'ahead' if ahead_s > 0 else 'late'}, by what {name} says"
            yield problem(words, "this machine", "timedatectl set-ntp true")
            return


def behind(date: str, now: float) -> float | None:
    """By how much ``now`` is ahead of a Date header, if that is too much."""
    try:
        ahead_s = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
    return ahead_s if abs(ahead_s) > WRONG_S else None


def model(scene: Scene) -> Iterator[Finding]:
    """The model's server takes the key, and has the model."""
    if scene.settings is None or not is_set(wanted := scene.settings.config.model) or unusable(wanted):
        return
    try:
        names = proofs.models(wanted.base_url, wanted.api_key)
    except GatewayError as wrong:
        yield problem(wrong.failure.detail or wrong.failure.code, wanted.base_url, "hermes config edit")
        return
    if names and wanted.default and not {wanted.default, f"{wanted.default}:latest"} & {*names}:
        words = f"it has no model {wanted.default}, but {', '.join(names[:SHOWN])}"
        yield warning(words, wanted.base_url, "hermes config set model.default NAME")
