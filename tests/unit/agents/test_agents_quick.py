"""Programs of quick commands, with a real shell."""

import os

import pytest
import trio

from hermes.agents.quick import MOST_OUTPUT_BYTES, QuickAgent
from hermes.config.quick import Program
from hermes.ops.processes import Processes
from hermes.ops.redaction import Redaction
from hermes.types import texts
from hermes.types.agent import Final, Step, Turn
from hermes.types.events import InboundEvent
from hermes.types.ids import SessionKey, TraceId, TurnId
from hermes.types.origin import Origin

SECRET = "a-secret-of-the-operator"


class Io:
    """Keeps what was committed."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    async def emit(self, _event: object) -> None:
        await trio.lowlevel.checkpoint()

    async def step(self, step: Step) -> None:
        await trio.lowlevel.checkpoint()
        self.steps.append(step)


def turn(text: str, *steps: Step) -> Turn:
    event = InboundEvent("1", Origin("p", "c"), text, 0.0, TraceId("t"))
    return Turn(TurnId("t"), SessionKey("k"), 1, (event,), steps=steps)


@pytest.fixture
def ask(tmp_path):
    async def ask(command: str, text: str = "/p", *, most: int = 1, timeout_s: float = 20.0) -> str:
        programs = {"p": Program("p", "here", command, timeout_s)}
        agent = QuickAgent(programs.get, Processes(most), tmp_path, Redaction((SECRET,)).redact)
        with trio.fail_after(20):
            answer = await agent.run(turn(text), Io())  # type: ignore[arg-type]
        assert isinstance(answer, Final)
        return answer.text

    return ask


@pytest.mark.parametrize(
    ("command", "typed", "said"),
    [
        (
            'printf "%s\\n" "$@"',
            "/p a $(touch x) `touch x` 'b;touch x'",
            "a\n$(touch\nx)\n`touch\nx`\n'b;touch\nx'",
        ),
        ('echo $0 $# "$1"', "/p * ~", "p 2 *"),
        ("pwd >&2", "/p", None),
        ("env | cut -d= -f1 | grep -v -e PWD -e _ -e SHLVL -e LC_CTYPE | sort", "/p", "HOME\nPATH"),
    ],
)
async def test_the_command_is_the_operator_s_and_the_words_are_arguments(
    ask, tmp_path, monkeypatch, command, typed, said
):
    monkeypatch.setenv("HERMES_SECRET", "x")
    monkeypatch.delenv("LANG", raising=False)
    heard = await ask(command, typed)

    assert heard == f"```\n{tmp_path if said is None else said}\n```"
    assert not os.path.exists(tmp_path / "x")


async def test_output_is_cut_with_a_word_and_shows_no_secret(ask):
    heard = await ask(f"echo {SECRET}; head -c {MOST_OUTPUT_BYTES + 5} /dev/zero | tr '\\0' x")

    assert SECRET not in heard
    assert "[redacted]" in heard
    assert "bytes more]" in heard
    assert len(heard) < MOST_OUTPUT_BYTES + 100


async def test_codes_and_deadlines_are_said(ask):
    assert (
        await ask("echo no >&2; exit 3") == f"```\nno\n```\n\n{texts.QUICK_FAILED.format(name='p', code=3)}"
    )
    assert await ask("sleep 100", timeout_s=0.2) == texts.QUICK_TIMEOUT.format(name="p", seconds=0.2)
    assert await ask("true") == texts.QUICK_SILENT.format(name="p")


async def test_over_the_cap_it_is_refused_in_words(ask):
    assert await ask("true", most=0) == texts.QUICK_TOO_MANY.format(name="p")


async def test_what_cannot_be_started_is_said_without_the_operator_s_words(tmp_path, caplog):
    agent = QuickAgent({"p": Program("p", "here", "true")}.get, Processes(1), tmp_path / "nowhere", str)
    answer = await agent.run(turn("/p"), Io())  # type: ignore[arg-type]

    assert answer.text == texts.QUICK_UNUSABLE.format(name="p")
    assert "nowhere" in caplog.text


async def test_steps_are_committed_before_and_after_and_an_answer_that_was_had_is_given_again(tmp_path):
    agent = QuickAgent({"p": Program("p", "here", "echo hi; echo x >> ran")}.get, Processes(1), tmp_path, str)
    io = Io()
    first = await agent.run(turn("/p"), io)  # type: ignore[arg-type]
    again = await agent.run(turn("/p", *io.steps), Io())  # type: ignore[arg-type]
    uncertain = await agent.run(turn("/p", *io.steps[:1]), Io())  # type: ignore[arg-type]

    assert [step.name for step in io.steps] == ["started", "ended"]
    assert first == again == Final("```\nhi\n```")
    assert uncertain.text == texts.QUICK_UNCERTAIN.format(name="p")
    assert (tmp_path / "ran").read_text() == "x\n"


@pytest.mark.parametrize("text", ["/gone", "hello", ""])
async def test_what_is_no_program_by_now_is_not_run(tmp_path, text):
    answer = await QuickAgent({}.get, Processes(1), tmp_path, str).run(turn(text), Io())  # type: ignore[arg-type]

    assert answer.text.startswith("The operator has taken /")
