from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import click
import pytest
from click.testing import CliRunner

from eksnetpol.cli.base import ENV_PREFIX, Command, Group, Option
from eksnetpol.cli.main import COMMANDS, cli
from eksnetpol.cli.options import INTENTS, THRESHOLDS
from eksnetpol.cli.summary import age_in_words
from eksnetpol.model.findings import Intent, Severity
from eksnetpol.reporting.formats import FORMATS


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, Group):
        context = click.Context(command, info_name=(path or ("eksnetpol",))[-1])
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from every(inner, (*path, name))


EVERY = dict(every(cli))
LEAVES = {path: command for path, command in EVERY.items() if isinstance(command, Command)}


def invoke(*args: str) -> str:
    result = CliRunner().invoke(cli, list(args), prog_name="eksnetpol", terminal_width=100)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("path", EVERY, ids=lambda p: " ".join(p) or "eksnetpol")
def test_help_reads_as_it_did(path: tuple[str, ...], golden: Callable[[str, str], None]) -> None:
    text = invoke(*path, "--help")
    assert max(len(line) for line in text.splitlines()) <= 100
    golden(f"cli/{'-'.join(('eksnetpol', *path))}.txt", text)


@pytest.mark.parametrize("path", EVERY, ids=lambda p: " ".join(p) or "eksnetpol")
def test_a_short_option_asks_for_help_as_well(path: tuple[str, ...]) -> None:
    assert invoke(*path, "-h") == invoke(*path, "--help")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_a_description_examples_and_exit_codes(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    assert isinstance(command, Command)
    assert command.help
    assert command.examples
    assert {0, 2} <= set(command.exits)
    for _, words in command.examples:
        assert "eksnetpol " + " ".join(path) in words
        assert len(words) <= 78, "a terminal of 80 columns cuts it"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_example_is_understood(path: tuple[str, ...]) -> None:
    command = LEAVES[path]
    assert isinstance(command, Command)
    for _, words in command.examples:
        called = re.search(r"eksnetpol ([^|>)]*)", words)
        assert called is not None
        args = [word.strip("\"'") for word in called[1].split()][len(path) :]
        context = command.make_context("eksnetpol", args)
        assert context.params


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_has_a_variable_of_its_name_and_help(path: tuple[str, ...]) -> None:
    for param in LEAVES[path].params:
        if isinstance(param, click.Option):
            assert isinstance(param, Option), param.name
            assert param.help
            assert param.envvar == ENV_PREFIX + param.key.upper().replace("-", "_")


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for name, (_, line) in COMMANDS.items():
        command = EVERY[name,]
        assert command.short_help == line
        assert command.name == name


def test_the_words_of_options_are_those_of_the_model() -> None:
    from eksnetpol.cli.commands import preflight

    assert tuple(intent.value for intent in Intent if intent is not Intent.VERIFY) == INTENTS
    assert (*(severity.value for severity in Severity), "never") == THRESHOLDS
    assert tuple(FORMATS) == preflight.FORMATS


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute old"), (60, "1 minute old"), (7200, "2 hours old"), (86400 * 3, "3 days old")],
)
def test_ages_are_told_in_words(seconds: int, words: str) -> None:
    assert age_in_words(seconds) == words
