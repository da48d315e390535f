"""The whole way of one person, as they would type and see it: ``python tests/e2e/transcript.py``.

install ─▶ set up ─▶ run ─▶ a stranger, a code, let in ─▶ chat ─▶ look ─▶ upgrade while messages go ─▶ back up
        ─▶ the home is gone ─▶ restore ─▶ the conversation goes on

What git has of this tree is installed by pip into a virtual environment of its own, without a network: the package is built
with the tools of the environment that runs this, which also lends it its dependencies (a .pth). Telegram and the model are
``hermes.testing``, in this process. At every step Ann has been told exactly what she should have been, nothing lost, doubled or
unasked for. Exits 1 where that is not so, or a command ends otherwise than it should.
"""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import zip_longest
from pathlib import Path

import trio
from harness import _free_port

from hermes.pairing.codes import ALPHABET
from hermes.testing.model import FakeModel
from hermes.testing.telegram import TOKEN, FakeTelegram
from hermes.types import texts

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(rf"hermes pairing approve telegram ([{ALPHABET}]{{8}})")
DEADLINE_S = 60.0
POLL_S = 0.01
PACE_S = 0.15
UPGRADE = 30
"""Messages, one each ``PACE_S``, while the new version takes over."""

SETTLED_S = 2.0
"""For a word too many to be said."""


class Failed(Exception):
    """An expectation that was not met."""


Gateway = subprocess.Popen[bytes]


