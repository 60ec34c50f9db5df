"""Healthy objects with one thing changed, in the API's own JSON.

Each builder takes the few words a case cares about and fills in what a real cluster would have. A dict that has ``metadata``
already is taken as it is.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

REGISTRY = "602401143452.dkr.ecr.us-west-2.amazonaws.com"
CREATED = "2026-01-01T00:00:00Z"


def meta(short: Json, **more: Any) -> Json:
    """Metadata from the short form's ``name``, ``namespace``, ``labels``, ``annotations``, ``created``, …"""
    taken = {
        "name": short.pop("name"),
        "labels": short.pop("labels", {}),
        "annotations": short.pop("annotations", {}),
        "creationTimestamp": short.pop("created", CREATED),
        "finalizers": short.pop("finalizers", []),
        "deletionTimestamp": short.pop("deleted", None),
        "managedFields": [{"manager": m} if isinstance(m, str) else m for m in short.pop("managers", [])],
        "uid": short.pop("uid", ""),
    } | more
    if "namespace" in short:
        taken["namespace"] = short.pop("namespace")
    return {k: v for k, v in taken.items() if v not in (None, {}, [], "")}


def _finished(short: Json, built: Json) -> Json:
    if short:
        message = f"no builder knows what to do with {sorted(short)}"
        raise KeyError(message)
    return built


def container(short: Json | str, name: str = "app") -> Json:
    """A container: ``{name, image, ports: [8080 | {name, containerPort, …}], probes: [readiness], …}`` or an image."""
    short = {"image": short} if isinstance(short, str) else dict(short)
    ports = [p if isinstance(p, dict) else {"containerPort": p} for p in short.pop("ports", [])]
    built: Json = {"name": short.pop("name", name), "image": short.pop("image", "example.com/app:1.0"), "ports": ports}
    for probe in short.pop("probes", []):
        built[f"{probe}Probe"] = {"httpGet": {"port": 8080}}
    return built | short


def pod(short: Json) -> Json:
    """``{name, namespace, labels, owner: replicaset/web | null, node, account, host_network, phase, ip, containers, …}``."""
    if "metadata" in short:
        return short
    short = {"namespace": "shop", "owner": "ReplicaSet/owner", **short}
    owner = short.pop("owner")
    owners = []
    if owner:
        kind, _, name = owner.partition("/")
        owners = [{"kind": kind, "name": name, "uid": f"uid-{kind}-{name}", "controller": True}]
    metadata = meta(short)
    if owners:
        metadata["ownerReferences"] = owners
    containers = [container(c) for c in short.pop("containers", [{"ports": short.pop("ports", [])}])]
    spec: Json = {
        "nodeName": short.pop("node", "node-a"),
        "serviceAccountName": short.pop("account", "default"),
        "hostNetwork": short.pop("host_network", False),
        "containers": containers,
        "initContainers": [container(c, "init") for c in short.pop("init", [])],
    }
    if "token" in short:
        spec["automountServiceAccountToken"] = short.pop("token")
    status = {"phase": short.pop("phase", "Running"), "podIP": short.pop("ip", "10.0.0.10")}
    status["hostIP"] = short.pop("host_ip", "10.0.0.1")
    return _finished(short, {"metadata": metadata, "spec": spec, "status": status})


def node(short: Json) -> Json:
    """``{name, kernel, os, image, compute, instance_type, kubelet, pods, provider, created, ready, …}``."""
    if "metadata" in short:
        return short
    short = dict(short)
    os = short.pop("os", "linux")
    labels = {"kubernetes.io/os": os, **short.pop("labels", {})}
    if compute := short.pop("compute", ""):
        labels["eks.amazonaws.com/compute-type"] = compute
    if instance_type := short.pop("instance_type", ""):
        labels["node.kubernetes.io/instance-type"] = instance_type
    info = {
        "kernelVersion": short.pop("kernel", "6.1.141-155.222.amzn2023.x86_64"),
        "osImage": short.pop("image", "Amazon Linux 2023.8.20250721"),
        "kubeletVersion": short.pop("kubelet", "v1.31.7-eks-473151a"),
        "operatingSystem": os,
        "architecture": short.pop("arch", "amd64"),
    }
    status = {
        "nodeInfo": info,
        "allocatable": {"pods": str(short.pop("pods", 58)), **short.pop("allocatable", {})},
        "conditions": [{"type": "Ready", "status": "True" if short.pop("ready", True) else "False"}],
        "addresses": [{"type": "InternalIP", "address": short.pop("ip", "10.0.0.1")}],
    }
    spec = {"providerID": short.pop("provider", "aws:///us-west-2a/i-0a")}
    return _finished(short, {"metadata": meta(short, labels=labels), "spec": spec, "status": status})


