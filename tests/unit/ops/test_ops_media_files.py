"""Which files may go with an answer, and what is sent of them: real files, real links."""

import logging
import os
from pathlib import Path
from stat import S_IMODE

import pytest

from hermes.config.model import Media as Config
from hermes.delivery.media_tags import Extracted
from hermes.ops import media_files
from hermes.ops.media_files import (
    MOST_FILES,
    Policy,
    copied,
    copies_name,
    drop_copies,
    gather,
    media_policy,
    read_copy,
)
from hermes.types.content import Capabilities, Media
from hermes.types.ids import DeliveryId

ALL = Capabilities(media=frozenset({"image", "voice", "audio", "video", "document"}), max_media_bytes=1000)
NOW = 1_772_618_400.0
COPIES = copies_name(DeliveryId("t1:0"), "0123abcd")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Hermes home in a user's home, hidden as it is by default, with a picture in its cache."""
    home = tmp_path / "ann" / ".hermes"
    (home / "cache" / "images").mkdir(parents=True)
    put(home / "cache" / "images" / "cat.png", b"meow")
    return home


def put(path: Path, data: bytes = b"secret", *, at: float = NOW - 86_400) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (at, at))
    return path


def policy(home: Path, *allow_dirs: str, recent_s: float | None = None) -> Policy:
    return Policy(str(home.parent), allow_dirs, recent_s)


def send(
    home: Path, path: Path | str, rules: Policy | None = None, capabilities: Capabilities = ALL
) -> Extracted:
    text = f'MEDIA:"{path}"'
    return gather(home, rules or policy(home), text, (), copies=COPIES, capabilities=capabilities, now=NOW)


def test_what_lies_in_the_cache_goes_as_a_private_copy(home: Path) -> None:
    found = send(home, home / "cache" / "images" / "cat.png")

    (media,) = found.media
    copy = Path(media.ref)
    assert media == Media("image", str(copy), "cat.png", "image/png", size_bytes=4)
    assert copy == home / "cache" / "outbound" / COPIES / "0_cat.png"
    assert (copy.read_bytes(), S_IMODE(copy.stat().st_mode), found.text) == (b"meow", 0o600, "")
    assert {S_IMODE(one.stat().st_mode) for one in (copy.parent, copy.parent.parent)} == {0o700}


def test_what_comes_in_its_place_meanwhile_is_not_sent(home: Path) -> None:
    source = home / "cache" / "images" / "cat.png"
    (media,) = send(home, source).media
    source.write_bytes(b"something else")
    source.unlink()
    source.symlink_to("/etc/passwd")

    assert read_copy(media.ref, 1000) == b"meow"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd.txt",
        "/etc/hostname",
        "/proc/self/environ.txt",
        "/dev/null.txt",
        "{user}/.ssh/id_rsa.txt",
        "{user}/.aws/credentials.txt",
        "{user}/notes.txt",
        "{home}/.env.txt",
        "{home}/auth.json",
        "{home}/config.yaml",
        "{home}/gateway.db.zip",
        "{home}/logs/gateway.log",
        "{home}/run/tree.json",
        "{home}/pairing/telegram-approved.json",
        "{home}/backups/hermes-20260101-030000.zip",
        "{home}/cache/.hidden/cat.png",
        "{home}/cache/images/.cat.png",
        "{home}/cache/images/../../config.yaml",
        "{home}/cache/images/link.txt",
        "{home}/cache/linked/id_rsa.txt",
        "{home}/cache/images/pipe.txt",
        "{home}/cache/images/directory.zip",
        "{home}/cache/images/none.png",
        "{home}/cache/images/",
        "{home}/cache/outbound/t0%3A0.0123abcd/0_x.png",
        "relative.png",
        "{home}/cache/images/nul\0.png",
        "{home}/cache/images/\ud800.png",
        "{home}/cache/" + "x" * 3000 + ".png",
    ],
)
@pytest.mark.parametrize(
    "allow", [(), ("~", "/", "/etc", "~/.ssh", ".")], ids=["by default", "with all allowed"]
)
def test_S39_what_may_not_go_does_not(home: Path, name: str, allow: tuple[str, ...]) -> None:
    user = home.parent
    for path in (
        user / ".ssh" / "id_rsa.txt",
        user / ".aws" / "credentials.txt",
        home / "auth.json",
        home / "config.yaml",
    ):
        put(path)
    for path in (
        "gateway.db.zip",
        ".env.txt",
        "logs/gateway.log",
        "run/tree.json",
        "pairing/telegram-approved.json",
        "backups/hermes-20260101-030000.zip",
    ):
        put(home / path)
    for path in (".hidden/cat.png", "images/.cat.png", "outbound/t0%3A0.0123abcd/0_x.png"):
        put(home / "cache" / path)
    (home / "cache" / "images" / "link.txt").symlink_to(put(user / "target.txt"))
    (home / "cache" / "linked").symlink_to(user / ".ssh")
    (home / "cache" / "images" / "directory.zip").mkdir()
    os.mkfifo(home / "cache" / "images" / "pipe.txt")
    there = name.format(user=user, home=home)

    found = send(home, there, policy(home, *allow))

    print(" →", *(found.refused or ["stays a text"]), end=" ")
    assert found.media == ()
    assert not (home / "cache" / "outbound" / COPIES).exists()
    if name.endswith(".png") and name.startswith("{home}"):
        assert (found.text, found.refused) == ("", ("denied",))


