"""Kubeconfigs as people have them, and what is said of those that do not work."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from eksnetpol.errors import EksNetpolError, Unauthenticated, UnreadableInput, UsageError
from eksnetpol.gateways.guard import Identity
from eksnetpol.gateways.kubeconfig import KubeconfigCredentials, pool_of, read_context
from eksnetpol.gateways.session import TargetOptions, connect
from tests.gateways.scripted import Answer, Request, page, scripted, status
from tests.testbed.pki import Authority

CA = Authority.make().pem


def kubeconfig(folder: Path, user: Any = None, server: str = "https://127.0.0.1:1", **cluster: Any) -> str:
    path = folder / "config"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "lost", "context": {"cluster": "nowhere", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {"token": "t"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def plugin(folder: Path, body: str) -> dict[str, Any]:
    """Return a user whose exec plug-in runs *body*."""
    script = folder / "plugin.py"
    script.write_text(body)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": sys.executable,
            "args": [str(script)],
            "interactiveMode": "Never",
        }
    }


NUMBERED = """
import json, pathlib
counter = pathlib.Path(__file__).with_suffix(".count")
number = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(number))
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential",
                  "status": {"token": f"token-{number}"}}))
"""


def test_the_current_context_is_read_and_a_named_one_too(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, **{"certificate-authority-data": base64.b64encode(CA.encode()).decode()})
    context = read_context(file, "")
    assert (context.name, context.cluster_name, context.server) == ("one", "c", "https://127.0.0.1:1")
    assert context.identity == Identity("https://127.0.0.1:1", CA)
    assert read_context(file, "one") == context


def test_an_authority_in_a_file_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(CA)
    assert read_context(kubeconfig(tmp_path, **{"certificate-authority": "ca.pem"}), "").identity.ca == CA
    assert (
        read_context(kubeconfig(tmp_path, None, "https://x", **{"insecure-skip-tls-verify": True}), "").identity.verified is False
    )


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [("two", UsageError, "there is no context 'two'; there are: lost, one"), ("lost", UnreadableInput, "has no server")],
)
def test_a_context_that_leads_nowhere(tmp_path: Path, name: str, kind: type[EksNetpolError], words: str) -> None:
    with pytest.raises(kind) as caught:
        read_context(kubeconfig(tmp_path), name)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["{", "- a\n- b\n", "\x00", "contexts: 7\nclusters: []\nusers: []\ncurrent-context: x\n"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_context(str(path), "")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        connect(TargetOptions(kubeconfig=str(tmp_path / "none")))
    assert "--cluster NAME --region REGION" in str(caught.value)


def test_a_plug_in_is_run_again_when_its_token_is_refused(tmp_path: Path) -> None:
    credentials = KubeconfigCredentials(read_context(kubeconfig(tmp_path, plugin(tmp_path, NUMBERED)), ""))
    first = credentials.headers()
    assert first == {"authorization": "Bearer token-1"}
    assert credentials.renew(first)
    assert credentials.headers() == {"authorization": "Bearer token-2"}
    assert credentials.renew(first)
    assert credentials.headers() == {"authorization": "Bearer token-2"}


def test_a_refused_plug_in_token_is_renewed_on_the_way(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        if request.headers.get("authorization") != "Bearer token-2":
            return status(401, "Unauthorized")
        return Answer(body={"gitVersion": "v1.33.0"}) if request.path == "/version" else page([])

    with scripted(script) as server:
        file = kubeconfig(tmp_path, plugin(tmp_path, NUMBERED), server.url)
        connection = connect(TargetOptions(kubeconfig=file))
        assert connection.kubernetes is not None
        assert connection.kubernetes.nodes() == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys; sys.exit('session has expired')", "session has expired"),
        ("print('{}')", "malformed response"),
        ("print('no json')", ""),
    ],
)
def test_a_plug_in_that_fails_says_so(tmp_path: Path, body: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unauthenticated) as caught:
        connect(TargetOptions(kubeconfig=kubeconfig(tmp_path, plugin(tmp_path, body))))
    text = str(caught.value)
    assert "gave no credentials" in text
    assert words in text
    assert "\n" not in text
    assert "Traceback" not in capfd.readouterr().err


def test_a_plug_in_that_is_not_installed(tmp_path: Path) -> None:
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "no-such-program-here"}}
    with pytest.raises(Unauthenticated) as caught:
        connect(TargetOptions(kubeconfig=kubeconfig(tmp_path, user)))
    assert "no-such-program-here" in str(caught.value)


def test_proxies_of_the_context_and_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    def proxy(**cluster: Any) -> str | None:
        context = read_context(kubeconfig(tmp_path, server="https://cluster.example", **cluster), "")
        pool = pool_of(KubeconfigCredentials(context).configuration)
        return str(pool.proxy) if isinstance(pool, urllib3.ProxyManager) else None

    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    assert proxy() is None
    assert proxy(**{"proxy-url": "http://127.0.0.1:3128"}) == "http://127.0.0.1:3128"
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:8080")
    assert proxy() == "http://proxy.example:8080"
    monkeypatch.setenv("NO_PROXY", "cluster.example")
    assert proxy() is None


def test_whoever_impersonates_a_group_says_as_whom(tmp_path: Path) -> None:
    with scripted(lambda _: Answer(body=json.dumps({"gitVersion": "v1.33.0"}).encode())) as server:
        file = kubeconfig(tmp_path, server=server.url)
        with pytest.raises(UsageError):
            connect(TargetOptions(kubeconfig=file, as_groups=("g",)))
        connect(TargetOptions(kubeconfig=file, as_user="ci", as_groups=("g",)))
    sent = {name: value for name, value in server.seen[-1].lines if name.startswith("Impersonate")}
    assert sent == {"Impersonate-User": "ci", "Impersonate-Group": "g"}
