"""Builds the clusters of ``tests/scenarios/`` on the real control plane and on the EKS endpoint."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eksnetpol.simulation.eks import Eks
from tests.testbed.aws import Aws
from tests.testbed.cluster import ControlPlane
from tests.testbed.eks_endpoint import eks_addon, eks_cluster, one_cluster
from tests.testbed.nodes import node

Json = dict[str, Any]

SCENARIOS = Path(__file__).parent.parent / "scenarios"
DATA = Path(__file__).parent.parent / "data"
SETTLES_WITHIN = 120.0
"""Seconds the pods of a scenario have to run."""

SYSTEM_ROLE = "eks:network-policy-controller"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster as its file describes it."""

    name: str
    data: Json

    @property
    def title(self) -> str:
        """One line about it."""
        return str(self.data["title"])

    @property
    def cluster(self) -> str:
        """The cluster's name in EKS."""
        return str(self.data["eks"]["cluster"]["name"])

    @property
    def has_controller(self) -> bool:
        """True when the control plane is new enough to bring the policy controller and its definitions."""
        return tuple(int(p) for p in self.data["eks"]["cluster"]["version"].split(".")) >= (1, 25)


def scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios by name."""
    return tuple(Scenario(p.stem, yaml.safe_load(p.read_text())) for p in sorted(SCENARIOS.glob("*.yaml")))


def scenario(name: str) -> Scenario:
    """Return one scenario."""
    return next(s for s in scenarios() if s.name == name)


@dataclass(frozen=True, slots=True)
class Ec2:
    """What the cluster has in EC2, by the ids that were given out."""

    vpc: str
    subnets: tuple[str, ...]
    instances: tuple[str, ...]


def ec2_side(described: Scenario, aws: Aws) -> Ec2:
    """Make the VPC, two subnets and one instance for each EC2 node."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    subnets = tuple(ec2.create_subnet(VpcId=vpc, CidrBlock=f"192.168.{i * 64}.0/18")["Subnet"]["SubnetId"] for i in range(2))
    count = sum(g["count"] for g in described.data["nodes"])
    image = ec2.describe_images()["Images"][0]["ImageId"]
    options = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}
    made = ec2.run_instances(ImageId=image, MinCount=count, MaxCount=count, SubnetId=subnets[0], MetadataOptions=options)
    return Ec2(vpc, subnets, tuple(i["InstanceId"] for i in made["Instances"]))


def eks_side(described: Scenario, plane: ControlPlane, ec2: Ec2) -> Eks:
    """Return what EKS knows of the cluster: its endpoint and CA are those of *plane*."""
    parts = described.data["eks"]
    family = described.data["family"]
    addresses = {"ipFamily": family} | (
        {"serviceIpv4Cidr": plane.network.services} if family == "ipv4" else {"serviceIpv6Cidr": plane.network.services}
    )
    cluster = eks_cluster(
        **parts["cluster"],
        endpoint=plane.url,
        certificateAuthority={"data": base64.b64encode(plane.ca_pem.encode()).decode()},
        kubernetesNetworkConfig=addresses,
        resourcesVpcConfig={
            "vpcId": ec2.vpc,
            "subnetIds": list(ec2.subnets),
            "securityGroupIds": [],
            "clusterSecurityGroupId": "sg-0c",
            "endpointPublicAccess": True,
            "endpointPrivateAccess": True,
            "publicAccessCidrs": ["0.0.0.0/0"],
        },
    )
    name = cluster["name"]
    return one_cluster(
        cluster,
        addon=None if parts["addon"] is None else eks_addon(cluster, **parts["addon"]),
        offered=tuple(parts["addonVersions"]),
        nodegroups=tuple({"clusterName": name, "status": "ACTIVE", **g} for g in parts.get("nodegroups", ())),
        fargate_profiles=tuple({"clusterName": name, "status": "ACTIVE", **p} for p in parts.get("fargateProfiles", ())),
        pod_identities=tuple(parts.get("podIdentityAssociations", ())),
    )


def load(described: Scenario, plane: ControlPlane, ec2: Ec2) -> None:
    """Put the scenario's objects on the API server, as EKS, its add-on and people would: nodes come after ``aws-node``."""
    plane.apply(Path(__file__).parent / "eks_defaults.yaml", manager="eks")
    if described.has_controller:
        _bootstrap(plane)
    objects = documents(described.data.get("objects", ""))
    _apply_ordered(plane, [o for o in objects if o["kind"] == "Namespace"], "operator", None)
    for step in described.data["apply"]:
        managed = step["file"].startswith("vpc-cni/") and described.data["eks"]["addon"] is not None
        found = documents(*_texts(plane, step))
        _apply_ordered(plane, found, "eks" if managed else "kubectl", step.get("namespace"))
    _apply_ordered(plane, objects, "operator", None)
    plane.create(_nodes(described, ec2))


