"""Quick commands: the operator's own programs, run for a person, and commands of plug-ins; each as a turn of the conversation.

    /disk /home ─ step "started" ─▶ /bin/sh -c COMMAND disk /home ─ step "ended" ─▶ its output, in a code block
    /greet Ann  ─ AgentIO.call ─▶ what the plug-in says

As a turn it has its place in line, /stop ends it, and a restart finds it. What was started before a crash may have done its
work or half of it: that is said, and it is never started again by itself.
"""

import json
import logging
from collections.abc import Callable, Container
from pathlib import Path

import trio

from hermes.config.quick import Program
from hermes.ops.processes import Finished, Processes
from hermes.routing.commands import parse_command
from hermes.types import texts
from hermes.types.agent import AgentIO, Final, Step, ToolCall, Turn
from hermes.types.errors import TOO_MANY_PROCESSES, GatewayError
from hermes.types.quoting import code_block
from hermes.types.tools import OUTCOME_UNKNOWN

log = logging.getLogger(__name__)

SHELL = "/bin/sh"
MOST_OUTPUT_BYTES = 10_000
LIFE_S = 10.0
"""How often a program that runs counts as a sign of life: its own deadline ends it, not its silence."""

_STARTED, _ENDED = "started", "ended"
CALL_ID = "command"


class QuickAgent:
    """Answers a row that was put into its session for a quick command; its text is the command with its arguments.

    ``program`` gives what is configured under a name; ``redact`` takes secrets out of what it has written. What a person
    typed is handed over word by word, as ``$1`` and so on: it is never part of what the shell reads as a command.
    """

    name = "quick"
    model = ""

    def __init__(
        self,
        program: Callable[[str], Program | None],
        processes: Processes,
        cwd: Path,
        redact: Callable[[str], str],
        commands: Container[str] = (),
    ) -> None:
        """``commands``: those of plug-ins, which ``AgentIO.call`` knows."""
        self._program = program
        self._commands = commands
        self._processes = processes
        self._cwd = cwd
        self._redact = redact

    async def run(self, turn: Turn, io: AgentIO) -> Final:
        """Run the program once. A turn that comes back says what it knows of the first time."""
        typed = parse_command(turn.events[-1].text)
        name = typed.name if typed else ""
        done = {step.name: step.text for step in turn.steps}
        if (answer := done.get(_ENDED)) is not None:
            return Final(answer)
        if _STARTED in done:
            return Final(texts.QUICK_UNCERTAIN.format(name=name))
        program = self._program(name)
        if typed is not None and program is None and name in self._commands:
            return Final(_plainly(name, await io.call(CALL_ID, name, json.dumps({"args": typed.args}))))
        if typed is None or program is None:
            return Final(texts.QUICK_GONE.format(name=name))
        await io.step(Step("result", _STARTED, name))
        answer = await self._run(program, typed.args.split(), io)
        await io.step(Step("result", _ENDED, answer))
        return Final(answer)

    async def _run(self, program: Program, args: list[str], io: AgentIO) -> str:
        command = (SHELL, "-c", program.command, program.name, *args)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_live, program.name, io)
            try:
                finished = await self._processes.run(
                    command,
                    deadline_s=program.timeout_s,
                    env={},
                    cwd=self._cwd,
                    most_output_bytes=MOST_OUTPUT_BYTES,
                )
            except GatewayError as refused:
                log.warning("/%s: %s", program.name, refused.failure)
                too_many = refused.failure.code == TOO_MANY_PROCESSES
                answer = (texts.QUICK_TOO_MANY if too_many else texts.QUICK_UNUSABLE).format(
                    name=program.name
                )
            else:
                answer = self._said(program, finished)
            nursery.cancel_scope.cancel()
        return answer

    def _said(self, program: Program, finished: Finished) -> str:
        if finished.timed_out:
            end = texts.QUICK_TIMEOUT.format(name=program.name, seconds=program.timeout_s)
        elif finished.code:
            end = texts.QUICK_FAILED.format(name=program.name, code=finished.code)
        else:
            end = "" if finished.output.strip() else texts.QUICK_SILENT.format(name=program.name)
        output = code_block(self._redact(finished.output)) if finished.output.strip() else ""
        return "\n\n".join(filter(None, (output, end)))


def _plainly(name: str, result: str) -> str:
    """What a person is told of what was meant for a model."""
    if result == OUTCOME_UNKNOWN:
        return texts.QUICK_UNCERTAIN.format(name=name)
    if not result.strip():
        return texts.QUICK_SILENT.format(name=name)
    words = result.removeprefix("error: ")
    return result if words == result else texts.QUICK_REFUSED.format(name=name, words=words)


async def _live(name: str, io: AgentIO) -> None:
    while True:
        await io.emit(ToolCall(name, ""))
        await trio.sleep(LIFE_S)
