"""The enforcing mode is one that ipamd starts with."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.releases import Matrix
from eksnetpol.checks.declare import CONFIGURE, NotApplicable, check
from eksnetpol.checks.parts import AWS_NODE, installed
from eksnetpol.facts.changing import Changing
from eksnetpol.facts.configuration import variable
from eksnetpol.facts.vpc_cni import MODE_VARIABLE, VpcCni
from eksnetpol.model.findings import Evidence, Finding, Severity, Unknown
from eksnetpol.model.snapshot import Unread
from eksnetpol.model.versions import Release

MODES = {"none", "standard", "strict"}


@check(
    title="the enforcing mode is one that ipamd starts with",
    severity=Severity.BLOCKER,
    docs=CONFIGURE,
    sources=("https://github.com/aws/amazon-vpc-cni-k8s/blob/master/utils/utils.go", CONFIGURE),
)
def enforcing_mode_is_valid(
    vpc_cni: VpcCni | None, cni_release: Release | Unread, releases: Matrix, changing: Changing
) -> Iterator[Finding | Unknown | Evidence]:
    """
    The CNI's daemon ipamd knows the modes none, standard and strict, in any case. From v1.17.1 on it exits with any other text,
    blanks around the word included, and from v1.19.4 on with an empty one: the node becomes NotReady. Without the variable it
    starts.
    """
    found = variable(installed(vpc_cni).cni, MODE_VARIABLE)
    if found is None:
        raise NotApplicable(f"{MODE_VARIABLE} is not set")
    if found.value is None:
        yield Unknown(AWS_NODE, f"the value of {MODE_VARIABLE} is not to be seen in the DaemonSet")
        return
    yield Evidence(f"{MODE_VARIABLE} is {found.value!r}")
    if found.value.lower() in MODES:
        return
    feature = "strict-mode" if found.value else "mode-may-be-absent"
    since = releases.feature[feature].cni or releases.minimum.cni
    if isinstance(cni_release, Unread):
        yield Unknown(AWS_NODE, f"{MODE_VARIABLE} is {found.value!r}, which stops ipamd from {since} on: {cni_release.reason}")
    elif cni_release.base >= since:
        yield Finding(
            subject=AWS_NODE,
            message=f"{MODE_VARIABLE} is {found.value!r}: ipamd {cni_release} exits, it knows none, standard and strict",
            remedy=f"Set it to standard, {changing.place}.",
            command=changing.set(f"env.{MODE_VARIABLE}", "standard"),
        )
