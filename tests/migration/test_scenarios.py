"""Constructs of the dialects, one folder each: what was written, what comes of it, the verdict on every rule, and what flows.

`scenarios/README.md` says what the files are. What flows before is what the engine's own code answered where that was recorded,
else what the plain semantics of the dialect say; what flows afterwards is the VPC CNI's meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from eksnetpol.engines.antrea.read import read as read_antrea
from eksnetpol.engines.calico.read import read as read_calico
from eksnetpol.engines.cilium.read import read as read_cilium
from eksnetpol.engines.cilium.settings import settings_of
from eksnetpol.engines.dialects import stack_of
from eksnetpol.engines.upstream import read as read_upstream
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.kubernetes import Pod
from eksnetpol.policy.answers import Engine, Party, Pods
from eksnetpol.policy.connections import in_words
from eksnetpol.policy.engine import build_engine
from eksnetpol.policy.profile import Profile
from eksnetpol.policy.stacks.engine import engine_for
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.policy.world import World
from eksnetpol.translation import Options, Translation, Verdict, translate
from eksnetpol.translation.comparing import after
from tests.engines import test_calico_verdicts as calico
from tests.engines import test_cilium_verdicts as cilium
from tests.migration import plain_antrea, plain_calico, plain_cilium, plain_upstream, random_antrea
from tests.migration.constructs import recorded
from tests.migration.plain_ground import Wire
from tests.migration.promise import Cluster
from tests.policy.oracle.strategies import decoded
from tests.translation.test_promise_of_verdicts import is_own_node, party, said_party

Json = dict[str, Any]

SCENARIOS = Path(__file__).parent / "scenarios"
RECORDED = {("calico", case["name"]): case for case in calico.CASES} | {("cilium", case["id"]): case for case in cilium.CASES}
RECORDED_FOLDERS = [f"{dialect}-{name}" for dialect, name in recorded()]
WRITTEN_FOLDERS = sorted(
    name
    for name in (path.parent.name for path in SCENARIOS.glob("*/source.yaml"))
    if name not in set(RECORDED_FOLDERS) and not name.startswith("app-")
)
PROFILE = Profile(family="ipv4")
NOT_RECORDED = {"cilium-to-services"}
"""What nobody has asked the engine's own code, so that the plain semantics leave it out."""

SAID = {True: "allow", False: "deny", None: "?"}
WORSE = {Verdict.STRICTER, Verdict.NONE, Verdict.LOOSER}


@dataclass(frozen=True)
class Scenario:
    """What a folder is about, and how to ask about it: connections with what became of them before."""

    source: list[Json]
    stack: Stack
    world: World
    asked: Callable[[Engine], Iterator[tuple[str, Party, Party, str, int, bool | None]]]

    def translated(self) -> Translation:
        """Return what comes of it."""
        return translate(self.stack, self.world, Options(profile=PROFILE, vpc=("10.0.0.0/16",)))


def recorded_scenario(folder: str) -> Scenario:
    dialect, _, name = folder.partition("-")
    case = RECORDED[dialect, name]
    of = calico if dialect == "calico" else cilium
    mine = of.world(case)
    source = [*case["policies"], *case.get("cidrGroups", ())]
    return Scenario(source, of.stack(case, mine), mine, partial(_queries, dialect, case, mine))


def _queries(
    dialect: str, case: Json, mine: World, engine: Engine
) -> Iterator[tuple[str, Party, Party, str, int, bool | None]]:
    for query, verdict in zip(case["queries"], case["verdicts"], strict=True):
        ends: list[Party | None]
        if dialect == "calico":
            ends = [said_party(engine, query["from"]), said_party(engine, query["to"])]
            protocol, number = calico.packet(query)
        else:
            places = [cilium.place(case, mine, query[a], query[b]) for a, b in (("from", "to"), ("to", "from"))]
            if query["from"] == query["to"] or is_own_node(*places) or is_own_node(*reversed(places)):
                continue
            ends = [party(engine, place) for place in places]
            protocol, number = cilium.packet(query)
        if ends[0] is None or ends[1] is None:
            continue
        title = " -> ".join(" ".join(map(str, query[end].values())) for end in ("from", "to"))
        yield title, ends[0], ends[1], protocol, number, verdict["allowed"]


# --- written by hand ----------------------------------------------------------------------------------------------------

GROUND = yaml.safe_load((SCENARIOS / "cluster.yaml").read_text())
PACKETS = (("TCP", 80), ("TCP", 443), ("UDP", 53))