def namespace(short: Json | str) -> Json:
    """A namespace, by name or as ``{name, labels, deleted, phase, …}``."""
    short = {"name": short} if isinstance(short, str) else dict(short)
    if "metadata" in short:
        return short
    status = {"phase": short.pop("phase", "Active"), "conditions": short.pop("conditions", [])}
    spec = {"finalizers": short.pop("spec_finalizers", ["kubernetes"])}
    return _finished(short, {"metadata": meta(short), "spec": spec, "status": status})


def policy(short: Json) -> Json:
    """A NetworkPolicy: ``{name, namespace, pods: {…matchLabels} , ingress, egress, types}``; ``pods`` selects, {} is all."""
    if "metadata" in short:
        return short
    short = {"namespace": "shop", **short}
    selected = short.pop("pods", {})
    selector = selected if "matchExpressions" in selected or "matchLabels" in selected else {"matchLabels": selected}
    spec: Json = {"podSelector": selector if selected else {}}
    for key in ("ingress", "egress"):
        if key in short:
            spec[key] = short.pop(key)
    default = ["Ingress"] + (["Egress"] if "egress" in spec else [])
    spec["policyTypes"] = short.pop("types", default)
    return _finished(short, {"metadata": meta(short), "spec": spec})


def admin_policy(short: Json) -> Json:
    """A policy of ``policy.networking.k8s.io``: ``{name, kind, tier, priority, subject, ingress, egress}``."""
    if "metadata" in short:
        return short
    kind = short.get("kind", "ClusterNetworkPolicy")
    short = {"subject": {"namespaces": {}}, "tier": "Baseline" if kind.startswith("Base") else "Admin", **short}
    short.pop("kind", None)
    spec = {key: short.pop(key) for key in ("tier", "priority", "subject", "ingress", "egress") if key in short}
    version = "v1alpha2" if kind == "ClusterNetworkPolicy" else "v1alpha1"
    head = {"kind": kind, "apiVersion": f"policy.networking.k8s.io/{version}"}
    return _finished(short, {**head, "metadata": meta(short), "spec": spec})


def service(short: Json) -> Json:
    """``{name, namespace, selector, ports: [80 | {port, targetPort, name}], ip, type}``."""
    if "metadata" in short:
        return short
    short = {"namespace": "shop", **short}
    ports = [p if isinstance(p, dict) else {"port": p} for p in short.pop("ports", [])]
    spec = {
        "type": short.pop("type", "ClusterIP"),
        "clusterIP": short.pop("ip", "10.100.0.20"),
        "selector": short.pop("selector", {}),
        "ports": ports,
    }
    return {"metadata": meta(short), "spec": spec | short}


def workload(short: Json, kind: str) -> Json:
    """A workload: ``{name, namespace, labels, containers, ready, desired, updated, host_network, template_labels, …}``."""
    if "metadata" in short:
        return {"kind": kind, **short}
    short = {"namespace": "kube-system", **short}
    desired = short.pop("desired", 2)
    ready = short.pop("ready", desired)
    spec: Json = {
        "template": {
            "metadata": {"labels": short.pop("template_labels", {})},
            "spec": {
                "containers": [container(c) for c in short.pop("containers", ["example.com/app:1.0"])],
                "hostNetwork": short.pop("host_network", False),
                "volumes": short.pop("volumes", []),
            },
        },
        **short.pop("spec", {}),
    }
    status = {
        "observedGeneration": short.pop("observed", 1),
        "desiredNumberScheduled": desired,
        "currentNumberScheduled": desired,
        "updatedNumberScheduled": short.pop("updated", desired),
        "numberReady": ready,
        "numberAvailable": ready,
        "replicas": desired,
        "readyReplicas": ready,
    }
    metadata = meta(short) | {"generation": short.pop("generation", 1)}
    return _finished(short, {"kind": kind, "metadata": metadata, "spec": spec, "status": status})


