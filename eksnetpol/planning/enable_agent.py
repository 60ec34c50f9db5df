"""The agent in the ``aws-node`` DaemonSet, where nobody but people manage it: there, given its mode, and told to enforce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eksnetpol.assets.images import image_beside
from eksnetpol.assets.manifests import AGENT, Install, agent_container, agent_volumes
from eksnetpol.errors import UsageError
from eksnetpol.facts.configuration import ADDRESS_FLAGS, AGENT_FLAGS
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import AGENT_FLAG, CNI_CONTAINER, MODE_VARIABLE, VpcCni, flags_of
from eksnetpol.fields.conflicts import conflicts
from eksnetpol.fields.owners import MANAGER
from eksnetpol.model.actions import Apply, Taking
from eksnetpol.model.conditions import Holds
from eksnetpol.model.kinds import Json
from eksnetpol.model.plan import FieldChange, Step, Undo
from eksnetpol.model.versions import Release
from eksnetpol.planning import live, looks, places
from eksnetpol.planning.draft import Draft
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.patching import flipped, is_same, spelled
from eksnetpol.planning.reading import known, need
from eksnetpol.planning.rollout import rollout

_POD = ".spec.template.spec"


def has_usable_mode(cni: VpcCni) -> bool:
    """Say whether the CNI has a mode that the agent takes. A variable whose value comes from elsewhere is taken for good."""
    variable = next((e for e in cni.cni.env if e.name == MODE_VARIABLE), None)
    if variable is None:
        return False
    return variable.value is None or variable.value.strip().lower() in {"standard", "strict"}


def agent_to_add(release: Release) -> Release:
    """Return the agent that upstream pairs with a release of the CNI."""
    return Install(release=release.base).agent_release


def agent_image(cni: VpcCni, release: Release) -> str | None:
    """Return the agent's image beside the CNI's own, in the same registry; None where it cannot be told."""
    return image_beside(cni.cni.image, AGENT, agent_to_add(release))


def taken(there: Json | None, wanted: Json) -> tuple[Taking, ...]:
    """Return the fields of *wanted* that others own in *there* with another value, each with each of its managers."""
    return tuple(Taking(c.path, manager) for c in conflicts(there, wanted, MANAGER) for manager in c.managers)


def agent_switch(facts: Lookup, cni: VpcCni, agent: Release, wanted: EnableOptions) -> Draft:
    """Return how the DaemonSet is brought to run *agent* and to let it enforce.

    Raises `UsageError` for a setting that the DaemonSet has no place for.
    """
    pod = _pod(facts, cni, agent, wanted)
    if not pod.wanted:
        return Draft(warnings=(*_unfinished(cni), *_mode_warnings(cni)))
    rolls = rollout(facts)
    after, former, drops = places.aws_node(pod.wanted), places.aws_node(pod.former), tuple(pod.drops)
    if cni.agent is None:
        title, back = f"Add the network policy agent {agent} and let it enforce", f"Take the agent out of {places.AWS_NODE} again"
    else:
        title = "Give the network policy agent what it needs" if cni.agent_is_on else "Let the network policy agent enforce"
        back = f"Give {places.AWS_NODE} its former settings back"
    step = Step(
        id="agent",
        title=title,
        action=Apply(after, taken(live.daemonset(cni), after), keeps=True),
        until=Holds(after),
        undo=Undo(back, Apply(former, keeps=True, drops=drops), Holds(former, without=drops)),
        disrupts=looks.disruption(rolls),
    )
    return Draft((step, looks.rolled_out(rolls)), changes=tuple(_changes(cni, pod.wanted)), warnings=tuple(_mode_warnings(cni)))


# --- what becomes of the pod ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Pod:
    """Parts of the pod's spec: ``wanted`` is applied, ``former`` has the live values of what is there, ``drops`` is not there."""

    wanted: Json = field(default_factory=dict)
    former: Json = field(default_factory=dict)
    drops: list[str] = field(default_factory=list)

    def put(self, container: Json, former: Json | None = None) -> None:
        """Add a part of a container, and its former values where it has any."""
        self.wanted.setdefault("containers", []).append(container)
        if former is not None:
            self.former.setdefault("containers", []).append(former)


def _pod(facts: Lookup, cni: VpcCni, agent: Release, wanted: EnableOptions) -> _Pod:
    flags, variables = _placed(wanted.values)
    if agent.base >= places.NEEDS_MODE and not has_usable_mode(cni):
        variables.setdefault(MODE_VARIABLE, "standard")
    pod = _Pod()
    _set_variables(pod, cni, variables)
    if cni.agent is None:
        _add_agent(pod, facts, cni, wanted.values)
    else:
        _set_flags(pod, cni.agent.name, cni.agent.args, flags)
    return pod


