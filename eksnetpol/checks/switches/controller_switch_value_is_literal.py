"""The controller's switch is spelled as the controller reads it."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import ENFORCING, SWITCH
from eksnetpol.facts.changing import Changing, switch_controller
from eksnetpol.facts.vpc_cni import CONFIGMAP, CONTROLLER_KEY, NAMESPACE
from eksnetpol.model.findings import Evidence, Finding, Severity
from eksnetpol.model.kubernetes import ConfigMap

LOOKS_ON = {"true", "1", "yes", "on"}


@check(
    title="the controller's switch is the literal text true, or off",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=(
        CONFIGURE,
        "https://github.com/aws/amazon-network-policy-controller-k8s/blob/main/pkg/utils/configmap/configmap_manager.go",
    ),
    intents=ENFORCING,
)
def controller_switch_value_is_literal(
    configmaps: tuple[ConfigMap, ...], changing: Changing
) -> Iterator[Finding | Evidence]:
    """
    The controller compares its switch with the text true, letter by letter. True, 1, yes and a stray blank look switched on to
    people and are off to the controller, without any message.
    """
    found = next((c for c in configmaps if (c.metadata.namespace, c.metadata.name) == (NAMESPACE, CONFIGMAP)), None)
    value = None if found is None else found.data.get(CONTROLLER_KEY)
    if value is None:
        raise NotApplicable(f"{NAMESPACE}/{CONFIGMAP} has no {CONTROLLER_KEY}")
    yield Evidence(f"{CONTROLLER_KEY} is {value!r}")
    if value != "true" and value.strip().lower() in LOOKS_ON:
        yield Finding(
            subject=SWITCH,
            message=f"{CONTROLLER_KEY} is {value!r}, which the controller takes for off: only the literal text true is on",
            remedy="Write it as true, in small letters and without blanks, and quote it in YAML.",
            command=changing.enable(switch_controller("true")),
        )
