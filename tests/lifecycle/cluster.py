"""A small real cluster behind proxies, that is put back to what it was as often as a test likes, and the tool pointed at it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from eksnetpol.model.kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIGMAP,
    DAEMONSET,
    DEFINITION,
    LEASE,
    NETWORK_POLICY,
    POLICY_ENDPOINT,
    SERVICE_ACCOUNT,
    Json,
    ObjectRef,
)
from eksnetpol.simulation.eks import Eks
from tests.fields.server import Server, place
from tests.lifecycle.actor import controlling, listed
from tests.testbed import eks_tokens
from tests.testbed.aws import Aws, Keys
from tests.testbed.build import Components
from tests.testbed.cluster import ControlPlane, User
from tests.testbed.eks_endpoint import QUICK, EksEndpoint
from tests.testbed.eks_endpoint import serving as serving_eks
from tests.testbed.eks_endpoint_objects import RealPlace
from tests.testbed.eks_tokens import Authenticator
from tests.testbed.proxy import Call, Script, proxying
from tests.testbed.scenario import Scenario, await_pods, ec2_side, eks_side, load, scenario

ROOT = Path(__file__).parent.parent.parent
CLUSTER = "shop-dev"
NODES = 3
GROUPS = ("eksnetpol-read", "eksnetpol-manage")
KINDS = (DAEMONSET, CONFIGMAP, SERVICE_ACCOUNT, CLUSTER_ROLE, CLUSTER_ROLE_BINDING, DEFINITION, NETWORK_POLICY, POLICY_ENDPOINT)
"""What a change may touch, in the order in which it can be put back."""
OURS = re.compile("aws-node|amazon-vpc-cni|.*networking.k8s.aws|.*crd.k8s.amazonaws.com|policies-.*|web|closed|egress|.*-a1b2c")
AWS_NODE = ObjectRef.to(DAEMONSET, "aws-node", "kube-system")
LEASE_REF = ObjectRef.to(LEASE, "eksnetpol", "kube-system")
WITHIN = 90.0
LOOKS = frozenset({"subjectaccessreviews", "selfsubjectaccessreviews", "selfsubjectrulesreviews", "insights"})
"""Questions that are asked by POST."""


class Remembering(Authenticator):
    """Asks STS once about each token: the tool's looks are many."""

    def user_of(self, token: str) -> User:
        """Return whom a token stands for."""
        known = _seen.get((self.url, token))
        if known is None:
            known = _seen[self.url, token] = super().user_of(token)
        return known


_seen: dict[tuple[str, str], User] = {}


@dataclass(frozen=True, slots=True)
class First:
    """A state that the cluster can be put back to. ``runs`` is a folder of runs that belong to it, where there are any."""

    objects: Mapping[ObjectRef, Json]
    eks: Eks
    runs: Path | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """How a process ended: its exit code is negative for a signal."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """What it said on stderr."""
        return self.err.splitlines()


class Zygote:
    """Starts the tool by forking; see `tests.lifecycle.zygote`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "tests.lifecycle.zygote"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(
        self,
        args: list[str],
        environment: Mapping[str, str],
        born: Callable[[int], None],
        *,
        dies: Json | None = None,
        lease: int | None = None,
        limit: int | None = None,
        user: int | None = None,
    ) -> Done:
        """Run the tool and return how it ended; *born* is told its process id.

        *lease* is how many seconds its Lease is good for, *limit* how many bytes a file may have, *user* whose process it is.
        """
        ways = {"dies": dies, "lease": lease, "limit": limit, "user": user}
        request = {"args": args, "environment": dict(environment), "folder": str(self.folder), **ways}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        born(int(self._heard()["pid"]))
        code = int(self._heard()["code"])
        return Done(code, (self.folder / "stdout").read_text(), (self.folder / "stderr").read_text())

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _heard(self) -> Json:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "whoever starts the tool is gone"
        read: Json = json.loads(line)
        return read


