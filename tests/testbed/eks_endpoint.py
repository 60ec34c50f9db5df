"""An EKS endpoint over HTTP: the rules of `eksnetpol.simulation.eks` behind botocore's service model.

Requests must be signed (the signature itself is not verified, its presence and its service are). Faults are set per operation.
With a ``place`` (`tests.testbed.eks_endpoint_objects`) add-ons are written to a real API server, and end when they have rolled.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.model import ServiceModel

from eksnetpol.simulation import eks as rules
from eksnetpol.simulation import eks_changes, eks_settling, eks_tags
from eksnetpol.simulation.eks import Eks, EksCluster, EksError
from eksnetpol.simulation.eks_settling import Place
from tests.testbed import service_model as sm

Json = dict[str, Any]
SMALL_PAGE = 100
DEAD = -1
"""A fault's status: no answer at all."""
QUICK = rules.Timing(
    stale=timedelta(seconds=0.2),
    begins=timedelta(seconds=0.3),
    settles=timedelta(seconds=0.6),
    degraded=timedelta(seconds=3),
    gives_up=timedelta(seconds=60),
)
"""Times with which a test need not wait."""
TURN = 0.2
"""Seconds between two turns of an endpoint that has a place to write to."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What an operation does instead of answering. ``code`` is the error's name; ``times`` None means always.

    With status 0 it answers as always, only later (``delay``, in seconds). With status `DEAD` the connection is closed.
    """

    status: int
    code: str
    message: str = "injected"
    times: int | None = None
    delay: float = 0.0


