"""Plans and runs as people and programs see them."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
import yaml

from eksnetpol.gateways import plan_file
from eksnetpol.model.plan import Isolation
from eksnetpol.reporting import plan_json, plan_markdown, plan_text, plan_view, run_list, run_page
from tests.reporting.plan_samples import BROKEN, ENTRIES, MANAGED, PLANS, RUN

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_on_the_terminal(name: str, golden: Golden) -> None:
    said = plan_text.text(PLANS[name], 100, color=False)
    assert said.isascii()
    assert max(map(len, said.splitlines())) <= 100
    golden(f"plans/plan.{name}.txt", said)


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_in_a_change_ticket(name: str, golden: Golden) -> None:
    golden(f"plans/plan.{name}.md", plan_markdown.markdown(PLANS[name]))


@pytest.mark.parametrize("name", PLANS)
def test_the_json_of_a_plan_is_a_plan_file(name: str) -> None:
    text = plan_json.json(PLANS[name])
    assert plan_file.decode(text.encode(), "stdin") == PLANS[name]
    assert yaml.safe_load(plan_json.yaml(PLANS[name])) == json.loads(text)


def test_everything_is_named_when_it_is_wanted() -> None:
    assert "more; -v and -o json name them" in plan_text.text(MANAGED, 100, color=False)
    whole = plan_text.text(MANAGED, 100, color=False, verbose=True)
    assert "more; -v" not in whole
    assert all(f"bank/Deployment/d{n}" in whole for n in range(9))


def test_those_nothing_is_let_through_to_come_first() -> None:
    rows = (Isolation("a/Deployment/a", "ingress", 2, 2, 0), Isolation("z/Deployment/z", "ingress", 3, 3, 1))
    first, second = plan_view.isolation_words(rows)
    assert first == "z/Deployment/z ingress: 3 pods, nothing is let through to 1"
    assert second == "a/Deployment/a ingress: 2 pods"


def test_a_plan_that_cannot_tell_says_so() -> None:
    unknown = msgspec.structs.replace(MANAGED, isolates=None)
    assert "could not be told" in plan_text.text(unknown, 100, color=False)


@pytest.mark.parametrize(("seconds", "words"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (7800, "2 h 10 min")])
def test_durations(seconds: float, words: str) -> None:
    assert plan_view.duration(seconds) == words


def test_the_list_of_runs(golden: Golden) -> None:
    golden("plans/runs.txt", run_list.render((RUN, BROKEN), "text", "/state", 100))
    assert run_list.render((), "text", "/state", 100) == "There are no runs in /state.\n"
    told = json.loads(run_list.render((RUN, BROKEN), "json", "/state", 100))
    assert [run["id"] for run in told["runs"]] == [RUN.id, BROKEN.id]
    assert yaml.safe_load(run_list.render((RUN, BROKEN), "yaml", "/state", 100)) == told


def test_one_run(golden: Golden) -> None:
    for form, ending in (("text", "txt"), ("markdown", "md")):
        golden(f"plans/run.{ending}", run_page.render(RUN, MANAGED, ENTRIES, form, 100, verbose=False))
    told = json.loads(run_page.render(RUN, MANAGED, ENTRIES, "json", 100, verbose=False))
    assert [line["event"] for line in told["journal"]] == ["opened", "started", "acted", "failed"]
    assert told["plan"]["digest"] == MANAGED.digest
