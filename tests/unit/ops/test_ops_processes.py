"""Programs of the operator's, with real processes: their caps, their ends, and that nothing of theirs stays behind."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
import trio

from hermes.ops import child_setup
from hermes.ops.processes import DRAIN_S, END_S, Finished, Processes
from hermes.types.errors import PROGRAM_UNUSABLE, TOO_MANY_PROCESSES, Failure, GatewayError

PATIENCE_S = 20.0
AC37_S = 5.0


@pytest.fixture
def run(tmp_path):
    """``run(command)``, within patience, in ``tmp_path``; keywords as those of ``Processes.run``."""
    processes = Processes(3)

    async def run(*command: str, **options: object) -> Finished:
        given = {"deadline_s": PATIENCE_S, "env": {}, "cwd": tmp_path} | options
        with trio.fail_after(PATIENCE_S):
            return await processes.run(command, **given)

    return run


@pytest.fixture
def born(tmp_path) -> Iterator["Born"]:
    people = Born(tmp_path / "born")
    yield people
    people.bury()


class Born:
    """The processes that have written their ids into a file: ``echo $$ >> born``."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def pids(self) -> list[int]:
        """As far as they have written a whole line."""
        lines = self._file.read_text().splitlines(keepends=True) if self._file.exists() else []
        return [int(line) for line in lines if line.endswith("\n")]

    async def count(self, number: int) -> None:
        """Wait until there are ``number`` of them."""
        with trio.fail_after(PATIENCE_S):
            while len(self.pids()) < number:
                await trio.sleep(0.01)

    def alive(self) -> list[int]:
        """Those that still run."""
        return [pid for pid in self.pids() if _runs(pid)]

    async def gone(self, within_s: float) -> None:
        """Wait until none of them runs."""
        with trio.fail_after(within_s):
            while self.alive():
                await trio.sleep(0.01)

    def bury(self) -> None:
        """End who should not be there any more."""
        for pid in self.alive():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- what it is given, and what it gives ------------------------------------------------------------------------------


async def test_code_and_output_of_both_streams(run):
    assert await run("sh", "-c", "echo out; echo err >&2; exit 3") == Finished(3, "out\nerr\n", False)


async def test_arguments_arrive_as_they_are(run):
    awkward = ["", "a b", "$HOME; *", "ä\udcff", "-c", "="]

    done = await run(sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))", *awkward)

    assert done.output == f"{awkward!a}\n"


async def test_a_signal_is_a_negative_code(run):
    assert (await run("sh", "-c", "kill -SEGV $$")).code == -signal.SIGSEGV


async def test_it_has_nothing_to_read_and_no_terminal(run):
    done = await run("sh", "-c", "cat; (: </dev/tty) 2>/dev/null || echo no terminal")

    assert done.output == "no terminal\n"


async def test_it_is_in_a_session_and_a_group_of_its_own(run):
    done = await run(sys.executable, "-c", "import os; print(os.getsid(0), os.getpgid(0) == os.getpid())")

    session, leads = done.output.split()
    assert int(session) not in (os.getsid(0), os.getpid())
    assert leads == "True"


@pytest.mark.parametrize("lang", ["C.UTF-8", None])
async def test_S47_of_our_environment_it_has_three_variables_and_no_secret(run, monkeypatch, lang):
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "a secret")
    monkeypatch.setenv("LANG", lang) if lang else monkeypatch.delenv("LANG", raising=False)

    done = await run(sys.executable, "-c", "import os; print(sorted(open('/proc/self/environ').read().split(chr(0))))",
                     env={"GIVEN": "x=y", "HOME": "/elsewhere"})  # fmt: skip

    ours = ["", "GIVEN=x=y", "HOME=/elsewhere", f"PATH={os.environ['PATH']}"]
    assert done.output == f"{sorted([*ours, *([f'LANG={lang}'] if lang else [])])}\n"


@pytest.mark.parametrize("umask", [0o022, 0o077])
async def test_S42_its_umask_is_the_one_that_we_were_started_with(run, umask):
    before = os.umask(umask)
    try:
        done = await run("sh", "-c", "umask")
    finally:
        os.umask(before)

    assert int(done.output, 8) == umask


async def test_it_holds_no_descriptor_of_ours(run, tmp_path):
    ours = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(ours, True)
    done = await run("ls", "/proc/self/fd")
    os.close(ours)

    assert done.output.split() == ["0", "1", "2", "3"], "3 is the directory that it lists"


async def test_it_begins_with_signals_as_at_login(run):
    done = await run("grep", "-E", "SigIgn|SigBlk", "/proc/self/status")

    masks = [int(line.split()[1], 16) for line in done.output.splitlines()]
    assert [mask & 0x7FFFFFFF for mask in masks] == [0, 0], "32 and 33 are the C library's own"


async def test_it_runs_where_it_is_told_to(run, tmp_path):
    assert (await run("pwd", cwd=tmp_path)).output == f"{tmp_path}\n"


async def test_bytes_that_are_no_text_are_replaced(run):
    assert (
        await run("printf", r"a\377b\303")
    ).output == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


