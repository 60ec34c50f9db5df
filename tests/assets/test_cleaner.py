"""The Job that cleans a node, run by a real shell and awk against stand-ins for the kernel's tools, as strict as these."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksnetpol.assets.cleaner import CLEANS, OWN_COMMANDS, TRACES, can_clean, cleaner, cleaner_ref, script
from eksnetpol.model.kinds import ObjectRef

TOOLS = '''\
#!{python}
"""iptables-save, iptables-restore, ipset and nft over one file of state, as strict as they are."""
import json, sys
from pathlib import Path
here = Path({here!r})
tool, args = Path(sys.argv[0]).name, sys.argv[1:]
state = json.loads(here.read_text())
def stop(why):
    print(why, file=sys.stderr)
    sys.exit(2)
def target(rule):
    words = rule.split()
    return next((words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-j", "-g")), "")
if tool.endswith("-save"):
    backend = state["backends"].get(tool.removesuffix("-save"))
    if backend is None:
        stop("Fatal: can't initialize")
    for table, chains in backend.items():
        print(f"*{{table}}")
        for name in chains:
            print(f":{{name}} - [0:0]")
        for name, rules in chains.items():
            for rule in rules:
                print(f"-A {{name}} {{rule}}")
        print("COMMIT")
elif tool.endswith("-restore"):
    assert args == ["--noflush", "-w", "60"], args
    backend = state["backends"][tool.removesuffix("-restore")]
    table = None
    for line in sys.stdin.read().splitlines():
        if line.startswith("*"):
            table = {{name: list(rules) for name, rules in backend[line[1:]].items()}}
            where = line[1:]
        elif line == "COMMIT":
            backend[where] = table
        else:
            verb, _, rest = line.partition(" ")
            name, _, rule = rest.partition(" ")
            if name not in table:
                stop(f"no chain {{name}}")
            if verb == "-D":
                if rule not in table[name]:
                    stop(f"no such rule: {{line}}")
                table[name].remove(rule)
            elif verb == "-F":
                table[name] = []
            elif verb == "-X":
                if table[name]:
                    stop(f"{{name}} is not empty")
                if any(target(rule) == name for rules in table.values() for rule in rules):
                    stop(f"{{name}} is referred to")
                del table[name]
            else:
                stop(f"what is {{line}}?")
    here.write_text(json.dumps(state))
elif tool == "ipset":
    if args[0] == "destroy":
        used = json.dumps(state["backends"])
        if f"--match-set {{args[1]}} " in used:
            stop(f"{{args[1]}} is in use")
        state["sets"].remove(args[1])
        here.write_text(json.dumps(state))
    else:
        print("\\n".join(state["sets"]))
elif tool == "nft":
    if args[:2] == ["delete", "table"]:
        state["tables"].remove(" ".join(args[2:]))
        here.write_text(json.dumps(state))
    else:
        print("\\n".join(f"table {{name}}" for name in state["tables"]))
'''

AWS = ['-m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0']
CALICO: dict[str, Any] = {
    "filter": {
        "INPUT": ['-m comment --comment "cali:Cz_u1IQiXIMmKD4c" -j cali-INPUT', "-j KUBE-FIREWALL"],
        "FORWARD": [
            '-m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD',
            "-j KUBE-FORWARD",
            (
                '-m comment --comment "cali:S93hcgKJrXEqnTfs" -m comment --comment "Policy explicitly accepted packet." '
                "-m mark --mark 0x10000/0x10000 -j ACCEPT"
            ),
        ],
        "KUBE-FIREWALL": ["-m mark --mark 0x8000/0x8000 -j DROP"],
        "KUBE-FORWARD": [],
        "cali-INPUT": ['-m comment --comment "cali:x1" -g cali-wl-to-host'],
        "cali-FORWARD": ['-m comment --comment "cali:x2" -i eni+ -j cali-from-wl-dispatch'],
        "cali-wl-to-host": ['-m comment --comment "cali:x3" -m set --match-set cali40this-host src -j ACCEPT'],
        "cali-from-wl-dispatch": ['-m comment --comment "cali:x4" -m comment --comment "Unknown interface" -j DROP'],
    },
    "nat": {"PREROUTING": ['-m comment --comment "cali:6gw" -j cali-PREROUTING'], "POSTROUTING": AWS, "AWS-SNAT-CHAIN-0": [],
            "cali-PREROUTING": []},
    "mangle": {"PREROUTING": ["-i eth0 -j CONNMARK --restore-mark"]},
}  # fmt: skip
KUBE_ROUTER: dict[str, Any] = {
    "filter": {
        "INPUT": ['-m comment --comment "kube-router netpol - 4IA2OSFRMVNDXBVV" -j KUBE-ROUTER-INPUT'],
        "FORWARD": ['-m comment --comment "kube-router netpol - TEMCG2JMHZYE7H7T" -j KUBE-ROUTER-FORWARD', "-j KUBE-FORWARD"],
        "OUTPUT": ['-m comment --comment "kube-router netpol - VEAAIY32XVBHCSCY" -j KUBE-ROUTER-OUTPUT'],
        "KUBE-FORWARD": [],
        "KUBE-ROUTER-INPUT": [],
        "KUBE-ROUTER-FORWARD": ['-m comment --comment "rule to jump traffic" -d 10.0.0.9/32 -j KUBE-POD-FW-ABCDEF123'],
        "KUBE-ROUTER-OUTPUT": [],
        "KUBE-POD-FW-ABCDEF123": ["-j KUBE-NWPLCY-DEFAULT"],
        "KUBE-NWPLCY-DEFAULT": ["-m set --match-set KUBE-SRC-XYZ src -j MARK --set-xmark 0x10000/0x10000"],
    }
}
SETS = {
    "calico": ["cali40this-host", "cali60all-ipam-pools", "KUBE-SRC-XYZ", "mine"],
    "kube-router": ["KUBE-SRC-XYZ", "inet6:KUBE-DST-ABC", "kube-router-local-pods", "cali40x", "mine"],
}


class Node:
    """One node's kernel, and the script run on it."""

    def __init__(self, folder: Path, **state: Any) -> None:
        self.folder = folder
        self.file = folder / "state.json"
        self.file.write_text(json.dumps({"backends": {}, "sets": [], "tables": [], **state}))
        tools = TOOLS.format(python=sys.executable, here=str(self.file))
        names = [f"{one}-{end}" for one in ("iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft")
                 for end in ("save", "restore")]  # fmt: skip
        for name in (*names, "ipset", "nft"):
            (folder / name).write_text(tools)
            (folder / name).chmod(0o755)

    # --- what is done to it ---

    def clean(self, engine: str, *, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run the script, where these tools are missing."""
        for name in without:
            (self.folder / name).unlink()
        path = f"{self.folder}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return subprocess.run(["/bin/sh", "-c", script(engine)], env={"PATH": path}, capture_output=True, text=True, check=False)

    @property
    def state(self) -> Any:
        """What is there now."""
        return json.loads(self.file.read_text())


def others(chains: dict[str, dict[str, list[str]]], mine: tuple[str, ...], marks: str) -> Any:
    """What is left when all of the engine's is gone, the slow way."""
    return {
        table: {
            name: [r for r in rules if marks not in r and not any(f" {m}" in f" {r}" for m in mine)]
            for name, rules in of.items()
            if not name.startswith(mine)
        }
        for table, of in chains.items()
    }


def test_calicos_rules_go_from_both_back_ends_and_all_others_stay(tmp_path: Path) -> None:
    backends = {"iptables-legacy": CALICO, "iptables-nft": CALICO, "ip6tables-nft": {"filter": CALICO["filter"]}}
    node = Node(tmp_path, backends=backends, sets=SETS["calico"], tables=["ip calico", "ip6 calico", "inet mine", "ip nat"])
    done = node.clean("calico")
    assert done.returncode == 0, done.stdout + done.stderr
    state = node.state
    left = others(CALICO, ("cali-",), "cali:")
    assert state["backends"]["iptables-legacy"] == left
    assert state["backends"]["iptables-nft"] == left
    assert state["backends"]["ip6tables-nft"] == {"filter": left["filter"]}
    assert left["filter"]["FORWARD"] == ["-j KUBE-FORWARD"]
    assert left["nat"]["POSTROUTING"] == AWS
    assert state["sets"] == ["KUBE-SRC-XYZ", "mine"]
    assert state["tables"] == ["inet mine", "ip nat"]
    assert "cali:S93hcgKJrXEqnTfs" in done.stdout, "what was there is in the log"
    assert "ip6tables-legacy does not work on this node" in done.stdout
    again = node.clean("calico")
    assert (again.returncode, node.state) == (0, state), "a second time changes nothing"


def test_kube_routers_rules_go_and_kube_proxys_stay(tmp_path: Path) -> None:
    node = Node(tmp_path, backends={"iptables-nft": KUBE_ROUTER}, sets=SETS["kube-router"], tables=["ip kube-router-filter-ipv4"])
    done = node.clean("kube-router")
    assert done.returncode == 0, done.stdout + done.stderr
    assert node.state["backends"]["iptables-nft"] == others(
        KUBE_ROUTER, ("KUBE-ROUTER-", "KUBE-POD-FW-", "KUBE-NWPLCY-"), "kube-router netpol"
    )
    assert node.state["sets"] == ["cali40x", "mine"]
    assert node.state["tables"] == []


def test_an_image_without_tools_fails_and_one_without_ipset_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path, backends={"iptables-nft": CALICO})
    without = tuple(f"{one}-save" for one in ("iptables-legacy", "ip6tables-legacy", "ip6tables-nft"))
    done = node.clean("calico", without=(*without, "ipset", "nft"))
    assert done.returncode == 0
    assert "# ipset is not in this image" in done.stdout
    done = node.clean("calico", without=("iptables-nft-save",))
    assert done.returncode == 1
    assert "neither iptables back-end is in this image" in done.stdout


