"""A translation as people and programs read it: what becomes of every policy, rule by rule, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from eksnetpol.model.findings import Subject
from eksnetpol.policy.stacks.rules import Refused, Stack
from eksnetpol.proof import Counterexample, Outcome, Proved
from eksnetpol.reporting import migration_json
from eksnetpol.reporting.escape import markdown as md
from eksnetpol.reporting.escape import markdown_block
from eksnetpol.reporting.policy_words import caret, dumped, lines
from eksnetpol.reporting.view import plural
from eksnetpol.reporting.yaml import dumped as dumped_yaml
from eksnetpol.translation import Judged, Translation, Verdict
from eksnetpol.translation.emit import dumped as manifest
from eksnetpol.translation.values import Output

_SIGNS = {Verdict.EXACT: "=", Verdict.EXACT_NOW: "=", Verdict.STRICTER: "-", Verdict.NONE: "x", Verdict.LOOSER: "!"}
_NOTED = 12
_WAIVED = 3
_DEAD = "is not in force and not translated"


def render(done: Translation, stack: Stack, form: str, width: int, *, exit_code: int, verbose: bool = False) -> str:
    """Return *done*, which *stack* became, as text, markdown, json or yaml."""
    match form:
        case "json":
            return dumped(migration_json.translation(done, stack, exit_code))
        case "yaml":
            return dumped_yaml(migration_json.translation(done, stack, exit_code))
        case "markdown":
            return _markdown(done, stack)
        case _:
            return lines(_text(done, stack, verbose=verbose), width, ascii_only=True)


def render_proof(
    done: Translation, stack: Stack, outcome: Outcome | None, form: str, width: int, *, exit_code: int, verbose: bool = False
) -> str:
    """Return what was proved of *done*, which *stack* became, as text, markdown, json or yaml; *outcome* is the solver's."""
    said, solved = today_words(done), "" if outcome is None else proof_words(outcome)
    match form:
        case "json":
            return dumped(migration_json.proof(done, stack, outcome, (said, solved), exit_code))
        case "yaml":
            return dumped_yaml(migration_json.proof(done, stack, outcome, (said, solved), exit_code))
        case "markdown":
            head = "\n".join([f"## {md(_upper(said))}", "", *([f"{md(_upper(solved))}.", ""] if solved else [])])
            return f"{head}\n{_markdown(done, stack, level=3)}"
        case _:
            first = [(0, f"{_upper(said)}."), *([(0, f"{_upper(solved)}.")] if solved else []), (0, "")]
            return lines([*first, *_text(done, stack, verbose=verbose)], width, ascii_only=True)


def today_words(done: Translation) -> str:
    """Return in one sentence what was seen of today's pods, and of one for each combination of labels."""
    if any(j.verdict is Verdict.LOOSER for j in done.refused):
        return "something would flow afterwards that does not today"
    if done.refused:
        return "not all policies were understood, so nobody knows whether something would flow afterwards that does not today"
    taken = ", but for what was taken on by name" if done.accepted else ""
    return f"nothing flows afterwards that did not{taken}, over today's pods and one for each combination of labels"


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def headline(done: Translation, dialect: str) -> str:
    """Return the outcome in one sentence."""
    policies = [j for j in done.judged if not j.place]
    made = plural(len(done.outputs), "object")
    worst = f"; the worst verdict is {done.worst.value}" if policies else ""
    stop = len({j.ref for j in done.refused})
    stops = f"; {plural(stop, 'object stands', 'objects stand')} in the way" if stop else ""
    names = {"calico": "Calico", "cilium": "Cilium", "antrea": "Antrea"}
    whose = "upstream" if dialect == "upstream" else names.get(dialect, dialect)
    become = "becomes" if len(policies) == 1 else "become"
    return f"{plural(len(policies), 'policy', 'policies')} in force under {whose} {become} {made}{worst}{stops}"


def _text(done: Translation, stack: Stack, *, verbose: bool) -> Iterator[tuple[int, str]]:
    yield 0, f"{headline(done, stack.dialect)}."
    counts = migration_json.counts(done)
    yield 0, ", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v]) or "no policy at all"
    by_policy = _by_policy(done)
    in_the_way = dict.fromkeys(j.ref for j in done.refused)
    if in_the_way:
        yield from ((0, ""), (0, "What stands in the way"))
    for ref in in_the_way:
        yield from _policy(by_policy.get(ref, []), verbose=verbose)
    looser = dict.fromkeys(j.ref for j in done.refused if j.verdict is Verdict.LOOSER)
    if looser:
        flags = " ".join(f"--waive '{ref}=OWNER,YYYY-MM-DD,REASON'" for ref in list(looser)[:_WAIVED])
        yield 2, f"-> change what is to stay denied by other means, or take it on by name, until a day: {flags}"
    if done.accepted:
        yield from ((0, ""), (0, "What lets more through, and somebody has taken on"))
        yield from ((2, f"! {one.what}: {one.words}") for one in done.accepted)
    if stack.refused:
        yield from ((0, ""), (0, "What its own engine refuses, so that it is not in force"))
    for dead in stack.refused:
        yield from _dead(dead)
    others = (j for j in done.judged if not j.place and j.ref not in in_the_way)
    shown = [j.ref for j in others if verbose or j.verdict is not Verdict.EXACT]
    if shown:
        yield from ((0, ""), (0, "What becomes of the policies"))
    for ref in shown:
        yield from _policy(by_policy.get(ref, []), verbose=verbose)
    if done.notes:
        yield from ((0, ""), (0, "What holds for all of it"))
        said = [note for note in done.notes if _DEAD not in note]
        yield from ((2, note) for note in (said if verbose else said[:_NOTED]))


