"""Where the home is, and what ships with the program."""

from pathlib import Path

import pytest

from hermes.config import paths
from hermes.types.errors import CONFIG_INVALID, GatewayError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".hermes" / "profiles" / "coder").mkdir(parents=True)
    return tmp_path / ".hermes"


@pytest.mark.parametrize(
    ("flag", "environ", "expected"),
    [
        (Path("/flag"), {"HERMES_HOME": "/env"}, Path("/flag")),
        (None, {"HERMES_HOME": "/env"}, Path("/env")),
        (None, {"HERMES_HOME": ""}, Path("~/.hermes")),
        (None, {}, Path("~/.hermes")),
        (Path("~/x"), {}, Path("~/x")),
        (Path("x"), {}, Path.cwd() / "x"),
    ],
)
def test_the_home_is_found(flag, environ, expected):
    assert paths.resolve_home(flag, environ) == expected.expanduser()


@pytest.mark.parametrize("said", ["coder\n", "\ufeffcoder"])
def test_the_active_profile_of_the_original_is_the_home_where_none_is_named(root, said):
    (root / paths.ACTIVE).write_text(said)

    assert paths.resolve_home(None, {}) == root / "profiles" / "coder"
    assert paths.resolve_home(None, {"HERMES_HOME": str(root)}) == root
    assert paths.resolve_home(root, {}) == root


@pytest.mark.parametrize("said", ["", "  \n", "default"])
def test_without_an_active_profile_it_is_the_root(root, said):
    (root / paths.ACTIVE).write_text(said)

    assert paths.resolve_home(None, {}) == root


@pytest.mark.parametrize(
    "said", [b"writer", b"..", b".", b"../x", b"a/b", b"/etc", b"co\0der", b"\xff", b"x" * 300]
)
def test_a_profile_that_is_not_there_is_named_and_no_other_home_taken(root, said):
    (root / paths.ACTIVE).write_bytes(said)

    with pytest.raises(GatewayError) as refused:
        paths.resolve_home(None, {})
    assert refused.value.failure.code == CONFIG_INVALID
    assert str(root / paths.ACTIVE) in refused.value.failure.detail


def test_the_shipped_files_are_found_in_a_checkout():
    assert (paths.shipped_conf() / "default.yaml").is_file()


def test_the_shipped_files_are_found_in_an_installed_package(tmp_path, monkeypatch):
    (tmp_path / "hermes" / "_conf").mkdir(parents=True)
    monkeypatch.setattr(paths.hermes, "__file__", str(tmp_path / "hermes" / "__init__.py"))

    assert paths.shipped_conf() == tmp_path / "hermes" / "_conf"
