"""`eksnetpol status` and `eksnetpol render` as they are called."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.cli.commands.render import LANGUAGES
from eksnetpol.cli.commands.status import PAUSE
from eksnetpol.facts.status import MOVING, SECTIONS
from eksnetpol.gateways.runs import Runs
from eksnetpol.model.snapshot import ClusterSnapshot, Target
from tests.checks.cases import snapshot as short_snapshot
from tests.cli.conftest import Ended
from tests.reporting.plan_samples import MANAGED

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
    assert "kubectl patch daemonsets.apps aws-node -n kube-system --type=strategic --field-manager=eksnetpol" in ended.out
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


# --- watching, with looks that somebody made up ----------------------------------------------------------------------------


class Looks:
    """A live cluster that is as *looks* say, one after the other, and then stays so. ``asked`` are the sections of each look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *looks: ClusterSnapshot) -> None:
        self.looks = list(looks)
        self.asked: list[frozenset[str]] = []
        monkeypatch.setattr("eksnetpol.cli.look.connect_live", lambda *_: self)
        monkeypatch.setattr("eksnetpol.gateways.collect.collect", self.collect)
        monkeypatch.setattr("eksnetpol.cli.commands.status.time.sleep", self.wait)
        self.target = looks[0].target

    def wait(self, seconds: float) -> None:
        """Let time pass: the next look sees the next cluster."""
        assert 0 < seconds <= PAUSE
        if len(self.looks) > 1:
            self.looks.pop(0)

    def collect(self, _connection: object, _observer: object, *, sections: Collection[str]) -> ClusterSnapshot:
        """Look at the cluster as it is now."""
        self.asked.append(frozenset(sections))
        return self.looks[0]


def switched(value: str, updated: int = 2) -> ClusterSnapshot:
    flag = {"args": {"enable-network-policy": value}, "updated": updated}
    return replace(short_snapshot({"aws_node": flag, "switch": value, "addon": None, "addon_updates": []}), target=TARGET)


TARGET = Target(cluster="shop")
OFF, MOVING_ON, ON = switched("false"), switched("true", updated=1), switched("true")


def test_watching_says_a_line_for_each_change_and_ends_when_it_is_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, OFF, OFF, MOVING_ON, MOVING_ON, ON)
    ended = cli("status", "--cluster", "shop", "--until", "on")
    assert ended.code == 0, ended.err
    said = [line.split(" ", 1)[1].partition(":")[0] for line in ended.out.splitlines()]
    assert said == ["off", "rolling", "on"]
    # Whole looks are for the beginning and for what has moved; in between little is read.
    whole = [asked == frozenset(SECTIONS) for asked in looks.asked]
    assert whole == [True, False, False, True, False, False, True]
    assert all(asked in (frozenset(SECTIONS), frozenset(MOVING)) for asked in looks.asked)


def test_watching_writes_a_document_for_each_change(cli: Cli, monkeypatch: pytest.MonkeyPatch, quiet_place: Path) -> None:
    Looks(monkeypatch, OFF, OFF, MOVING_ON, ON)
    ended = cli("status", "--cluster", "shop", "--until", "on", "-o", "json", "-o", "yaml=last.yaml")
    verdicts = [json.loads(line)["verdict"] for line in ended.out.splitlines()]
    assert verdicts == ["off", "rolling", "on"]
    assert yaml.safe_load((quiet_place / "last.yaml").read_text())["verdict"] == "on"


def test_a_terminal_is_painted_over(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Looks(monkeypatch, OFF, ON)
    monkeypatch.setattr("eksnetpol.cli.commands.status._repaints", lambda _terminal: True)
    ended = cli("status", "--cluster", "shop", "--until", "on")
    pages = ended.out.split("\x1b[H\x1b[2J")
    assert [page.partition(":")[0] for page in pages] == ["", "OFF", "ON"]


def test_time_that_is_up_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Looks(monkeypatch, MOVING_ON)
    now = iter(range(0, 1000, 4))
    monkeypatch.setattr("eksnetpol.cli.commands.status.time.monotonic", lambda: next(now))
    ended = cli("status", "--cluster", "shop", "--until", "settled", "--timeout", "10s")
    assert ended.code == 5
    assert "exit code 5: --until settled was not reached within 10 s; it is rolling" in ended.err
    watched = cli("status", "--cluster", "shop", "--watch", "--timeout", "10s", "--detailed-exitcode")
    assert watched.code == 7
    assert "exit code 5" not in watched.err


def test_who_stops_watching_has_changed_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch, ON)

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eksnetpol.cli.commands.status.time.sleep", stop)
    ended = cli("status", "--cluster", "shop", "--watch")
    assert (ended.code, len(looks.asked)) == (130, 1)
    assert "interrupted; nothing was changed" in ended.err


def test_runs_that_have_not_ended_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, quiet_place: Path) -> None:
    Looks(monkeypatch, OFF)
    folder = quiet_place / "runs"
    Runs.at(str(folder)).start(replace(MANAGED, target=TARGET), "20261127-030744-enable-4f2a").release()
    said = cli("status", "--cluster", "shop", "--state-dir", str(folder), "-o", "json")
    (run,) = json.loads(said.out)["runs"]
    assert (run["id"], run["verb"], run["state"]) == ("20261127-030744-enable-4f2a", "enable", "stopped")
    assert "eksnetpol resume 20261127-030744-enable-4f2a" in cli("status", "--cluster", "shop", "--state-dir", str(folder)).out


@pytest.mark.parametrize("cluster", sorted(path.name for path in CLUSTERS.glob("*.json.gz")))
def test_no_change_of_any_cluster_is_beyond_words(cli: Cli, cluster: str) -> None:
    for words in ("enable", "enable --adopt", "upgrade", "disable", "disable --keep-policies"):
        written = []
        for language in LANGUAGES:
            ended = cli("render", *words.split(), "--as", language, "--snapshot", str(CLUSTERS / cluster))
            assert ended.code in {0, 2, 3, 6}, f"{words} --as {language}: {ended.err}"
            assert bool(ended.out) <= (ended.code == 0)
            assert ended.out or ended.err
            written.append(bool(ended.out))
            if ended.out and language in {"cloudformation", "eksctl", "helm-values"}:
                assert yaml.safe_load(ended.out) is not None
            if ended.out and language == "kubectl":
                # Each object once: two versions of one must not be applied in one go.
                documents = [d for d in yaml.safe_load_all(ended.out) if d]
                names = [(d["kind"], d["metadata"]["name"]) for d in documents]
                assert len(names) == len(set(names))
        assert any(written) or ended.err
