"""The network policy controller, as far as a change has to do with it: endpoints and finalizers while its switch is on.

Real clusters run it in EKS's own control plane. Here it looks at the API server many times a second and does the little that
`disable` waits for: a PolicyEndpoint for every policy, its finalizer on the policy, and both gone when the policy is to go.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager

from eksnetpol.model.kinds import CONFIGMAP, NETWORK_POLICY, POLICY_ENDPOINT, Json, Kind, ObjectRef
from tests.fields.server import Server, place
from tests.testbed.cluster import ControlPlane
from tests.testbed.playing import playing

FINALIZER = "networking.k8s.aws/resources"
MANAGER = "amazon-network-policy-controller-k8s"
SWITCH = ObjectRef.to(CONFIGMAP, "amazon-vpc-cni", "kube-system")
EVERY = 0.1


def controlling(plane: ControlPlane) -> AbstractContextManager[threading.Event]:
    """Play the controller on *plane*; it rests while the event that is yielded is set."""
    return playing(plane, _turn, every=EVERY)


def listed(server: Server, kind: Kind) -> list[Json]:
    """Return all objects of a kind, with what a list leaves out of each."""
    found = server.ask("GET", place(kind, ""))
    items = found.body.get("items", ()) if found.ok else ()
    return [{"apiVersion": kind.api_version, "kind": kind.name, **one} for one in items]


def _turn(server: Server) -> None:
    switch = server.get(SWITCH)
    if switch is None or switch.get("data", {}).get("enable-network-policy-controller") != "true":
        return
    endpoints = {e["spec"]["policyRef"]["name"]: e for e in listed(server, POLICY_ENDPOINT)}
    for policy in listed(server, NETWORK_POLICY):
        meta = policy["metadata"]
        held = FINALIZER in meta.get("finalizers", ())
        if meta.get("deletionTimestamp"):
            if meta["name"] in endpoints:
                server.delete(ObjectRef.of(endpoints[meta["name"]]))
            elif held:
                _finalizers(server, policy, [f for f in meta["finalizers"] if f != FINALIZER])
        elif not held:
            _finalizers(server, policy, [*meta.get("finalizers", ()), FINALIZER])
        elif meta["name"] not in endpoints:
            server.create(_endpoint(policy), MANAGER)


def _finalizers(server: Server, policy: Json, wanted: list[str]) -> None:
    meta = {"resourceVersion": policy["metadata"]["resourceVersion"], "finalizers": wanted}
    ref = ObjectRef.of(policy)
    path = place(ref.of_kind, ref.namespace, ref.name)
    server.ask("PATCH", path, {"metadata": meta}, content="application/merge-patch+json", fieldManager=MANAGER)


def _endpoint(policy: Json) -> Json:
    meta = policy["metadata"]
    name = {"name": meta["name"], "namespace": meta["namespace"]}
    owner = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "name": meta["name"], "uid": meta["uid"]}
    return {
        "apiVersion": POLICY_ENDPOINT.api_version,
        "kind": POLICY_ENDPOINT.name,
        "metadata": {**name, "name": f"{meta['name']}-a1b2c", "ownerReferences": [{**owner, "controller": True}]},
        "spec": {
            "policyRef": name,
            "podSelector": policy["spec"].get("podSelector", {}),
            "podIsolation": policy["spec"].get("policyTypes", ["Ingress"]),
            "podSelectorEndpoints": [],
        },
    }
