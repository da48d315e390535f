"""The suite fails for what it is there to notice."""

import re
import subprocess
import sys
from pathlib import Path

from broken_adapters import BROKEN

HERE = Path(__file__).parent


def test_each_broken_adapter_is_noticed() -> None:
    path = HERE / "broken_adapters.py"
    names = [f"{path}::Test{broken.__name__}::{broken.__doc__}" for broken in BROKEN]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", *names]
    done = subprocess.run(
        command, cwd=HERE.parents[2], capture_output=True, text=True, check=False, timeout=60
    )
    noticed = re.findall(r"^FAILED \S+::Test(\w+)::", done.stdout, re.MULTILINE)
    assert sorted(noticed) == sorted(broken.__name__ for broken in BROKEN), done.stdout[-4000:] + done.stderr
