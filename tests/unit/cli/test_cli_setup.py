"""``hermes setup`` without a terminal, against a Telegram and a model of our own; in one: ``test_e2e_setup``."""

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import trio

from hermes.cli import main, proofs
from hermes.testing.model import Cut, FakeModel, Hang, Raw, Say
from hermes.testing.model_errors import refusal
from hermes.testing.telegram import TOKEN, FakeTelegram

CONFIG = "# mine\nmodel:\n  temperature: 0.5  # cold\nsession_reset: {mode: none}\n"


@contextmanager
def beside(listening) -> Iterator[None]:
    """Servers in a thread of their own: the command runs Trio itself."""
    up, token, over = threading.Event(), [], trio.Event()

    async def serve():
        token.append(trio.lowlevel.current_trio_token())
        async with listening():
            up.set()
            await over.wait()

    thread = threading.Thread(target=partial(trio.run, serve))
    thread.start()
    assert up.wait(10)
    try:
        yield
    finally:
        token[0].run_sync_soon(over.set)
        thread.join(10)


@pytest.fixture
def model():
    fake = FakeModel(key="sesame-open")
    with beside(fake.listening):
        yield fake


@pytest.fixture
def telegram():
    fake = FakeTelegram()
    with beside(fake.listening):
        yield fake


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("TELEGRAM_BOT_TOKEN", "TELEGRAM_ALLOWED_USERS", "OPENAI_API_KEY", "MODEL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    made = tmp_path / "home"
    made.mkdir()
    (made / "config.yaml").write_text(CONFIG)
    (made / ".env").write_text("# keep\nOTHER='a b'\n")
    return made


def at(home, fake):
    """Telegram is there."""
    with (home / "config.yaml").open("a") as file:
        file.write(f"platforms: {{telegram: {{base_url: {fake.url}/bot}}}}\n")


def run(capsys, home, *arguments):
    code = main(["setup", *arguments, "--home", str(home)])
    out, err = capsys.readouterr()
    return code, out, err


def files(home):
    return {path.name: path.read_text() for path in home.iterdir() if path.is_file()}


def test_a_model_is_proved_and_written_with_all_else_as_it_was(capsys, home, model):
    code, out, err = run(capsys, home, "--model", model.base_url, "--model-key", "sesame-open")

    assert (code, err) == (0, "")
    assert f"The model fake-model answers at {model.base_url}." in out
    assert f"Next: hermes run --home {home}" in out
    assert [asked.path for asked in model.asked] == ["/v1/models", "/v1/chat/completions"]
    assert model.asked[1].headers["authorization"] == "Bearer sesame-open"
    assert files(home) == {
        "config.yaml": "# mine\nmodel:\n  temperature: 0.5  # cold\n  provider: custom\n"
        f"  base_url: {model.base_url}\n"
        '  api_key: "${MODEL_API_KEY}"\n  default: fake-model\nsession_reset: {mode: none}\n',
        ".env": "# keep\nOTHER='a b'\nMODEL_API_KEY=sesame-open\n",
    }
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    again = run(capsys, home, "--model", model.base_url)
    assert again[0] == 0
    assert "It was set up so already." in again[1]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--model-key", "wrong"), "answered 401"),
        ((), "answered 401"),
        (("--model-key", "sesame-open", "--model-name", "nobody"), "it has no model nobody, but fake-model"),
    ],
)
def test_a_model_that_does_not_prove_right_changes_nothing_but_by_force(capsys, home, model, flags, words):
    before = files(home)
    code, out, err = run(capsys, home, "--model", model.base_url, *flags)

    assert (code, out) == (1, "")
    assert "nothing is changed" in err
    assert words in err
    assert files(home) == before
    code, out, _ = run(capsys, home, "--model", model.base_url, *flags, "--force")
    assert code == 0
    assert words in out
    assert model.base_url in files(home)["config.yaml"]


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (refusal("openai", "busy"), "429"),
        (Cut(), "the connection broke"),
        (Hang(), "no answer within"),
        (Say(""), "its answer is empty"),
        (Raw([b"<html>"]), "not understood"),
    ],
)
def test_a_model_that_is_listed_and_does_not_answer_changes_nothing(
    capsys, home, model, monkeypatch, act, words
):
    monkeypatch.setattr(proofs, "ANSWER_S", 0.3)
    before = files(home)
    model.plan(act)
    code, out, err = run(capsys, home, "--model", model.base_url, "--model-key", "sesame-open")

    assert (code, out) == (1, "")
    assert "nothing is changed" in err
    assert words in err
    assert files(home) == before


