"""The proxy between a client and a real server: it counts, passes on what it should, and breaks what it is told to."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse, RemoteDisconnected

import pytest

from tests.testbed.cluster import ControlPlane
from tests.testbed.eks_endpoint import EksEndpoint
from tests.testbed.proxy import Answer, Delay, Kill, Lost, Reset, Script, proxying

pytestmark = pytest.mark.testbed

MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script, control_plane: ControlPlane) -> Iterator[str]:
    with proxying(script, control_plane.url, authority=control_plane.authority) as found:
        yield found


def ask(plane: ControlPlane, url: str, method: str = "GET", body: object = None, timeout: float = 10) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {plane.token()}", "Content-Type": "application/json", "User-Agent": "a-test"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - our own server
    context = ssl.create_default_context(cadata=plane.ca_pem)
    found: HTTPResponse = urllib.request.urlopen(request, context=context, timeout=timeout)  # noqa: S310 - as above
    return found


def config(name: str) -> object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_what_it_is_not_told_to_break_passes(script: Script, url: str, control_plane: ControlPlane) -> None:
    with ask(control_plane, f"{url}/version") as response:
        assert json.load(response)["major"] == "1"
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(control_plane, f"{url}{MAPS}/none?a=b")
    assert json.load(caught.value)["reason"] == "NotFound"
    first, second = script.calls
    assert (first.number, first.method, first.path, first.agent) == (1, "GET", "/version", "a-test")
    assert str(second) == f"2 GET {MAPS}/none?a=b"
    assert not second.changes


def test_kubectl_works_through_it(script: Script, url: str, control_plane: ControlPlane) -> None:
    config_file = control_plane.kubeconfig(server=url)
    done = control_plane.kubectl("--kubeconfig", str(config_file), "get", "namespaces", "-o", "name")
    assert done.returncode == 0, done.stderr
    assert "namespace/default" in done.stdout
    assert script.calls[-1].path == "/api/v1/namespaces"


def test_a_watch_streams_as_things_happen(script: Script, url: str, control_plane: ControlPlane) -> None:
    target = f"{url}{MAPS}?watch=true&timeoutSeconds=10&fieldSelector=metadata.name=seen"
    with ask(control_plane, target) as response:
        began = time.monotonic()
        with ask(control_plane, f"{control_plane.url}{MAPS}", "POST", config("seen")):
            pass
        event = json.loads(response.readline())
        assert time.monotonic() - began < 3
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "seen")
    assert script.calls[0].is_watch
    control_plane.did("delete", "configmap", "seen")


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "Unauthorized"), (409, "Conflict"), (429, "TooManyRequests"), (503, "ServiceUnavailable")]
)
def test_an_answer_of_its_own(script: Script, url: str, control_plane: ControlPlane, status: int, reason: str) -> None:
    script.at(1, Answer(status, retry_after=7))
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(control_plane, f"{url}{MAPS}", "POST", config("never"))
    assert (caught.value.code, caught.value.headers["Retry-After"]) == (status, "7")
    assert json.load(caught.value)["reason"] == reason
    assert control_plane.kubectl("get", "configmap", "never").returncode == 1


def test_a_reset_and_an_answer_that_gets_lost(script: Script, url: str, control_plane: ControlPlane) -> None:
    script.at(1, Reset())
    script.at(2, Lost())
    for name in ("reset", "lost"):
        with pytest.raises((ConnectionResetError, RemoteDisconnected)):
            ask(control_plane, f"{url}{MAPS}", "POST", config(name))
    assert control_plane.kubectl("get", "configmap", "reset").returncode == 1
    control_plane.did("delete", "configmap", "lost")


def test_it_takes_its_time(script: Script, url: str, control_plane: ControlPlane) -> None:
    script.when(lambda call: call.path == "/version", Delay(0.5), times=1)
    began = time.monotonic()
    ask(control_plane, f"{url}/version").close()
    assert time.monotonic() - began >= 0.5
    script.when(lambda call: call.path == "/version", Delay(1.0, before=True))
    with pytest.raises(TimeoutError):
        ask(control_plane, f"{url}/version", timeout=0.2)


@pytest.mark.parametrize("after", [False, True])
def test_it_kills_whoever_asks(script: Script, url: str, control_plane: ControlPlane, after: bool) -> None:
    name = f"killed-{after}".lower()
    config_file = control_plane.kubeconfig(server=url)
    script.when(lambda call: call.changes, Kill(after=after))
    kubectl = str(control_plane._programs.program("kubectl"))  # noqa: SLF001
    command = [kubectl, "--kubeconfig", str(config_file), "create", "configmap", name]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    script.victim = process.pid
    assert process.wait(20) == -9
    assert control_plane.kubectl("get", "configmap", name).returncode == (0 if after else 1)
    control_plane.did("delete", "configmap", name, "--ignore-not-found")


def test_calls_are_numbered_across_servers_and_some_do_not_count(
    script: Script, url: str, control_plane: ControlPlane, eks: EksEndpoint
) -> None:
    script.counts = lambda call: call.path != "/version"
    with proxying(script, eks.url, aws=True) as aws:
        ask(control_plane, f"{url}/version").close()
        ask(control_plane, f"{url}/api/v1/namespaces/default").close()
        script.at(2, Answer(429, code="ThrottlingException"))
        options = ["--endpoint-url", aws, "--region", "us-west-2", "--debug"]
        command = [sys.executable, "-m", "awscli", "eks", "list-clusters", *options]
        env = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"clusters": []}
    assert "ThrottlingException" in done.stderr
    assert [(c.number, c.path) for c in script.calls] == [(1, "/api/v1/namespaces/default"), (2, "/clusters"), (3, "/clusters")]
    script.begin()
    assert script.calls == []
