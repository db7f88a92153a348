"""What the comparison with other packages is measured by."""

from __future__ import annotations

import numpy as np
import pytest
from documents import put
from peers.race import Question, Way, race


class Machine:
    """A clock that each way moves on by its seconds, twice as far once the machine is busy."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def way(self, name, seconds, answer=(1.0, 2.0), **options):
        def call():
            self.calls.append(name)
            self.now += seconds * (2 if len(self.calls) > 40 else 1)
            return np.array(answer)

        return Way(name, call, **options)

    def race(self, *ways, seconds=3.0):
        return race(Question("which", 1, ways), seconds, lambda: self.now)


def test_ways_are_timed_in_turn_and_their_ratio_does_not_depend_on_the_machine():
    machine = Machine()
    times = machine.race(*(machine.way(name, s) for name, s in zip("abc", (0.01, 0.02, 0.03))))  # noqa: B905
    # Asked once for its answer, once for how often to call it; then in turn.
    assert "".join(machine.calls[:15]) == "abcabcabcbcacab"
    assert [time.beside for time in times] == pytest.approx([1, 2, 3])
    assert [time.seconds for time in times] == pytest.approx([0.02, 0.04, 0.06])


def test_short_calls_are_repeated_and_long_ones_timed_five_times():
    machine = Machine()
    short, long = machine.race(machine.way("s", 9e-4), machine.way("l", 10.0))
    assert machine.calls.count("l") == 2 + 5
    # Each time until five milliseconds are over.
    assert machine.calls.count("s") == 2 + 5 * 6
    assert short.seconds == pytest.approx(9e-4)
    assert long.beside == pytest.approx(10 / 9e-4)


@pytest.mark.parametrize("answer", [(1.0, 2.2), (1.0, np.nan)])
def test_nothing_is_timed_where_answers_disagree(answer):
    machine = Machine()
    ways = [machine.way("ours", 1.0), machine.way("theirs", 1.0, answer, within=0.1)]
    with pytest.raises(ValueError, match=r"theirs is .* apart from ours"):
        machine.race(*ways)
    assert machine.calls == ["ours", "theirs"]


def test_answers_of_other_shapes_are_not_compared():
    machine = Machine()
    with pytest.raises(AssertionError):
        machine.race(machine.way("ours", 1.0), machine.way("theirs", 1.0, [[1.0, 2.0]], within=9))


def test_a_table_goes_between_its_own_marks(tmp_path):
    document = tmp_path / "page.md"
    document.write_text(
        "a\n<!-- x: begin -->\nold\n<!-- x: end -->\n<!-- y: begin --><!-- y: end -->\n"
    )
    put(document, "x", "new\n")
    assert document.read_text() == (
        "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\n<!-- y: begin --><!-- y: end -->\n"
    )
    with pytest.raises(SystemExit, match="z: begin"):
        put(document, "z", "new\n")
