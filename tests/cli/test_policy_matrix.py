"""``policy matrix`` and ``policy graph``: every way of speaking, and that all of them say the same."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ended
from tests.cli.shop_files import k8s, saved_shop

Cli = Callable[..., Ended]
Golden = Callable[[str, str], None]

__all__ = ["k8s", "saved_shop"]

ENDINGS = {"text": "txt", "json": "json", "csv": "csv", "markdown": "md", "dot": "dot", "mermaid": "mmd"}


@pytest.mark.parametrize("form", ENDINGS)
def test_each_way_of_speaking_reads_as_it_did(cli: Cli, k8s: str, golden: Golden, form: str) -> None:
    ended = cli("policy", "matrix", "--manifests", k8s, "-o", form)
    assert (ended.code, ended.err) == (0, "")
    golden(f"cli/policy/matrix.{ENDINGS[form]}", ended.out)


def test_all_of_them_name_the_same_pairs(cli: Cli, saved_shop: str) -> None:
    def said(form: str) -> str:
        return cli("policy", "matrix", "--snapshot", saved_shop, "-o", form).out

    told = json.loads(said("json"))
    pairs = {(c["from"], c["to"]): c["connections"] for c in told["connections"]}
    assert pairs
    assert "none" not in {c["connections"] for c in told["connections"] if not c["partial"]}
    rows = list(csv.DictReader(said("csv").splitlines()))
    assert {(r["from"], r["to"]): r["connections"] for r in rows} == pairs
    assert [w for w in told["workloads"] if w == "shop/StatefulSet/db"]
    assert [o["name"] for o in told["outside"]] == ["internet", "198.18.0.0/15", "203.0.113.0/24", "203.0.113.128/25"]
    assert opened(said("html")) == pairs


def opened(page: str) -> dict[tuple[str, str], str]:
    """The pairs that the script of a page would draw, and what it would say of them."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    places = [p[0] for p in data["places"]]
    pairs = {}
    for number, key in enumerate(data["columns"]):
        run = data["runs"][key]
        cells = [answer for answer, count in zip(run[::2], run[1::2], strict=True) for _ in range(count)]
        assert len(cells) == len(places)
        for source, answer in enumerate(cells):
            if not data["answers"][answer]["none"]:
                text = data["answers"][answer]["text"]
                rest = text.removesuffix(" between some pods")
                every = rest.rpartition("; ")[0] or "none"
                pairs[places[source], places[number]] = text if rest == text else every
    return pairs


def test_the_page_lets_nothing_in_that_it_did_not_bring(cli: Cli, k8s: str, quiet_place: Path) -> None:
    assert cli("policy", "matrix", "--manifests", k8s, "-o", "html=m.html").code == 0
    page = (quiet_place / "m.html").read_text(encoding="utf-8")
    assert page.count("<script") == page.count("</script>") == 2
    assert "default-src 'none'; style-src 'sha256-" in page.replace("&#39;", "'")
    assert not re.search(r"(?:src|href)\s*=|url\(|https?://", page)


def test_names_from_files_cannot_leave_the_data_of_the_page(cli: Cli, quiet_place: Path) -> None:
    name = "x</script><script>alert(1)</script>"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "spec": {"containers": []}}
    (quiet_place / "p.json").write_text(json.dumps(pod), encoding="utf-8")
    page = cli("policy", "matrix", "--manifests", "p.json", "-o", "html").out
    assert page.count("<script") == 2
    assert ("a/Pod/" + name, "internet") in opened(page)


def test_where_the_meanings_differ_is_shown_by_a_case(cli: Cli, saved_shop: str, golden: Golden) -> None:
    ended = cli("policy", "matrix", "--snapshot", saved_shop, "--compare-semantics")
    golden("cli/policy/matrix-compared.txt", ended.out)
    assert ended.code == 0
    told = json.loads(cli("policy", "matrix", "--snapshot", saved_shop, "--compare-semantics", "-o", "json").out)
    assert told["compared"]["semantics"] == "kubernetes"
    assert {d["to"] for d in told["compared"]["differences"]} == {"shop/DaemonSet/cache"}


