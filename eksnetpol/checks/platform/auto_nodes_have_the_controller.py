"""The controller is switched on where Auto Mode nodes count on it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import AUTO_MODE, NotApplicable, check
from eksnetpol.checks.words import listed
from eksnetpol.facts.changing import Changing, switch_controller
from eksnetpol.facts.platform import NodeKinds
from eksnetpol.facts.vpc_cni import CONFIGMAP, NAMESPACE, Switch, Switches
from eksnetpol.model.eks import Cluster
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Subject, Unknown
from eksnetpol.model.kubernetes import CustomObject
from eksnetpol.model.snapshot import Unread


@check(
    title="the controller is switched on for Auto Mode nodes",
    severity=Severity.WARNING,
    docs=AUTO_MODE,
    sources=(AUTO_MODE,),
    intents=frozenset({Intent.ENABLE, Intent.UPGRADE, Intent.MIGRATE}),
)
def auto_nodes_have_the_controller(
    switches: Switches,
    cluster: Cluster | Unread,
    node_kinds: NodeKinds | Unread,
    node_classes: tuple[CustomObject, ...] | Unread,
    changing: Changing,
) -> Iterator[Finding | Unknown | Evidence]:
    """
    Nodes of EKS Auto Mode have the agent built in, and no add-on to switch policies on with: the ConfigMap amazon-vpc-cni must be
    made by hand. Until it says "true" nothing resolves policies, whatever networkPolicy says in the NodeClass. The key is one for
    the whole cluster: it makes the controller act on the policies of EC2 nodes as well.
    """
    here = (isinstance(cluster, Cluster) and cluster.has_auto_mode) or (
        not isinstance(node_kinds, Unread) and bool(node_kinds.auto)
    )
    if not here:
        if isinstance(cluster, Unread) and isinstance(node_kinds, Unread):
            yield Unknown(Subject("ConfigMap", CONFIGMAP, NAMESPACE), f"whether Auto Mode is on: {cluster.reason}")
            return
        raise NotApplicable("this cluster has no Auto Mode")
    yield Evidence(f"controller {switches.controller}")
    if switches.controller is Switch.ON:
        return
    classes = () if isinstance(node_classes, Unread) else node_classes
    settings = [f"{c.metadata.name}: {c.spec['networkPolicy']}" for c in classes if c.spec.get("networkPolicy")]
    yield Finding(
        subject=Subject("ConfigMap", CONFIGMAP, NAMESPACE),
        message=f"the controller is {switches.controller}: no policy takes effect on Auto Mode nodes"
        + (f", although NodeClasses set networkPolicy ({listed(settings)})" if settings else ""),
        remedy="Write the key in the ConfigMap; where EC2 nodes have the add-on or the chart, let that write it.",
        command=changing.enable(switch_controller("true", absent=switches.controller is Switch.ABSENT)),
    )
