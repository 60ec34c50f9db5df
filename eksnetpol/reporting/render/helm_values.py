"""Values for the Helm chart ``aws-vpc-cni``, texts as texts: the chart tests the text ``false``, and prints ports with ``%s``.

One value, ``enableNetworkPolicy``, drives both switches (aws/eks-charts, stable/aws-vpc-cni).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from eksnetpol.facts.configuration import replaced
from eksnetpol.model.actions import Apply
from eksnetpol.model.plan import Verb
from eksnetpol.reporting.render.cloudformation import dumped
from eksnetpol.reporting.render.order import HelmRelease, Order, around, comment, first_wave, head, versions_on_the_way

FILE = "network-policy.yaml"
CHART = "eks/aws-vpc-cni"
REPOSITORY = "https://aws.github.io/eks-charts"
_SWITCH = {Verb.ENABLE: "true", Verb.DISABLE: "false"}


def write(order: Order) -> str:
    """Return the values that change; what the release has besides is kept by the command in the comment."""
    # The chart brings what is applied; definitions it does not touch once they are there, and newer ones bring none.
    written = [s for s in order.plan.steps if isinstance(s.action, Apply)]
    near = first_wave(order.plan)
    text = comment([*head(order, _where(order)), *around(order, written, near, afterwards=False)])
    values = document(order)
    return text + (dumped(values) if values else "{}\n")


def document(order: Order) -> dict[str, Any]:
    """Return the values as plain values."""
    values: dict[str, Any] = {}
    word = _SWITCH.get(order.plan.verb)
    if word is not None:
        values["enableNetworkPolicy"] = word
    if order.plan.verb is Verb.ENABLE:
        if order.needs_agent:
            # One of the few values that are no text: the chart asks whether it is true.
            values = replaced(values, "nodeAgent.enabled", value=True)
        if order.family == "ipv6":
            values = replaced(values, "nodeAgent.enableIpv6", "true")
    for path, setting in order.values.items():
        values = replaced(values, path, setting)
    return values


def _where(order: Order) -> Iterator[str]:
    release = order.helm or HelmRelease("aws-vpc-cni", "kube-system")
    upgrades = order.plan.verb is Verb.UPGRADE
    way = versions_on_the_way(order.plan) or ((order.plan.release,) if order.plan.release else ())
    version, *then = way if upgrades and way else (release.version,)
    # Without a version Helm would take the newest chart, which is more of a change than was asked for.
    pinned = f" --version {shlex.quote(version.removeprefix('v').partition('-')[0])}" if version else ""
    # With the values of the release alone, a newer chart would miss the defaults it brings itself.
    keep = "--reset-then-reuse-values" if upgrades else "--reuse-values"
    where = f"{shlex.quote(release.name)} {CHART} -n {shlex.quote(release.namespace)}"
    yield f"Helm: merge it into the values your release {release.name} is installed with, or lay it over them:"
    yield f"    helm repo add eks {REPOSITORY} && helm repo update eks"
    yield f"    helm upgrade {where}{pinned} {keep} -f {FILE}"
    if then:
        yield f"It is the first of {len(then) + 1} upgrades, one minor version at a time: then {', '.join(then)}."
    yield "Where Argo CD or Flux install the release, the values belong in what they read, and the command is theirs."