async def test_a_flood_holds_up_nobody_and_its_beginning_is_kept(run):
    done = await run("sh", "-c", "head -c 50000000 /dev/zero; echo done >&2; exit 7", most_output_bytes=1_000)

    assert done.code == 7
    assert done.output == "\0" * 1_000 + "\n[… 49,999,005 bytes more]"


async def test_output_of_exactly_the_most_is_whole(run):
    assert (await run("printf", "abc", most_output_bytes=3)).output == "abc"


# --- what cannot be started -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["no-such-program", "x"], "'no-such-program' cannot be started: No such file or directory"),
        (["./plain"], "'./plain' cannot be started: Permission denied"),
        (["./orphan"], "'./orphan' cannot be started: No such file or directory"),
        (["./no-format"], "'./no-format' cannot be started: Exec format error"),
        (["/"], "'/' cannot be started: Permission denied"),
        ([""], "'' cannot be started: it names no program"),
        (["a\0b"], "'a\\x00b' cannot be started: embedded null byte"),
        (["sh", "\ud800"], "'sh' cannot be started: 'utf-8' codec can't encode"),
        ([], "'' cannot be started: it names no program"),
        (["sh", "x" * 5_000_000], "'sh' cannot be started: Argument list too long"),
    ],
)
async def test_a_program_that_cannot_be_started_is_named(run, tmp_path, command, words):
    for name, text, mode in (
        ("plain", "x", 0o600),
        ("orphan", "#!/no/such\n", 0o700),
        ("no-format", "\0", 0o700),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)

    with pytest.raises(GatewayError) as refused:
        await run(*command)

    failure = refused.value.failure
    assert (failure.code, failure.severity) == (PROGRAM_UNUSABLE, "needs_operator")
    assert failure.detail.startswith(words)


async def test_a_directory_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(GatewayError, match=rf"'true' cannot be started: .*: {tmp_path}/nowhere"):
        await run("true", cwd=tmp_path / "nowhere")


# --- the cap ----------------------------------------------------------------------------------------------------------


async def test_AC55_at_the_cap_one_more_is_refused_at_once_in_words(tmp_path, nursery, born):
    processes = Processes(2)

    async def start(script: str, deadline_s: float = PATIENCE_S) -> Finished:
        return await processes.run(["sh", "-c", script], deadline_s=deadline_s, env={}, cwd=tmp_path)

    for _ in range(2):
        nursery.start_soon(start, "echo $$ >> born; exec sleep 1000")
    await born.count(2)
    with pytest.raises(GatewayError) as refused:
        await start("echo $$ >> born")

    assert refused.value.failure == Failure(
        TOO_MANY_PROCESSES,
        detail="2 programs are running already, and no more may (limits.processes); try again later",
    )
    assert len(born.pids()) == 2
    nursery.cancel_scope.cancel()


async def test_AC55_however_a_call_ends_its_place_is_free_again(tmp_path):
    processes = Processes(1)

    async def start(*command: str, deadline_s: float = PATIENCE_S) -> Finished:
        return await processes.run(command, deadline_s=deadline_s, env={}, cwd=tmp_path)

    await start("false")
    with pytest.raises(GatewayError, match=PROGRAM_UNUSABLE):
        await start("no-such-program")
    assert (await start("sleep", "1000", deadline_s=0.2)).timed_out
    with trio.move_on_after(0.2):
        await start("sleep", "1000")

    assert (await start("true")).code == 0


# --- the ends ---------------------------------------------------------------------------------------------------------

_JOB = 'import os; os.setpgid(0, 0); os.execlp("sh", "sh", "-c", "echo $$ >> born; exec sleep 1000")'
"""As an interactive shell starts one."""

FAMILIES = {
    "alone": "echo $$ >> born; exec sleep 1000",
    "with a child": "sh -c 'echo $$ >> born; exec sleep 1000' & echo $$ >> born; wait",
    "deaf to SIGTERM": "trap '' TERM HUP INT; sh -c 'echo $$ >> born; exec sleep 1000' & echo $$ >> born; wait",
    "one in a group of its own": f"{sys.executable} -c '{_JOB}' & echo $$ >> born; wait",
    "deaf, and in a group of its own": f"trap '' TERM; {sys.executable} -c '{_JOB}' & echo $$ >> born; wait",
    "stopped": "sh -c 'echo $$ >> born; kill -STOP $$' & echo $$ >> born; wait",
}
SIZES = {"alone": 1}
family = pytest.mark.parametrize("name", FAMILIES)


@family
async def test_AC37_past_its_deadline_the_whole_family_is_gone(run, born, name):
    with trio.fail_after(1.0 + AC37_S):
        done = await run("sh", "-c", f"echo said; {FAMILIES[name]}", deadline_s=1.0)

    assert done.timed_out
    assert done.output == "said\n"
    assert done.code == (-signal.SIGKILL if name.startswith("deaf") else -signal.SIGTERM)
    assert len(born.pids()) == SIZES.get(name, 2)
    assert born.alive() == []


