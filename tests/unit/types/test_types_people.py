"""How a person is written."""

import pytest

from hermes.types.people import UserRef, checked_name, parse_person


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("telegram:123", UserRef("telegram", "default", "123")),
        ("telegram@work:123", UserRef("telegram", "work", "123")),
        ("matrix:@ann:server.org", UserRef("matrix", "default", "@ann:server.org")),
        ("matrix@own:@ann:server.org:8448", UserRef("matrix", "own", "@ann:server.org:8448")),
        ("whatsapp_cloud:+49 151", UserRef("whatsapp_cloud", "default", "+49 151")),
        ("person-1a2b", "person-1a2b"),
        (" Ann Lee ", "Ann Lee"),
    ],
)
def test_a_person_is_written_as_one_of_their_users_or_by_name(text, meant):
    assert parse_person(text) == meant
    if isinstance(meant, UserRef):
        assert str(meant) == text


def test_a_platform_is_called_as_in_the_configuration():
    assert parse_person("whatsapp-cloud@my-own:1-2") == UserRef("whatsapp_cloud", "my-own", "1-2")


@pytest.mark.parametrize(
    "text", ["", " ", ":1", "telegram:", "telegram: ", "Tele gram:1", "a@:1", "a@b@c:1", "a:b\nc", "x" * 65]
)
def test_what_is_nobody_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"nobody|a name is"):
        parse_person(text)


def test_a_name_has_no_colon_so_that_it_is_never_taken_for_a_user():
    with pytest.raises(ValueError, match="a name is"):
        checked_name("telegram:1")