def test_what_cannot_be_taken_out_fails_the_job(tmp_path: Path) -> None:
    held = {"filter": {**CALICO["filter"], "MINE": ["-j RETURN"]}}
    node = Node(tmp_path, backends={"iptables-nft": held}, sets=["cali40held"])
    (tmp_path / "ipset").write_text('#!/bin/sh\n[ "$1" = destroy ] && exit 0\necho cali40held\n')
    done = node.clean("calico")
    assert done.returncode == 1
    assert "sets of the engine are left" in done.stdout
    (tmp_path / "iptables-nft-restore").write_text("#!/bin/sh\ncat >/dev/null\nexit 4\n")
    assert node.clean("calico").returncode != 0


_chain = st.sampled_from(
    ["cali-a", "cali-b", "cali-from-wl-dispatch-0", "felix-x", "KUBE-SERVICES", "AWS-SNAT-CHAIN-0", "califragile"]
)
_rule = st.builds(
    lambda mark, verb, to: f"{mark}{verb} {to}",
    st.sampled_from(["", '-m comment --comment "cali:abc_-1" ', '-m comment --comment "not calico" ', "-s 10.0.0.0/8 "]),
    st.sampled_from(["-j", "-g"]),
    st.one_of(_chain, st.sampled_from(["ACCEPT", "DROP"])),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.one_of(_chain, st.sampled_from(["INPUT", "FORWARD"])), st.lists(_rule, max_size=4), max_size=6))
