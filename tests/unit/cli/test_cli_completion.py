"""``hermes completion``, read by a bash where there is one."""

import shutil
import subprocess
import sys

import pytest

from hermes.cli import main
from hermes.cli.completion import SHELLS


def script(capsys, shell):
    assert main(["completion", shell]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_asks_the_program(capsys, shell):
    assert f"_HERMES_COMPLETE={shell}_complete" in script(capsys, shell)


def test_another_shell_is_refused(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "wanted"), [("hermes rest", {"restart", "restore"}), ("hermes backup --qu", {"--quick"})]
)
def test_a_bash_completes_commands_and_options(capsys, tmp_path, words, wanted):
    program = tmp_path / "hermes"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m hermes.cli "$@"\n')
    program.chmod(0o755)
    ask = f"{script(capsys, 'bash')}\nCOMP_WORDS=({words}) COMP_CWORD={len(words.split()) - 1}\n_hermes_completion {program}\n"
    done = subprocess.run(
        ["bash", "--norc", "-c", ask + 'printf "%s\\n" "${COMPREPLY[@]}"'],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert set(done.stdout.split()) == wanted, done.stderr
