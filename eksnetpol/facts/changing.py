"""How to change a setting of the VPC CNI here: each way of installing it has its own command, and they must not be mixed.

A managed add-on is changed through EKS, which replaces its whole configuration (so commands carry the merged document); a Helm
release through Helm, with text values; anything else with kubectl. See
https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html and docs.aws.amazon.com/eks
"UpdateAddon" for resolve-conflicts.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eksnetpol.assets.releases import Matrix
from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS, replaced
from eksnetpol.facts.declare import fact
from eksnetpol.facts.vpc_cni import (
    CNI_CONTAINER,
    CONFIGMAP,
    CONTROLLER_KEY,
    DAEMONSET,
    NAMESPACE,
    Install,
    Manager,
    VpcCni,
)
from eksnetpol.model.eks import Addon, AddonRelease
from eksnetpol.model.kubernetes import Container, Workload
from eksnetpol.model.snapshot import Target, Unread
from eksnetpol.model.versions import ImageReference, KubernetesVersion, Release

ADDON = "vpc-cni"
EDIT = f"kubectl edit daemonset {DAEMONSET} -n {NAMESPACE}"
UNMERGED = "Look at the differences before you apply the manifest: it brings its own settings, the switches off among them."
MANIFEST_URL = "https://raw.githubusercontent.com/aws/amazon-vpc-cni-k8s/{}/config/master/aws-k8s-cni.yaml"


@dataclass(frozen=True, slots=True)
class Changing:
    """How things are changed in this cluster. ``values`` are the add-on's, unread where they could not be read.

    ``offered`` are the versions EKS has of it for this Kubernetes version, ``version`` is the installed one, ``shipped``
    are upstream's releases. Releases never to run are in neither.
    """

    manager: Manager | None
    target: Target
    cni: VpcCni | None
    values: Mapping[str, Any] | Unread | None
    offered: tuple[Release, ...]
    version: str = ""
    shipped: tuple[Release, ...] = ()

    def caution(self, least: Release) -> str:
        """Return what to mind on the way to CNI *least*, as sentences to append; nothing where there is nothing."""
        step = self._step(least)
        on_the_way = step is not None and step.base < least.base
        said = f" The command goes to {step}, the next step on the way." if on_the_way else ""
        if self.manager in {Manager.ADDON, Manager.HELM}:
            return said
        return f"{said} {UNMERGED}"

    @property
    def place(self) -> str:
        """Where settings are kept, for a sentence: *in the add-on's configuration values*."""
        match self.manager:
            case Manager.ADDON:
                return "in the configuration values of the add-on vpc-cni"
            case Manager.HELM:
                return "in the values of the Helm release of aws-vpc-cni"
            case _:
                return "in the DaemonSet kube-system/aws-node"

    def aws(self, operation: str, *words: str) -> str:
        """Return an ``aws eks`` command about this cluster; ``$CLUSTER`` stands for a name that is not known."""
        return self._aws(operation, "--cluster-name", words)

    def aws_cluster(self, operation: str, *words: str) -> str:
        """Return an ``aws eks`` command that changes the cluster itself, which these call ``--name``."""
        return self._aws(operation, "--name", words)

    def _aws(self, operation: str, option: str, words: tuple[str, ...]) -> str:
        name = shlex.quote(self.target.cluster) if self.target.cluster else '"$CLUSTER"'
        more = "".join(f" {w if w.startswith('--') else shlex.quote(w)}" for w in words)
        return f"aws eks {operation}{self.region} {option} {name}{more}"

    @property
    def region(self) -> str:
        """The option that names the cluster's region to the AWS CLI, with a blank before it; empty where it is not known."""
        return f" --region {shlex.quote(self.target.region)}" if self.target.region else ""

    def update(self, *words: str, resolve: str = "PRESERVE") -> str:
        """Return the command that updates the add-on. EKS documents no default for conflicts, so it is always said."""
        return self.aws("update-addon", "--addon-name", ADDON, *words, "--resolve-conflicts", resolve)

    def write(self, values: Mapping[str, Any], *, resolve: str = "PRESERVE") -> str:
        """Return the command that gives the add-on *values* as its whole configuration."""
        return self.update("--configuration-values", _json(values), resolve=resolve)

    def set(self, path: str, value: str | None, *, resolve: str = "PRESERVE") -> str:
        """Return the command that sets the key *path* (``env.X``, ``nodeAgent.x``) to *value*, or removes it for None."""
        match self.manager:
            case Manager.ADDON if isinstance(self.values, Mapping):
                return self.write(replaced(self.values, path, value), resolve=resolve)
            case Manager.ADDON:
                return self.read()
            case Manager.HELM:
                return self._helm(f"--set {path}=null" if value is None else f"--set-string {shlex.quote(_helm(path, value))}")
            case Manager.MANIFEST:
                return self._kubectl(path, value)
            case _:
                return f"kubectl get daemonset {DAEMONSET} -n {NAMESPACE} -o yaml"

    def set_raw(self, path: str, value: str) -> str:
        """Return the Helm command for one of the few values that are no text: a chart tests the text false as true."""
        return self._helm(f"--set {path}={value}")

    def set_family(self, family: str) -> str:
        """Return the command that tells CNI and agent they are of *family*, both variables at once: with one, no ipamd starts."""
        six = str(family == "ipv6").lower()
        four = str(family != "ipv6").lower()
        match self.manager:
            case Manager.ADDON:
                # The add-on has no key for the family: EKS sets it, so what differs was changed by hand and is put back.
                return self.restore()
            case Manager.HELM:
                sixes = dict.fromkeys(("env.ENABLE_IPv6", "init.env.ENABLE_IPv6", "nodeAgent.enableIpv6"), six)
                values = {"env.ENABLE_IPv4": four, **sixes}
                return self._helm(" ".join(f"--set-string {path}={value}" for path, value in values.items()))
            case _:
                return EDIT

    def upgrade(self, least: Release) -> str:
        """Return the command for the next step towards CNI *least*; one minor version at a time, as AWS advises."""
        if self.manager is Manager.ADDON:
            return self._upgrade_addon(least)
        step = self._step(least)
        if self.manager is Manager.HELM:
            found = self._helm("--reset-then-reuse-values", version=str(step).removeprefix("v"))
            return found if step else "helm search repo eks/aws-vpc-cni --versions"
        found = f"kubectl diff -f {MANIFEST_URL.format(step)}"
        return found if step else "git ls-remote --tags https://github.com/aws/amazon-vpc-cni-k8s"

    def to_chart(self, release: Release) -> str:
        """Return the command that moves the Helm release to the chart of CNI *release*, with the values it was given."""
        return self._helm("--reset-then-reuse-values", version=str(release.base).removeprefix("v"))

    def _upgrade_addon(self, least: Release) -> str:
        if isinstance(self.values, Unread):
            return self.read()
        step = self._step(least)
        if step is not None:
            return self.update("--addon-version", str(step), *self._kept())
        return f"aws eks describe-addon-versions --addon-name {ADDON} --output table{self.region}"

    def enable(self, otherwise: str) -> str:
        """Return the command that sets both switches through their owner; *otherwise* is for an install that has none.

        Where the add-on was told so already, somebody changed the live value by hand, and only OVERWRITE changes it back.
        """
        if self.manager not in {Manager.ADDON, Manager.HELM}:
            return otherwise
        told = isinstance(self.values, Mapping) and self.values.get("enableNetworkPolicy") == "true"
        return self.set("enableNetworkPolicy", "true", resolve="OVERWRITE" if told else "PRESERVE")

    def restore(self) -> str:
        """Return the command that brings images and arguments back to those of the running CNI release."""
        match self.manager:
            case Manager.ADDON if isinstance(self.values, Unread):
                return self.read()
            case Manager.ADDON:
                return self.update(*self._kept(), resolve="OVERWRITE")
            case Manager.HELM:
                return self._helm("--set nodeAgent.image.tag=null --set nodeAgent.image.override=null")
            case _:
                running = None if self.cni is None else _release(self.cni)
                return EDIT if running is None else f"kubectl diff -f {MANIFEST_URL.format(running.base)}"

    def read(self) -> str:
        """Return the command that reads the add-on's configuration: without it, any other would throw it away."""
        return self.aws("describe-addon", "--addon-name", ADDON, "--query", "addon.configurationValues", "--output", "text")

    def aws_schema(self) -> str:
        """Return the command that prints the schema of the running add-on version."""
        version = shlex.quote(self.version) if self.version else '"$VERSION"'
        return f"aws eks describe-addon-configuration{self.region} --addon-name {ADDON} --addon-version {version}"

    def _kept(self) -> tuple[str, ...]:
        # What EKS does with the configuration when an update names none is not documented, so it is sent along.
        return ("--configuration-values", _json(self.values)) if isinstance(self.values, Mapping) and self.values else ()

    def _step(self, least: Release) -> Release | None:
        """Return the next release on the way to *least*, never one behind what runs; None where there is no way."""
        available = self.offered if self.manager is Manager.ADDON else self.shipped
        enough = [r for r in available if r.base >= least.base]
        current = self._running()
        if current is None:
            # An add-on is taken one minor version at a time, so its next step cannot be told from its last.
            return None if self.manager is Manager.ADDON else _newest_of_first_minor(enough)
        if not any(r > current for r in enough):
            return None
        here = [r for r in enough if r > current and _minor(r) == _minor(current)]
        return max(here) if here else _newest_of_first_minor(r for r in available if _minor(r) > _minor(current))

    def _running(self) -> Release | None:
        """Return the running release: that of the image, else the one EKS says it installed."""
        seen = None if self.cni is None else _release(self.cni)
        return seen or Release.try_parse(self.version)

    def _helm(self, change: str, *, version: str = "") -> str:
        meta = None if self.cni is None else self.cni.workload.metadata
        annotations = {} if meta is None else meta.annotations
        release = annotations.get("meta.helm.sh/release-name", "aws-vpc-cni")
        namespace = annotations.get("meta.helm.sh/release-namespace", NAMESPACE)
        running = None if self.cni is None else _release(self.cni)
        version = version or ("" if running is None else str(running.base).removeprefix("v"))
        # Without a version Helm would take the newest chart, which is more of a change than was asked for.
        pinned = f" --version {version}" if version else ""
        keep = "" if "reuse-values" in change else " --reuse-values"
        return f"helm upgrade {shlex.quote(release)} eks/aws-vpc-cni -n {shlex.quote(namespace)}{pinned}{keep} {change}"

    def _kubectl(self, path: str, value: str | None) -> str:
        if path.startswith("env."):
            name = path.removeprefix("env.")
            said = f"{name}-" if value is None else shlex.quote(f"{name}={value}")
            return f"kubectl set env daemonset/{DAEMONSET} -n {NAMESPACE} -c {CNI_CONTAINER} {said}"
        flag = AGENT_FLAGS.get(path)
        if flag is None or value is None or self.cni is None or self.cni.agent is None:
            return EDIT
        return _patch(self.cni.workload, self.cni.agent, flag, f":{value}" if flag in ADDRESS_FLAGS else value)


