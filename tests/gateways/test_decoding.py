"""Kinds that share structs can be met for the first time by many threads at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEETING = """
import sys, threading
sys.setswitchinterval(1e-6)
import msgspec
from eksnetpol.gateways.decoding import convert, decoder
from eksnetpol.model import kubernetes as k8s, policies as pol
kinds = [k8s.Node, k8s.Workload, k8s.Service, pol.NetworkPolicy, k8s.ClusterRole, pol.PolicyEndpoint, k8s.AgentPod] * 3
together = threading.Barrier(len(kinds))
met = []
def meet(kind):
    together.wait()
    got = decoder(kind).decode(b'{"metadata":{"name":"a","ownerReferences":[{"kind":"b"}],"managedFields":[{"manager":"c"}]}}')
    same = convert({"metadata": {"name": "a", "ownerReferences": [{"kind": "b"}], "managedFields": [{"manager": "c"}]}}, kind)
    met.append(got == same and got.metadata.owner_references[0].kind)
threads = [threading.Thread(target=meet, args=(kind,)) for kind in kinds]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(met.count("b") == len(kinds))
"""


@pytest.mark.parametrize("attempt", range(3))
def test_threads_that_meet_kinds_together_all_decode_them(attempt: int) -> None:
    done = subprocess.run([sys.executable, "-c", MEETING], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), f"{attempt}: {done.stderr}"