def test_S39_a_directory_that_becomes_a_link_between_the_look_and_the_opening(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, secrets = home / "cache" / "images" / "cat.png", put(home.parent / ".ssh" / "cat.png").parent
    open_ = os.open

    def swap(name: str, flags: int, *mode: int) -> int:
        if name == str(path):
            path.parent.rename(home / "cache" / "gone")
            path.parent.symlink_to(secrets)
        return open_(name, flags, *mode)

    monkeypatch.setattr(media_files.os, "open", swap)

    assert send(home, path) == Extracted("", (), ("denied",))


def test_S39_the_log_names_what_did_not_go_and_the_chat_hears_nothing_of_it(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = send(home, put(home.parent / "taxes.pdf"))

    assert "taxes.pdf' is not sent: it lies in no directory from which files may go" in caplog.text
    assert "taxes" not in found.text


@pytest.mark.parametrize("allow", ["~/out", "{user}/out", "../out"])
def test_a_directory_that_is_allowed(home: Path, allow: str) -> None:
    put(home.parent / "out" / "deep" / "report.pdf", b"pdf")
    rules = policy(home, allow.format(user=home.parent))

    assert [media.name for media in send(home, home.parent / "out" / "deep" / "report.pdf", rules).media] == [
        "report.pdf"
    ]
    assert send(home, put(home.parent / "outer" / "report.pdf"), rules).media == ()


def test_a_root_may_be_a_link_itself(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "disk" / "a.pdf", b"pdf")
    (home / "cron").mkdir()
    (home / "cron" / "output").symlink_to(tmp_path / "disk")

    assert len(send(home, home / "cron" / "output" / "a.pdf").media) == 1


@pytest.mark.parametrize(
    ("age_s", "recent_s", "goes"), [(30, 60, True), (90, 60, False), (-90, 60, False), (30, None, False)]
)
def test_a_recent_file_goes_only_if_that_is_configured(
    home: Path, age_s: float, recent_s: float | None, goes: bool
) -> None:
    path = put(home.parent / "made" / "chart.png", at=NOW - age_s)

    assert bool(send(home, path, policy(home, recent_s=recent_s)).media) is goes


def test_no_recent_file_that_is_hidden_goes(home: Path) -> None:
    rules = policy(home, recent_s=600)

    assert send(home, put(home.parent / ".config" / "app" / "token.txt", at=NOW), rules).media == ()
    assert send(home, put(home / "state" / "token.txt", at=NOW), rules).media == ()


def test_what_is_too_large_is_said_to_be(home: Path) -> None:
    path = put(home / "cache" / "large.zip", b"x" * 1001)

    assert send(home, path) == Extracted("", (), ("too_large",))
    assert send(home, put(path, b"x" * 1000)).media[0].size_bytes == 1000


def test_a_file_that_grows_while_it_is_copied_is_too_large(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(home / "cache" / "a.zip", b"x" * 1000)
    monkeypatch.setattr(media_files, "PIECE_BYTES", 600)
    open_ = media_files.open_private

    def grow(*args: object) -> int:
        put(path, b"x" * 2000)
        return open_(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(media_files, "open_private", grow)

    assert send(home, path).refused == ("too_large",)
    assert list((home / "cache" / "outbound" / COPIES).iterdir()) == []


def test_a_platform_that_takes_no_such_thing(home: Path) -> None:
    picture = home / "cache" / "images" / "cat.png"

    assert send(home, picture, capabilities=Capabilities()).refused == ("unsupported",)
    as_file = send(home, picture, capabilities=Capabilities(media=frozenset({"document"})))
    assert as_file.media[0].kind == "document"
    link = "![cat](https://h.example/cat.png)"
    left = gather(home, policy(home), link, (), copies=COPIES, capabilities=Capabilities(), now=NOW)
    assert left == Extracted(link)


def test_what_the_agent_hands_over_goes_after_what_it_names_and_by_the_same_rules(home: Path) -> None:
    cat, dog = home / "cache" / "images" / "cat.png", put(home / "cache" / "dog.ogg", b"woof")
    handed = (
        Media("voice", str(dog), "Rex.ogg", caption="listen"),
        Media("image", str(cat)),
        Media("document", "/etc/passwd"),
        Media("image", "https://h.example/x.png"),
    )
    found = gather(home, policy(home), f"Look MEDIA:{cat}", handed, copies=COPIES, capabilities=ALL, now=NOW)

    assert [(media.kind, media.name, media.caption) for media in found.media] == [
        ("image", "cat.png", ""),
        ("voice", "Rex.ogg", "listen"),
        ("image", "x.png", ""),
    ]
    assert (found.text, found.refused) == ("Look", ("denied",))


def test_an_answer_takes_only_so_many_files(home: Path) -> None:
    for n in range(MOST_FILES + 2):
        put(home / "cache" / f"{n}.png", b"x")
    text = "\n".join(f"MEDIA:{home}/cache/{n}.png" for n in range(MOST_FILES + 2))
    found = gather(home, policy(home), text, (), copies=COPIES, capabilities=ALL, now=NOW)

    assert (len(found.media), found.refused) == (MOST_FILES, ("denied", "denied"))


def test_a_disk_that_takes_no_copy_costs_the_file_alone(home: Path) -> None:
    (home / "cache" / "outbound").write_text("in the way")

    found = gather(
        home,
        policy(home),
        f"Hi MEDIA:{home}/cache/images/cat.png",
        (),
        copies=COPIES,
        capabilities=ALL,
        now=NOW,
    )

    assert found == Extracted("Hi", (), ("denied",))


def test_copies_are_found_and_dropped_and_nothing_else_is(home: Path, tmp_path: Path) -> None:
    send(home, home / "cache" / "images" / "cat.png")
    outbound = home / "cache" / "outbound"
    put(outbound / "notes.txt")
    put(outbound / "of somebody" / "notes.txt")
    (outbound / "link.0123abcd").symlink_to(tmp_path)

    assert [(name, one[0]) for name, one in copied(home).items()] == [(COPIES, "t1:0")]
    drop_copies(home, [COPIES])
    assert copied(home) == {}
    assert (outbound / "notes.txt").exists()
    assert (outbound / "of somebody").exists()


def test_where_copies_lie_may_be_no_link(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "precious.0123abcd" / "x")
    (home / "cache" / "outbound").symlink_to(tmp_path / "elsewhere")

    assert copied(home) == {}


def test_a_copy_is_read_as_what_it_was(home: Path) -> None:
    path = home / "cache" / "images" / "cat.png"
    (link := home / "link").symlink_to(path)

    assert read_copy(str(path), 4) == b"meow"
    for ref, most in ((path, 3), (link, 4), (home, 4), (home / "none", 4)):
        with pytest.raises(OSError, match=r"is not what was sent|symbolic link|No such file|directory"):
            read_copy(str(ref), most)


def test_the_policy_of_the_configuration() -> None:
    assert media_policy(Config()).recent_s is None
    assert media_policy(Config(allow_dirs=("~/a",), trust_recent_files=True)) == Policy(
        os.path.expanduser("~"), ("~/a",), 600.0
    )


def test_S39_an_empty_directory_name_is_not_the_home(home: Path) -> None:
    rules = media_policy(Config(allow_dirs=("", " ")))

    assert send(home, put(home / "memories" / "all.txt"), rules).refused == ("denied",)


def test_S39_no_answer_takes_more_addresses_than_files(home: Path) -> None:
    names = [f"https://example.com/{n}.png" for n in range(MOST_FILES + 5)]
    text = " ".join(f"![]({name})" for name in names)
    found = gather(home, policy(home), text, (), copies=COPIES, capabilities=ALL, now=NOW)

    assert [one.ref for one in found.media] == names[:MOST_FILES]
    assert found.text == " ".join(f"![]({name})" for name in names[MOST_FILES:])


@pytest.mark.parametrize("recent_s", [None, 600.0])
def test_S39_what_opens_all_around_a_home_does_not_open_the_home(
    tmp_path: Path, recent_s: float | None
) -> None:
    home = tmp_path / "srv" / "hermes"
    open_ = Policy(str(tmp_path / "ann"), (str(home.parent),), recent_s)
    keys = put(home / "whatsapp" / "session" / "creds.json", at=NOW)

    assert send(home, keys, open_).refused == ("denied",)
    assert send(home, put(home.parent / "cat.png"), open_).media
    inside = Policy(open_.user_home, ("whatsapp",), recent_s)
    assert send(home, keys, inside).media
