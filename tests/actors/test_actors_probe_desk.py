"""Probes: the platforms are asked, and no adapter's liveness hears of it."""

from pathlib import Path
from typing import Any

import pytest
import trio
from world import SECRET

from actors.ports.probe_desk import ProbeDesk
from hermes.config.load import load
from hermes.ops.redaction import Redaction
from hermes.registry.accounts import Accounts
from hermes.registry.entry import AdapterSetup, PlatformEntry, Proof
from hermes.registry.probing import PROBE_S
from hermes.registry.registry import PlatformRegistry
from hermes.testing.fakes import FakeAdapter, FakeClock, FakeIds
from hermes.types.errors import Failure, GatewayError


def entry(name: str, probe: Any) -> PlatformEntry:
    def factory(_setup: AdapterSetup) -> FakeAdapter:
        raise AssertionError("no adapter is made for a probe")

    return PlatformEntry(name, name, factory, probe=probe, always=True)


def desk(home: Path, **probes: Any) -> ProbeDesk:
    registry = PlatformRegistry(entry(name, probe) for name, probe in probes.items())
    accounts = Accounts(registry, load(home, {}), home=home, clock=FakeClock(), ids=FakeIds())
    return ProbeDesk(accounts, Redaction((SECRET,)).redact)


async def fine(setup: AdapterSetup) -> Proof:
    return Proof(f"@{setup.platform}-{setup.account}")


async def refused(_setup: AdapterSetup) -> Proof:
    raise GatewayError(Failure("token_revoked", detail=f"{SECRET} is no good"))


async def broken(_setup: AdapterSetup) -> Proof:
    raise ValueError("oops")


async def hangs(_setup: AdapterSetup) -> Proof:
    await trio.sleep_forever()
    raise AssertionError


async def test_AC02_each_platform_is_asked_in_its_own_way_and_one_that_hangs_holds_up_no_other(
    tmp_path: Path, autojump_clock: object
) -> None:
    asked = desk(tmp_path, one=fine, two=refused, three=broken, four=hangs, five=None)
    with trio.fail_after(PROBE_S + 1):
        rows = (await asked.answer("probe_accounts", {}))["probes"]

    assert [(row["platform"], row["who"], row["failure"]) for row in rows] == [
        ("four", None, {"code": "unreachable", "detail": "no answer within 10 s"}),
        ("one", "@one-default", None),
        ("three", None, {"code": "probe_failed", "detail": "ValueError: oops"}),
        ("two", None, {"code": "token_revoked", "detail": "[redacted] is no good"}),
    ]


async def test_one_account_alone(tmp_path: Path) -> None:
    asked = desk(tmp_path, one=fine, two=refused)
    assert [
        row["platform"] for row in (await asked.answer("probe_accounts", {"adapter": "one"}))["probes"]
    ] == ["one"]
    with pytest.raises(GatewayError, match="no account nobody is configured"):
        await asked.answer("probe_accounts", {"adapter": "nobody"})