def documents(*texts: str) -> list[Json]:
    """Return what YAML texts hold, read by libyaml: engines' definitions are large."""
    return [one for text in texts for one in yaml.load_all(text, yaml.CSafeLoader) if one]


_FIRST = ("Namespace", "CustomResourceDefinition", "ServiceAccount")


def _apply_ordered(plane: ControlPlane, documents: list[Json], manager: str, namespace: str | None) -> None:
    # A controller that misses a service account tries again only after a growing while.
    first = [d for d in documents if d["kind"] in _FIRST]
    rest = [d for d in documents if d["kind"] not in _FIRST]
    for part in (first, rest):
        if part:
            plane.apply(*part, manager=manager, namespace=namespace)


def await_pods(plane: ControlPlane) -> None:
    """Wait until every pod runs; raise `AssertionError` that names those that do not."""
    deadline = time.monotonic() + SETTLES_WITHIN
    waiting: list[str] = []
    while time.monotonic() < deadline:
        pods = plane.get("pods", "-A")["items"]
        waiting = [p["metadata"]["name"] for p in pods if p["status"].get("phase") != "Running"]
        sets = plane.get("daemonsets,deployments,statefulsets", "-A")["items"]
        waiting += [s["metadata"]["name"] for s in sets if not _has_rolled(s)]
        if pods and not waiting:
            return
        time.sleep(0.3)
    raise AssertionError(f"still waiting for {waiting[:5]}")


def _has_rolled(workload: Json) -> bool:
    status, wanted = workload.get("status", {}), workload["spec"].get("replicas", 1)
    if workload["kind"] == "DaemonSet":
        return bool(status.get("observedGeneration")) and status["numberReady"] == status["desiredNumberScheduled"]
    return bool(status.get("readyReplicas", 0) == wanted)


def _nodes(described: Scenario, ec2: Ec2) -> list[Json]:
    made: list[Json] = []
    for group in described.data["nodes"]:
        for number in range(group["count"]):
            system = {"kernelVersion": group["kernel"], "osImage": group["image"], "kubeletVersion": group["kubelet"]}
            system["operatingSystem"] = group.get("os", "linux")
            labels = group["labels"]
            system["architecture"] = labels.get("kubernetes.io/arch", "amd64")
            built = node(len(made), family=described.data["family"], labels=labels, system=system)
            name = group["name"].format(n=10 + number)
            built["metadata"]["name"] = built["metadata"]["labels"]["kubernetes.io/hostname"] = name
            built["status"]["addresses"][1]["address"] = name
            built["spec"]["providerID"] = f"aws:///us-west-2a/{ec2.instances[len(made)]}"
            if "eks.amazonaws.com/nodegroup" not in labels:
                del built["metadata"]["labels"]["eks.amazonaws.com/nodegroup"]
            made.append(built)
    return made


def _bootstrap(plane: ControlPlane) -> None:
    """What the control plane of EKS itself brings: the four definitions, and the controller's role."""
    for path in sorted((DATA / "crds" / "networking.k8s.aws").glob("*.yaml")):
        if not path.stem.endswith("v1.14.0"):
            plane.apply(path, manager="eks")
    group, everything = "networking.k8s.aws", ["create", "delete", "get", "list", "patch", "update", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "pods", "services"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [group], "resources": ["policyendpoints", "clusterpolicyendpoints"], "verbs": everything},
        {
            "apiGroups": [group],
            "resources": ["applicationnetworkpolicies", "clusternetworkpolicies"],
            "verbs": ["get", "list", "patch", "update", "watch"],
        },
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": ["get", "list", "patch", "update", "watch"],
        },
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": SYSTEM_ROLE},
        "rules": rules,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": SYSTEM_ROLE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": SYSTEM_ROLE},
        "subjects": [{"kind": "User", "name": SYSTEM_ROLE, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    plane.apply(role, binding, manager="eks")


def _texts(plane: ControlPlane, step: Json) -> list[str]:
    path = DATA / step["file"]
    if step.get("kustomize"):
        texts = [plane.did("kustomize", str(path))]
    elif step.get("each"):
        left_out = {"kustomization.yaml", *step.get("except", ())}
        texts = [p.read_text() for p in sorted(path.glob("*.yaml")) if p.name not in left_out]
    else:
        texts = [path.read_text()]
    for old, new in step.get("replace", {}).items():
        assert any(old in t for t in texts), f"{path} does not contain {old!r}"
        texts = [t.replace(old, new) for t in texts]
    for name, value in step.get("env", {}).items():
        texts = [_with_env(t, name, value) for t in texts]
    return texts


def _with_env(text: str, name: str, value: str) -> str:
    found = documents(text)
    for document in found:
        spec = document.get("spec", {}).get("template", {}).get("spec", {})
        for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
            for variable in container.get("env", ()):
                if variable["name"] == name:
                    variable["value"] = value
    return "\n---\n".join(yaml.safe_dump(d) for d in found)