def eks_cluster(name: str, *, account: str = "123456789012", region: str = "us-west-2", **members: Any) -> Json:
    """Return a healthy DescribeCluster.cluster with *members* changed."""
    healthy: Json = {
        "name": name,
        "arn": f"arn:aws:eks:{region}:{account}:cluster/{name}",
        "createdAt": datetime(2025, 1, 15, tzinfo=UTC),
        "version": "1.33",
        "endpoint": f"https://{name}.example.eks.amazonaws.com",
        "roleArn": f"arn:aws:iam::{account}:role/{name}-cluster",
        "resourcesVpcConfig": {
            "subnetIds": ["subnet-0a", "subnet-0b"],
            "securityGroupIds": [],
            "clusterSecurityGroupId": "sg-0c",
            "vpcId": "vpc-0a",
            "endpointPublicAccess": True,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": ["0.0.0.0/0"],
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4"},
        "logging": {"clusterLogging": [{"types": ["controllerManager"], "enabled": True}]},
        "status": "ACTIVE",
        "certificateAuthority": {"data": ""},
        "platformVersion": "eks.18",
        "tags": {},
        "accessConfig": {"authenticationMode": "API"},
        "upgradePolicy": {"supportType": "STANDARD"},
    }
    return healthy | members


def eks_addon(cluster: Json, **members: Any) -> Json:
    """Return a healthy ``vpc-cni`` add-on of *cluster* with *members* changed."""
    healthy: Json = {
        "addonName": "vpc-cni",
        "clusterName": cluster["name"],
        "status": "ACTIVE",
        "addonVersion": "v1.20.5-eksbuild.1",
        "health": {"issues": []},
        "addonArn": cluster["arn"].replace(":cluster/", ":addon/") + "/vpc-cni/0a",
        "createdAt": datetime(2025, 1, 15, tzinfo=UTC),
        "modifiedAt": datetime(2026, 1, 15, tzinfo=UTC),
        "tags": {},
    }
    return healthy | members


@dataclass(slots=True)
class EksEndpoint:
    """The endpoint. ``eks`` may be replaced at any time; ``calls`` are the operations it was asked for, in order.

    Without a ``place`` add-ons change in EKS alone. What EKS does by itself happens whenever it is asked something, and with a
    place every `TURN` seconds too.
    """

    eks: Eks = field(default_factory=Eks)
    place: Place | None = None
    faults: dict[str, Fault] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    page_size: int = SMALL_PAGE
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def operations(self) -> Mapping[str, Callable[[Json], Json]]:
        """Return what it answers, by operation."""
        return {
            "DescribeCluster": lambda p: {"cluster": self.eks.of(p["name"]).cluster},
            "ListClusters": lambda p: self._page("clusters", sorted(self.eks.clusters), p),
            "ListAddons": lambda p: self._page("addons", sorted(self.eks.of(p["clusterName"]).addons), p),
            "DescribeAddon": lambda p: {"addon": self.eks.addon(p["clusterName"], p["addonName"])},
            "DescribeAddonVersions": self._addon_versions,
            "DescribeAddonConfiguration": lambda p: rules.addon_configuration(self.eks, p["addonName"], p["addonVersion"]),
            "CreateAddon": lambda p: self._changed(
                "addon", eks_changes.create_addon(self.eks, p["clusterName"], p, self.clock())
            ),
            "UpdateAddon": lambda p: self._changed(
                "update", eks_changes.update_addon(self.eks, p["clusterName"], p["addonName"], p, self.clock())
            ),
            "DeleteAddon": self._delete_addon,
            "TagResource": lambda p: self._now(eks_tags.tagged(self.eks, p["resourceArn"], p["tags"])),
            "UntagResource": lambda p: self._now(eks_tags.untagged(self.eks, p["resourceArn"], p["tagKeys"])),
            "ListTagsForResource": lambda p: {"tags": dict(eks_tags.tags_of(self.eks, p["resourceArn"]))},
            "ListNodegroups": lambda p: self._names(p, "nodegroups", "nodegroups", "nodegroupName"),
            "DescribeNodegroup": lambda p: self._one(p, "nodegroup", "nodegroups", "nodegroupName"),
            "ListFargateProfiles": lambda p: self._names(p, "fargateProfileNames", "fargate_profiles", "fargateProfileName"),
            "DescribeFargateProfile": lambda p: self._one(p, "fargateProfile", "fargate_profiles", "fargateProfileName"),
            "ListPodIdentityAssociations": self._associations,
            "DescribePodIdentityAssociation": lambda p: self._one(p, "association", "pod_identities", "associationId"),
            "ListUpdates": lambda p: self._page(
                "updateIds", [u["id"] for u in self.eks.updates(p["name"], p.get("addonName", ""))], p
            ),
            "DescribeUpdate": lambda p: {"update": self.eks.update(p["name"], p.get("addonName", ""), p["updateId"])},
            "ListInsights": self._insights,
            "DescribeInsight": lambda p: self._one(p, "insight", "insights", "id"),
            "DescribeClusterVersions": lambda p: self._page(
                "clusterVersions", [{"clusterVersion": v} for v in sorted(self.eks.offered)], p
            ),
        }

    def handle(self, route: sm.Route, params: Json) -> Json:
        """Answer one request; raise `EksError` for what the API answers with an error."""
        with self._lock:
            self.eks = eks_settling.drive(self.eks, self.clock(), self.place)
            return self.operations()[route.operation.name](params)

    def turn(self) -> None:
        """Do what EKS does by itself by now."""
        with self._lock:
            self.eks = eks_settling.drive(self.eks, self.clock(), self.place)

    def fault_of(self, operation: str) -> Fault | None:
        """Return the fault an operation is to have now, counting down those that end."""
        with self._lock:
            fault = self.faults.get(operation) or self.faults.get("*")
            if fault is not None and fault.times is not None:
                key = operation if operation in self.faults else "*"
                left = fault.times - 1
                if left <= 0:
                    del self.faults[key]
                else:
                    self.faults[key] = Fault(fault.status, fault.code, fault.message, left, fault.delay)
            return fault

    def _changed(self, member: str, result: tuple[Eks, Json]) -> Json:
        self.eks, value = result
        return {member: value}

    def _now(self, eks: Eks) -> Json:
        self.eks = eks
        return {}

    def _delete_addon(self, params: Json) -> Json:
        preserve = params.get("preserve", False)
        deleted = eks_changes.delete_addon(self.eks, params["clusterName"], params["addonName"], self.clock(), preserve=preserve)
        return self._changed("addon", deleted)

    def _page(self, member: str, items: list[Any], params: Json) -> Json:
        token = params.get("nextToken") or "0"
        if not token.isdecimal() or int(token) > len(items):
            raise EksError("InvalidParameterException", f"nextToken is none that was given: {token!r}")
        start = int(token)
        size = min(params.get("maxResults") or self.page_size, self.page_size)
        rest = {"nextToken": str(start + size)} if start + size < len(items) else {}
        return {member: items[start : start + size], **rest}

    def _names(self, params: Json, member: str, of: str, name: str) -> Json:
        return self._page(member, [g[name] for g in getattr(self.eks.of(params["clusterName"]), of)], params)

    def _one(self, params: Json, member: str, of: str, name: str) -> Json:
        for found in getattr(self.eks.of(params["clusterName"]), of):
            if found[name] == params[name]:
                return {member: found}
        raise EksError("ResourceNotFoundException", f"No {member} found for name: {params[name]}.")

    def _addon_versions(self, params: Json) -> Json:
        addons = rules.addon_versions(self.eks, params.get("kubernetesVersion"), params.get("addonName"))
        return self._page("addons", addons, params)

    def _associations(self, params: Json) -> Json:
        known = ("clusterName", "namespace", "serviceAccount", "associationArn", "associationId", "ownerArn")
        asked = {k: params[k] for k in ("namespace", "serviceAccount") if k in params}
        found = [a for a in self.eks.of(params["clusterName"]).pod_identities if all(a.get(k) == v for k, v in asked.items())]
        return self._page("associations", [{k: a[k] for k in known if k in a} for a in found], params)

    def _insights(self, params: Json) -> Json:
        known = sm.load("eks").shape_for("InsightSummary").members
        asked = params.get("filter", {})
        found = [
            i
            for i in self.eks.of(params["clusterName"]).insights
            if i.get("category") in asked.get("categories", [i.get("category")])
            and i.get("kubernetesVersion") in asked.get("kubernetesVersions", [i.get("kubernetesVersion")])
            and i.get("insightStatus", {}).get("status") in asked.get("statuses", [i.get("insightStatus", {}).get("status")])
        ]
        return self._page("insights", [{k: v for k, v in i.items() if k in known} for i in found], params)


class _Handler(BaseHTTPRequestHandler):
    """Turns requests into calls of `endpoint`, which `serving` sets on a subclass."""

    protocol_version = "HTTP/1.1"
    endpoint: EksEndpoint
    model: ServiceModel
    table: tuple[sm.Route, ...]

    def log_message(self, *_: object) -> None:
        """Say nothing: the calls are kept."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, code, said = self._answer(body)
        if status == DEAD:
            self.close_connection = True
            return
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("x-amzn-RequestId", "00000000-0000-4000-8000-000000000000")
        if code:
            self.send_header("x-amzn-ErrorType", code)
        self.end_headers()
        # A client that was killed, or that gave up waiting, is no fault of the endpoint.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def _answer(self, body: bytes) -> tuple[int, str, Json]:
        found = sm.find(self.table, self.command, self.path)
        if found is None:
            return 404, "UnknownOperationException", {"message": f"no operation at {self.command} {self.path}"}
        route, variables = found
        name = route.operation.name
        self.endpoint.calls.append(name)
        signature = self.headers.get("Authorization", "")
        if not (signature.startswith("AWS4-HMAC-SHA256") and "/eks/aws4_request" in signature):
            return 403, "MissingAuthenticationTokenException", {"message": "Missing Authentication Token"}
        fault = self.endpoint.fault_of(name)
        if fault is not None:
            time.sleep(fault.delay)
            if fault.status:
                return fault.status, fault.code, {"message": fault.message}
        try:
            answered = self.endpoint.handle(route, sm.parse(route, variables, self.path, body))
        except EksError as error:
            shape = self.model.shape_for(error.code)
            return shape.metadata["error"]["httpStatusCode"], error.code, {"message": str(error)}
        except sm.NotOfTheModel as error:
            return 400, "InvalidParameterException", {"message": str(error)}
        return _held_to_the_model(route, answered)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names http.server calls


def _held_to_the_model(route: sm.Route, answered: Json) -> tuple[int, str, Json]:
    try:
        return 200, "", sm.answer(route.operation.output_shape, answered)
    except sm.NotOfTheModel as error:
        return 500, "ServerException", {"message": f"the endpoint would have answered what the model does not have: {error}"}


def _turning(endpoint: EksEndpoint, over: threading.Event) -> None:
    while not over.wait(TURN):
        if endpoint.place is not None:
            endpoint.turn()


@contextmanager
def serving(endpoint: EksEndpoint) -> Iterator[EksEndpoint]:
    """Serve *endpoint* on a free port of the loopback address; ``url`` tells where."""
    model = sm.load("eks")
    members = {"endpoint": endpoint, "model": model, "table": sm.routes(model, endpoint.operations())}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), members))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    over = threading.Event()
    turning = threading.Thread(target=_turning, args=(endpoint, over), daemon=True)
    turning.start()
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield endpoint
    finally:
        over.set()
        turning.join()
        server.shutdown()
        server.server_close()


def one_cluster(
    cluster: Json, *, addon: Json | None, offered: tuple[str, ...], timing: rules.Timing | None = None, **members: Any
) -> Eks:
    """Return a service with one cluster; its times are those of `Timing` unless it is given others, e.g. `QUICK`."""
    here = EksCluster(cluster=cluster, addons={} if addon is None else {"vpc-cni": addon}, **members)
    return Eks({cluster["name"]: here}, {cluster["version"]: offered}, timing or rules.Timing())