def written_scenario(folder: str) -> Scenario:
    dialect = folder.partition("-")[0]
    documents = [d for d in yaml.safe_load_all((SCENARIOS / folder / "source.yaml").read_text()) if d]
    config: dict[str, str] = next((d["data"] for d in documents if d["kind"] == "ConfigMap"), {})
    objects = [d for d in documents if d["kind"] != "ConfigMap"]
    nodes = {n["name"]: n["ip"] for n in GROUND["nodes"]}

    def reader(own: list[Json], mine: World) -> Stack:
        if dialect == "upstream":
            tiered = [{**o, "spec": {**o["spec"], "tier": plain_upstream.tier(o)}} for o in own]
            return read_upstream(decoded(tiered, AdminPolicy), mine.network_policies, mine)
        if dialect == "cilium":
            return read_cilium(own, mine.network_policies, mine, settings=settings_of(config, "1.19"))
        read = read_antrea if dialect == "antrea" else read_calico
        return read(own, mine.network_policies, mine)

    def plain(own: list[Json]) -> Callable[..., bool | None]:
        asked: Callable[..., bool | None] = PLAIN[dialect](GROUND, own)
        return asked

    nobody: Callable[..., bool | None] = lambda *_: None  # noqa: E731
    cluster = Cluster(GROUND, objects, nodes, tuple(GROUND["outside"]), PACKETS, nobody, reader, plain)
    stack = cluster.stack
    if config:
        # The plain semantics know Cilium's defaults alone.
        asked = engine_for(cluster.world, PROFILE, stack)
        ends = {address: cluster.party(asked, address) for pair in cluster.pairs() for address in pair}
        cluster = replace(cluster, before=lambda a, b, *what: asked.decide(ends[a], ends[b], *what).allowed)
    elif not (stack.unread or folder in NOT_RECORDED):
        dead = {(one.ref.kind.partition(".")[0], one.ref.namespace, one.ref.name) for one in stack.refused}
        cluster = replace(cluster, before=plain([o for o in objects if _key(o) not in dead]))
    return Scenario(documents, cluster.stack, cluster.world, partial(_pairs, cluster))


def _key(one: Json) -> tuple[str, str, str]:
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def _pairs(cluster: Cluster, engine: Engine) -> Iterator[tuple[str, Party, Party, str, int, bool | None]]:
    names = {p["ip"]: f"{p['namespace']}/{p['name']}" for p in GROUND["pods"]}
    for source, destination in cluster.pairs():
        if not cluster.is_at_home(source, destination):
            for protocol, number in PACKETS:
                here, there = cluster.party(engine, source), cluster.party(engine, destination)
                was = cluster.before(source, destination, protocol, number)
                title = f"{names.get(source, source)} -> {names.get(destination, destination)}"
                yield title, here, there, protocol, number, was


def _sides(sides: tuple[set[bool] | None, set[bool] | None]) -> bool | None:
    may = {out and into for out in sides[0] or {True} for into in sides[1] or {True}}
    return may.pop() if len(may) == 1 else None


def _antrea(cluster: Json, objects: list[Json]) -> Any:
    asked = plain_antrea.Antrea(cluster, objects)

    def before(*wire: Any) -> bool | None:
        may = {_sides(asked.allowed(Wire(*wire)._replace(source_port=port))) for port in random_antrea.SOURCE_PORTS}
        return may.pop() if len(may) == 1 else None

    return before


def _upstream(cluster: Json, objects: list[Json]) -> Any:
    asked = plain_upstream.Upstream(cluster, objects)
    return lambda *wire: _sides(asked.allowed(Wire(*wire)))


def _calico(cluster: Json, objects: list[Json]) -> Any:
    # Policies of hosts alone are about no pod.
    asked = plain_calico.Calico(cluster, [o for o in objects if not {"doNotTrack", "preDNAT"} & set(o["spec"])])
    return lambda *wire: False not in asked.allowed(plain_calico.Wire(*wire))


def _cilium(cluster: Json, objects: list[Json]) -> Any:
    asked = plain_cilium.Cilium(cluster, objects)
    pods = {p["ip"]: p for p in cluster["pods"]}

    def before(source: str, destination: str, protocol: str, port: int) -> bool:
        ends = [asked.pod(pods[a]) if a in pods else asked.at(a) for a in (source, destination)]
        return False not in asked.allowed(ends[0], ends[1], protocol, port)

    return before


PLAIN = {"antrea": _antrea, "upstream": _upstream, "calico": _calico, "cilium": _cilium}


# --- applications as their projects ship them ----------------------------------------------------------------------------

DATA = Path(__file__).parents[1] / "data" / "apps"
APPLICATIONS = {
    "app-online-boutique-under-calico": ("online-boutique/release", "online-boutique/kustomize/components/network-policies"),
    "app-online-boutique-under-cilium": ("online-boutique/release", "online-boutique/kustomize/components/network-policies"),
    "app-retail-store-under-calico": ("retail-store/base-application", "retail-store/modules/networking"),
    "app-retail-store-under-cilium": ("retail-store/base-application", "retail-store/modules/networking"),
}
"""Folders of manifests of which the NetworkPolicies are what is to be judged: they stay, under another engine."""


