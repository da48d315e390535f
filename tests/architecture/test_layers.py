"""Who may import whom."""

import subprocess
import sys
from pathlib import Path

import pytest
from source_tree import ROOT, imports, modules, syntax

DOORS = {
    "httpx": ("hermes.net.http",),
    "h11": ("hermes.net", "hermes.testing"),
    "trio_websocket": ("hermes.net.ws",),
    "sqlite3": ("hermes.store",),
    "sqlite_utils": ("hermes.store",),
    "anycorn": ("hermes.web.server",),
    "yaml": ("hermes.config",),
    "dotenv": ("hermes.config.dotenv",),
}
"""A third party's module → the only modules of ours, with all below them, that may import it."""


def test_the_import_contracts_are_kept():
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("foreign", DOORS)
def test_one_door_each(foreign):
    trespassers = [
        name
        for name, path in modules().items()
        if any(below(imported, foreign) for imported in imports(syntax(path)))
        and not any(below(name, door) for door in DOORS[foreign])
    ]

    assert trespassers == []


def test_nothing_that_runs_imports_the_testing_kit():
    importers = [
        name
        for name, path in modules().items()
        if not below(name, "hermes.testing")
        and any(below(imported, "hermes.testing") for imported in imports(syntax(path)))
    ]

    assert importers == []


def loaded_by(code: str) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has loaded after ``code``."""
    report = "import sys; print('\\n' + ' '.join({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "package", ["hermes.types", "hermes.routing", "hermes.sessions", "hermes.delivery", "hermes.render"]
)
def test_the_functional_core_loads_without_trio(package):
    names = ", ".join(modules(package))

    assert loaded_by(f"import {names}").isdisjoint({"trio", "httpx", "sqlite3", "starlette"})


def test_the_version_costs_neither_trio_nor_pydantic():
    loaded = loaded_by("from hermes.cli import main; main(['--version'])")

    assert loaded.isdisjoint({"trio", "pydantic", "click", "rich", "cbor2", "yaml"})


def test_help_loads_nothing_heavy():
    loaded = loaded_by("from hermes.cli import main; main(['--help'])")

    assert loaded.isdisjoint(
        {
            "trio",
            "pydantic",
            "rich",
            "yaml",
            "httpx",
            "starlette",
            "anycorn",
            "sqlite3",
            "sqlite_utils",
            "dotenv",
        }
    )


def test_what_is_known_of_the_platforms_costs_neither_trio_nor_an_adapter():
    loaded = loaded_by("from hermes.plugins.builtin import entries; assert list(entries())")

    assert loaded.isdisjoint({"trio", "httpx", "yaml", "pydantic"})


def test_a_configuration_of_defaults_needs_neither_yaml_nor_pydantic(tmp_path):
    loaded = loaded_by(
        f"from pathlib import Path; from hermes.config.load import load; load(Path({str(tmp_path)!r}), {{}})"
    )

    assert loaded.isdisjoint({"pydantic", "yaml"})
