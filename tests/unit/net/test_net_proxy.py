import pytest

from hermes.net.proxy import Proxies, proxies

P, Q = "http://p.test:3128", "http://q.test:3128"


@pytest.mark.parametrize(
    ("environ", "https", "http"),
    [
        ({}, None, None),
        ({"HTTPS_PROXY": P}, P, None),
        ({"https_proxy": Q, "HTTPS_PROXY": P, "HTTP_PROXY": P}, Q, P),
        ({"ALL_PROXY": P}, P, P),
        ({"ALL_PROXY": P, "HTTPS_PROXY": Q}, Q, P),
        ({"HTTPS_PROXY": ""}, None, None),
        ({"HTTPS_PROXY": P, "NO_PROXY": "a.test, .api.test"}, None, None),
        ({"HTTPS_PROXY": P, "NO_PROXY": "*.api.test"}, None, None),
        ({"HTTPS_PROXY": P, "NO_PROXY": "*"}, None, None),
        ({"HTTPS_PROXY": P, "NO_PROXY": "other.test,pi.test"}, P, None),
        ({"HTTPS_PROXY": P, "NO_PROXY": "api.test"}, None, None),
    ],
)
def test_what_the_environment_says(environ, https, http):
    leading = proxies(None, environ)

    assert (leading.to("https", "WWW.api.test"), leading.to("http", "WWW.api.test")) == (https, http)


def test_what_is_chosen_goes_before():
    assert proxies("", {"HTTPS_PROXY": P}) == Proxies()
    assert proxies(Q, {"HTTPS_PROXY": P, "NO_PROXY": "*"}).to("https", "a.test") == Q
