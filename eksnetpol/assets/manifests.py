"""The objects of every release of the VPC CNI since v1.14.0, made from `templates/` and from the history of its manifest.

With nothing set they equal the release's upstream manifest, object by object, but for the descriptions in the schemas of
CustomResourceDefinitions, which the API server does not act on.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec

from eksnetpol.assets.addon_settings import Settings
from eksnetpol.assets.history import FIRST, Definition, Mount, Rule, Variable, agent_of, history, known_releases
from eksnetpol.assets.rendering import rendered
from eksnetpol.errors import UsageError
from eksnetpol.model.kinds import Json
from eksnetpol.model.versions import Release

__all__ = [
    "AGENT", "CNI", "INIT", "Install", "agent_container", "agent_of", "agent_rules", "agent_volumes", "definition",
    "needed_definitions", "vpc_cni_objects",
]  # fmt: skip

AGENT, CNI, INIT = "aws-eks-nodeagent", "aws-node", "aws-vpc-cni-init"
"""The containers of ``aws-node``."""

_CPU: Json = {"requests": {"cpu": "25m"}}
_PROBE_SECONDS = 10
_TOLERATIONS = ({"operator": "Exists"},)


class Install(msgspec.Struct, frozen=True, kw_only=True):
    """One way the VPC CNI can be installed.

    ``agent`` None is the agent that upstream pairs with ``release``. ``images`` are whole references by container name; what is
    not among them is taken from ``registry``, and without that from the registry of the upstream manifest. ``values`` are
    settings by their path in the add-on's configuration, dotted or nested: ``{"env.WARM_IP_TARGET": "5"}``; they decide over
    ``network_policy`` and ``family``. ``role`` is the ARN of the service account's IAM role.
    """

    release: Release
    agent: Release | None = None
    images: Mapping[str, str] = msgspec.field(default_factory=dict)
    registry: str = ""
    family: Literal["ipv4", "ipv6"] = "ipv4"
    network_policy: bool = False
    values: Mapping[str, Any] = msgspec.field(default_factory=dict)
    role: str = ""

    @property
    def agent_release(self) -> Release:
        """The agent it runs."""
        return self.agent or agent_of(self.release)

    @property
    def settings(self) -> Settings:
        """All that is set, each by its path."""
        switch = {"enableNetworkPolicy": "true" if self.network_policy else "false"}
        return Settings({**switch, **self.values})

    def image(self, container: str) -> str:
        """Return the image of a container."""
        if container in self.images:
            return self.images[container]
        registry = self.registry or history().registry.host()
        return f"{registry}/{history().repository[container]}:{self.agent_release if container == AGENT else self.release}"


def vpc_cni_objects(install: Install) -> tuple[Json, ...]:
    """Return all objects of *install* in the order in which they are applied, definitions first.

    Raises `UsageError` for a release whose manifest is not known, and for a setting that the VPC CNI does not have.
    """
    check(install)
    return objects(install)


def check(install: Install) -> None:
    """Raise `UsageError` where *install* cannot be made exactly: its release is unknown, or a setting means nothing."""
    if install.release.base < FIRST:
        raise UsageError(f"VPC CNI {install.release} has no network policy; {FIRST} is the first release that has")
    if install.release.base not in known_releases():
        newest = known_releases()[-1]
        raise UsageError(f"VPC CNI {install.release}: no such release is known here; the newest is {newest}")
    if unknown := install.settings.unknown():
        raise UsageError(f"the VPC CNI has no setting {', '.join(unknown)}")


def objects(install: Install) -> tuple[Json, ...]:
    """Return the objects of *install* as far as they can be told: by the last known release before an unknown one."""
    version = next((e.version for e in history().label if e.release == install.release.base), str(install.release.base))
    settings = install.settings
    data = {s.name: settings.text(s.key, s.value) for s in history().setting if s.holds(install.release)}
    return (
        *(_definition(d, shipped=True) for d in history().definition if d.shipped and d.holds(install.release)),
        rendered("vpc-cni/service-account.yaml.j2", version=version, role=install.role),
        rendered("vpc-cni/configmap.yaml.j2", version=version, settings=data),
        rendered("vpc-cni/cluster-role.yaml.j2", version=version, rules=_rules(install)),
        rendered("vpc-cni/cluster-role-binding.yaml.j2", version=version),
        rendered(
            "vpc-cni/daemonset.yaml.j2",
            version=version,
            init_container=_init_container(install),
            cni_container=_cni_container(install),
            agent_container=agent_container(install),
            volumes=_volumes(install, {v.name for v in history().volume}),
            tolerations=_TOLERATIONS if settings.get("tolerations") is None else settings.get("tolerations"),
            affinity=settings.get("affinity"),
            avoided=[a.compute_type for a in history().avoided if a.holds(install.release)],
        ),
    )


# --- what the agent needs -----------------------------------------------------------------------------------------------


def agent_container(install: Install) -> Json:
    """Return the container of the network policy agent, whole.

    A flag is given where the release's manifest gives it or a setting asks for it, and only if the agent knows it: an agent
    ends at once when it is given one that it does not know.
    """
    settings, agent = install.settings, install.agent_release.base
    port = settings.number("nodeAgent.metricsBindAddr", 8162)
    return rendered(
        "vpc-cni/agent-container.yaml.j2",
        container=_container(install, AGENT),
        port=port if history().agent_port.since <= install.release.base else 0,
        args=[
            flag.given(settings.text(flag.key, flag.ipv6 if flag.ipv6 and install.family == "ipv6" else flag.value))
            for flag in history().flag
            if flag.agent <= agent and (flag.since <= install.release.base or settings.get(flag.key) is not None)
        ],
    )


def agent_volumes(install: Install) -> tuple[Json, ...]:
    """Return the volumes that the agent's container mounts."""
    return _volumes(install, {mount.volume for mount in _mounts(AGENT)})


