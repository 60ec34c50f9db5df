"""What goes wrong at an API server becomes one clear line of ours."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from eksnetpol.errors import (
    Denied,
    EksNetpolError,
    NotFound,
    TransientError,
    Unauthenticated,
    Unreachable,
    UnreadableInput,
)
from eksnetpol.gateways.kubernetes_http import ATTEMPTS, LONGEST_WAIT, Credentials
from tests.gateways.scripted import Answer, Request, kubernetes_at, page, scripted, status
from tests.testbed.pki import Authority


def always(answer: Answer) -> Callable[[Request], Answer]:
    return lambda _: answer


def told(error: pytest.ExceptionInfo[EksNetpolError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert "HTTPConnection" not in text
    return text


def test_a_forbidden_list_names_verb_and_resource() -> None:
    refusal = status(403, 'deployments.apps is forbidden: User "ci" cannot list')
    with scripted(always(refusal)) as server, pytest.raises(Denied) as caught:
        kubernetes_at(server.url).deployments()
    assert caught.value.permission == "list deployments.apps"
    assert 'User "ci" cannot list' in told(caught)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (401, Unauthenticated, "does not accept these credentials"),
        (404, NotFound, "has nothing to list nodes"),
        (407, Unreachable, "proxy"),
        (409, EksNetpolError, "refused to list nodes (409"),
    ],
)
def test_a_refusal_is_asked_once(code: int, kind: type[EksNetpolError], words: str) -> None:
    with scripted(always(status(code, "no"))) as server, pytest.raises(kind) as caught:
        kubernetes_at(server.url).nodes()
    assert words in told(caught)
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_busy_or_failing_server_is_asked_a_few_times(code: int) -> None:
    waits: list[float] = []
    with scripted(always(status(code, "try later"))) as server, pytest.raises(TransientError) as caught:
        kubernetes_at(server.url, waits=waits).nodes()
    assert f"({code}: try later)" in told(caught)
    assert len(server.seen) == ATTEMPTS
    assert len(waits) == ATTEMPTS - 1
    assert all(0 < wait <= LONGEST_WAIT for wait in waits)


@pytest.mark.parametrize(("header", "waited"), [("3", 3.0), ("3600", LONGEST_WAIT)])
def test_retry_after_is_honoured_within_bounds(header: str, waited: float) -> None:
    waits: list[float] = []
    answers = [Answer(429, {}, {"Retry-After": header}), page([])]
    with scripted(lambda _: answers.pop(0)) as server:
        assert kubernetes_at(server.url, waits=waits).nodes() == ()
    assert waits == [waited]


def test_a_retry_after_that_is_a_date_is_no_reason_to_stumble() -> None:
    waits: list[float] = []
    answers = [Answer(503, {}, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), page([])]
    with scripted(lambda _: answers.pop(0)) as server:
        assert kubernetes_at(server.url, waits=waits).nodes() == ()
    assert len(waits) == 1


def test_a_connection_that_breaks_in_the_middle_is_made_again() -> None:
    answers = [Answer(body={"items": []}, cut=True), page([])]
    with scripted(lambda _: answers.pop(0)) as server:
        assert kubernetes_at(server.url).nodes() == ()
    assert len(server.seen) == 2


def test_a_connection_that_always_breaks_is_unreachable() -> None:
    with scripted(always(Answer(body={"items": []}, cut=True))) as server, pytest.raises(Unreachable) as caught:
        kubernetes_at(server.url).nodes()
    assert "the connection broke" in told(caught)


def test_an_expired_list_starts_again_from_its_beginning() -> None:
    answers = [
        page([{"metadata": {"name": "old"}}], "token"),
        status(410, "The provided continue parameter is too old", "Expired"),
        page([{"metadata": {"name": "a"}}], "other"),
        page([{"metadata": {"name": "b"}}]),
    ]
    with scripted(lambda _: answers.pop(0)) as server:
        assert [n.name for n in kubernetes_at(server.url).nodes()] == ["a", "b"]
    assert [r.query.get("continue", "") for r in server.seen] == ["", "token", "", "other"]


def test_a_list_that_expires_twice_may_succeed_later() -> None:
    def script(request: Request) -> Answer:
        return status(410, "too old", "Expired") if "continue" in request.query else page([], "token")

    with scripted(script) as server, pytest.raises(TransientError) as caught:
        kubernetes_at(server.url).nodes()
    assert "expired" in told(caught)
    assert len(server.seen) == 4


def test_a_dead_port_is_unreachable() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(Unreachable) as caught:
            kubernetes_at(url).nodes()
    assert "no connection" in told(caught)


def test_a_server_that_never_answers_is_unreachable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unreachable) as caught:
            kubernetes_at(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2).nodes()
    assert "--request-timeout" in told(caught)


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    with pytest.raises(Unreachable) as caught:
        kubernetes_at("https://no-such-host.invalid").nodes()
    assert "cannot be resolved (DNS)" in told(caught)


def test_a_certificate_of_somebody_else_is_unreachable(tmp_path: Path) -> None:
    ours, theirs = Authority.make(), Authority.make()
    with scripted(always(page([])), theirs.serving(), tmp_path) as server, pytest.raises(Unreachable) as caught:
        kubernetes_at(server.url, ca=ours).nodes()
    assert "its certificate is not the one expected (TLS)" in told(caught)


def test_the_right_certificate_is_trusted(tmp_path: Path) -> None:
    authority = Authority.make()
    with scripted(always(page([])), authority.serving(), tmp_path) as server:
        assert kubernetes_at(server.url, ca=authority).nodes() == ()


@pytest.mark.parametrize(
    "body", [b"<html>sign in</html>", b"", b"[]", b'{"items": [{"metadata": {"name": 7}}]}', b'{"items": [\xff]}']
)
def test_an_answer_that_is_no_list_is_unreadable(body: bytes) -> None:
    with scripted(always(Answer(body=body))) as server, pytest.raises(UnreadableInput) as caught:
        kubernetes_at(server.url).nodes()
    assert "the answer to list nodes" in told(caught)


def test_null_stands_for_nothing() -> None:
    with scripted(always(page(None))) as server:
        assert kubernetes_at(server.url).nodes() == ()
    role = {"metadata": {"name": "aws-node"}, "rules": None}
    with scripted(always(Answer(body=role))) as server:
        roles = kubernetes_at(server.url).cluster_roles()
    assert [r.rules for r in roles] == [(), ()]


class _Renewing(Credentials):
    """Credentials of which only the second ones are accepted."""

    def __init__(self) -> None:
        self.token = "old"
        self.renewed = 0

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        assert refused["Authorization"] == "Bearer old"
        self.token, self.renewed = "new", self.renewed + 1
        return True


def test_refused_credentials_are_renewed_once() -> None:
    def script(request: Request) -> Answer:
        return page([]) if request.headers["Authorization"] == "Bearer new" else status(401, "Unauthorized")

    credentials = _Renewing()
    with scripted(script) as server:
        assert kubernetes_at(server.url, credentials=credentials).nodes() == ()
    assert credentials.renewed == 1
    with scripted(always(status(401, "Unauthorized"))) as server, pytest.raises(Unauthenticated):
        kubernetes_at(server.url, credentials=_Renewing()).nodes()
    assert len(server.seen) == 2


def test_impersonation_sends_each_group_on_its_own_line() -> None:
    extra = (("Impersonate-User", "ci"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
    with scripted(always(page([]))) as server:
        kubernetes_at(server.url, extra=extra).nodes()
    lines = [line for line in server.seen[0].lines if line[0].startswith("Impersonate")]
    assert lines == list(extra)


def test_a_message_cannot_break_out_of_its_line() -> None:
    with scripted(always(status(403, "no\x1b[31m\n::error::gotcha" + "x" * 5000))) as server, pytest.raises(Denied) as caught:
        kubernetes_at(server.url).nodes()
    text = told(caught)
    assert "\x1b" not in text
    assert len(text) < 600


def test_a_list_that_comes_slowly_is_asked_for_compressed() -> None:
    pages = iter((page([{"metadata": {"name": "a"}}], "more"), page([{"metadata": {"name": "b"}}])))

    def script(request: Request) -> Answer:
        answer = next(pages)
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            time.sleep(0.05)
            return answer
        return Answer(body=gzip.compress(msgspec.json.encode(answer.body)), headers={"Content-Encoding": "gzip"})

    with scripted(script) as server:
        assert [n.name for n in kubernetes_at(server.url).nodes()] == ["a", "b"]
    assert [r.headers.get("Accept-Encoding") for r in server.seen] == ["identity", "gzip"]
