"""What the built-in agent says, in Markdown: calm, precise, brief. What people wrote is quoted as data."""

import re
import time
from collections.abc import Sequence

from hermes.types.agent import LocalFile
from hermes.types.records import Note, SearchHit

NO_MODEL = "No language model is configured, so I cannot hold a free conversation."
UNUSABLE_MODEL = (
    "The language model that is configured cannot be asked, so I cannot hold a free conversation: {why}."
)
MODEL_HOW = """\
A model is named in `config.yaml` in the gateway's home:

```yaml
model:
  provider: custom
  base_url: https://your-server/v1
  api_key: your-key
  default: name-of-the-model
```

It answers from then on; nothing has to be restarted."""

ABILITIES = """\
What I can do without a model:

- `note buy bread` keeps a note, `notes` lists them, `forget note 3` drops one, `forget all notes` drops them all
- `search bread` looks through past conversations
- `status` tells how the gateway is doing
- `time` tells the time
- `echo hello` says hello back
- `help` shows this"""

GREETING = "Hello. I am the gateway's built-in agent."
CANNOT_LOOK = "I cannot look at attachments: no language model is configured."
HINT = "Say `help` for what I can do now and how to set a model."
NOTED = "Noted as number {note_id}."
FORGOTTEN = "Note {note_id} is forgotten."
NO_SUCH_NOTE = "There is no note {note_id}. `notes` lists what I have."
FORGET_ALL = "forget all {count} notes"
FORGET_THE_ONE = "forget the only note there is"
ALL_FORGOTTEN = "All {count} notes are forgotten."
THE_ONE_FORGOTTEN = "The note is forgotten."
ALL_KEPT = "I have kept all notes."
NO_NOTES = "I have no notes. `note buy bread` makes one."
TIME = "It is %H:%M:%S on %A, %d %B %Y (%Z)."

_QUOTE_CHARACTERS = 200
_SPEAKERS = {"user": "you", "assistant": "me"}


def greeting(why: str = "") -> str:
    """Who is there. ``why`` says what is wrong with the model that is configured, if one is."""
    return f"{GREETING} {_no_model(why)}\n\n{ABILITIES}"


def help_text(why: str = "") -> str:
    """What can be done, and how to have more; ``why`` as above."""
    return f"{ABILITIES}\n\n{_no_model(why)}"


def _no_model(why: str) -> str:
    return f"{UNUSABLE_MODEL.format(why=why) if why else NO_MODEL} {MODEL_HOW}"


def notes(kept: Sequence[Note]) -> str:
    """The notes as a list."""
    if not kept:
        return NO_NOTES
    return "\n".join(f"- **{note.note_id}** {_one_line(note.text)} ({_when(note.at)})" for note in kept)


def forget_all(kept: Sequence[Note]) -> str:
    """What is asked before they go."""
    return FORGET_THE_ONE if len(kept) == 1 else FORGET_ALL.format(count=len(kept))


def plain_notes(kept: Sequence[Note]) -> str:
    """The notes as they are, a line each."""
    return "\n".join(f"{note.note_id}  {' '.join(note.text.split())}" for note in kept)


def all_forgotten(count: int) -> str:
    """What is said when they are gone, or (0) were kept."""
    if not count:
        return ALL_KEPT
    return THE_ONE_FORGOTTEN if count == 1 else ALL_FORGOTTEN.format(count=count)


def hits(query: str, found: Sequence[SearchHit]) -> str:
    """What a search has found, newest first."""
    if not found:
        return f"I found nothing about {_code(query)}."
    lines = [
        f"- {_when(hit.at)}, {_SPEAKERS.get(hit.role, hit.role)}: {_one_line(hit.excerpt)}" for hit in found
    ]
    return "\n".join([f"About {_code(query)}, newest first:", "", *lines])


def no_model(text: str) -> str:
    """The answer to what only a model would understand."""
    if not text:
        return f"{CANNOT_LOOK} {HINT}"
    return f"You wrote {_code(text)}. I have no language model to answer that with. {HINT}"


def received(files: Sequence[LocalFile]) -> str:
    """What is said of ``files`` (at least one): which of them came, and why others did not."""
    problems = [file.problem for file in files if file.problem]
    got = len(files) - len(problems)
    words = [f"I have {'your file' if got == 1 else f'your {got} files'}."] if got else []
    words += [f"A file of yours did not reach me: {problem}." for problem in dict.fromkeys(problems)]
    return " ".join(words)


def _code(text: str) -> str:
    """``text`` in an inline code span, cut to a line's length, so that no markup in it takes effect."""
    line = " ".join(text.split())
    if len(line) > _QUOTE_CHARACTERS:
        line = f"{line[: _QUOTE_CHARACTERS - 1]}…"
    # A span ends at a run of backticks as long as the one that opened it.
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{padding}{line}{padding}{fence}"


def _one_line(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|~!])", r"\\\1", " ".join(text.split()))


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
