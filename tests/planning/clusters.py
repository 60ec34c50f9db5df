"""Clusters to plan on: healthy ones in the short forms of `tests/checks/cases.py`, with one thing changed."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from eksnetpol.assets.manifests import agent_rules, needed_definitions
from eksnetpol.facts.declare import Lookup, catalog
from eksnetpol.fields.paths import as_v1, read
from eksnetpol.model.plan import Plan
from eksnetpol.model.snapshot import ClusterSnapshot, Target
from eksnetpol.model.versions import Release
from eksnetpol.planning.enable import plan_enable
from eksnetpol.planning.options import EnableOptions
from eksnetpol.simulation.configuration_schema import configuration_schema
from tests.checks.cases import snapshot

Json = dict[str, Any]

VERSION = "v1.20.5-eksbuild.1"
ARGS = '.spec.template.spec.containers[name="aws-eks-nodeagent"].args'
SWITCH = ".data.enable-network-policy-controller"
OFF = {"enable-network-policy": "false"}
CLUSTER = {
    "name": "prod",
    "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
    "version": "1.31",
    "status": "ACTIVE",
}


def owned(manager: str, *paths: str, operation: str = "") -> Json:
    """Return a line of ``managedFields``: *manager* owns *paths*, given as the API server says them. EKS applies."""
    how = operation or ("Apply" if manager == "eks" else "Update")
    return {"manager": manager, "operation": how, "fieldsV1": as_v1(read(p) for p in paths)}


def variable(name: str) -> str:
    """Return the path of a variable of the CNI."""
    return f'.spec.template.spec.containers[name="aws-node"].env[name="{name}"].value'


def addon(values: str = "", version: str = VERSION, **more: Any) -> Json:
    """Return an add-on that is well."""
    return {"addonName": "vpc-cni", "addonVersion": version, "status": "ACTIVE", "configurationValues": values, **more}


def schema(version: str = VERSION) -> Json:
    """Return the schema that EKS publishes of an add-on version, as far as it is known."""
    return {"addonVersion": version, "configurationSchema": json.dumps(configuration_schema(Release.parse(version)))}


def definition(name: str, kind: str, version: str = "v1alpha1") -> Json:
    """Return a definition that is served."""
    return {"name": name, "kind": kind, "versions": [version]}


OFFERED = [
    {"addonVersion": v, "compatibilities": [{"clusterVersion": "1.31", "defaultVersion": v == "v1.19.2-eksbuild.1"}]}
    for v in ("v1.20.5-eksbuild.1", "v1.20.5-eksbuild.3", "v1.20.4-eksbuild.1", "v1.19.2-eksbuild.1")
]


def self_managed(agent: str = "v1.2.7", **more: Any) -> Json:
    """Return a cluster in which people manage aws-node, with all that *agent* needs and both switches off."""
    needs = Release.parse(agent)
    return {
        "cluster": CLUSTER,
        "addon": None,
        "addon_updates": [],
        "addon_releases": OFFERED,
        "aws_node": {"args": OFF, "cni": "v1.20.5", "agent": agent},
        "switch": "false",
        "crds": [definition(d["metadata"]["name"], d["spec"]["names"]["kind"]) for d in needed_definitions(needs)],
        "cluster_roles": [{"name": "aws-node", "rules": list(agent_rules(needs)), "managers": ["kubectl-client-side-apply"]}],
        "pods": [],
        "namespaces": [],
        "network_policies": [],
        "application_policies": [],
        "nodes": [{"name": "node-a"}, {"name": "node-b"}],
        "controller_revisions": [],
        "agent_pods": [{"node": "node-a"}, {"node": "node-b"}],
        **more,
    }


def managed(values: str = "", version: str = VERSION, **more: Any) -> Json:
    """Return a cluster whose add-on EKS manages and owns, switched off."""
    release = version.partition("-")[0]
    sections = self_managed(
        addon=addon(values, version),
        addon_schema=schema(version),
        aws_node={"args": OFF, "cni": release, "managers": [owned("eks", ARGS)]},
        configmaps=[{"data": {"enable-network-policy-controller": "false"}, "managers": [owned("eks", SWITCH)]}],
    )
    del sections["switch"]
    return sections | more


def adoptable(**more: Any) -> Json:
    """Return a self-managed cluster whose release EKS offers."""
    return self_managed(
        service_accounts=[{"name": "aws-node", "namespace": "kube-system"}],
        pod_identities=[],
        **more,
    )


def look(short: Json) -> ClusterSnapshot:
    """Return the snapshot of a cluster in its short form."""
    return replace(snapshot(short), target=Target(cluster="prod", region="eu-west-1", arn=CLUSTER["arn"]))


def facts_of(short: Json) -> Lookup:
    """Return the facts of a cluster in its short form."""
    catalog()
    return Lookup(look(short))


def planned(short: Json, **options: Any) -> Plan:
    """Return the plan to enable; *options* are those of `EnableOptions`. Schemas that adopting asks for are at hand."""
    from eksnetpol.model.eks import AddonSchema

    schemas = {v: AddonSchema(v, schema(v)["configurationSchema"]) for v in ("v1.20.5-eksbuild.3", VERSION, "v1.19.2-eksbuild.1")}
    return plan_enable(facts_of(short), EnableOptions(**options), schemas=schemas)


def ids(plan: Plan) -> list[str]:
    """Return the ids of a plan's steps."""
    return [s.id for s in plan.steps]
