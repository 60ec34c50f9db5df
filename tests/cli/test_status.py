"""`eksnetpol status` and `eksnetpol render` as they are called."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Ended

Cli = Callable[..., Ended]
CLUSTERS = Path(__file__).parents[2] / "demo" / "clusters"
READY, DORMANT, RETAIL = (str(CLUSTERS / f"{name}.json.gz") for name in ("ready", "dormant", "retail-store-calico"))


def test_a_status_of_a_snapshot(cli: Cli) -> None:
    ended = cli("status", "--snapshot", READY, "--width", "100")
    assert ended.code == 0
    assert ended.out.startswith("ON: network policy is on in shop-prod.\n  + both switches are on\n")
    assert ended.err == ""


def test_one_that_could_not_be_told(cli: Cli, saved: str) -> None:
    ended = cli("status", "--snapshot", saved, "-o", "json")
    assert ended.code == 3
    assert json.loads(ended.out)["verdict"] == "unknown"
    assert ended.err.startswith("eksnetpol: exit code 3: the switches could not be read: ")


def test_formats_go_where_they_are_sent(cli: Cli, quiet_place: Path) -> None:
    ended = cli("status", "--snapshot", READY, "-o", "yaml", "-o", "json=status.json", "-o", "text=status.txt")
    assert yaml.safe_load(ended.out) == json.loads((quiet_place / "status.json").read_text())
    assert (quiet_place / "status.txt").read_text().startswith("ON: ")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--watch", "--snapshot", READY), "--watch looks at a live cluster again and again"),
        (("--until", "on", "--snapshot", READY), "--until looks at a live cluster again and again"),
        (("--timeout", "5s", "--snapshot", READY), "--timeout bounds --watch and --until"),
        (("--until", "never"), "'never' is not one of"),
        (("--timeout", "soon", "--watch"), "is no time; write 30s or 2m"),
        (("--snapshot", "missing.json"), "missing.json: "),
        (("--snapshot", READY, "-o", "html"), "there is no format 'html'"),
        (("--snapshot", READY, "--cluster", "x"), "give one of them"),
        ((), "there is nothing to look at"),
    ],
)
def test_bad_calls_of_status(cli: Cli, args: tuple[str, ...], says: str) -> None:
    ended = cli("status", *args)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err


def test_a_change_is_written_for_its_owner(cli: Cli) -> None:
    ended = cli("render", "enable", "--as", "terraform", "--snapshot", DORMANT)
    assert ended.code == 0, ended.err
    assert 'resource "aws_eks_addon" "vpc_cni" {' in ended.out
    assert ended.out.startswith("# Enable network policies on shop-dev.\n")


def test_a_document_goes_into_a_file_whole(cli: Cli, quiet_place: Path) -> None:
    ended = cli(
        "render", "enable", "--as", "eksctl", "--snapshot", DORMANT, "--set", "nodeAgent.logLevel=warn", "-o", "cluster.yaml"
    )
    assert (ended.code, ended.out) == (0, ""), ended.err
    (entry,) = yaml.safe_load((quiet_place / "cluster.yaml").read_text())["addons"]
    assert json.loads(entry["configurationValues"]) == {"enableNetworkPolicy": "true", "nodeAgent": {"logLevel": "warn"}}
    assert stat.S_ISREG((quiet_place / "cluster.yaml").stat().st_mode)


def test_nothing_left_to_do_writes_nothing(cli: Cli, quiet_place: Path) -> None:
    ended = cli("render", "enable", "--as", "terraform", "--snapshot", READY, "-o", "np.tf")
    assert (ended.code, ended.out) == (0, "")
    assert "nothing is left to do, and nothing was written" in ended.err
    assert not (quiet_place / "np.tf").exists()


def test_the_only_language_that_fits_need_not_be_said(cli: Cli) -> None:
    ended = cli("render", "enable", "--snapshot", RETAIL)
    assert ended.code == 0, ended.err
    assert "kubectl apply --server-side --field-manager=eksnetpol" in ended.out
    assert "note: eksnetpol itself would stop here: preflight: " in ended.err
    assert {d["kind"] for d in yaml.safe_load_all(ended.out) if d} == {"ConfigMap", "DaemonSet"}


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("enable", "--as", "helm-values", "--snapshot", DORMANT), 6, "--as terraform or cloudformation or cdk"),
        (("enable", "--as", "terraform", "--snapshot", RETAIL), 6, "--as kubectl does; --adopt makes it an add-on"),
        (("enable", "--snapshot", DORMANT), 2, "say for whom it is to be written: --as terraform, cloudformation"),
        (("enable", "--as", "cdk", "--snapshot", DORMANT, "--to", "1.21"), 2, "--to belongs to `eksnetpol render upgrade`"),
        (("upgrade", "--as", "cdk", "--snapshot", DORMANT, "--adopt"), 2, "--adopt belongs to `eksnetpol render enable`"),
        (("enable", "--as", "cdk", "--snapshot", DORMANT, "--set", "x"), 2, "'x' is no KEY=VALUE"),
        (("enable", "--as", "cdk", "--snapshot", DORMANT, "--set", "no.such=1"), 2, "no.such"),
        (("upgrade", "--as", "cdk", "--snapshot", DORMANT, "--to", "v9.9.9"), 2, "9.9.9"),
        (("migrate", "--as", "cdk"), 2, "'migrate' is not one of"),
        (("enable", "--as", "pulumi"), 2, "'pulumi' is not one of"),
        (("enable", "--as", "cdk", "--snapshot", DORMANT, "-o", "no/such/folder.ts"), 2, "make it first"),
    ],
)
def test_bad_calls_of_render(cli: Cli, args: tuple[str, ...], code: int, says: str) -> None:
    ended = cli("render", *args)
    assert (ended.code, ended.out) == (code, ""), ended.err
    assert says in ended.err
    assert "Traceback" not in ended.err