def _patch(workload: Workload, agent: Container, flag: str, value: str) -> str:
    where = f"/spec/template/spec/containers/{workload.containers.index(agent)}"
    index = next((i for i, arg in enumerate(agent.args) if arg.lstrip("-").startswith(f"{flag}=")), None)
    if index is None and any(arg.lstrip("-") == flag for arg in agent.args):
        return EDIT
    arg = f"--{flag}={value}"
    # Positions differ between installs and can change under us: the patch fails rather than hit another argument.
    patch: list[dict[str, Any]] = [{"op": "test", "path": f"{where}/name", "value": agent.name}]
    if index is not None:
        patch.append({"op": "test", "path": f"{where}/args/{index}", "value": agent.args[index]})
        patch.append({"op": "replace", "path": f"{where}/args/{index}", "value": arg})
    elif agent.args:
        patch.append({"op": "add", "path": f"{where}/args/-", "value": arg})
    else:
        patch.append({"op": "add", "path": f"{where}/args", "value": [arg]})
    text = shlex.quote(json.dumps(patch, separators=(",", ":")))
    return f"kubectl patch daemonset {DAEMONSET} -n {NAMESPACE} --type json -p {text}"


def switch_controller(value: str, *, absent: bool = False) -> str:
    """Return the command that writes the controller's switch and no other key: a ConfigMap holds settings of others too.

    Where the key is *absent* the ConfigMap may be too, and there is nothing to patch.
    """
    patch = shlex.quote(json.dumps({"data": {CONTROLLER_KEY: value}}, separators=(",", ":")))
    command = f"kubectl patch configmap {CONFIGMAP} -n {NAMESPACE} --type merge -p {patch}"
    if not absent:
        return command
    # Not `kubectl apply --server-side`: on an object made by plain apply it takes every other key away.
    return f"{command} || kubectl create configmap {CONFIGMAP} -n {NAMESPACE} --from-literal={CONTROLLER_KEY}={value}"


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"), default=str)


