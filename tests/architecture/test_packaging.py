"""What is installed on other people's machines, and what must never fall behind."""

import re
import subprocess
import sys
import tomllib
import zipfile

from source_tree import PACKAGES, ROOT


def test_the_wheel_holds_the_three_packages_and_the_configuration(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert {"hermes/_conf/default.yaml", "hermes/_conf/schema.json", "hermes/py.typed"} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_generated_files_are_current():
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_constraints_pin_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lines = (ROOT / "conf" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))

    assert {canonical(re.split(r"[>=<\[ ]", name)[0]) for name in declared} <= pins.keys()
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", f"{name}=={version}") for name, version in pins.items())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_readme_commands_are_those_of_ci():
    command = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest -n 3"

    assert command in (ROOT / "README.md").read_text()
    assert command in (ROOT / ".ci" / "run").read_text().replace(" --quiet", "")


def test_the_service_file_stops_by_plan_and_knows_the_exit_codes():
    unit = (ROOT / "conf" / "hermes.service").read_text()

    for line in (
        "Type=notify",
        "KillSignal=SIGINT",
        "RestartPreventExitStatus=78",
        "RestartForceExitStatus=75",
    ):
        assert f"{line}\n" in unit