def test_any_ruleset_loses_what_is_the_engines_and_nothing_else(tmp_path: Path, chains: dict[str, list[str]]) -> None:
    # Chains that rules lead to are there, as in any kernel.
    named = {rule.split()[-1] for rules in chains.values() for rule in rules} - {"ACCEPT", "DROP"}
    table = {**{name: [] for name in sorted(named)}, **chains}
    folder = tmp_path / "node"
    folder.mkdir(exist_ok=True)
    node = Node(folder, backends={"iptables-nft": {"filter": table}})
    done = node.clean("calico")
    assert done.returncode == 0, done.stdout + done.stderr
    gone = ("cali-", "felix-")
    wanted = {
        name: [r for r in rules if "cali:" not in r and not r.split()[-1].startswith(gone)]
        for name, rules in table.items()
        if not name.startswith(gone)
    }
    assert node.state["backends"]["iptables-nft"]["filter"] == wanted


def test_the_job_is_bound_to_its_node_and_says_whose_rules_it_takes() -> None:
    name = "ip-10-0-0-1.eu-west-1.compute.internal"
    job = cleaner("calico", name, "registry.example.org/iptables@sha256:1")
    assert ObjectRef.of(job) == cleaner_ref(name)
    assert job["metadata"]["labels"][CLEANS] == "calico"
    pod = job["spec"]["template"]["spec"]
    assert pod["nodeName"] == name
    assert (pod["hostNetwork"], pod["restartPolicy"], pod["automountServiceAccountToken"]) == (True, "Never", False)
    (container,) = pod["containers"]
    assert container["command"] == ["/bin/sh", "-c", script("calico")]
    assert container["securityContext"] == {"privileged": True}
    assert len({cleaner_ref(f"node-{n}").name for n in range(2000)}) == 2000
    assert len(cleaner_ref("n" * 250).name) <= 63


def test_an_engine_with_a_command_of_its_own_is_cleaned_by_it() -> None:
    job = cleaner("kube-router", "n1", "docker.io/cloudnativelabs/kube-router", own_command=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["--cleanup-config"]
    assert "command" not in container


@pytest.mark.parametrize("engine", ["cilium", "antrea", "weave"])
def test_others_are_not_cleaned(engine: str) -> None:
    assert not can_clean(engine)
    assert set(OWN_COMMANDS) <= set(TRACES)
    with pytest.raises(KeyError):
        cleaner(engine, "n1", "x")
