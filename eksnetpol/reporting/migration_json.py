"""Assessments, translations and proofs in the format that programs read, version 1. Within it members are only added.

These types are the format, and not the program's own: what is called otherwise inside tomorrow is still called so here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta

from eksnetpol.engines.engine import Mode
from eksnetpol.facts.engine_details import Details
from eksnetpol.model.plan import FORMAT
from eksnetpol.policy.stacks.rules import Stack
from eksnetpol.proof import Counterexample, Outcome, Proved
from eksnetpol.reporting.escape import encodable_all
from eksnetpol.reporting.json_v1 import TargetV1
from eksnetpol.translation import Judged, Translation, Verdict
from eksnetpol.translation.assessment import Assessment, Outlook
from eksnetpol.translation.values import Accepted

ASSESSMENT, TRANSLATION, PROOF = "MigrationAssessment", "Translation", "TranslationProof"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Named = Annotated[str, Meta(examples=["globalnetworkpolicy/web", "networkpolicy/shop/db"])]
_Verdict = Annotated[str, Meta(examples=[v.value for v in Verdict])]


class _V1(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the format."""


class AcceptedV1(_V1, frozen=True):
    """What somebody has taken on: a policy that lets more through, or what goes with the engine."""

    what: str
    owner: str
    until: Annotated[str, Meta(description="the last day it holds")]
    reason: str


class WitnessV1(_V1, frozen=True):
    """One connection that shows a difference."""

    source: str
    destination: str
    protocol: str
    port: int
    allowed_before: bool
    text: str


class JudgedV1(_V1, frozen=True):
    """A verdict on a policy, or on one of its rules where ``place`` is not empty."""

    policy: Named
    place: Annotated[str, Meta(examples=["spec.ingress[0]"])]
    verdict: _Verdict
    reasons: tuple[str, ...]
    witness: WitnessV1 | None
    kept: Annotated[bool, Meta(description="a NetworkPolicy that stays as it is")]


class OutputV1(_V1, frozen=True):
    """An object to apply, and the policies it speaks for."""

    manifest: dict[str, Any]
    origins: tuple[Named, ...]


class NotInForceV1(_V1, frozen=True):
    """An object that its own engine refuses."""

    policy: Named
    place: str
    reason: str


class TranslationV1(_V1, frozen=True):
    """What `eksnetpol migrate translate -o json` writes. ``refused`` are the verdicts that stand in the way."""

    api_version: str
    kind: Literal["Translation"]
    dialect: Annotated[str, Meta(examples=["calico", "cilium", "antrea", "upstream"])]
    exit_code: int
    verdicts: Annotated[dict[str, int], Meta(description="policies by verdict")]
    outputs: tuple[OutputV1, ...]
    judged: tuple[JudgedV1, ...]
    refused: tuple[JudgedV1, ...]
    accepted: tuple[AcceptedV1, ...]
    not_in_force: tuple[NotInForceV1, ...]
    notes: tuple[str, ...]


class SymbolicV1(_V1, frozen=True):
    """What the solver found over all pods that could ever exist."""

    outcome: Literal["proven", "counterexample", "unsettled"]
    text: str
    holds_for: tuple[str, ...]


class ProofV1(_V1, frozen=True):
    """What `eksnetpol migrate prove -o json` writes. ``widens``: something flows afterwards that did not, and nobody took it on.

    ``symbolic`` is null where --symbolic was not asked for.
    """

    api_version: str
    kind: Literal["TranslationProof"]
    dialect: str
    exit_code: int
    widens: bool
    text: str
    symbolic: SymbolicV1 | None
    judged: tuple[JudgedV1, ...]
    refused: tuple[JudgedV1, ...]
    accepted: tuple[AcceptedV1, ...]
    not_in_force: tuple[NotInForceV1, ...]
    notes: tuple[str, ...]


class FeatureV1(_V1, frozen=True):
    """What an engine does beside policies. ``blocks``: it has to be seen to before, and cannot be waived."""

    name: str
    words: str
    blocks: bool


class KindV1(_V1, frozen=True):
    """A policy kind of an engine, with how many objects there are."""

    group: str
    plural: str
    count: int


class EngineV1(_V1, frozen=True):
    """An engine there is a trace of, and what of the cluster is its own."""

    name: str
    title: str
    life: Annotated[str, Meta(examples=["live", "partial", "residue"])]
    mode: Annotated[str, Meta(examples=[m.value for m in Mode])]
    enforces: bool
    data_plane: str
    release: str
    evidence: tuple[str, ...]
    features: tuple[FeatureV1, ...]
    kinds: tuple[KindV1, ...]
    definitions: int
    namespaces: tuple[str, ...]
    webhooks: tuple[str, ...]
    api_services: tuple[str, ...]
    owners: tuple[str, ...]


class LossV1(_V1, frozen=True):
    """What goes with the engine and is to be waived by ``name``; ``accepted`` is null where nobody has."""

    name: str
    words: str
    accepted: AcceptedV1 | None


class NodesV1(_V1, frozen=True):
    """Nodes that keep the engine's rules until they are replaced."""

    group: str
    nodes: int


class PoliciesV1(_V1, frozen=True):
    """How many policies there are of a kind."""

    kind: str
    count: int


class GapV1(_V1, frozen=True):
    """What could not be read."""

    section: str
    reason: str


