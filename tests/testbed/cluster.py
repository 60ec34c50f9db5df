"""A real Kubernetes control plane for tests: etcd and kube-apiserver, and on request controllers, a scheduler and kwok's nodes.

RBAC, TLS and authentication are real. Users are known by a bearer token when they are named at the start, else by a client
certificate that the cluster's authority signs on request. Everything lives in one folder and ends with `ControlPlane.stop`.
"""

from __future__ import annotations

import json
import os
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from tests.testbed.build import Components, components
from tests.testbed.pki import Authority, signing_keys
from tests.testbed.processes import NeverReady, Running, free_ports, start

Json = dict[str, Any]
Family = Literal["ipv4", "ipv6"]

STAGES = Path(__file__).parent / "stages"
READY_WITHIN = 60.0
"""Seconds a control plane has to get ready; it takes about three."""
ATTEMPTS = 3
"""Another program may take a free port before ours does."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody the API server knows."""

    name: str
    groups: tuple[str, ...] = ()


ADMIN = User("testbed-admin", ("system:masters",))


@dataclass(frozen=True, slots=True)
class Network:
    """What an address family means for a cluster; ranges as EKS gives them."""

    host: str
    services: str
    pods: str
    flags: tuple[str, ...] = ()


NETWORKS: Mapping[Family, Network] = {
    "ipv4": Network("127.0.0.1", "10.100.0.0/16", "10.0.0.0/16"),
    "ipv6": Network("::1", "fd00:10:100::/108", "fd00:10:0::/112", ("--advertise-address=fd00::1",)),
}