@family
async def test_AC37_a_cancellation_ends_the_whole_family_and_is_not_swallowed(run, born, nursery, name):
    scope = trio.CancelScope()

    async def call() -> None:
        with scope:
            await run("sh", "-c", FAMILIES[name])
            pytest.fail("it has returned")

    async with trio.open_nursery() as calls:
        calls.start_soon(call)
        await born.count(SIZES.get(name, 2))
        began = trio.current_time()
        scope.cancel()

    assert scope.cancelled_caught
    assert trio.current_time() - began < AC37_S
    assert born.alive() == []


async def test_who_ends_at_sigterm_can_say_so(run):
    done = await run("sh", "-c", "trap 'echo bye; exit 5' TERM; sleep 1000 & wait", deadline_s=1.0)

    assert done == Finished(5, "bye\n", True)


async def test_what_a_program_leaves_behind_ends_with_it(run, born):
    script = "for n in 1 2 3; do sh -c 'echo $$ >> born; exec sleep 1000' & done; while [ $(wc -l < born) -lt 3 ]; do :; done"

    done = await run("sh", "-c", f": > born; {script}; echo done")

    assert done == Finished(0, "done\n", False), "though they hold its output open"
    assert len(born.pids()) == 3
    assert born.alive() == []


async def test_who_leaves_the_session_and_holds_the_output_open_holds_up_nobody(run, born):
    script = "setsid sh -c 'echo $$ >> born; exec sleep 1000' & while [ ! -s born ]; do :; done; echo done"

    with trio.fail_after(AC37_S + DRAIN_S):
        done = await run("sh", "-c", script)

    assert done == Finished(0, "done\n", False)
    assert len(born.alive()) == 1, "a daemon gets away, and is the operator's"


@pytest.mark.parametrize("how", ["KILL", "STOP"])
async def test_a_program_that_ends_its_parent_ends_too(run, born, caplog, how):
    with trio.fail_after(1.0 + END_S + AC37_S):
        done = await run("sh", "-c", f"echo $$ >> born; kill -{how} $PPID; exec sleep 1000", deadline_s=1.0)

    assert done.code == -signal.SIGKILL
    await born.gone(AC37_S)
    assert "the parent of a program did not end it" in caplog.text


async def test_a_program_that_starts_others_without_end_is_ended(run, born):
    script = "echo $$ >> born; trap '' TERM; while :; do sleep 0.3 & done"

    with trio.fail_after(0.5 + AC37_S):
        done = await run("sh", "-c", f"ulimit -u 3000; {script}", deadline_s=0.5)

    assert done.timed_out
    assert born.alive() == []


async def test_where_nobody_can_say_who_is_in_a_session_its_group_is_ended(tmp_path, born):
    """As on systems without /proc."""
    lifeline, report = os.pipe(), os.pipe()
    arguments = (lifeline[0], report[1], "PATH", ["sh", "-c", FAMILIES["deaf to SIGTERM"]])
    program = f"from hermes.ops import child_setup; child_setup.members = lambda _: None; child_setup.main(*{arguments})"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        pass_fds=(lifeline[0], report[1]),
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    await born.count(2)

    os.close(lifeline[1])

    await born.gone(AC37_S)
    assert process.wait(PATIENCE_S) == 0
    assert os.read(report[0], 100) == b"ended -9"
    for end in (lifeline[0], *report):
        os.close(end)


def test_a_gateway_that_is_gone_already_starts_nothing(tmp_path, born):
    lifeline, report = os.pipe(), os.pipe()
    os.close(lifeline[1])

    command = [sys.executable, "-I", "-S", child_setup.__file__, str(lifeline[0]), str(report[1]), "PATH"]
    subprocess.run(
        [*command, "sh", "-c", "echo $$ >> born"],
        cwd=tmp_path,
        pass_fds=(lifeline[0], report[1]),
        start_new_session=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert os.read(report[0], 100) == b"ended -15"
    assert born.pids() == []
    for end in (lifeline[0], *report):
        os.close(end)


# --- a gateway that is killed -----------------------------------------------------------------------------------------


@pytest.fixture
async def gateway(tmp_path) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """A process with one program of each family running."""
    program = f"""
        import sys, trio
        from pathlib import Path
        from hermes.ops.processes import Processes

        async def main():
            processes = Processes(9)
            async with trio.open_nursery() as nursery:
                for script in {list(FAMILIES.values())!r}:
                    nursery.start_soon(run, processes, script)

        async def run(processes, script):
            await processes.run(["sh", "-c", script], deadline_s=1000, env={{}}, cwd=Path({str(tmp_path)!r}))

        trio.run(main)
    """
    process = subprocess.Popen([sys.executable, "-c", dedent(program)], stdin=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()


async def test_AC37_kill_9_of_the_gateway_ends_everybody(gateway, born):
    everybody = sum(SIZES.get(name, 2) for name in FAMILIES)
    await born.count(everybody)
    parents = {psutil.Process(pid).ppid() for pid in born.pids()}
    assert len(born.alive()) == everybody

    gateway.kill()
    gateway.wait()

    await born.gone(AC37_S)
    with trio.fail_after(AC37_S):
        while any(_runs(pid) for pid in parents):
            await trio.sleep(0.01)
