"""A self-managed VPC CNI, from each of upstream's manifests to each later one."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from eksnetpol.model.versions import Release
from eksnetpol.planning.upgrade_manifest import plan_manifest
from tests.planning.manifests import VERSIONS, carry_out, changed, facts_of, in_effect, installed, manifest, undo

POLICED = tuple(v for v in VERSIONS if Release.parse(v) >= Release(1, 14, 0))
PAIRS = tuple(itertools.combinations(POLICED, 2))
SOME = (*itertools.pairwise(POLICED), (POLICED[0], POLICED[-1]), ("v1.16.4", "v1.21.1"), ("v1.18.5", "v1.22.4"))
"""Each release to the next, and some that have others in between."""
AWS_NODE = "daemonset/kube-system/aws-node"


def hops_between(old: str, new: str) -> list[Release]:
    """The newest release of each minor version in between that is here, then the last."""
    first, last = Release.parse(old), Release.parse(new)
    between = [r for r in map(Release.parse, POLICED) if first.minor < r.minor < last.minor]
    return [*{r.minor: r for r in between}.values(), last]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_result_is_upstreams_new_manifest_in_effect(old: str, new: str) -> None:
    live = installed(manifest(old).values())
    draft = plan_manifest(facts_of(live), Release.parse(old), [Release.parse(new)])
    after = carry_out(live, draft.steps)
    assert in_effect(after) == in_effect(manifest(new))
    assert not draft.refusals
    assert draft.changes


@pytest.mark.parametrize(("old", "new"), [("v1.14.0", "v1.23.0"), ("v1.16.4", "v1.21.1"), ("v1.18.5", "v1.22.4")])
def test_it_is_so_over_every_stop_as_well(old: str, new: str) -> None:
    live = installed(manifest(old).values())
    draft = plan_manifest(facts_of(live), Release.parse(old), hops_between(old, new))
    assert in_effect(carry_out(live, draft.steps)) == in_effect(manifest(new))


@pytest.mark.parametrize(("old", "new"), SOME)
def test_going_back_gives_what_was_before(old: str, new: str) -> None:
    live = installed(manifest(old).values())
    draft = plan_manifest(facts_of(live), Release.parse(old), hops_between(old, new))
    back = undo(carry_out(live, draft.steps), draft.steps)
    assert in_effect(back) == in_effect(live)


def customised(objects: dict[str, Any]) -> None:
    def edit(found: dict[str, Any]) -> None:
        spec = found["spec"]["template"]["spec"]
        spec["tolerations"] = [{"key": "team", "operator": "Exists"}]
        spec["volumes"].append({"name": "certificates", "hostPath": {"path": "/etc/pki"}})
        for container in (*spec["containers"], *spec["initContainers"]):
            container["image"] = container["image"].replace("602401143452.dkr.ecr.us-west-2.amazonaws.com", "mirror.example/eks")
        node, agent = (next(c for c in spec["containers"] if c["name"] == n) for n in ("aws-node", "aws-eks-nodeagent"))
        node["resources"] = {"requests": {"cpu": "50m"}, "limits": {"memory": "512Mi"}}
        node["volumeMounts"].append({"name": "certificates", "mountPath": "/etc/pki"})
        env = {e["name"]: e for e in node["env"]}
        env["WARM_ENI_TARGET"]["value"] = "3"
        env["AWS_VPC_K8S_CNI_LOGLEVEL"]["value"] = "INFO"
        node["env"].append({"name": "WARM_IP_TARGET", "value": "5"})
        agent["args"] = [a.replace("cloudwatch-logs=false", "cloudwatch-logs=true") for a in agent["args"]]
        agent["args"] = [a.replace("enable-network-policy=false", "enable-network-policy=true") for a in agent["args"]]

    changed(objects, AWS_NODE, edit)
    settings = {"enable-windows-ipam": "true", "enable-network-policy-controller": "true"}
    changed(objects, "configmap/kube-system/amazon-vpc-cni", lambda o: o["data"].update(settings))
    extra = {"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}
    changed(objects, "clusterrole/aws-node", lambda o: o["rules"].append(extra))


@pytest.mark.parametrize(("old", "new"), SOME)
def test_what_people_set_stays(old: str, new: str) -> None:
    live = installed(manifest(old).values())
    customised(live)
    draft = plan_manifest(facts_of(live), Release.parse(old), hops_between(old, new))
    after = carry_out(live, draft.steps)
    wanted = installed(manifest(new).values())
    customised(wanted)
    assert in_effect(after) == in_effect(wanted)
    assert any("mirror.example is no registry of AWS" in w for w in draft.warnings)
    assert in_effect(undo(after, draft.steps)) == in_effect(live)