def aws_node(short: Json) -> Json:
    """The ``aws-node`` DaemonSet as upstream ships it, enforcing, with one thing changed.

    ``{cni: v1.20.5, agent: v1.2.7 | null, env: {…}, args: {…}, desired, ready, updated, labels, annotations, managers, …}``;
    an image with a slash or an ``@`` is taken as it is; a value of null takes a variable, flag or volume away.
    """
    short = dict(short)
    cni, agent = short.pop("cni", "v1.20.5"), short.pop("agent", "v1.2.7")
    env = {
        "AWS_VPC_K8S_CNI_VETHPREFIX": "eni",
        "ENABLE_IPv4": "true",
        "ENABLE_IPv6": "false",
        "ENABLE_POD_ENI": "false",
        "ENABLE_PREFIX_DELEGATION": "false",
        "NETWORK_POLICY_ENFORCING_MODE": "standard",
    } | short.pop("env", {})
    args = {
        "enable-ipv6": "false",
        "enable-network-policy": "true",
        "enable-cloudwatch-logs": "false",
        "enable-policy-event-logs": "false",
        "log-file": "/var/log/aws-routed-eni/network-policy-agent.log",
        "metrics-bind-addr": ":8162",
        "health-probe-bind-addr": ":8163",
        "conntrack-cache-cleanup-period": "300",
        "log-level": "info",
    } | short.pop("args", {})
    mounts = {"run-dir": "/var/run/aws-node", **short.pop("cni_mounts", {})}
    agent_mounts = {"bpf-pin-path": "/sys/fs/bpf", "run-dir": "/var/run/aws-node", **short.pop("agent_mounts", {})}
    volumes = {"bpf-pin-path": "/sys/fs/bpf", "run-dir": "/var/run/aws-node", **short.pop("host_paths", {})}
    containers: list[Json] = [
        {
            "name": "aws-node",
            "image": _image(cni, "amazon-k8s-cni"),
            "env": [{"name": k, "value": v} for k, v in env.items() if v is not None],
            "volumeMounts": [{"name": k, "mountPath": v} for k, v in mounts.items() if v],
        }
    ]
    if agent is not None:
        containers.append(
            {
                "name": "aws-eks-nodeagent",
                "image": _image(agent, "amazon/aws-network-policy-agent"),
                "args": [f"--{k}={v}" for k, v in args.items() if v is not None],
                "volumeMounts": [{"name": k, "mountPath": v} for k, v in agent_mounts.items() if v],
                "securityContext": {"privileged": True},
                "resources": short.pop("resources", {"requests": {"cpu": "25m"}}),
            }
        )
    hosts = [{"name": k, "hostPath": {"path": v}} for k, v in volumes.items() if v]
    labels = {"k8s-app": "aws-node", "app.kubernetes.io/name": "aws-node", **short.pop("labels", {})}
    built = workload(
        {"name": "aws-node", "labels": labels, "containers": [], "volumes": hosts, "host_network": True, **short},
        "DaemonSet",
    )
    built["spec"]["template"]["spec"]["containers"] = containers
    return built


def _image(text: str, name: str) -> str:
    if text.startswith("@"):
        return f"{REGISTRY}/{name}{text}"
    return text if "/" in text else f"{REGISTRY}/{name}:{text}"


def agent_pod(short: Json) -> Json:
    """A pod of ``aws-node`` with its container statuses: ``{node, ready, restarts, waiting, terminated, image_id}``."""
    if "metadata" in short:
        return short
    short = dict(short)
    where = short.pop("node", "node-a")
    ready, restarts = short.pop("ready", True), short.pop("restarts", 0)
    image_id = short.pop("image_id", "sha256:aaaa")
    waiting, last = short.pop("waiting", None), short.pop("terminated", None)
    names = short.pop("containers", ["aws-node", "aws-eks-nodeagent"])
    statuses = []
    for name in names:
        status: Json = {"name": name, "ready": True, "restartCount": 0, "imageID": f"{name}@{image_id}"}
        if name == "aws-eks-nodeagent":
            status |= {"ready": ready, "restartCount": restarts}
            status["state"] = {"waiting": {"reason": waiting}} if waiting else {}
            status["lastState"] = {"terminated": {"reason": last}} if last else {}
        statuses.append(status)
    metadata = meta({"name": f"aws-node-{where}", "namespace": "kube-system", "labels": {"k8s-app": "aws-node"}})
    spec = {"nodeName": where, "containers": [{"name": n} for n in names]}
    status = {"phase": short.pop("phase", "Running"), "containerStatuses": statuses}
    return _finished(short, {"metadata": metadata, "spec": spec, "status": status})


def configmap(short: Json) -> Json:
    """``{name, namespace, data}``; the default is the VPC CNI's own."""
    if "metadata" in short:
        return short
    short = {"name": "amazon-vpc-cni", "namespace": "kube-system", **short}
    data = short.pop("data", {})
    return _finished(short, {"metadata": meta(short), "data": data})


def crd(short: Json | str) -> Json:
    """A CustomResourceDefinition by ``plural.group``, or ``{name, kind, established, digest, labels, …}``."""
    short = {"name": short} if isinstance(short, str) else dict(short)
    if "metadata" in short:
        return short
    plural, _, group = short["name"].partition(".")
    spec = {
        "group": group,
        "names": {"plural": plural, "kind": short.pop("kind", plural.capitalize())},
        "versions": [{"name": v, "served": True, "storage": True} for v in short.pop("versions", ["v1alpha1"])],
        "schemaDigest": short.pop("digest", ""),
    }
    established = "True" if short.pop("established", True) else "False"
    status = {"conditions": [{"type": "Established", "status": established}]}
    return _finished(short, {"metadata": meta(short), "spec": spec, "status": status})


def named(short: Json) -> Json:
    """Anything else: ``name`` and ``namespace`` go to the metadata, the rest stays where it is."""
    if "metadata" in short or "name" not in short:
        return short
    short = dict(short)
    keys = ("name", "namespace", "labels", "annotations", "created", "deleted", "finalizers", "managers", "uid")
    head = {k: short.pop(k) for k in keys if k in short}
    return {"metadata": meta(head), **short}
