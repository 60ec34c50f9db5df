"""``eksnetpol migrate translate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eksnetpol.cli.base import Command
from eksnetpol.cli.commands.migrate.common import FORMATS, REPORTS, allowing, leaving, source, taken_on, waiving
from eksnetpol.cli.config import Config, configuration, merge
from eksnetpol.cli.options import general, option, sources, target
from eksnetpol.cli.outputs import STDOUT, Output, output_option, settle, write
from eksnetpol.cli.terminal import Terminal
from eksnetpol.errors import UsageError

if TYPE_CHECKING:
    from eksnetpol.translation import Translation


@click.command(
    "translate",
    cls=Command,
    greedy=("--manifests",),
    short_help="Write another engine's policies as NetworkPolicies, with a verdict on every rule.",
    exits=(0, 1, 2, 3, 6, 70, 130),
    exit_words={
        0: "every rule has its place; what is stricter or holds for today alone is named",
        1: "something would be let through that is not, or cannot be said at all",
        6: "refused: two engines at once, a waiver that has expired",
    },
    examples=(
        ("files, into a folder for review in Git", "eksnetpol migrate translate --manifests calico/ --out policies/"),
        ("a live cluster, rule by rule", "eksnetpol migrate translate --context shop -v"),
        ("source and target side by side", "eksnetpol migrate translate --snapshot shop.json.gz --explain -o markdown"),
    ),
    environment=(("AWS_*, KUBECONFIG", "as the AWS CLI and kubectl read them"),),
)
@sources
@target
@leaving
@option("--out", group="Output", metavar="DIR", help="Write the policies into this folder: one per file, and a kustomization.")
@option("--explain", group="Output", is_flag=True, help="Print every policy with what it becomes, side by side, as Markdown.")
@allowing
@waiving
@output_option(*FORMATS)
@configuration
@general
@click.pass_context
def command(ctx: click.Context, /, **_flags: Any) -> int:
    """Write policies of Calico, Cilium, Antrea or policy.networking.k8s.io as NetworkPolicies for the VPC CNI.

    Every rule gets a verdict: exact (for all pods and namespaces there could be), exact-now (for those of today), stricter, none
    (it cannot be said), looser; with the reason, and a connection that shows the difference. Nothing looser is written unless it
    was waived by name. A field that nobody here understands refuses its policy, and is never dropped. NetworkPolicies that are
    there stay, and are judged too: they change their meaning with the engine under them. With --allow-cluster-policies, what
    holds in all namespaces becomes ClusterNetworkPolicies where these say exactly that.
    """
    config = merge(ctx)
    terminal = config.terminal()
    if ctx.params["show_config"]:
        write(config.text())
        return 0
    outputs = settle(ctx.params["output"])

    from eksnetpol.gateways.collector_pause import collector_paused

    # What is made from here on lasts to the end: walking it for cycles would find none.
    with collector_paused():
        return _translated(ctx, config, terminal, outputs)


def _translated(ctx: click.Context, config: Config, terminal: Terminal, outputs: Sequence[Output]) -> int:
    from eksnetpol.cli.progress import counting
    from eksnetpol.operations.migration import exit_code, translated
    from eksnetpol.operations.migration_reports import of_translation
    from eksnetpol.reporting import formats, translations
    from eksnetpol.translation.sources import source_objects

    taken, notes = taken_on(ctx, config)
    left = source(ctx, config, terminal)
    with counting(terminal) as tell:
        done = translated(left, taken, notes, cluster_policies=ctx.params["allow_cluster_policies"], tell=tell)
    code = exit_code(done, left.stack)
    for output in sorted(outputs, key=lambda o: o.file == STDOUT):
        if ctx.params["explain"] and output.format == "markdown":
            bodies = {str(ref): body for ref, body in source_objects(left.world).items()}
            write(translations.side_by_side(done, bodies), output.file)
            continue
        verbose = terminal.verbose > 0
        if output.format in REPORTS:
            report = of_translation(done, left.stack, left.snapshot, code)
            write(formats.render(report, output.format, verbose=verbose), output.file)
            continue
        page = translations.render(done, left.stack, output.format, terminal.width, exit_code=code, verbose=verbose)
        write(page, output.file)
    for one in done.accepted:
        terminal.say(f"{one.what} {one.words}")
    folder = ctx.params["out"]
    if folder and done.refused:
        terminal.say(f"nothing was written into {folder}: what stands in the way has to be waived or changed first")
    elif folder:
        terminal.say(f"{_written(done, Path(folder))} files are in {folder}; look at them, then kubectl apply -k {folder}")
    return code


def _written(done: Translation, folder: Path) -> int:
    """Write the files of *done* into *folder*, and return how many there are.

    What a run that was killed has left there is gone on with: files are put in place whole, the kustomization last. Raises
    `UsageError`, before anything is written, where something else is there, and where the folder cannot be written.
    """
    from eksnetpol.translation.emit import KUSTOMIZATION, files

    found = dict(files(done))
    found[KUSTOMIZATION] = found.pop(KUSTOMIZATION)
    try:
        left_over = _left_over(folder, found)
        for path in left_over:
            path.unlink(missing_ok=True)
        for name in found:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written: {error.strerror or error}") from error
    for name, text in found.items():
        write(text, str(folder / name))
    return len(found)


def _left_over(folder: Path, found: dict[str, str]) -> list[Path]:
    """Return files that a killed run had not put in place yet; raise `UsageError` where something is there but for *found*."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; nothing was written")
    begun = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            continue
        # As `outputs.write` calls a file until it is whole.
        whole = path.with_name(path.name[1:].rpartition(".")[0] or path.name).relative_to(folder).as_posix()
        if path.name.startswith(".") and whole in found:
            begun.append(path)
        elif name not in found or path.is_symlink() or path.read_bytes() != found[name].encode():
            other = "holds something else than is to be written" if name in found else "is not of this translation"
            raise UsageError(
                f"{path}: {other}; nothing was written, so that nothing is overwritten or mixed. "
                "Name a new folder, or remove this one, which Git keeps"
            )
    return begun