def _helm(path: str, value: str) -> str:
    # Helm's --set syntax splits at commas and reads braces as lists.
    escaped = value.replace("\\", "\\\\").replace(",", "\\,")
    return f"{path}={escaped if not escaped.startswith('{') else chr(92) + escaped}"


def _minor(release: Release) -> tuple[int, int]:
    return release.major, release.minor


def _newest_of_first_minor(releases: Iterable[Release]) -> Release | None:
    known = tuple(releases)
    return max((r for r in known if _minor(r) == min(map(_minor, known))), default=None)


def _release(cni: VpcCni) -> Release | None:
    return ImageReference.parse(cni.cni.image).release


@fact
def changing(
    install: Install | Unread,
    addon: Addon | Unread | None,
    addon_values: Mapping[str, Any] | Unread | None,
    vpc_cni: VpcCni | Unread | None,
    addon_releases: tuple[AddonRelease, ...] | Unread,
    kubernetes_version: KubernetesVersion | Unread,
    releases: Matrix,
    target: Target,
) -> Changing:
    """How settings and versions of the VPC CNI are changed in this cluster; whatever could not be read is left out."""
    known = None if isinstance(install, Unread) else install.manager
    manager = Manager.ADDON if isinstance(addon, Addon) else known
    cni = None if isinstance(vpc_cni, Unread) else vpc_cni
    offered: tuple[Release, ...] = ()
    if not isinstance(addon_releases, Unread) and not isinstance(kubernetes_version, Unread):
        offered = offered_for(addon_releases, kubernetes_version, releases)
    version = addon.addon_version if isinstance(addon, Addon) else ""
    shipped = tuple(m.cni for m in releases.manifest if not _is_bad(m.cni, releases))
    return Changing(manager, target, cni, addon_values, offered, version, shipped)


def offered_for(
    addon_releases: tuple[AddonRelease, ...], kubernetes_version: KubernetesVersion, releases: Matrix
) -> tuple[Release, ...]:
    """Return the add-on versions EKS offers for a Kubernetes version, but those never to run, the oldest first."""
    found = []
    for entry in addon_releases:
        release = Release.try_parse(entry.addon_version)
        suits = any(c.cluster_version == str(kubernetes_version) for c in entry.compatibilities)
        if release is not None and suits and not _is_bad(release, releases):
            found.append(release)
    return tuple(sorted(found))


def _is_bad(release: Release, releases: Matrix) -> bool:
    # A build may carry a newer agent than upstream's manifest; one that might be bad is still never suggested.
    agents = [m.agent for m in releases.manifest if m.cni == release.base]
    return any(
        bad.severity != "advice" and any(bad.holds(r) for r in ([release] if bad.of == "cni" else agents))
        for bad in releases.bad
    )
