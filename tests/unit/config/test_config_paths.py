"""Where the home is, and what ships with the program."""

from pathlib import Path

import pytest

from hermes.config import paths


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        (Path("/flag"), {"HERMES_HOME": "/env"}, Path("/flag")),
        (None, {"HERMES_HOME": "/env"}, Path("/env")),
        (None, {"HERMES_HOME": ""}, Path.home() / ".hermes"),
        (None, {}, Path.home() / ".hermes"),
        (Path("~/x"), {}, Path.home() / "x"),
        (Path("x"), {}, Path.cwd() / "x"),
    ],
)
def test_the_home_is_found(flag, environ, expected):
    assert paths.resolve_home(flag, environ) == expected


def test_the_shipped_files_are_found_in_a_checkout():
    assert (paths.shipped_conf() / "default.yaml").is_file()


def test_the_shipped_files_are_found_in_an_installed_package(tmp_path, monkeypatch):
    (tmp_path / "hermes" / "_conf").mkdir(parents=True)
    monkeypatch.setattr(paths.hermes, "__file__", str(tmp_path / "hermes" / "__init__.py"))

    assert paths.shipped_conf() == tmp_path / "hermes" / "_conf"