def test_a_name_may_leave_out_the_tag_that_is_the_latest(capsys, home, monkeypatch):
    monkeypatch.setattr(proofs, "models", lambda *_: ["qwen3:latest", "other:7b"])
    monkeypatch.setattr(proofs, "answer", lambda _: "OK")
    at_it = ("--model", "http://127.0.0.1:1/v1", "--model-name")
    assert run(capsys, home, *at_it, "qwen3")[0] == 0
    assert run(capsys, home, *at_it, "other")[0] == 1


def test_no_server_no_list_and_no_address(capsys, home, telegram):
    before = files(home)
    for where, expected, words in (
        ("http://127.0.0.1:1/v1", 1, "nothing is changed"),
        (telegram.url, 1, "nothing is changed"),
        ("ftp://x", 2, "an address is such as http://"),
        ("not an address", 2, "an address is such as http://"),
    ):
        code, _, err = run(capsys, home, "--model", where)
        assert (code, words in " ".join(err.split())) == (expected, True), where
    assert files(home) == before


def test_a_model_goes_again(capsys, home, model):
    run(capsys, home, "--model", model.base_url, "--model-key", "sesame-open")
    code, out, _ = run(capsys, home, "--model", "none")

    assert code == 0
    assert "built-in agent" in out
    assert "base_url" not in files(home)["config.yaml"]


def test_the_key_of_one_server_is_not_shown_to_the_next(capsys, home, model):
    run(capsys, home, "--model", model.base_url, "--model-key", "sesame-open")
    other = FakeModel()
    with beside(other.listening):
        assert run(capsys, home, "--model", other.base_url)[0] == 0

    assert "authorization" not in other.asked[0].headers
    assert "KEY" not in "".join(files(home).values())


def test_of_several_models_one_has_to_be_named(capsys, home, monkeypatch):
    monkeypatch.setattr(proofs, "models", lambda *_: ["small", "big"])
    monkeypatch.setattr(proofs, "answer", lambda _: "OK")
    code, _, err = run(capsys, home, "--model", "http://127.0.0.1:1/v1")
    assert code == 2
    assert "--model-name: small, big" in " ".join(err.split())

    assert run(capsys, home, "--model", "http://127.0.0.1:1/v1", "--model-name", "big")[0] == 0
    assert "default: big\n" in files(home)["config.yaml"]


def test_a_home_that_is_not_there_yet_is_made_for_this_user_alone(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(proofs, "models", lambda *_: ["big"])
    monkeypatch.setattr(proofs, "answer", lambda _: "OK")
    home = tmp_path / "a" / "home"
    assert run(capsys, home, "--model", "http://127.0.0.1:1/v1/")[0] == 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "config.yaml").stat().st_mode) == 0o600


def test_a_platform_is_proved_by_its_token_and_people_pair(capsys, home, telegram, monkeypatch):
    at(home, telegram)
    monkeypatch.setenv("HERMES_SETUP_TOKEN", TOKEN)
    code, out, err = run(capsys, home, "--platform", "telegram")

    assert (code, err) == (0, "")
    assert "Telegram knows it as @" in out
    assert "hermes pairing approve telegram CODE" in out
    assert files(home)[".env"] == f"# keep\nOTHER='a b'\nTELEGRAM_BOT_TOKEN={TOKEN}\n"
    assert TOKEN not in out


