"""Writes the reference pages that follow from the code: `python -m docs.generate`; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.declare import Check

HERE = Path(__file__).parent


def checks_page() -> str:
    """Return docs/checks.md: every check with its reason, by family."""
    lines = [
        "# Checks",
        "",
        "Written by `make docs` from the declarations; `eksnetpol checks explain ID` prints the same at a terminal.",
        "",
        "A check ends as *passed*, *failed*, *unknown* (it could not be determined; never good news), *skipped* (the question does"
        " not arise) or *errored* (a bug of ours).",
        "",
    ]
    families: dict[str, list[Check]] = {}
    for check in catalog():
        families.setdefault(check.family, []).append(check)
    lines += ["| family | checks |", "|---|---|"]
    lines += [f"| [{_words(name)}](#{_anchor(name)}) | {len(members)} |" for name, members in families.items()]
    for name, members in families.items():
        lines += ["", f"## {_words(name)}"]
        for check in members:
            lines += ["", f"### {check.id}", "", f"**{check.severity}**: {check.title}.", "", *_paragraphs(check.rationale)]
            lines += ["", f"Asked for: {check.asked_for}. Reads: {_reads(check)}."]
            lines += ["", "Sources: " + ", ".join(_link(s) for s in dict.fromkeys((*check.sources, check.docs)))]
    return "\n".join(lines) + "\n"


def command_page() -> str:
    """Return docs/commands.md: the help of every command."""
    from eksnetpol.cli.main import cli  # noqa: PLC0415 - the page of checks needs no command line

    lines = ["# Commands", "", "Written by `make docs` from the commands' own help."]
    for path, command in _walk(cli, ("eksnetpol",)):
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        lines += ["", f"## {' '.join(path)}", "", "```", command.get_help(context).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                found += _walk(inner, (*path, name))
    return found


def _words(family: str) -> str:
    return family.replace("_", " ").capitalize()


def _anchor(family: str) -> str:
    return family.replace("_", "-")


def _reads(check: Check) -> str:
    return ", ".join(f"`{i.name}`{' (if it can)' if i.tolerant else ''}" for i in check.inputs)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(block.split()) if block else "" for block in text.split("\n\n")]


def _link(source: str) -> str:
    if source.startswith("https://"):
        return f"<{source}>"
    repository, sharp, number = source.partition("#")
    return f"[{source}](https://github.com/{repository}/issues/{number})" if sharp else source


PAGES = {"checks.md": checks_page, "commands.md": command_page}


def main() -> int:
    """Write the pages, or with ``--check`` say which are stale; return the exit code."""
    stale = []
    for name, page in PAGES.items():
        text = page()
        path = HERE / name
        if "--check" in sys.argv:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"docs/{name} is stale: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