class AssessmentV1(_V1, frozen=True):
    """What `eksnetpol migrate assess -o json` writes."""

    api_version: str
    kind: Literal["MigrationAssessment"]
    target: TargetV1
    source: str
    outlook: Annotated[str, Meta(examples=[o.value for o in Outlook])]
    exit_code: int
    engines: tuple[EngineV1, ...]
    refusals: tuple[str, ...]
    waivers: tuple[LossV1, ...]
    nodes_to_replace: tuple[NodesV1, ...]
    policies: tuple[PoliciesV1, ...]
    gaps: tuple[GapV1, ...]
    notes: tuple[str, ...]


_ROOTS: dict[str, tuple[type[msgspec.Struct], str]] = {
    ASSESSMENT: (AssessmentV1, "migration-assessment"),
    TRANSLATION: (TranslationV1, "translation"),
    PROOF: (ProofV1, "translation-proof"),
}


def schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of documents of *kind*."""
    root, name = _ROOTS[kind]
    made = msgspec.json.schema(root)
    return {"$schema": _DIALECT, "$id": f"urn:eksnetpol:{name}:v1", "title": f"{kind} {FORMAT}", **made}


def assessment(found: Assessment) -> dict[str, Any]:
    """Return *found* in plain dicts and lists."""
    accepted, at = {one.what: _accepted(one) for one in found.accepted}, found.target
    return _plain(
        AssessmentV1(
            api_version=FORMAT,
            kind="MigrationAssessment",
            target=TargetV1(at.cluster, at.region, at.account, at.arn, at.server, at.context),
            source=found.source.value,
            outlook=found.outlook.value,
            exit_code=found.exit_code,
            engines=tuple(_engine(one) for one in found.engines),
            refusals=found.refusals,
            waivers=tuple(LossV1(name, words, accepted.get(name)) for name, words in found.waivers),
            nodes_to_replace=tuple(NodesV1(group, nodes) for group, nodes in found.recycled),
            policies=tuple(PoliciesV1(kind, count) for kind, count in found.policies),
            gaps=tuple(GapV1(gap.section, gap.reason) for gap in found.gaps),
            notes=found.notes,
        )
    )


def translation(done: Translation, stack: Stack, exit_code: int) -> dict[str, Any]:
    """Return *done*, which *stack* became, in plain dicts and lists."""
    return _plain(
        TranslationV1(
            api_version=FORMAT,
            kind="Translation",
            dialect=stack.dialect,
            exit_code=exit_code,
            verdicts={verdict.value: number for verdict, number in counts(done).items()},
            outputs=tuple(OutputV1(dict(o.manifest), tuple(str(ref) for ref in o.origins)) for o in done.outputs),
            judged=_all_judged(done.judged),
            refused=_all_judged(done.refused),
            accepted=tuple(_accepted(one) for one in done.accepted),
            not_in_force=_not_in_force(stack),
            notes=done.notes,
        )
    )


def proof(done: Translation, stack: Stack, outcome: Outcome | None, texts: tuple[str, str], exit_code: int) -> dict[str, Any]:
    """Return what was proved of *done* in plain dicts and lists; *texts* say it, and what the solver found (*outcome*)."""
    said, solved = texts
    return _plain(
        ProofV1(
            api_version=FORMAT,
            kind="TranslationProof",
            dialect=stack.dialect,
            exit_code=exit_code,
            widens=any(j.verdict is Verdict.LOOSER for j in done.refused),
            text=said,
            symbolic=None if outcome is None else _symbolic(outcome, solved),
            judged=_all_judged(done.judged),
            refused=_all_judged(done.refused),
            accepted=tuple(_accepted(one) for one in done.accepted),
            not_in_force=_not_in_force(stack),
            notes=done.notes,
        )
    )


def counts(done: Translation) -> dict[Verdict, int]:
    """Return how many policies have each verdict."""
    found = [j.verdict for j in done.judged if not j.place]
    return {verdict: found.count(verdict) for verdict in Verdict}


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    return cast("dict[str, Any]", encodable_all(msgspec.to_builtins(value)))


def _symbolic(outcome: Outcome, text: str) -> SymbolicV1:
    match outcome:
        case Proved(notes):
            return SymbolicV1("proven", text, notes)
        case Counterexample():
            return SymbolicV1("counterexample", text, ())
        case _:
            return SymbolicV1("unsettled", text, ())


def _accepted(one: Accepted) -> AcceptedV1:
    return AcceptedV1(one.what, one.owner, one.until.isoformat(), one.reason)


def _all_judged(all_of_them: Iterable[Judged]) -> tuple[JudgedV1, ...]:
    return tuple(_judged(one) for one in all_of_them)


def _judged(one: Judged) -> JudgedV1:
    seen = one.witness
    witness = None
    if seen is not None:
        witness = WitnessV1(seen.source, seen.destination, seen.protocol, seen.port, seen.allowed_before, str(seen))
    return JudgedV1(str(one.ref), one.place, one.verdict.value, one.reasons, witness, one.kept)


def _not_in_force(stack: Stack) -> tuple[NotInForceV1, ...]:
    return tuple(NotInForceV1(str(one.ref), one.place, one.why) for one in stack.refused)


def _engine(one: Details) -> EngineV1:
    return EngineV1(
        name=one.presence.name,
        title=one.presence.title,
        life=one.presence.life.value,
        mode=one.presence.mode.value,
        enforces=one.presence.enforces,
        data_plane=one.data_plane,
        release=one.release,
        evidence=tuple(one.presence.evidence),
        features=tuple(FeatureV1(f.name, f.words, f.blocks) for f in one.features),
        kinds=tuple(KindV1(k.group, k.plural, k.count) for k in one.kinds),
        definitions=one.definitions,
        namespaces=one.namespaces,
        webhooks=one.webhooks,
        api_services=one.api_services,
        owners=one.owners,
    )
