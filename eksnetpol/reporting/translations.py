"""A translation as people and programs read it: what becomes of every policy, rule by rule, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from eksnetpol.model.plan import FORMAT
from eksnetpol.policy.stacks.rules import Refused, Stack
from eksnetpol.proof import Counterexample, Outcome, Proved
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import markdown_block
from eksnetpol.reporting.policy_words import dumped, lines
from eksnetpol.reporting.view import plural
from eksnetpol.reporting.yaml import dumped as dumped_yaml
from eksnetpol.translation import Judged, Translation, Verdict
from eksnetpol.translation.emit import dumped as manifest

_SIGNS = {Verdict.EXACT: "=", Verdict.EXACT_NOW: "=", Verdict.STRICTER: "-", Verdict.NONE: "x", Verdict.LOOSER: "!"}
_NOTED = 12
_SELECTOR = re.compile(r'"(?P<text>[^"]*)" is no selector: .*\(at character (?P<at>\d+)\)')


def render(done: Translation, stack: Stack, form: str, width: int, *, exit_code: int, verbose: bool = False) -> str:
    """Return *done*, which *stack* became, as text, markdown, json or yaml."""
    match form:
        case "json":
            return dumped(document(done, stack, exit_code))
        case "yaml":
            return dumped_yaml(document(done, stack, exit_code))
        case "markdown":
            return _markdown(done, stack.dialect)
        case _:
            return lines(_text(done, stack, verbose=verbose), width, ascii_only=True)


def document(done: Translation, stack: Stack, exit_code: int) -> dict[str, Any]:
    """Return *done* as JSON has it."""
    return {
        "apiVersion": FORMAT,
        "kind": "Translation",
        "dialect": stack.dialect,
        "exitCode": exit_code,
        "verdicts": {verdict.value: number for verdict, number in _counts(done).items()},
        "outputs": [{"manifest": dict(o.manifest), "origins": [str(ref) for ref in o.origins]} for o in done.outputs],
        "judged": [_judged(j) for j in done.judged],
        "refused": [_judged(j) for j in done.refused],
        "notInForce": [{"policy": str(one.ref), "place": one.place, "reason": one.why} for one in stack.refused],
        "notes": list(done.notes),
    }


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "policy": str(one.ref),
        "place": one.place,
        "verdict": one.verdict.value,
        "reasons": list(one.reasons),
        "witness": None if one.witness is None else str(one.witness),
        "kept": one.kept,
    }


def _counts(done: Translation) -> dict[Verdict, int]:
    found = [j.verdict for j in done.judged if not j.place]
    return {verdict: found.count(verdict) for verdict in Verdict}


def headline(done: Translation, dialect: str) -> str:
    """Return the outcome in one sentence."""
    policies = [j for j in done.judged if not j.place]
    made = plural(len(done.outputs), "object")
    worst = f"; the worst verdict is {done.worst.value}" if policies else ""
    stop = f"; {plural(len(done.refused), 'verdict stands', 'verdicts stand')} in the way" if done.refused else ""
    names = {"calico": "Calico", "cilium": "Cilium", "antrea": "Antrea"}
    whose = "upstream" if dialect == "upstream" else names.get(dialect, dialect)
    become = "becomes" if len(policies) == 1 else "become"
    return f"{plural(len(policies), 'policy', 'policies')} in force under {whose} {become} {made}{worst}{stop}"


def _text(done: Translation, stack: Stack, *, verbose: bool) -> Iterator[tuple[int, str]]:
    yield 0, f"{headline(done, stack.dialect)}."
    counts = _counts(done)
    yield 0, ", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v]) or "no policy at all"
    if done.refused:
        yield from ((0, ""), (0, "What stands in the way"))
        for one in done.refused:
            yield from _verdict(one, 2)
    if stack.refused:
        yield from ((0, ""), (0, "What its own engine refuses, so that it is not in force"))
    for dead in stack.refused:
        yield from _dead(dead)
    shown = [j for j in done.judged if not j.place and (verbose or j.verdict is not Verdict.EXACT)]
    if shown:
        yield from ((0, ""), (0, "What becomes of the policies"))
    for one in shown:
        yield from _verdict(one, 2)
        rules = [r for r in done.judged if r.place and r.ref == one.ref and (verbose or r.verdict is not Verdict.EXACT)]
        for rule in rules:
            yield from _verdict(rule, 6)
    if done.notes:
        yield from ((0, ""), (0, "What holds for all of it"))
        said = [note for note in done.notes if "is not in force and not translated" not in note]
        yield from ((2, note) for note in (said if verbose else said[:_NOTED]))


def _dead(one: Refused) -> Iterator[tuple[int, str]]:
    place = f" {one.place}" if one.place else ""
    yield 2, f"x {one.ref}{place}: {one.why}"
    found = _SELECTOR.search(one.why)
    if found is not None:
        yield 6, found["text"]
        yield 6, f"{' ' * (int(found['at']) - 1)}^"


def _verdict(one: Judged, indent: int) -> Iterator[tuple[int, str]]:
    kept = ", stays as it is" if one.kept else ""
    name = f"{one.place}: " if one.place and indent > 2 else f"{one.ref} {one.place}".strip() + ": "  # noqa: PLR2004 - below
    yield indent, f"{_SIGNS[one.verdict]} {name}{one.verdict.value}{kept}{f': {one.reason}' if one.reasons else ''}"
    if one.witness is not None:
        yield indent + 2, f"for example {one.witness}"


def _markdown(done: Translation, dialect: str) -> str:
    parts = [f"## {md(headline(done, dialect))}", "", "| policy | rule | verdict | why |", "|---|---|---|---|"]
    parts += [f"| {md(str(j.ref))} | {md(j.place)} | {j.verdict.value} | {md(j.reason)} |" for j in done.judged]
    if done.notes:
        parts += ["", *(f"- {md(note)}" for note in done.notes)]
    return "\n".join(parts) + "\n"


def side_by_side(done: Translation, sources: dict[str, Any]) -> str:
    """Return every source policy with what it becomes, as Markdown: for whoever reviews it."""
    parts = []
    for ref in dict.fromkeys(j.ref for j in done.judged if not j.place):
        parts += ["", f"## {md(str(ref))}"]
        parts += ["", *(f"- {j.verdict.value} {md(j.place)}: {md(j.reason)}" for j in done.judged if j.ref == ref and j.reasons)]
        if str(ref) in sources:
            parts += ["", "What it says:", "", markdown_block(dumped_yaml(sources[str(ref)]), "yaml")]
        for output in (o for o in done.outputs if ref in o.origins):
            parts += ["", "What it becomes:", "", markdown_block(manifest(output.manifest), "yaml")]
    return "\n".join(parts).lstrip("\n") + "\n"


def proof_words(outcome: Outcome) -> str:
    """Return the outcome of a proof in one sentence."""
    match outcome:
        case Proved(notes):
            return f"proven: for no pod that could ever exist does anything flow that did not ({'; '.join(notes)})"
        case Counterexample():
            return f"not so: {outcome}"
        case _:
            return f"not settled: {outcome.why}"