class Beside:
    """A process of the tool that runs beside the test."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._done: Done | None = None
        self._born, self._over = threading.Event(), threading.Event()

    def born(self, pid: int) -> None:
        """Take note of its id."""
        self._pid = pid
        self._born.set()

    def ended(self, done: Done) -> None:
        """Take note of its end."""
        self._done = done
        self._over.set()

    @property
    def is_over(self) -> bool:
        """True when it has ended."""
        return self._over.is_set()

    def signal(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        assert self._born.wait(WITHIN)
        if not self._over.is_set():
            assert self._pid is not None
            with suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def done(self, *, kill: bool = False) -> Done:
        """Return how it ended, when it has."""
        if kill:
            self.signal(signal.SIGKILL)
        assert self._over.wait(WITHIN)
        assert self._done is not None
        return self._done


@dataclass(slots=True)
class Place:
    """The cluster, the doors to it, and who runs the tool. ``script`` says what happens at both doors, counted together."""

    plane: ControlPlane
    endpoint: EksEndpoint
    aws: Aws
    keys: Keys
    eks_door: str
    script: Script
    zygote: Zygote
    folder: Path
    rests: Any
    firsts: dict[str, First] = field(default_factory=dict)
    second: Zygote | None = None
    _number: int = 0

    # --- the tool ---

    def environment(self, **more: str) -> dict[str, str]:
        """Return what points the tool at this cluster."""
        return self.aws.environment(self.eks_door, self.keys) | {"KUBECONFIG": os.devnull, "COLUMNS": "120", "CI": "1", **more}

    def runs(self) -> Path:
        """Return a new folder for runs."""
        self._number += 1
        return self.folder / f"runs-{self._number}"

    def command(self, verb: str, *args: str, runs: Path) -> list[str]:
        """Return the tool's arguments."""
        return [verb, *args, "--cluster", CLUSTER, "--region", "us-west-2", "--state-dir", str(runs)]

    def run(self, verb: str, *args: str, runs: Path, **how: Any) -> Done:
        """Run the tool in a process of its own; `script` knows it as the one to kill. *how* is as `Zygote.run` takes it."""

        def born(pid: int) -> None:
            self.script.victim = pid

        return self.zygote.run(self.command(verb, *args, runs=runs), self.environment(), born, **how)

    @contextmanager
    def running(self, verb: str, *args: str, runs: Path, **how: Any) -> Iterator[Beside]:
        """Run the tool beside the test, by a zygote of its own."""
        if self.second is None:
            folder = self.folder / "second"
            folder.mkdir()
            self.second = Zygote(folder)
        beside = Beside()
        second = self.second

        def run() -> None:
            beside.ended(second.run(self.command(verb, *args, runs=runs), self.environment(), beside.born, **how))

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield beside
        finally:
            beside.done(kill=True)
            thread.join()

    def start(self, verb: str, *args: str, runs: Path) -> subprocess.Popen[str]:
        """Start the tool as people do, with nothing changed; the caller waits for it."""
        command = [sys.executable, "-m", "eksnetpol", *self.command(verb, *args, runs=runs)]
        nothing, kept, env = subprocess.DEVNULL, subprocess.PIPE, self.environment()
        return subprocess.Popen(command, cwd=ROOT, env=env, stdin=nothing, stdout=nothing, stderr=kept, text=True)

    def slowed(self, seconds: float) -> None:
        """Let changes of the add-on take this long, until the cluster is put back."""
        eks = self.endpoint.eks
        self.endpoint.eks = replace(eks, timing=replace(eks.timing, settles=timedelta(seconds=seconds)))

    def cluster_is(self, **members: Any) -> None:
        """Let DescribeCluster say this, until the cluster is put back."""
        eks = self.endpoint.eks
        here = eks.of(CLUSTER)
        self.endpoint.eks = replace(eks, clusters={CLUSTER: replace(here, cluster={**here.cluster, **members})})

    # --- the cluster ---

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Yield a connection to the API server past the proxy, as its administrator."""
        server = Server(self.plane)
        try:
            yield server
        finally:
            server.close()

    def objects(self) -> dict[ObjectRef, Json]:
        """Return what is there of what a change may touch."""
        with self.server() as server:
            found = [one for kind in KINDS for one in listed(server, kind) if OURS.fullmatch(one["metadata"]["name"])]
        return {ObjectRef.of(one): one for one in found}

    def kept(self, runs: Path | None = None) -> First:
        """Return the present state, to be put back later."""
        return First(self.objects(), self.endpoint.eks, runs)

    def put_back(self, name: str) -> First:
        """Make the cluster what it was at first, with the books of who owns which field, and count calls from 1."""
        first = self.firsts[name]
        self.rests.set()
        with self.server() as server:
            self._settle_addon()
            server.delete(LEASE_REF)
            for ref, obj in self.objects().items():
                if ref not in first.objects:
                    _remove(server, obj)
            for ref, obj in first.objects.items():
                _write(server, ref, _owned(server, obj))
            self.endpoint.eks = first.eks
            self.endpoint.calls.clear()
            self._rolled(server)
        self.rests.clear()
        self.script.begin()
        return first

    def settle(self) -> None:
        """Wait until nothing is under way any more."""
        self._settle_addon()
        with self.server() as server:
            self._rolled(server)

    def _settle_addon(self) -> None:
        deadline = time.monotonic() + WITHIN
        while self.endpoint.eks.of(CLUSTER).pending:
            assert time.monotonic() < deadline, "the add-on does not settle"
            time.sleep(0.05)
            self.endpoint.turn()

    def _rolled(self, server: Server) -> None:
        deadline = time.monotonic() + WITHIN
        while True:
            live = server.get(AWS_NODE)
            status = (live or {}).get("status", {})
            counts = {status.get(f"{c}NumberScheduled", 0) for c in ("desired", "updated")} | {status.get("numberAvailable", 0)}
            if live and status.get("observedGeneration") == live["metadata"]["generation"] and counts == {NODES}:
                return
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    def state(self) -> Json:
        """Return all that is compared: objects without times and versions, the add-on, how many updates were started."""
        found = {str(ref): _plain(obj) for ref, obj in self.objects().items()}
        here = self.endpoint.eks.of(CLUSTER)
        addon = {k: v for k, v in here.addons.get("vpc-cni", {}).items() if k not in {"modifiedAt", "createdAt"}}
        return {**found, "add-on": addon, "updates": len(here.updates.get("vpc-cni", {}))}

    @property
    def changes(self) -> list[Call]:
        """The calls that came to the doors and may have changed something."""
        return [c for c in self.script.calls if c.changes and c.path.rpartition("/")[2] not in LOOKS and "dryRun" not in c.target]


def _remove(server: Server, obj: Json) -> None:
    ref = ObjectRef.of(obj)
    path = place(ref.of_kind, ref.namespace, ref.name)
    server.delete(ref)
    merge = "application/merge-patch+json"
    server.ask("PATCH", path, {"metadata": {"finalizers": None}}, content=merge)


def _owned(server: Server, wanted: Json) -> Json:
    """Return an object with the owners of today: one whose owner has another uid by now is garbage to the collector."""
    owners = []
    for owner in wanted["metadata"].get("ownerReferences", ()):
        ref = ObjectRef(owner["apiVersion"], owner["kind"], owner["name"], wanted["metadata"].get("namespace", ""))
        live = server.get(ref)
        owners.append({**owner, "uid": live["metadata"]["uid"] if live else owner["uid"]})
    return {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": owners}} if owners else wanted


def _write(server: Server, ref: ObjectRef, wanted: Json) -> None:
    """Make an object what *wanted* says, down to who owns which field."""
    for attempt in range(20):
        time.sleep(attempt * 0.02)
        live = server.get(ref)
        if live is not None and _plain(live) == _plain(wanted):
            return
        if live is None:
            meta = {k: v for k, v in wanted["metadata"].items() if k not in {"resourceVersion", "uid", "managedFields"}}
            server.create({**wanted, "metadata": meta}, "reset")
            continue
        if live["metadata"].get("deletionTimestamp"):
            _remove(server, live)
            continue
        own = {k: live["metadata"].get(k) for k in ("resourceVersion", "uid", "creationTimestamp")}
        meta = {k: v for k, v in wanted["metadata"].items() if k != "generation"} | own
        if _GENERATION in live["metadata"].get("annotations", {}):
            # The API server writes it; a value of the past would count as ours.
            meta["annotations"] = meta["annotations"] | {_GENERATION: live["metadata"]["annotations"][_GENERATION]}
        # The first time it is changed, which is written into the books; the second time the books are.
        server.replace({**wanted, "metadata": meta, "status": live.get("status", {})}, "reset")
    seen = "it is not there" if live is None else differing(_plain(live), _plain(wanted))
    raise AssertionError(f"{ref} cannot be put back: {seen}")


_GIVEN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "deletionTimestamp")
_GENERATION = "deprecated.daemonset.template.generation"


def _plain(obj: Json) -> Json:
    """Return an object without what differs between two of the same content: times, versions, ids."""
    meta = {k: v for k, v in obj["metadata"].items() if k not in _GIVEN}
    meta["annotations"] = {k: v for k, v in meta.get("annotations", {}).items() if k != _GENERATION}
    if obj["kind"] == POLICY_ENDPOINT.name:
        meta["ownerReferences"] = [{**o, "uid": ""} for o in meta.get("ownerReferences", ())]
    books = [
        (line["manager"], line["operation"], json.dumps(line["fieldsV1"], sort_keys=True))
        for line in obj["metadata"].get("managedFields", ())
        if "subresource" not in line
    ]
    rest = {k: v for k, v in obj.items() if k not in {"metadata", "status"}}
    ends = "deletionTimestamp" in obj["metadata"]
    return {**rest, "metadata": meta, "books": sorted(books), "ends": ends}


def small() -> Scenario:
    """The scenario ``dormant`` with few nodes and the VPC CNI alone."""
    data = scenario("dormant").data
    cni = [step for step in data["apply"] if step["file"].startswith("vpc-cni/")]
    objects = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    return Scenario("small", {**data, "nodes": [{**data["nodes"][0], "count": NODES}], "apply": cni, "objects": objects})


@contextmanager
def built(folder: Path, aws: Aws, programs: Components) -> Iterator[Place]:
    """Build the cluster and what stands around it."""
    described = small()
    with ExitStack() as stack:
        zygote = Zygote(folder)
        stack.callback(zygote.stop)
        keys = aws.user("operator")
        arn = aws.client("sts", keys).get_caller_identity()["Arn"]
        authenticator = Remembering(described.cluster, aws.url, aws.secrets, {arn: User("operator", GROUPS)})
        stack.enter_context(eks_tokens.serving(authenticator))
        version = described.data["serverVersion"]
        plane = ControlPlane.start(folder / "plane", version=version, token_webhook=authenticator.url, programs=programs)
        stack.callback(plane.stop)
        plane.start_controllers()
        plane.start_scheduler()
        plane.start_kwok()
        ec2 = ec2_side(described, aws)
        load(described, plane, ec2)
        plane.apply(*sorted((ROOT / "templates" / "rbac").glob("*.yaml")))
        await_pods(plane)
        script = Script(counts=lambda call: not call.is_watch)
        door = stack.enter_context(proxying(script, plane.url, authority=plane.authority))
        timing = replace(QUICK, settles=timedelta(seconds=0.4))
        service = replace(eks_side(described, plane, ec2), timing=timing)
        here = service.of(CLUSTER)
        # The API server that people are led to is the proxy's, so the identity guard has something to guard.
        service = replace(service, clusters={CLUSTER: replace(here, cluster={**here.cluster, "endpoint": door})})
        endpoint = stack.enter_context(serving_eks(EksEndpoint(service, RealPlace(plane))))
        eks_door = stack.enter_context(proxying(script, endpoint.url, aws=True))
        rests = stack.enter_context(controlling(plane))
        made = Place(plane, endpoint, aws, keys, eks_door, script, zygote, folder, rests)
        made.firsts["addon"] = made.kept()
        yield made
        if made.second is not None:
            made.second.stop()


def copied(runs: Path, to: Path) -> Path:
    """Return a copy of a folder of runs."""
    shutil.copytree(runs, to)
    return to


def differing(one: Any, other: Any, where: str = "") -> list[str]:
    """Return where two documents differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [line for key in keys for line in differing(one.get(key), other.get(key), f"{where}/{key}")]
    return [] if one == other else [f"{where}: {one!r:.800} and not {other!r:.800}"]