def test_a_list_of_people_in_place_of_pairing_and_back(capsys, home, telegram):
    at(home, telegram)
    document = json.loads(
        run(capsys, home, "--platform", "telegram", "--token", TOKEN, "--allow", "1, 2", "--json")[1]
    )
    assert document["files"] == [str(home / ".env")]
    assert "TELEGRAM_ALLOWED_USERS=1,2\n" in files(home)[".env"]

    assert run(capsys, home, "--platform", "telegram")[0] == 0  # what is set stays
    assert "TELEGRAM_ALLOWED_USERS=1,2\n" in files(home)[".env"]
    assert run(capsys, home, "--platform", "telegram", "--allow", "pair")[0] == 0
    assert "ALLOWED" not in files(home)[".env"]


@pytest.mark.parametrize(
    ("token", "words"),
    [("1:not-this-one-at-all", "Unauthorized"), ("<your token>", "placeholder"), ("x y", "")],
)
def test_a_token_that_is_no_good_changes_nothing_and_is_not_shown(capsys, home, telegram, token, words):
    at(home, telegram)
    before = files(home)
    code, out, err = run(capsys, home, "--platform", "telegram", "--token", token)

    assert (code, out) == (1, "")
    assert "nothing is changed" in err
    assert words.lower() in err.lower()
    assert token not in err
    assert files(home) == before


def test_the_token_that_is_written_is_the_one_that_is_proved(capsys, home, telegram, monkeypatch):
    at(home, telegram)
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "1:of-another-bot")
    assert run(capsys, home, "--platform", "telegram", "--token", TOKEN)[0] == 0
    assert run(capsys, home, "--platform", "telegram")[0] == 1


def test_no_platform_turns_none_off_and_says_so(capsys, home, telegram):
    at(home, telegram)
    run(capsys, home, "--platform", "telegram", "--token", TOKEN)
    before = files(home)
    code, out, _ = run(capsys, home, "--platform", "none")
    assert (code, files(home)) == (0, before)
    assert "Telegram stays" in out


def test_a_platform_that_was_turned_off_is_turned_on(capsys, home, telegram):
    (home / "config.yaml").write_text(
        f"platforms:\n  telegram:\n    enabled: false  # for now\n    base_url: {telegram.url}/bot\n"
    )
    assert run(capsys, home, "--platform", "telegram", "--token", TOKEN)[0] == 0
    assert "enabled: true  # for now" in files(home)["config.yaml"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--model, --local or --platform"),
        (("--platform", "telegram"), "--token or TELEGRAM_BOT_TOKEN"),
        (("--platform", "pigeon"), "no platform pigeon"),
        (("--platform", "telegram", "--token", "a\x1bb"), "one line of visible characters"),
    ],
)
def test_what_is_missing_without_a_terminal_is_said(capsys, home, arguments, words):
    before = files(home)
    code, _, err = run(capsys, home, *arguments, "--non-interactive")

    assert code == 2
    assert words in " ".join(err.split())
    assert files(home) == before


def test_everybody_needs_more_than_a_star(capsys, home, telegram):
    at(home, telegram)
    before = files(home)
    code, _, err = run(capsys, home, "--platform", "telegram", "--token", TOKEN, "--allow", "*")

    assert code == 1
    assert "* is everybody" in err
    assert files(home) == before


def test_a_server_on_this_machine_is_found_only_when_it_is_asked_for(capsys, home, monkeypatch):
    fake = FakeModel()
    with beside(fake.listening):
        port = int(fake.base_url.rpartition(":")[2].partition("/")[0])
        monkeypatch.setattr(proofs, "LOCAL_PORTS", (1, port))
        code, out, _ = run(capsys, home, "--local")
    assert code == 0
    assert fake.base_url in out

    monkeypatch.setattr(proofs, "LOCAL_PORTS", (1,))
    code, _, err = run(capsys, home, "--local")
    assert code == 2
    assert "no model's server was found" in " ".join(err.split())


def test_the_old_name_does_the_same(capsys, home):
    assert main(["gateway", "setup", "--non-interactive", "--home", str(home)]) == 2
    assert "without a terminal" in " ".join(capsys.readouterr().err.split())
