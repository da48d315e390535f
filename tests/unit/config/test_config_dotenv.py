"""``.env``: what it says, where, and what wins over it."""

import os

import pytest

from hermes.config.dotenv import place_of
from hermes.config.load import environment, load, secrets
from hermes.types.errors import GatewayError


@pytest.fixture
def file(tmp_path):
    """Its text, readable by us alone."""

    def write(text):
        path = tmp_path / ".env"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b # a remark", "b"),
        ('A="b # no remark"', "b # no remark"),
        ("A='b\\n'", "b\\n"),
        ('A="b\\nc"', "b\nc"),
        ("A='b\nc'", "b\nc"),
        ("A=1\nA=b", "b"),
        ("\ufeffA=b", "b"),
        ("A=b\r\n", "b"),
        ("A=$HOME ${HOME}", "$HOME ${HOME}"),
        ("A=", ""),
    ],
)
def test_the_grammar_is_that_of_python_dotenv_without_expansion(file, tmp_path, line, value):
    file(line)

    assert dict(environment(tmp_path, {})) == {"A": value}


def test_the_process_wins_and_is_not_written_to(file, tmp_path):
    path = file("\n# tokens\n\nHERE_TOKEN=here\nBOTH=file\nNOTHING\n")
    before = dict(os.environ)

    environ = environment(tmp_path, {"BOTH": "process"})

    assert dict(environ) == {"HERE_TOKEN": "here", "BOTH": "process"}
    assert place_of(environ, "HERE_TOKEN") == f"{path}, line 4: HERE_TOKEN"
    assert place_of(environ, "BOTH") == "environment variable BOTH"
    assert dict(os.environ) == before
    assert "here" not in repr(environ)


def test_a_line_that_nobody_understands_is_named_and_the_others_count(file, tmp_path):
    path = file("A=1\n\nB='2\nC=3\n=4\n")

    environ = environment(tmp_path, {})

    assert (environ["A"], environ["C"]) == ("1", "3")
    assert [words.partition(":")[0] for words in environ.faults] == [f"{path}, line 3", f"{path}, line 5"]


@pytest.mark.parametrize(("mode", "faults"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o660, 1)])
def test_who_else_may_read_it_is_said(file, tmp_path, mode, faults):
    path = file("A=1")
    path.chmod(mode)

    assert [f"chmod 600 {path}" in words for words in environment(tmp_path, {}).faults] == [True] * faults


def test_its_variables_are_settings_like_others(file, tmp_path):
    file(
        "API_SERVER_PORT=81\nTELEGRAM_ALLOWED_USERS=7\nTELEGRAM_HOME_CHANNEL=9\nTELEGRAM_BOT_TOKEN=a-secret\n"
    )

    settings = load(tmp_path, {})

    assert settings.config.web.port == 81
    assert settings.access.rules("telegram").allowed == {"7"}
    assert settings.homes["telegram", "default"].chat_id == "9"
    assert "a-secret" in settings.secrets
    assert "a-secret" in secrets(tmp_path, {})
    assert "a-secret" not in repr(settings.environ)
    assert load(tmp_path, {"API_SERVER_PORT": "82"}).config.web.port == 82


def test_a_fault_in_a_value_names_the_line(file, tmp_path):
    path = file("# one\nAPI_SERVER_PORT=no\nTELEGRAM_ALLOWED_USERS=two words\n")

    with pytest.raises(GatewayError) as invalid:
        load(tmp_path, {})

    port, users = invalid.value.failure.detail.splitlines()
    assert port.startswith(f"{path}, line 2: API_SERVER_PORT: web.port: expected a whole number")
    assert users.startswith(f"{path}, line 3: TELEGRAM_ALLOWED_USERS: ")


def test_a_file_that_cannot_be_read_is_a_wrong_configuration(tmp_path):
    (tmp_path / ".env").mkdir()

    with pytest.raises(GatewayError, match=r"\.env"):
        load(tmp_path, {})
