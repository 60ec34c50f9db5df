"""The VPC CNI as it runs: the ``aws-node`` DaemonSet read by container name, its images, flags and switches.

Images are matched by the last part of their repository, because registries differ by region, partition and mirror. The agent's
release is read from its image alone: an add-on build can carry another agent than the release of its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from eksnetpol.facts.configuration import is_false, is_true
from eksnetpol.facts.declare import fact
from eksnetpol.model.eks import Addon
from eksnetpol.model.kubernetes import ConfigMap, Container, Workload
from eksnetpol.model.snapshot import SourceKind, Unread, Why
from eksnetpol.model.versions import ImageReference, Release

NAMESPACE = "kube-system"
DAEMONSET = "aws-node"
CNI_CONTAINER = "aws-node"
AGENT_CONTAINERS = ("aws-eks-nodeagent", "aws-network-policy-agent")
"""The container's name in every manifest, and the one AWS's documentation sometimes prints."""
CONFIGMAP = "amazon-vpc-cni"
CONTROLLER_KEY = "enable-network-policy-controller"
AGENT_FLAG = "enable-network-policy"
MODE_VARIABLE = "NETWORK_POLICY_ENFORCING_MODE"


@dataclass(frozen=True, slots=True)
class VpcCni:
    """The ``aws-node`` DaemonSet, taken apart. ``args`` are the agent's flags without dashes, ``env`` the CNI's variables."""

    workload: Workload
    cni: Container
    agent: Container | None
    env: Mapping[str, str]
    args: Mapping[str, str]

    def env_is(self, name: str, value: str, *, default: str = "") -> bool:
        """Say whether a variable of the CNI has *value*, read as the CNI does.

        Switches go through Go's ``strconv.ParseBool``, and what that cannot read counts as the default
        (aws/amazon-vpc-cni-k8s, utils/utils.go); words are compared without regard to case.
        """
        text = self.env.get(name, default)
        if value not in {"true", "false"}:
            return text.strip().lower() == value
        return is_true(text if is_true(text) or is_false(text) else default) is (value == "true")

    @property
    def mode(self) -> str | None:
        """The enforcing mode as it is written, None where the variable is absent."""
        return self.env.get(MODE_VARIABLE)

    @property
    def is_strict(self) -> bool:
        """True in strict mode, in which new pods start closed."""
        return (self.mode or "").lower() == "strict"

    @property
    def agent_is_on(self) -> bool:
        """True when the agent is told to enforce."""
        return is_true(self.args.get(AGENT_FLAG))


@fact
def vpc_cni(daemonsets: tuple[Workload, ...], source: SourceKind) -> VpcCni | Unread | None:
    """The ``aws-node`` DaemonSet, None where there is none (Auto Mode alone, or another CNI); files that lack it do not tell."""
    workload = next((d for d in daemonsets if (d.namespace, d.name) == (NAMESPACE, DAEMONSET)), None)
    if workload is None and source is SourceKind.MANIFESTS:
        return Unread("the files hold no DaemonSet kube-system/aws-node", Why.NOT_IN_FILES)
    if workload is None:
        return None
    cni = workload.container(CNI_CONTAINER)
    if cni is None:
        return None
    agent = workload.container(*AGENT_CONTAINERS)
    env = {e.name: e.value for e in cni.env if e.value is not None}
    return VpcCni(workload, cni, agent, env, {} if agent is None else flags_of(agent.args))


def flags_of(args: tuple[str, ...]) -> dict[str, str]:
    """Return command-line flags by name: ``--a=b``, ``--a b`` and a bare ``--a`` (which means true).

    A switch takes no second word: ``--enable-network-policy false`` is true to the agent's flag library (spf13/pflag).
    """
    flags: dict[str, str] = {}
    pending = ""
    for arg in args:
        if arg.startswith("-"):
            name, given, value = arg.lstrip("-").partition("=")
            flags[name] = value if given else "true"
            pending = "" if given or name.startswith("enable-") else name
        elif pending:
            flags[pending] = arg
            pending = ""
    return flags


@fact
def cni_release(vpc_cni: VpcCni | None) -> Release | Unread:
    """The release of the running CNI image."""
    if vpc_cni is None:
        return Unread("there is no aws-node DaemonSet", Why.ABSENT)
    return _release(vpc_cni.cni)


@fact
def agent_release(vpc_cni: VpcCni | None) -> Release | Unread:
    """The release of the running network policy agent's image."""
    if vpc_cni is None:
        return Unread("there is no aws-node DaemonSet", Why.ABSENT)
    if vpc_cni.agent is None:
        return Unread("aws-node has no network policy agent container", Why.ABSENT)
    return _release(vpc_cni.agent)