def _placed(values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the agent's flags and the CNI's variables that settings by their path mean; raise `UsageError` for any other."""
    flags, variables = {AGENT_FLAG: "true"}, {}
    for path, value in values.items():
        flag = AGENT_FLAGS.get(path)
        if path.startswith("env."):
            variables[path.removeprefix("env.")] = value
        elif flag is not None:
            flags[flag] = f":{value.removeprefix(':')}" if flag in ADDRESS_FLAGS else value
        else:
            paths = ", ".join(sorted(AGENT_FLAGS))
            raise UsageError(f"{path} is no setting of the DaemonSet aws-node: name env.VARIABLE or one of {paths}")
    return flags, variables


def _set_variables(pod: _Pod, cni: VpcCni, variables: Mapping[str, str]) -> None:
    changed = {name: value for name, value in variables.items() if cni.env.get(name) != value}
    if not changed:
        return
    before = [{"name": name, "value": cni.env[name]} for name in changed if name in cni.env]
    pod.drops += [places.variable_path(name).removesuffix(".value") for name in changed if name not in cni.env]
    env = [{"name": name, "value": value} for name, value in changed.items()]
    pod.put({"name": CNI_CONTAINER, "env": env}, {"name": CNI_CONTAINER, "env": before} if before else None)


def _set_flags(pod: _Pod, container: str, args: tuple[str, ...], flags: Mapping[str, str]) -> None:
    found = list(args)
    for flag, value in flags.items():
        if not is_same(flags_of(tuple(found)).get(flag), value):
            found = flipped(found, flag, value)
    if found == list(args):
        return
    pod.put({"name": container, "args": found}, {"name": container, "args": list(args)} if args else None)
    if not args:
        pod.drops.append(places.args_path(container))


def _add_agent(pod: _Pod, facts: Lookup, cni: VpcCni, values: Mapping[str, str]) -> None:
    release: Release = need(facts, "cni_release")
    image = agent_image(cni, release)
    install = Install(
        release=release.base,
        images={} if image is None else {AGENT: image},
        family="ipv6" if known(facts, "ip_family") == "ipv6" else "ipv4",
        network_policy=True,
        values={path: value for path, value in values.items() if path in AGENT_FLAGS},
    )
    pod.put(agent_container(install))
    pod.drops.append(f'{_POD}.containers[name="{AGENT}"]')
    there = {v.name for v in cni.workload.spec.template.spec.volumes}
    volumes = [v for v in agent_volumes(install) if v["name"] not in there]
    pod.drops += [f'{_POD}.volumes[name="{v["name"]}"]' for v in volumes]
    if volumes:
        pod.wanted["volumes"] = volumes


# --- words ---------------------------------------------------------------------------------------------------------------


def _changes(cni: VpcCni, pod: Json) -> Iterator[FieldChange]:
    owners = live.owners_by_text(cni.workload.metadata)
    where = str(places.AWS_NODE)
    for container in pod["containers"]:
        base = f'{_POD}.containers[name="{container["name"]}"]'
        if container["name"] == CNI_CONTAINER:
            for variable in container["env"]:
                path = places.variable_path(variable["name"])
                yield FieldChange(where, path, cni.env.get(variable["name"]), variable["value"], live.owners_at(owners, path))
            continue
        if cni.agent is None:
            yield FieldChange(where, base, None, container["image"])
        args = () if cni.agent is None else cni.agent.args
        for arg in container["args"]:
            if arg not in args:
                before = spelled(args, arg.lstrip("-").partition("=")[0])
                yield FieldChange(where, f"{base}.args", before, arg, live.owners_at(owners, f"{base}.args"))
    for volume in pod.get("volumes", ()):
        yield FieldChange(where, f'{_POD}.volumes[name="{volume["name"]}"]', None, volume["hostPath"]["path"])


def _mode_warnings(cni: VpcCni) -> Iterator[str]:
    if any(e.name == MODE_VARIABLE and e.value is None for e in cni.cni.env):
        yield f"{MODE_VARIABLE} gets its value from elsewhere, so whether the agent takes it cannot be told"


def _unfinished(cni: VpcCni) -> Iterator[str]:
    status = cni.workload.status
    behind = status.desired_number_scheduled - status.updated_number_scheduled
    if behind > 0:
        yield f"the switches are on, yet {looks.counted(behind, 'node')} run an aws-node of before; eksnetpol status shows which"
