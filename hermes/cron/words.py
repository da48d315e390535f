"""What a job says: silence, the words around an answer, and one line for a failure."""

import json
import re
from collections.abc import Mapping

from hermes.cron.job import Job
from hermes.types import texts

FAILURE_CHARACTERS = 180
CONTEXT_CHARACTERS = 8_000

_MARKER = "[silent]"
_BARE = frozenset({"silent", "no_reply", "no reply"})


def is_silent(text: str) -> bool:
    """True if the agent asks that nothing be sent: by ``[SILENT]`` in front, or by a marker as first or last line."""
    lines = [" ".join(line.split()).casefold() for line in text.strip().splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return False
    return lines[0].startswith(_MARKER) or any(
        line == _MARKER or line in _BARE for line in (lines[0], lines[-1])
    )


def wrapped(job: Job, text: str) -> str:
    """The answer of a job, whose it is, and how it is stopped by those who read this: its author, or else the operator."""
    mine = job.number is not None and job.deliver == ("origin",)
    way = f"/remind cancel {job.number}" if mine else f"hermes cron pause {job.id}"
    return texts.CRON_ANSWER.format(name=_line(job.name), way=way, text=text)


def failed(name: str, error: str) -> str:
    """A failure on one line."""
    line = texts.CRON_FAILED.format(name=_line(name), error=_line(error))
    return line if len(line) <= FAILURE_CHARACTERS else line[: FAILURE_CHARACTERS - 1] + "…"


def asked(prompt: str, script_output: str | None, earlier: Mapping[str, str]) -> str:
    """What the agent is asked: the prompt, what the job's script has said, and the last answers of other jobs by name."""
    parts = [prompt]
    if script_output is not None:
        parts.append(texts.CRON_SCRIPT_SAID.format(text=script_output.strip()))
    parts += [
        texts.CRON_EARLIER.format(name=_line(name), text=text.strip()[:CONTEXT_CHARACTERS])
        for name, text in earlier.items()
    ]
    return "\n\n".join(part for part in parts if part)


def wakes(output: str) -> bool:
    """False if the last line of a script says ``{"wakeAgent": false}``."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines or not re.match(r"\s*\{", lines[-1]):
        return True
    try:
        said = json.loads(lines[-1])
    except (ValueError, RecursionError):
        return True
    return said.get("wakeAgent") is not False


def _line(text: str) -> str:
    return " ".join(text.split())
