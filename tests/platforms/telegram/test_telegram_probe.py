"""``getMe``, asked beside the adapter: of Telegram's double."""

from pathlib import Path

import pytest

from hermes.config.platforms import PlatformConfig
from hermes.platforms.telegram.entry import ENTRY
from hermes.platforms.telegram.probe import probe
from hermes.registry.entry import AdapterSetup
from hermes.testing.fakes import FakeClock, FakeIds
from hermes.testing.telegram import TOKEN, FakeTelegram
from hermes.types.errors import GatewayError


def setup(fake: FakeTelegram, token: str) -> AdapterSetup:
    config = PlatformConfig(True, {"token": token, "base_url": f"{fake.url}/bot"})
    return AdapterSetup("telegram", "default", config, Path(), FakeClock(), FakeIds())


async def test_AC02_it_says_who_we_are_and_asks_for_nothing_else() -> None:
    fake = FakeTelegram()
    async with fake.listening():
        found = await ENTRY.probe(setup(fake, TOKEN))

    assert found.who.startswith("@")
    assert len(found.who) > 1
    assert [call.method for call in fake.calls] == ["getMe"]


async def test_S23_a_token_that_nobody_knows_is_refused_without_being_named() -> None:
    fake = FakeTelegram()
    wrong = "999:nobody-has-this-one"
    async with fake.listening():
        with pytest.raises(GatewayError) as refused:
            await probe(setup(fake, wrong))
    with pytest.raises(GatewayError) as gone:
        await probe(setup(fake, wrong))

    for error in (refused.value, gone.value):
        assert wrong not in f"{error} {error.failure.detail}"