class ControlPlane:
    """One running cluster; see `start`."""

    def __init__(self, folder: Path, programs: Components, family: Family, tokens: Mapping[User, str]) -> None:
        self.folder = folder
        self.family = family
        self.network = NETWORKS[family]
        self.url = ""
        self.authority = Authority.make()
        self.ca_pem = self.authority.pem
        self._programs = programs
        self._tokens = tokens
        self._running: list[Running] = []
        self._written: dict[User, Path] = {}

    @classmethod
    def start(
        cls,
        folder: Path,
        *,
        family: Family = "ipv4",
        version: str | None = None,
        users: Iterable[User] = (),
        token_webhook: str | None = None,
        flags: Sequence[str] = (),
        programs: Components | None = None,
    ) -> ControlPlane:
        """Start etcd and kube-apiserver with their data under *folder* and return when ``/readyz`` says so.

        *version* is what ``/version`` answers (e.g. ``v1.24.17-eks-5d4a308``); *users* get a bearer token each; *token_webhook*
        is the URL of a TokenReview webhook; *flags* are further ones of kube-apiserver. Raise `NeverReady` with the end of the
        log when a part does not come up.
        """
        programs = programs or components()
        tokens = {user: secrets.token_urlsafe(16) for user in (ADMIN, *users)}
        for attempt in range(1, ATTEMPTS + 1):
            folder.mkdir(parents=True, exist_ok=True)
            plane = cls(folder, programs, family, tokens)
            try:
                plane._start(f"etcd-{attempt}", version, token_webhook, flags)
            except NeverReady as error:
                plane.stop()
                if attempt == ATTEMPTS or "address already in use" not in str(error):
                    raise
            except BaseException:
                plane.stop()
                raise
            else:
                return plane
        raise AssertionError

    def _start(self, data: str, version: str | None, token_webhook: str | None, more: Sequence[str]) -> None:
        client, peer, port = (*free_ports(2), *free_ports(1, self.network.host))
        store = f"http://127.0.0.1:{client}"
        peers = f"http://127.0.0.1:{peer}"
        host = f"[{self.network.host}]" if ":" in self.network.host else self.network.host
        self.url = f"https://{host}:{port}"
        self._run(
            "etcd",
            f"--data-dir={self.folder / data}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={store}",
            f"--advertise-client-urls={store}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        serving = self.authority.serving()
        accounts = signing_keys()
        flags = [
            f"--etcd-servers={store}",
            f"--secure-port={port}",
            f"--bind-address={self.network.host}",
            f"--service-cluster-ip-range={self.network.services}",
            *self.network.flags,
            f"--tls-cert-file={self._write('serving.crt', serving.certificate)}",
            f"--tls-private-key-file={self._write('serving.key', serving.key)}",
            f"--client-ca-file={self._write('ca.crt', self.ca_pem)}",
            f"--cert-dir={self.folder}",
            f"--service-account-key-file={self._write('service-accounts.pub', accounts.certificate)}",
            f"--service-account-signing-key-file={self._write('service-accounts.key', accounts.key)}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            f"--token-auth-file={self._write('tokens.csv', self._token_lines())}",
            *more,
        ]
        if token_webhook is not None:
            webhook = json.dumps(_kubeconfig({"server": token_webhook}, {}))
            flags.append(f"--authentication-token-webhook-config-file={self._write('webhook.json', webhook)}")
            flags += ["--authentication-token-webhook-version=v1", "--authentication-token-webhook-cache-ttl=0s"]
        self._run("kube-apiserver", *flags, environment={} if version is None else {"TESTBED_KUBERNETES_VERSION": version})
        self._await_ready()

    def start_controllers(self) -> None:
        """Start kube-controller-manager: DaemonSets and Deployments roll, namespaces end, garbage is collected."""
        admin = self.kubeconfig()
        self._run(
            "kube-controller-manager",
            *(f"--{kind}={admin}" for kind in ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")),
            "--secure-port=0",
            "--leader-elect=false",
            "--node-monitor-grace-period=1h",
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self.folder / 'ca.crt'}",
        )

    def start_scheduler(self) -> None:
        """Start kube-scheduler: pods without a node get one."""
        admin = self.kubeconfig()
        kinds = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        self._run("kube-scheduler", *(f"--{kind}={admin}" for kind in kinds), "--secure-port=0", "--leader-elect=false")

    def start_kwok(self, stages: Sequence[Path] = ()) -> None:
        """Start kwok: every node is its own, and pods on them live as the Stage files of ``stages/`` and *stages* say."""
        files = [*sorted(STAGES.glob("*.yaml")), *stages]
        config = [part for file in files for part in ("-c", str(file))]
        self._run("kwok", f"--kubeconfig={self.kubeconfig()}", "--manage-all-nodes", f"--cidr={self.network.pods}", *config)

    def token(self, user: User = ADMIN) -> str:
        """Return the bearer token of somebody named at the start."""
        return self._tokens[user]

    def kubeconfig(self, user: User = ADMIN, *, server: str | None = None, ca_pem: str | None = None) -> Path:
        """Return a kubeconfig for *user*: with a token where one was named at the start, else with a client certificate.

        *server* and *ca_pem* replace the truth, for tests of what happens then.
        """
        plain = server is None and ca_pem is None
        if plain and user in self._written:
            return self._written[user]
        cluster = {"server": server or self.url, "certificate-authority-data": _base64(ca_pem or self.ca_pem)}
        if user in self._tokens:
            entry = {"token": self._tokens[user]}
        else:
            pair = self.authority.client(user.name, user.groups)
            entry = {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        path = self._write(f"kubeconfig-{secrets.token_hex(4)}.yaml", yaml.safe_dump(_kubeconfig(cluster, entry)))
        if plain:
            self._written[user] = path
        return path

    def kubectl(self, *args: str, stdin: str | None = None, user: User = ADMIN) -> subprocess.CompletedProcess[str]:
        """Run kubectl as *user*; the caller looks at the exit code."""
        return subprocess.run(
            [self._programs.program("kubectl"), "--cache-dir", self.folder / "kubectl-cache", *args],
            input=stdin,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig(user))},
            capture_output=True,
            text=True,
            check=False,
        )

    def did(self, *args: str, stdin: str | None = None, user: User = ADMIN) -> str:
        """Run kubectl and return what it printed; raise `AssertionError` with its complaint when it fails."""
        done = self.kubectl(*args, stdin=stdin, user=user)
        assert done.returncode == 0, f"kubectl {' '.join(args)}: {done.stderr}"
        return done.stdout

    def get(self, *args: str) -> Any:
        """Return the JSON that ``kubectl get`` gives."""
        return json.loads(self.did("get", *args, "-o", "json"))

    def apply(self, *what: Path | str | Json, manager: str = "kubectl", namespace: str | None = None) -> None:
        """Apply files, YAML texts or objects server-side as field manager *manager*."""
        documents = [self._text(one) for one in what]
        where = () if namespace is None else ("-n", namespace)
        flags = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
        self.did("apply", *flags, *where, "-f", "-", stdin="\n---\n".join(documents))

    def create(self, objects: Iterable[Json]) -> None:
        """Create objects with the status they hold: apply would leave a node's status out."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.did("create", "-f", "-", stdin=json.dumps(listed))

    def stop(self) -> None:
        """End all programs, the store last; calling it again does nothing."""
        for running in reversed(self._running):
            # The store goes with them: waiting for a server's graceful end would only take time.
            running.stop(grace=0.0 if running.name in {"etcd", "kube-apiserver"} else 2.0)
        self._running.clear()

    def pids(self) -> tuple[int, ...]:
        """Return the process ids of what runs."""
        return tuple(running.process.pid for running in self._running)

    def _run(self, program: str, *flags: str, environment: Mapping[str, str] | None = None) -> None:
        log = self.folder / f"{program}.log"
        self._running.append(start(program, [self._programs.program(program), *flags], log, environment))

    def _await_ready(self) -> None:
        context = ssl.create_default_context(cadata=self.ca_pem)
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token()}"})  # noqa: S310 - our own server
        deadline = time.monotonic() + READY_WITHIN
        why: object = "never asked"
        while time.monotonic() < deadline:
            for running in self._running:
                running.check()
            try:
                with urllib.request.urlopen(request, context=context, timeout=5):  # noqa: S310 - as above
                    return
            except urllib.error.HTTPError as error:
                why = error
                error.close()
            except OSError as error:
                why = error
            time.sleep(0.1)
        raise NeverReady(f"{self.url}/readyz: {why}\n{self._running[-1].tail()}")

    def _token_lines(self) -> str:
        return "".join(f'{token},{user.name},{user.name},"{",".join(user.groups)}"\n' for user, token in self._tokens.items())

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def _text(self, what: Path | str | Json) -> str:
        if isinstance(what, dict):
            return json.dumps(what)
        return what.read_text() if isinstance(what, Path) else what


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def _kubeconfig(cluster: Json, user: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": cluster}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed"}}],
        "current-context": "testbed",
    }
