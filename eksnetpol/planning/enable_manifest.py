"""Enabling where nobody but people manage ``aws-node``: definitions and permissions first, then the two switches.

An agent that starts without its definition or its permission ends again, hence the order. Only what is missing is done, only our
fields are applied, and every field that others own with another value is named in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.assets.manifests import agent_rules, needed_definitions
from eksnetpol.facts.agent_rights import grants
from eksnetpol.facts.declare import Lookup
from eksnetpol.facts.vpc_cni import VpcCni
from eksnetpol.fields.owners import MANAGER
from eksnetpol.model import kinds
from eksnetpol.model.actions import Apply, Create, Taking
from eksnetpol.model.conditions import Established, Holds
from eksnetpol.model.kinds import Json
from eksnetpol.model.kubernetes import ClusterRole, CustomResourceDefinition, PolicyRule
from eksnetpol.model.plan import FieldChange, Refusal, Step, Undo
from eksnetpol.model.snapshot import Seen
from eksnetpol.model.versions import Release
from eksnetpol.planning import live, places
from eksnetpol.planning.draft import Draft, joined, refused
from eksnetpol.planning.enable_agent import agent_image, agent_switch, agent_to_add, taken
from eksnetpol.planning.options import EnableOptions
from eksnetpol.planning.reading import known, need

FIRST = Release(1, 14, 0)
"""The first release of the CNI with network policy."""

_TAG = "Name the image by a tag with its release, e.g. amazon-k8s-cni:v1.20.5, then run this again"


def enable_manifest(facts: Lookup, wanted: EnableOptions) -> Draft:
    """Return how definitions, permissions, the controller's switch and the agent are brought to enforcing.

    Raises as `need` where a section is unread, and `UsageError` for a setting that the DaemonSet has no place for.
    """
    cni: VpcCni = need(facts, "vpc_cni")
    unfit = tuple(_unfit(facts, cni))
    if unfit:
        return refused(*unfit)
    agent: Release = need(facts, "agent_release") if cni.agent is not None else agent_to_add(need(facts, "cni_release"))
    return joined(
        [
            definitions(facts, agent),
            permissions(facts, agent),
            controller_switch(facts),
            agent_switch(facts, cni, agent, wanted),
        ]
    )


def _unfit(facts: Lookup, cni: VpcCni) -> Iterator[Refusal]:
    """Yield why this DaemonSet cannot be made to enforce as it is."""
    release: Release | None = known(facts, "cni_release")
    if release is not None and release.base < FIRST:
        yield Refusal(
            f"VPC CNI {release} has no network policy, {FIRST} is the first that has: upgrade it first: eksnetpol upgrade"
        )
    elif cni.agent is not None:
        agent = facts.get("agent_release")
        if not isinstance(agent, Seen):
            yield Refusal(f"which agent runs cannot be told, so neither can what it needs: {agent.reason}. {_TAG}")
    elif release is None:
        found = facts.get("cni_release")
        why = "" if isinstance(found, Seen) else f": {found.reason}"
        yield Refusal(f"which agent belongs to the VPC CNI that runs cannot be told{why}. {_TAG}")
    elif agent_image(cni, release) is None:
        yield Refusal(
            "aws-node has no network policy agent, and where its image is to come from cannot be told: the CNI's own image "
            f"({cni.cni.image}) has no name that AWS gives it. Add the agent's container by hand, then run this again"
        )


# --- definitions and permissions -------------------------------------------------------------------------------------------


def definitions(facts: Lookup, agent: Release) -> Draft:
    """Return how the definitions that *agent* cannot do without come to be there; those that are there stay as they are."""
    crds: tuple[CustomResourceDefinition, ...] = need(facts, "crds")
    there = {c.name for c in crds}
    steps = []
    for definition in needed_definitions(agent):
        name = definition["metadata"]["name"]
        if name in there:
            continue
        steps.append(
            Step(
                id=f"definition-{name.partition('.')[0]}",
                title=f"Create the definition {name}, without which agent {agent} does not start",
                action=Create(definition),
                until=Established(name),
                one_way="the definition stays: taking it away would take every object of its kind with it",
            )
        )
    return Draft(tuple(steps), changes=tuple(_created(s) for s in steps))


def _created(step: Step) -> FieldChange:
    action = step.action
    where = str(action.ref) if isinstance(action, Create) else ""
    return FieldChange(where, "", None, "created")


def permissions(facts: Lookup, agent: Release) -> Draft:
    """Return how the rules that *agent* needs come into ClusterRole ``aws-node``, beside all that are there."""
    role = live.cluster_role(facts)
    missing = [rule for rule in agent_rules(agent) if not _granted(role, rule)]
    if not missing:
        return Draft()
    if role is None:
        return refused(
            Refusal("there is no ClusterRole aws-node, so the permissions of aws-node come from elsewhere: grant there what "
                    f"agent {agent} needs: {'; '.join(map(_rule_in_words, missing))}")
        )  # fmt: skip
    before: list[Json] = live.as_json(role.rules)
    after = [*before, *missing]
    managers = tuple(sorted({m.manager for m in role.metadata.managed_fields} - {MANAGER}))
    takes = tuple(Taking(places.RULES_PATH, manager) for manager in managers)
    step = Step(
        id="permissions",
        title=f"Let aws-node read what agent {agent} needs",
        action=Apply(_role(after), takes, keeps=True),
        until=Holds(_role(after)),
        undo=Undo("Give ClusterRole aws-node its former rules back", Apply(_role(before), keeps=True), Holds(_role(before))),
    )
    changes = tuple(
        FieldChange(str(places.AGENT_ROLE), places.RULES_PATH, None, _rule_in_words(rule), managers) for rule in missing
    )
    return Draft((step,), changes=changes)


def _role(rules: list[Json]) -> Json:
    head = {"apiVersion": places.AGENT_ROLE.api_version, "kind": places.AGENT_ROLE.kind}
    return {**head, "metadata": {"name": places.AGENT_ROLE.name}, "rules": rules}


def _granted(role: ClusterRole | None, rule: Json) -> bool:
    """Say whether *role* grants all of *rule*, in whatever pieces."""
    has = () if role is None else role.rules
    verbs = rule["verbs"]
    if "nonResourceURLs" in rule:
        return all(any(_allows_path(r, path, verb) for r in has) for path in rule["nonResourceURLs"] for verb in verbs)
    return all(
        any(grants(r, verb, group, resource) for r in has)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in verbs
    )


def _allows_path(rule: PolicyRule, path: str, verb: str) -> bool:
    if not {"*", verb} & set(rule.verbs):
        return False
    return any(url == path or (url.endswith("*") and path.startswith(url[:-1])) for url in rule.non_resource_ur_ls)


def _rule_in_words(rule: Json) -> str:
    what = rule.get("nonResourceURLs") or [f"{r}.{g}" if g else r for g in rule["apiGroups"] for r in rule["resources"]]
    return f"{', '.join(rule['verbs'])} {', '.join(what)}"


# --- the controller's switch -----------------------------------------------------------------------------------------------


def controller_switch(facts: Lookup) -> Draft:
    """Return how the controller is switched on: one key of the ConfigMap, which is made where there is none."""
    config = live.configmap(facts)
    before: str | None = need(facts, "switches").controller_value
    if before == "true":
        return Draft()
    there = None if config is None else live.as_object(config, kinds.CONFIGMAP)
    wanted = places.settings("true")
    takes = taken(there, wanted)
    if before is None:
        undo = Undo(
            title=f"Take the controller's switch out of {places.SETTINGS} again",
            action=Apply(places.settings(None), keeps=True, drops=(places.CONTROLLER_PATH,)),
            until=Holds(places.settings(None), without=(places.CONTROLLER_PATH,)),
        )
    else:
        undo = Undo(
            title=f"Set the controller's switch back to {before}",
            action=Apply(places.settings(before), keeps=True),
            until=places.controller_told(before),
        )
    step = Step(
        id="controller-switch",
        title=f"Switch the controller on: {places.SETTINGS}, {places.CONTROLLER_PATH.removeprefix('.data.')} = true",
        action=Apply(wanted, takes, keeps=True),
        until=places.controller_told("true"),
        undo=undo,
        disrupts="the controller writes PolicyEndpoints for every policy there is, and puts its finalizer on them",
    )
    owners = () if config is None else live.owners_at(live.owners_by_text(config.metadata), places.CONTROLLER_PATH)
    change = FieldChange(str(places.SETTINGS), places.CONTROLLER_PATH, before, "true", owners)
    return Draft((step,), changes=(change,))
