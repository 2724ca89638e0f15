"""Who may open the page, decided without a server."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from stereo.guard import Answer, Guard, is_local

OURS = ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.3.2.1:9"]
FOREIGN = [
    *("evil.example", "evil.example:8080", "127.0.0.1.evil.example:8080", "localhost.evil:8080"),
    *("0.0.0.0:8080", "192.168.1.7:8080", "10.0.0.1", "", "[", "a b", "127.0.0.1:8080@evil"),
    *("::1", "127.0.0.1:", "2130706433:8080", "user@127.0.0.1:8080", "127.0.0.1:8080/x"),
]


def judged(guard: Guard, target: str, **headers: str) -> str | Answer:
    return guard.judge(target, list(headers.items()))


def link(guard: Guard) -> str:
    return f"/?token={guard.control}"


@pytest.mark.parametrize("host", OURS)
@pytest.mark.parametrize("token", [True, False])
def test_names_of_this_computer_are_let_in(host: str, token: bool) -> None:
    guard = Guard("127.0.0.1", token=token)
    assert judged(guard, link(guard), Host=host, Upgrade="x") == "control"
    assert judged(guard, link(guard), Host=host, Origin=f"http://{host}", Upgrade="x") == "control"


@pytest.mark.parametrize("token", [True, False])
def test_a_foreign_host_is_refused_whatever_it_knows(token: bool) -> None:
    guard = Guard("127.0.0.1", token=token)
    for host in FOREIGN:
        answer = judged(guard, link(guard), Host=host, Origin=f"http://{host}")
        assert isinstance(answer, Answer), host
        assert answer.status == HTTPStatus.FORBIDDEN
    assert isinstance(guard.judge(link(guard), []), Answer)
    twice = [("Host", "127.0.0.1"), ("host", "evil.example")]
    assert isinstance(guard.judge(link(guard), twice), Answer)


@pytest.mark.parametrize("token", [True, False])
def test_a_foreign_origin_is_refused_whatever_it_knows(token: bool) -> None:
    guard = Guard("127.0.0.1", token=token)
    for origin in (
        *("http://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost:8080"),
        *(
            "file://",
            "http://127.0.0.1:8080.evil.example",
            "http://127.0.0.1",
            "ws://127.0.0.1:8080",
        ),
        "http://127.0.0.1:8080, http://evil.example",
    ):
        answer = judged(guard, link(guard), Host="127.0.0.1:8080", Origin=origin)
        assert isinstance(answer, Answer), origin
        assert answer.status == HTTPStatus.FORBIDDEN


def test_without_the_link_nothing_is_shown() -> None:
    guard = Guard("127.0.0.1")
    for target in ("/", "/?token=", "/?token=x", "/?token=%C3%A4", "//", "/?token=a&token=b", "*"):
        answer = judged(guard, target, Host="localhost")
        assert isinstance(answer, Answer), target
        assert answer.status == HTTPStatus.FORBIDDEN
        assert "link that stereo has printed" in answer.text
    assert isinstance(judged(guard, "/", Host="localhost", Cookie="a=;;=" + "b" * 5000), Answer)


def test_the_secret_leaves_the_address_bar_and_a_cookie_stays() -> None:
    guard = Guard("127.0.0.1")
    for secret, role in ((guard.control, "control"), (guard.view, "view")):
        answer = judged(guard, f"/?token={secret}", Host="localhost")
        assert isinstance(answer, Answer)
        assert answer.status == HTTPStatus.SEE_OTHER
        assert answer.headers["Location"] == "/"
        cookie = answer.headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
        held = cookie.partition(";")[0]
        assert judged(guard, "/", Host="localhost", Cookie=f"other=1; {held}") == role
        other = Guard("127.0.0.1")
        assert isinstance(judged(other, "/", Host="localhost", Cookie=held), Answer)


def test_a_page_for_the_network_answers_to_addresses_and_its_own_name_only() -> None:
    guard = Guard("0.0.0.0")
    target = f"/?token={guard.view}"
    assert judged(guard, target, Host="192.168.1.7:8080", Upgrade="websocket") == "view"
    assert isinstance(judged(guard, target, Host="evil.example:8080"), Answer)
    assert judged(Guard("robot.lan", token=False), "/", Host="Robot.lan:80") == "control"


def test_what_is_local() -> None:
    assert all(map(is_local, ("127.0.0.1", "127.9.9.9", "localhost", "::1")))
    assert not any(map(is_local, ("0.0.0.0", "", "127.evil.example", "192.168.0.1")))
