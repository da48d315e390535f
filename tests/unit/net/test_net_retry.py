import pytest

from hermes.net.retry import retry_after

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:29:30 GMT", "date": DATE}, 90.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:00:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:29:30", "date": DATE}, 90.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:29:30 GMT"}, None),
        ({"retry-after": "Wed, 99 Oct 2026 07:29:30 GMT", "date": DATE}, None),
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e999"}, None),
    ],
)
def test_the_servers_wish(headers, seconds):
    assert retry_after(headers) == seconds