def application(folder: str) -> Scenario:
    paths = [str(DATA / part) for part in APPLICATIONS[folder]]
    world = World.of(read_manifests(paths, None, lambda _: None))
    policies = [d for path in paths for d in _documents(Path(path)) if d.get("kind") == "NetworkPolicy"]
    stack = stack_of(folder.rpartition("-")[2], world)
    return Scenario(policies, stack, world, partial(_of_pods, stack, world))


def _documents(folder: Path) -> Iterator[Json]:
    for path in sorted(folder.rglob("*.yaml")):
        yield from (d for d in yaml.safe_load_all(path.read_text()) if isinstance(d, dict))


def _of_pods(stack: Stack, mine: World, engine: Engine) -> Iterator[tuple[str, Party, Party, str, int, bool | None]]:
    before = engine_for(mine, PROFILE, stack)
    for one, other in product(mine.pods, repeat=2):
        if one is not other:
            was = before.decide(_pod(before, one), _pod(before, other), "TCP", 8080)
            title = f"{one.namespace}/{one.name} -> {other.namespace}/{other.name}"
            yield title, _pod(engine, one), _pod(engine, other), "TCP", 8080, was.allowed


def _pod(engine: Engine, pod: Pod) -> Party:
    return Pods(1 << engine.atlas.class_of[pod.namespace, pod.name], f"{pod.namespace}/{pod.name}", (pod,))


# --- what is held -------------------------------------------------------------------------------------------------------


def verdicts(found: Translation, stack: Stack) -> list[Json]:
    said = []
    for judged in found.judged:
        one: Json = {"policy": str(judged.ref), "verdict": judged.verdict.value}
        if judged.place:
            one["place"] = judged.place
        if judged.reasons:
            one["reasons"] = list(judged.reasons)
        if judged.witness is not None:
            one["witness"] = str(judged.witness)
        said.append(one)
    dead = "not in force"
    said += [{"policy": str(r.ref), "verdict": dead, "place": r.place, "reasons": [r.why]} for r in stack.refused]
    return said


def matrix(scenario: Scenario, found: Translation) -> str:
    """Return what flows before and afterwards, and assert that every difference has a verdict."""
    target = build_engine(after(scenario.world, found.outputs), PROFILE)
    worse = {j.verdict for j in found.judged} & WORSE
    lines = []
    for title, source, destination, protocol, number, was in scenario.asked(target):
        now = target.decide(source, destination, protocol, number).allowed
        lines.append(f"{SAID[was]:<6} {SAID[now]:<6} {title} {in_words(protocol, number)}")
        assert was is not False or not now or Verdict.LOOSER in worse, lines[-1]
        assert was is not True or now or worse, lines[-1]
    return "\n".join(["before after", *dict.fromkeys(lines)]) + "\n"


def scenario_of(folder: str) -> Scenario:
    if folder in APPLICATIONS:
        return application(folder)
    return written_scenario(folder) if folder in WRITTEN_FOLDERS else recorded_scenario(folder)


@pytest.mark.parametrize("folder", [*RECORDED_FOLDERS, *WRITTEN_FOLDERS, *APPLICATIONS])
def test_what_comes_of_a_construct(folder: str, request: pytest.FixtureRequest) -> None:
    scenario = scenario_of(folder)
    found = scenario.translated()
    texts = {
        "expected.yaml": yaml.safe_dump_all([dict(o.manifest) for o in found.outputs], sort_keys=False, width=120),
        "verdicts.yaml": yaml.safe_dump(verdicts(found, scenario.stack), sort_keys=False, width=120),
        "matrix.txt": matrix(scenario, found),
    }
    if folder not in WRITTEN_FOLDERS:
        texts["source.yaml"] = yaml.safe_dump_all(scenario.source, sort_keys=False, width=120)
    where = SCENARIOS / folder
    for file, text in texts.items():
        if request.config.getoption("--update-golden"):
            where.mkdir(parents=True, exist_ok=True)
            (where / file).write_bytes(text.encode())
        assert text == (where / file).read_bytes().decode(), f"{where / file}: --update-golden writes it"


def test_every_folder_is_held_and_whole() -> None:
    folders = {path.name for path in SCENARIOS.iterdir() if path.is_dir()}
    assert folders == {*RECORDED_FOLDERS, *WRITTEN_FOLDERS, *APPLICATIONS}
    assert len(RECORDED_FOLDERS) == len(set(RECORDED_FOLDERS))
    for folder in folders:
        assert {p.name for p in (SCENARIOS / folder).iterdir()} == {"source.yaml", "expected.yaml", "verdicts.yaml", "matrix.txt"}
