"""A small cluster in few words, and what is predicted of it in few words."""

from __future__ import annotations

import json
from typing import Any

from eksnetpol.model.versions import Release
from eksnetpol.policy.prediction.predict import Prediction, predict
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.world import World
from tests.policy.prediction import worlds

Json = dict[str, Any]

WEB = {"matchLabels": {"app": "web"}}
API = {"matchLabels": {"app": "api"}}


def pod(name: str, ip: str = "", *, app: str = "api", namespace: str = "shop", **more: Any) -> Json:
    """A running pod; *ports* are ``http=8080``, ``http=8080/UDP`` or ``8080``, *more* are other members."""
    containers = [[*more.pop("ports", ())], *more.pop("more_containers", ())]
    meta = {"name": name, "namespace": namespace, "labels": {"app": app}, **more.pop("metadata", {})}
    spec: Json = {"containers": [{"name": "c", "ports": [_declared(p) for p in ports]} for ports in containers]}
    spec["initContainers"] = [
        {"name": "s", "restartPolicy": "Always", "ports": [_declared(p) for p in more.pop("sidecar", ())]},
    ]
    spec["hostNetwork"] = more.pop("host", False)
    status = {"phase": more.pop("phase", "Running"), "podIP": ip, "hostIP": more.pop("host_ip", "10.0.9.9")}
    assert not more, more
    return {"metadata": meta, "spec": spec, "status": {k: v for k, v in status.items() if v}}


def _declared(text: str) -> Json:
    name, equals, rest = text.rpartition("=")
    number, _, protocol = rest.partition("/")
    return {"containerPort": int(number), **({"name": name} if equals else {}), **({"protocol": protocol} if protocol else {})}


def service(name: str, ip: str, *ports: tuple[int, int | str], app: str | None = "api", namespace: str = "shop") -> Json:
    """A Service; *ports* are pairs of port and target."""
    spec: Json = {"clusterIP": ip, "ports": [{"port": p, "targetPort": t} for p, t in ports]}
    if app is not None:
        spec["selector"] = {"app": app}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def namespaces(**labels: Json) -> list[Json]:
    """Namespaces by name."""
    return [{"metadata": {"name": name, "labels": own}} for name, own in labels.items()]


def policy(name: str = "np", namespace: str = "shop", **spec: Any) -> Json:
    """A policy; without *podSelector* of all pods."""
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"}, "spec": {"podSelector": {}, **spec}}


def egress(*peers: Json, ports: list[Json] | None = None, **more: Any) -> Json:
    """A policy with one egress rule."""
    rule: Json = {"to": list(peers)}
    return policy(egress=[rule if ports is None else {**rule, "ports": ports}], **more)


def ingress(*peers: Json, ports: list[Json] | None = None, **more: Any) -> Json:
    """A policy with one ingress rule."""
    rule: Json = {"from": list(peers)}
    return policy(ingress=[rule if ports is None else {**rule, "ports": ports}], **more)


def tcp(port: int | str, end: int | None = None) -> Json:
    """A port of a rule."""
    return {"protocol": "TCP", "port": port, **({"endPort": end} if end else {})}


def world(
    pods: list[Json] | None = None,
    *policies: Json,
    services: list[Json] | None = None,
    spaces: list[Json] | None = None,
    application: list[Json] | None = None,
    clusterwide: list[Json] | None = None,
) -> World:
    """A cluster with two namespaces, *shop* and *bank*, unless *spaces* are given."""
    spaces = spaces if spaces is not None else namespaces(shop={}, bank={})
    return worlds.world((pods or [], spaces, services or []), list(policies), application, clusterwide)


def predicted(of: World, release: str = "1.1.7", size: int = 200) -> Prediction:
    """What a release of the controller writes."""
    return predict(of, Profile(controller=Release.parse(release)), size)


def specs(of: World, release: str = "1.1.7", size: int = 200) -> list[Json]:
    """The specs of the objects."""
    return [json.loads(d)["spec"] for d in predicted(of, release, size).documents()]


def opened(of: World, key: str = "egress", release: str = "1.1.7") -> dict[str, str]:
    """What the one object of a cluster opens, by CIDR: ``TCP 80, TCP 81-90``, ``all``."""
    (spec,) = specs(of, release)
    return {e.get("cidr") or e["domainName"]: words(e) for e in spec.get(key, [])}


def words(entry: Json) -> str:
    """The ports of an entry."""
    return ", ".join(sorted(_said(p) for p in entry.get("ports", []))) or "all"


def _said(port: Json) -> str:
    end = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port['protocol']} {port.get('port', '*')}{end}"


def listed(of: World, release: str = "1.1.7") -> list[str]:
    """The pods that the one object lists."""
    (spec,) = specs(of, release)
    return [p["name"] for p in spec.get("podSelectorEndpoints", [])]