def _by_policy(done: Translation) -> dict[Subject, list[Judged]]:
    found: dict[Subject, list[Judged]] = {}
    for one in done.judged:
        found.setdefault(one.ref, []).append(one)
    return found


def _policy(judged: list[Judged], *, verbose: bool) -> Iterator[tuple[int, str]]:
    """Yield the verdict on a policy, and under it those on its rules: what a rule says is not said of the policy as well."""
    rules = [j for j in judged if j.place and (verbose or j.verdict is not Verdict.EXACT)]
    places = tuple(f"{rule.place}: " for rule in rules)
    own = {reason for one in judged if not one.place for reason in one.reasons}
    if not verbose:
        # Nor is of a rule what holds for its policy.
        rules = [r for r in rules if r.verdict is not Verdict.EXACT_NOW or not own.issuperset(r.reasons)]
    for one in (j for j in judged if not j.place):
        left = tuple(reason for reason in one.reasons if not reason.startswith(places))
        witness = None if any(rule.witness == one.witness for rule in rules) else one.witness
        yield from _verdict(replace(one, reasons=left, witness=witness), 2)
    if len(rules) == len(judged):
        # An object that was not understood: the place is where.
        for rule in rules:
            yield from _verdict(rule, 2)
        return
    for rule in rules:
        yield from _verdict(rule, 6)


def _dead(one: Refused) -> Iterator[tuple[int, str]]:
    place = f" {one.place}" if one.place else ""
    yield 2, f"x {one.ref}{place}: {one.why}"
    yield from ((6, line) for line in caret(one.why))


def _verdict(one: Judged, indent: int) -> Iterator[tuple[int, str]]:
    kept = ", stays as it is" if one.kept else ""
    name = f"{one.place}: " if one.place and indent > 2 else f"{one.ref} {one.place}".strip() + ": "  # noqa: PLR2004 - below
    yield indent, f"{_SIGNS[one.verdict]} {name}{one.verdict.value}{kept}{f': {one.reason}' if one.reasons else ''}"
    yield from ((6, line) for line in caret(one.reason))
    if one.witness is not None:
        yield indent + 2, f"for example {one.witness}"


def _markdown(done: Translation, stack: Stack, level: int = 2) -> str:
    parts = [f"{'#' * level} {md(headline(done, stack.dialect))}", "", "| policy | rule | verdict | why |", "|---|---|---|---|"]
    for one in done.judged:
        why = "; ".join([*one.reasons, *([] if one.witness is None else [f"for example {one.witness}"])])
        parts.append(f"| {md(str(one.ref))} | {md(one.place)} | {one.verdict.value} | {md(why)} |")
    if done.accepted:
        parts += ["", *(f"- {md(one.what)} lets more through: {md(one.words)}" for one in done.accepted)]
    if stack.refused:
        parts += ["", "Its own engine refuses, so that it is not in force:", ""]
        parts += [f"- {md(f'{one.ref} {one.place}'.strip())}: {md(one.why)}" for one in stack.refused]
    if done.notes:
        parts += ["", *(f"- {md(note)}" for note in done.notes if _DEAD not in note)]
    return "\n".join(parts) + "\n"


def side_by_side(done: Translation, sources: dict[str, Any]) -> str:
    """Return every source policy with what it becomes, as Markdown: for whoever reviews it."""
    parts = []
    becoming: dict[Subject, list[Output]] = {}
    for output in done.outputs:
        for ref in dict.fromkeys(output.origins):
            becoming.setdefault(ref, []).append(output)
    for ref, judged in _by_policy(done).items():
        if all(j.place for j in judged):
            continue
        parts += ["", f"## {md(str(ref))}"]
        parts += ["", *(f"- {j.verdict.value} {md(j.place)}: {md(j.reason)}" for j in judged if j.reasons)]
        if str(ref) in sources:
            parts += ["", "What it says:", "", markdown_block(dumped_yaml(sources[str(ref)]), "yaml")]
        for output in becoming.get(ref, []):
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