def many(folder: Path, count: int) -> str:
    """Write *count* Deployments in two namespaces into a file."""
    text = "".join(
        f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{i}, namespace: n{i % 2}}}\nspec:\n"
        f"  podSelector: {{matchLabels: {{app: d{i}}}}}\n"
        f"  ingress: [{{from: [{{podSelector: {{}}}}], ports: [{{port: {1000 + i}}}]}}]\n---\n"
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d{i}, namespace: n{i % 2}}}\nspec:\n"
        f"  template: {{metadata: {{labels: {{app: d{i}}}}}, spec: {{containers: []}}}}\n---\n"
        for i in range(count)
    )
    (folder / "many.yaml").write_text(text, encoding="utf-8")
    return "many.yaml"


def test_many_workloads_are_summed_up_by_namespace(cli: Cli, quiet_place: Path, golden: Golden) -> None:
    file = many(quiet_place, 70)
    golden("cli/policy/matrix-many.txt", cli("policy", "matrix", "--manifests", file).out)
    every = cli("policy", "matrix", "--manifests", file, "-v").out
    assert "n1/Deployment/d69 takes\n  TCP 1069 from all of n1\n" in every


def test_many_workloads_that_are_alike_are_told_together(cli: Cli, quiet_place: Path) -> None:
    text = (quiet_place / many(quiet_place, 70)).read_text(encoding="utf-8")
    none = text.replace("podSelector: {matchLabels: {app", "podSelector: {matchLabels: {none")
    (quiet_place / "alike.yaml").write_text(none, encoding="utf-8")
    said = cli("policy", "matrix", "--manifests", "alike.yaml").out
    assert said.startswith("every workload takes\n  everything from every workload, internet\n")


@pytest.mark.parametrize("by", ["workload", "namespace"])
def test_graphs_read_as_they_did(cli: Cli, saved_shop: str, golden: Golden, by: str) -> None:
    for form, ending in (("dot", "dot"), ("mermaid", "mmd")):
        ended = cli("policy", "graph", "--snapshot", saved_shop, "--by", by, "-o", form)
        assert (ended.code, ended.err) == (0, "")
        golden(f"cli/policy/graph-{by}.{ending}", ended.out)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_what_is_written_for_it(cli: Cli, saved_shop: str, quiet_place: Path) -> None:
    ended = cli("policy", "graph", "--snapshot", saved_shop, "-o", "svg=g.svg")
    assert (ended.code, ended.err) == (0, "")
    drawn = (quiet_place / "g.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn
    assert "shop/StatefulSet/db" in drawn


def test_without_graphviz_svg_is_refused_before_any_work(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = cli("policy", "graph", "--snapshot", "nowhere.json", "-o", "svg")
    assert ended.code == 2
    assert "there is no program `dot` on the PATH" in ended.err


def test_mermaid_says_when_it_will_not_be_drawn(cli: Cli, quiet_place: Path) -> None:
    ended = cli("policy", "graph", "--manifests", many(quiet_place, 70), "-o", "mermaid")
    assert "Mermaid draws at most 500 arrows, and these are more: --by namespace" in ended.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("matrix", "-o", "htm"), "there is no format 'htm'; did you mean html?"),
        (("matrix", "--by", "namespace"), "No such option '--by'"),
        (("graph", "--by", "pod"), "'pod' is not one of 'workload', 'namespace'"),
        (("matrix", "--manifests", "nowhere"), "nowhere: there is no such file or directory"),
        (("graph", "--snapshot", "nowhere.json"), "nowhere.json"),
        (("matrix", "-o", "json=no/such/folder.json"), "there is no directory 'no/such'"),
    ],
)
def test_wrong_usage_is_told(cli: Cli, args: tuple[str, ...], words: str) -> None:
    ended = cli("policy", *args)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
