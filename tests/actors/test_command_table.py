"""Every command that is registered is carried out by something, and nothing else is."""

from actors.commands.table import HANDLERS
from hermes.routing.commands import COMMANDS


def test_every_command_has_its_handler_and_no_handler_is_left_over() -> None:
    assert {spec.name for spec in COMMANDS} == set(HANDLERS)