def _release(container: Container) -> Release | Unread:
    image = ImageReference.parse(container.image)
    if image.release is not None:
        return image.release
    if image.tag:
        return Unread(f"container {container.name}: the tag {image.tag!r} names no release", Why.UNREADABLE)
    return Unread(
        f"container {container.name}: the image {image.name} is pinned by digest, which does not tell its release",
        Why.UNREADABLE,
    )


class Switch(StrEnum):
    """A switch as its reader sees it. ``MALFORMED`` looks on to people and is off to the controller."""

    ON = "on"
    OFF = "off"
    MALFORMED = "malformed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Switches:
    """The two independent switches. Nothing is enforced on EC2 nodes unless both are on.

    ``controller_value`` is the text in the ConfigMap, None where key or ConfigMap are missing.
    """

    controller: Switch
    agent: Switch
    controller_value: str | None

    @property
    def both_on(self) -> bool:
        """True when policies are enforced."""
        return self.controller is Switch.ON and self.agent is Switch.ON

    @property
    def both_off(self) -> bool:
        """True when nothing acts on policies."""
        return self.controller is not Switch.ON and self.agent is not Switch.ON


@fact
def switches(vpc_cni: VpcCni | None, configmaps: tuple[ConfigMap, ...]) -> Switches:
    """The controller's switch in the ConfigMap ``kube-system/amazon-vpc-cni`` and the agent's in its flags.

    The controller compares with the literal text ``true``; ``True``, ``1`` or `` true`` are off
    (aws/amazon-network-policy-controller-k8s, pkg/utils/configmap).
    """
    key = (NAMESPACE, CONFIGMAP)
    found = next((c for c in configmaps if (c.metadata.namespace, c.metadata.name) == key), None)
    value = None if found is None else found.data.get(CONTROLLER_KEY)
    if value is None:
        controller = Switch.ABSENT
    elif value == "true":
        controller = Switch.ON
    else:
        controller = Switch.MALFORMED if value.strip().lower() in {"true", "1", "yes", "on"} else Switch.OFF
    agent = Switch.ABSENT
    if vpc_cni is not None and vpc_cni.agent is not None:
        agent = Switch.ON if vpc_cni.agent_is_on else Switch.OFF
    return Switches(controller, agent, value)


class Manager(StrEnum):
    """Who installs ``aws-node``: each way of enabling belongs to one of them, and they must not be mixed."""

    ADDON = "managed add-on"
    HELM = "Helm release"
    MANIFEST = "self-managed manifest"
    NONE = "nobody"


@dataclass(frozen=True, slots=True)
class Install:
    """Who installs the VPC CNI, and how that is known."""

    manager: Manager
    evidence: str


@fact
def install(addon: Addon | Unread | None, vpc_cni: VpcCni | None) -> Install:
    """The add-on where EKS knows one; else a Helm label; else field manager ``eks`` hints at an add-on; else a manifest."""
    if isinstance(addon, Addon):
        return Install(Manager.ADDON, f"EKS has the add-on vpc-cni {addon.addon_version}".rstrip())
    if vpc_cni is None:
        return Install(Manager.NONE, "there is no aws-node DaemonSet")
    meta = vpc_cni.workload.metadata
    release = meta.annotations.get("meta.helm.sh/release-name")
    if release or meta.labels.get("app.kubernetes.io/managed-by") == "Helm" or "helm.sh/chart" in meta.labels:
        return Install(Manager.HELM, f"aws-node belongs to the Helm release {release or 'named in its labels'}")
    if isinstance(addon, Unread) and any(f.manager == "eks" for f in meta.managed_fields):
        return Install(Manager.ADDON, "field manager eks owns aws-node; the add-on itself could not be asked")
    asked = f"EKS described no add-on ({addon.reason})" if isinstance(addon, Unread) else "EKS knows no add-on"
    return Install(Manager.MANIFEST, f"{asked}, and no Helm label is on aws-node")