def agent_rules(agent: Release) -> tuple[Json, ...]:
    """Return the rules of ClusterRole ``aws-node`` that *agent* needs."""
    return tuple(_as_rule(rule) for rule in history().rule if rule.suits(agent))


def needed_definitions(agent: Release) -> tuple[Json, ...]:
    """Return the CustomResourceDefinitions without which *agent* cannot enforce, each in its newest text.

    The controller in the control plane writes the newest fields whatever the agent is, and an older agent leaves out what it does
    not know, so an older text would only lose something.
    """
    return tuple(_definition(d) for d in history().definition if d.agent is not None and d.agent <= agent.base)


def definition(name: str) -> Json:
    """Return the newest text of a CustomResourceDefinition; raise `UsageError` for one that is not known here."""
    for known in reversed(history().definition):
        if known.name == name and known.edition == "current":
            return _definition(known)
    names = ", ".join(sorted({d.name for d in history().definition}))
    raise UsageError(f"the definition {name} is not known here; those that are: {names}")


def _definition(wanted: Definition, *, shipped: bool = False) -> Json:
    """Return a definition as the controller makes it; *shipped*, as the CNI's manifest does: of an older tool, and labelled."""
    return msgspec.json.decode(_definition_text(wanted.name, wanted.edition, shipped=shipped), type=dict)


@lru_cache
def _definition_text(name: str, edition: str, *, shipped: bool) -> bytes:
    plural = name.partition(".")[0]
    generator = "v0.11.3" if shipped else "v0.17.0"
    return msgspec.json.encode(rendered(f"crds/{plural}.yaml.j2", edition=edition, generator=generator, labelled=shipped))


# --- the parts --------------------------------------------------------------------------------------------------------


def _init_container(install: Install) -> Json:
    return rendered(
        "vpc-cni/init-container.yaml.j2",
        container=_container(install, INIT),
        variables=_variables(install, history().init_variable, "init.env"),
    )


def _cni_container(install: Install) -> Json:
    settings = install.settings
    return rendered(
        "vpc-cni/cni-container.yaml.j2",
        container=_container(install, CNI),
        variables=_variables(install, history().variable, "env"),
        ipamd=next(i.address for i in history().ipamd if i.holds(install.release)),
        liveness_timeout=settings.number("livenessProbeTimeoutSeconds", _PROBE_SECONDS),
        readiness_timeout=settings.number("readinessProbeTimeoutSeconds", _PROBE_SECONDS),
    )


def _container(install: Install, name: str) -> Json:
    """Return what `container.yaml.j2` is told of a container."""
    pull = (p.policy for p in history().pull if p.container == name and p.holds(install.release))
    return {
        "name": name,
        "image": install.image(name),
        "pull_policy": next(pull, ""),
        "resources": _resources(install.settings, name),
        "mounts": _mounts(name),
    }


def _resources(settings: Settings, container: str) -> Json:
    """Return the resources of a container: its own settings, else those of the whole, else the manifest's."""
    own = {INIT: "init.resources", AGENT: "nodeAgent.resources"}.get(container, "resources")
    for place in (own, "resources"):
        found: Json = {}
        for path, value in settings.below(place).items():
            kind, _, resource = path.partition(".")
            found.setdefault(kind, {})[resource] = value
        if found:
            return found
    return _CPU


def _variables(install: Install, known: tuple[Variable, ...], place: str) -> list[tuple[str, str]]:
    """Return the variables of a container in the order of their names, as the manifest has them: its own and those set."""
    ipv6 = install.family == "ipv6"
    values = {v.name: v.at(install.release, ipv6=ipv6) for v in known if v.holds(install.release)}
    given = {name: install.settings.text(f"{place}.{name}", "") for name in install.settings.below(place)}
    return sorted({**values, **given}.items())


def _mounts(container: str) -> tuple[Mount, ...]:
    return tuple(mount for mount in history().mount if mount.container == container)


def _volumes(install: Install, names: set[str]) -> tuple[Json, ...]:
    return tuple(
        rendered("vpc-cni/volume.yaml.j2", name=volume.name, path=volume.path, type=volume.type)
        for volume in history().volume
        if volume.name in names and volume.holds(install.release)
    )


def _rules(install: Install) -> list[Json]:
    annotates = any(name == "ANNOTATE_POD_IP" for name, _ in _variables(install, history().variable, "env"))
    return [
        _as_rule(rule)
        for rule in history().rule
        if rule.holds(install.release)
        and rule.annotates in {None, annotates}
        and (rule.agent is None or rule.suits(install.agent_release))
    ]


def _as_rule(rule: Rule) -> Json:
    if rule.urls:
        return {"nonResourceURLs": list(rule.urls), "verbs": list(rule.verbs)}
    return {"apiGroups": list(rule.groups), "resources": list(rule.resources), "verbs": list(rule.verbs)}
