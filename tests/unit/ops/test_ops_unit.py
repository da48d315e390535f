"""The unit of systemd: its words, and that it gives the process the time that it takes."""

import re
import shlex
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors import exits
from actors.dossiers import WRITE_DEADLINE_S
from hermes.config.load import load
from hermes.config.paths import shipped_conf
from hermes.ops.logging import FLUSH_S
from hermes.ops.unit import SCOPES, Scope, Service, home_of, own_name, quoted, unit_text, units
from hermes.types.errors import GatewayError
from supervisors.system import ZOMBIE_GRACE_S
from supervisors.watchdog import LAST_RESORT_S, PERIOD_S

TEMPLATE = (shipped_conf() / "hermes.service").read_text()
HOME = Path("/home/ann/.hermes")


def unit(drain_s: float = 8.0, scope: Scope = "user", home: Path = HOME) -> dict[str, str]:
    program = ["/usr/bin/hermes", "run", "--home", str(home)]
    stop_s = exits.stop_budget_s(drain_s)
    text = unit_text(
        TEMPLATE, Service("hermes", scope, program, home, "/usr/bin:/bin", drain_s, stop_s, "ann")
    )
    assert not re.search("@[A-Z]+@", text), "something was not filled in"
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z]\w+=", line))


@given(st.floats(-10.0, 4_000.0))
def test_AC_41_systemd_waits_longer_than_drain_close_and_dump_for_every_valid_configuration(
    tmp_path_factory: pytest.TempPathFactory, drain_s: float
):
    home = tmp_path_factory.getbasetemp() / "AC_41"
    home.mkdir(exist_ok=True)
    (home / "config.yaml").write_text(f"drain_timeout_s: {drain_s!r}\n")
    try:
        configured = load(home, {}).config.drain_timeout_s
    except GatewayError:
        return  # then it does not start either
    closing = exits.STOP_MARGIN_S + ZOMBIE_GRACE_S + WRITE_DEADLINE_S + FLUSH_S
    dump = PERIOD_S + LAST_RESORT_S

    assert configured == drain_s
    assert int(unit(configured)["TimeoutStopSec"]) > configured + closing + dump


@pytest.mark.parametrize("scope", SCOPES)
def test_AC_11_the_exit_codes_and_the_stop_mean_to_systemd_what_they_mean_to_us(scope: Scope):
    found = unit(scope=scope)

    assert found["RestartPreventExitStatus"] == str(exits.CONFIG)
    assert found["RestartForceExitStatus"] == str(exits.RESTART)
    assert (found["KillSignal"], found["Type"], found["Restart"]) == ("SIGINT", "notify", "on-failure")
    assert {"WatchdogSec", "MemoryHigh", "TasksMax", "NoNewPrivileges"} <= found.keys()
    assert found.get("User") == ("ann" if scope == "system" else None)
    assert found["WantedBy"] == {"user": "default.target", "system": "multi-user.target"}[scope]


@given(
    st.lists(
        st.text(string.printable.translate({ord(c): None for c in "\t\n\r\x0b\x0c"}) + "é漢", min_size=1)
    )
)
def test_every_word_stays_one_word(words: list[str]):
    line = " ".join(map(quoted, words))

    assert re.fullmatch(r"([^%$]|%%|\$\$)*", line), "no specifier, no variable"
    # Of what systemd undoes, Python's shell words undo quotes and backslashes alike.
    assert [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)] == words


@pytest.mark.parametrize("home", ["/a\nExecStartPre=/bin/evil", "/a\0", "/a\x1b"])
def test_a_path_that_would_be_more_than_a_word_is_refused(home: str):
    with pytest.raises(ValueError, match="no unit can hold"):
        unit(home=Path(home))


def test_where_it_goes():
    assert units("system", {}) == Path("/etc/systemd/system")
    assert units("user", {"HOME": "/h"}) == Path("/h/.config/systemd/user")
    assert units("user", {"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/systemd/user")


def test_a_name_of_its_own_can_be_read_and_is_nobody_elses():
    homes = [
        "/srv/work",
        "/srv/Work",
        "/mnt/work",
        "/home/ann/.hermes",
        "/home/bob/.hermes",
        "/srv/日本",
        "/",
    ]
    names = [own_name(Path(home)) for home in homes]

    assert len({*names}) == len(homes)
    assert all(re.fullmatch(r"hermes(-[a-z0-9-]*[a-z0-9])?-[0-9a-f]{6}", name) for name in names), names
    assert names[0].startswith("hermes-work-")
    assert names[3].startswith("hermes-ann-")


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=("C", "Z")), min_size=1))
def test_a_unit_says_whose_home_it_is(name: str):
    home = Path("/a b", name)
    service = Service("hermes", "user", ["/bin/hermes"], home, "/bin", 8.0, 60.0)

    assert home_of(unit_text(TEMPLATE, service)) == home
    assert home_of(unit_text(TEMPLATE, service).partition("\n")[2]) is None, "it does not say that it is ours"
