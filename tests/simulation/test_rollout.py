"""Pods that are counted roll like pods that are looked at one by one, by the DaemonSet controller's own rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eksnetpol.simulation.rollout import Pods, State

SECONDS = 10.0


class Slow:
    """One pod per node, each looked at in every round, as ``rollingUpdate`` of the DaemonSet controller does."""

    def __init__(self, available: list[bool], maximum: int, never: set[int]) -> None:
        self.is_new = [False] * len(available)
        self.available = list(available)
        self.ready_at: dict[int, float] = {}
        self.maximum = maximum
        self.never = never

    def round(self, now: float) -> None:
        """Let new pods become available, then delete old ones as far as that is allowed."""
        for node, at in list(self.ready_at.items()):
            if at <= now and node not in self.never:
                self.available[node] = True
                del self.ready_at[node]
        allowed: list[int] = []
        candidates: list[int] = []
        unavailable = 0
        for node, available in enumerate(self.available):
            if self.is_new[node]:
                unavailable += not available
            elif not available:
                allowed.append(node)
                unavailable += 1
            else:
                candidates.append(node)
        room = max(0, self.maximum - unavailable)
        for node in (*allowed, *candidates[:room]):
            self.is_new[node], self.available[node] = True, False
            self.ready_at[node] = now + SECONDS

    def counts(self) -> tuple[int, int]:
        """Return how many are of the new template, and how many are available."""
        return sum(self.is_new), sum(self.available)


@given(
    available=st.lists(st.booleans(), min_size=1, max_size=40),
    maximum=st.integers(1, 12),
    never=st.sets(st.integers(0, 39), max_size=5),
)
def test_counted_pods_roll_as_single_ones_do(available: list[bool], maximum: int, never: set[int]) -> None:
    never = {n for n in never if n < len(available)}
    names = tuple(f"n{i}" for i in range(len(available)))
    slow = Slow(available, maximum, never)
    states = bytearray(State.AVAILABLE if a else State.NEVER for a in available)
    fast = Pods(names, SECONDS, maximum, never=frozenset(names[i] for i in never), states=states)
    fast.restart(0)
    for step in range(45):
        now = step * SECONDS
        slow.round(now)
        fast.advance(now, crashes=False)
        told = fast.status
        assert (told["updatedNumberScheduled"], told["numberAvailable"]) == slow.counts()
        assert told["desiredNumberScheduled"] == told["numberAvailable"] + told["numberUnavailable"]


def rolled(pods: Pods, *, crashes: bool = False, until: float = 10_000) -> float:
    """Let time pass from one thing that happens to the next; return when nothing more does."""
    now = 0.0
    while (due := pods.next_due()) is not None and due <= until:
        now = due
        pods.advance(now, crashes=crashes)
    return now


def test_five_thousand_nodes_take_ten_turns_of_a_tenth() -> None:
    pods = Pods(tuple(map(str, range(5_000))), SECONDS, 500)
    pods.restart(0)
    assert rolled(pods) == 10 * SECONDS
    assert pods.status["numberAvailable"] == pods.status["updatedNumberScheduled"] == 5_000


def test_with_on_delete_a_pod_goes_only_when_somebody_deletes_it() -> None:
    pods = Pods(("a", "b"), SECONDS, 1, on_delete=True)
    pods.restart(0)
    assert pods.next_due() is None
    pods.delete("b", 5)
    assert rolled(pods) == 5 + SECONDS
    assert [pods.state_of(i) for i in range(2)] == [State.OLD, State.AVAILABLE]


def test_crashing_pods_stop_the_roll_out_until_they_crash_no_more() -> None:
    pods = Pods(tuple("abcd"), SECONDS, 1)
    pods.restart(0)
    rolled(pods, crashes=True)
    assert (pods.status["updatedNumberScheduled"], pods.status["numberAvailable"], pods.is_undecided) == (1, 3, True)
    pods.advance(100, crashes=False)
    rolled(pods)
    assert pods.status["numberAvailable"] == 4


def test_another_template_in_the_middle_starts_again() -> None:
    pods = Pods(tuple("abcd"), SECONDS, 1)
    pods.restart(0)
    pods.advance(SECONDS, crashes=False)
    pods.restart(SECONDS + 1)
    assert pods.status["updatedNumberScheduled"] == 1
    rolled(pods)
    assert pods.status["updatedNumberScheduled"] == 4