class Shell:
    """A person at a terminal, whose home directory is ``directory`` and who sees nothing of ours."""

    def __init__(self, directory: Path, environment: Path) -> None:
        self.directory = directory
        self.environ = {
            "HOME": str(directory),
            "LANG": "C.UTF-8",
            "PATH": f"{environment}/bin:/usr/local/bin:/usr/bin:/bin",
        }
        self._gateways: list[Gateway] = []

    async def __call__(self, line: str, *, more: Mapping[str, str] | None = None) -> str:
        """Type ``line``, show and return what it prints; it has to end with 0."""
        print(f"\n$ {line}", flush=True)
        began = trio.current_time()
        run = partial(
            subprocess.run,
            shlex.split(line),
            cwd=self.directory,
            env={**self.environ, **(more or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
        )
        done: subprocess.CompletedProcess[str] = await trio.to_thread.run_sync(run)
        shown(done.stdout, trio.current_time() - began)
        if done.returncode:
            raise Failed(f"{line}: exit code {done.returncode}")
        return done.stdout

    async def run(self, line: str) -> Gateway:
        """Type ``line`` in another terminal; return once it has said where to look, and show that."""
        print(f"\n$ {line}        (in another terminal)", flush=True)
        began, log = trio.current_time(), self.directory / f"terminal-{len(self._gateways)}"
        with log.open("wb") as screen:
            process = subprocess.Popen(
                shlex.split(line),
                cwd=self.directory,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
            )
        self._gateways.append(process)
        with trio.move_on_after(DEADLINE_S):
            while process.poll() is None:
                if "Open  http" in (printed := log.read_text(errors="replace")):
                    shown(printed, trio.current_time() - began)
                    return process
                await trio.sleep(POLL_S)
        raise Failed(f"it did not become ready:\n{log.read_text(errors='replace')}")

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self._gateways:
            process.kill()
            process.wait()


class Ann:
    """Somebody on Telegram, and all that the bot should have said to her so far."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self.telegram = telegram
        self.person = telegram.person("Ann", "ann")
        self.due: list[str] = []
        self.written = 0

    def says(self, text: str, *, quietly: bool = False) -> None:
        """She writes, and the model's answer is due."""
        self.due.append(f"You said: {text}")
        self.writes(text, quietly=quietly)

    def writes(self, text: str, *, quietly: bool = False) -> None:
        """She writes."""
        if not quietly:
            print(f"    Ann     {text}", flush=True)
        self.telegram.say(self.person, text)
        self.written += 1

    @property
    def seen(self) -> list[str]:
        """What the bot has said to her, each as it stands now."""
        return [one.text for one in self.telegram.seen(self.person)]

    async def hears(self, *, quietly: bool = False) -> None:
        """Wait until everything that is due has been said, in order, and nothing else."""
        began, had = trio.current_time(), len(self.due)
        with trio.move_on_after(DEADLINE_S):
            while len(self.seen) < had:
                await trio.sleep(POLL_S)
        if self.seen != self.due:
            pairs = enumerate(zip_longest(self.due, self.seen), 1)
            which, (due, seen) = next((n, pair) for n, pair in pairs if pair[0] != pair[1])
            raise Failed(f"as number {which} of {had}, Ann was to hear {due!r}, and has heard {seen!r}")
        if not quietly:
            print(f"    Hermes  {self.seen[-1]}        ({trio.current_time() - began:.2f} s)", flush=True)

    async def is_told(self) -> str:
        """The next thing that the bot says to her, whatever it is."""
        began, had = trio.current_time(), len(self.due)
        with trio.move_on_after(DEADLINE_S):
            while len(self.seen) <= had:
                await trio.sleep(POLL_S)
            self.due.append(self.seen[had])
            words = textwrap.indent(self.due[-1], " " * 12).lstrip()
            print(f"    Hermes  {words}        ({trio.current_time() - began:.2f} s)", flush=True)
            return self.due[-1]
        raise Failed("Ann was told nothing")


def shown(text: str, took_s: float) -> None:
    """Print what a program has printed, and how long it took."""
    lines = text.strip("\n").splitlines()
    print("\n".join(f"    {line}" for line in [*lines, f"({took_s:.2f} s)"]), flush=True)


def title(words: str) -> None:
    """Begin a chapter."""
    print(f"\n== {words}", flush=True)


def expect(true: object, words: str) -> None:
    """Raises ``Failed`` unless ``true``."""
    if not true:
        raise Failed(words)


def _files() -> list[str]:
    """What a commit of this tree would have."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


async def install(shell: Shell, environment: Path) -> None:
    """A clean tree into a fresh environment."""
    title("Install, from a clean tree and without a network")
    clone = shell.directory / "hermes"
    for name in _files():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, clone / name)
    await shell(f"{sys.executable} -m venv --without-pip {environment}")
    (site,) = environment.glob("lib/python*/site-packages")
    lent = sysconfig.get_path("purelib")
    (site / "dependencies.pth").write_text(f"{lent}\n")
    pip = f"{sys.executable} -m pip --quiet --disable-pip-version-check --python {environment}/bin/python"
    await shell(f"{pip} install --no-index --no-deps --no-build-isolation --ignore-installed {clone}")
    where = await shell(f"{environment}/bin/python -c 'import hermes; print(hermes.__file__)'")
    expect(where.startswith(str(environment)), "another hermes than the one that was installed is imported")
    shutil.rmtree(clone)  # nothing leads back to it
    await shell("hermes --version")


async def let_in(shell: Shell, ann: Ann) -> None:
    """A stranger writes, and is let in."""
    title("A stranger writes, and is let in")
    ann.writes("hello, who is there?")
    code = CODE.search(await ann.is_told())
    expect(code, "there was no code")
    await shell("hermes pairing list")
    assert code is not None
    await shell(f"hermes pairing approve telegram {code[1]}")
    expect(await ann.is_told() == texts.PAIRED, "that she is let in was said otherwise")


async def ended(gateway: Gateway) -> int:
    """The exit code of a gateway that is to end."""
    with trio.move_on_after(DEADLINE_S):
        while (code := gateway.poll()) is None:
            await trio.sleep(POLL_S)
        return code
    raise Failed("the gateway did not end")


async def upgrade(shell: Shell, ann: Ann, old: Gateway, command: str) -> Gateway:
    """A second process takes over while Ann writes on."""
    title(f"An upgrade: a second process takes over while Ann sends {UPGRADE} messages")

    async def write() -> None:
        for number in range(1, UPGRADE + 1):
            ann.says(f"message {number}", quietly=True)
            await trio.sleep(PACE_S)

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await trio.sleep(2 * PACE_S)
        new = await shell.run(f"{command} --replace")
        code = await ended(old)
    expect(code == 0, f"the old process ended with {code}")
    await ann.hears(quietly=True)
    print(
        f"    (the old process ended with 0; {UPGRADE} messages, {UPGRADE} answers: none lost, none doubled, in order;"
    )
    print(f"    the last one {trio.current_time() - began:.2f} s after the first message)", flush=True)
    return new


async def story(shell: Shell, telegram: FakeTelegram, model: FakeModel) -> None:
    """From setting up to the end."""
    command, saved = f"hermes run --port {_free_port()}", shell.directory / "hermes.zip"
    ann = Ann(telegram)
    title("Set up: a model, a platform, who may speak")
    await shell(f"hermes config set platforms.telegram.base_url {telegram.url}/bot")
    # An answer to each message, and nothing else: they are counted.
    await shell("hermes config set display.busy_input_mode queue")
    await shell("hermes config set display.busy_ack false")
    secrets = {"HERMES_SETUP_TOKEN": TOKEN, "HERMES_SETUP_MODEL_KEY": model.key}
    options = f"--model {model.base_url} --platform telegram --allow pair"
    await shell(f"hermes setup --non-interactive {options}", more=secrets)
    gateway = await shell.run(command)

    await let_in(shell, ann)
    title("They talk")
    for text in ("my cat is called Mia", "what is the capital of France?"):
        ann.says(text)
        await ann.hears()

    title("How is it doing?")
    await shell("hermes tree")
    expect(
        "knows us as @hermes_bot" in await shell("hermes status --deep"), "the bot was not asked who it is"
    )
    await shell("hermes doctor")

    gateway = await upgrade(shell, ann, gateway, command)

    title("Save it")
    await shell(f"hermes backup {saved}")

    title("Things go wrong: the power fails, and the home is gone")
    gateway.kill()
    await ended(gateway)
    await shell(f"rm -r {shell.directory / '.hermes'}")
    ann.says("are you there?")

    title("Get it back")
    await shell(f"hermes restore {saved}")
    gateway = await shell.run(command)
    await ann.hears()
    ann.says("what is my cat called?")
    await ann.hears()
    asked = [one.body for one in model.asked if one.path.endswith("completions")]
    expect("my cat is called Mia" in str(asked[-1]), "the model was not told what was said before")
    print("    (the model was told of Mia: the conversation goes on)")
    await trio.sleep(SETTLED_S)
    await ann.hears(quietly=True)
    await shell("hermes stop")
    code = await ended(gateway)
    expect(code == 0, f"the gateway ended with {code}")
    expect(not telegram.wrongs, f"the bot called Telegram wrongly: {list(telegram.wrongs)}")
    print(f"\nAnn has written {ann.written} messages and read {len(ann.seen)}, each as it was due.")


async def whole(directory: Path) -> None:
    """All of it. Raises ``Failed``, maybe in groups."""
    environment = directory / "venv"
    with closing(Shell(directory, environment)) as shell:
        await install(shell, environment)
        fakes = FakeTelegram(poll_s=2.0).listening(), FakeModel(key="sesame-open").listening()
        async with fakes[0] as telegram, fakes[1] as model:
            await story(shell, telegram, model)


def main() -> int:
    """All in a temporary directory; 1 if something is not as it should be."""
    began, failed = time.monotonic(), False
    with tempfile.TemporaryDirectory(prefix="hermes-transcript-") as name:
        try:
            trio.run(whole, Path(name))
        except* Failed as wrong:
            failed = True
            for one in _each(wrong):
                print(f"\nFAILED: {one}")
    print(f"{time.monotonic() - began:.0f} s in all")
    return int(failed)


def _each(wrong: BaseException) -> Iterator[BaseException]:
    if isinstance(wrong, BaseExceptionGroup):
        for one in wrong.exceptions:
            yield from _each(one)
    else:
        yield wrong


if __name__ == "__main__":
    sys.exit(main())
