"""Reset and relearn on a real broker and a real store: the line begins untrained, once."""

from tests.stream.ordered_line import Line, has_come_beyond, kept, slow
from tests.stream.rig import rig


def test_a_reset_begins_untrained_here_and_is_over_with_its_version(place):
    """A cancel finds nothing under way, no later life resets again, and a rollback undoes it."""
    with rig(**kept(place)) as at:
        process = at.start()
        line = Line(at)
        old = line.learns(100)

        line.order("reset")
        made = line.settle()

        counts = made.manifest.counts
        assert (counts.learned, counts.forgotten) == (0, 100)
        assert made.manifest.parent == old.id
        assert made.manifest.orders_seen == at.reader().checked().control_seq
        assert line.order("cancel")["changed"] is False
        assert line.order("pin", to=old.manifest.name)["serving"] == old.manifest.name
        at.kill(process)
        at.start()
        line.send(20)
        assert line.settle().manifest.counts.forgotten == 100
        assert line.learned() == list(range(100, 120))
        begun = [each for each in at.reader().versions(limit=500) if each.manifest.rewind]
        assert [each.number for each in begun] == [made.number]

        line.order("rollback", to=old.manifest.name, mode="rewind")
        line.settle()
        assert line.learned() == list(range(120))
        assert line.apart([]) == []


def test_what_is_relearned_takes_over_when_it_is_released(place):
    """Killed in the middle, it goes on; the head stays and is served until then."""
    with rig(**slow(place)) as at:
        process = at.start()
        line = Line(at)
        good = line.learns(20)
        line.learns(60)
        line.rewind(good, "0:30-39")
        old = line.settle()
        line.order("relearn", start="earliest")
        at.until(has_come_beyond(line, 30), "it has learned some")
        at.kill(process)
        at.start()
        line.send(10)
        at.until(has_come_beyond(line, 89), "it has caught up")

        assert (line.head.id, at.reader().checked().serving.id) == (old.id, old.id)

        line.order("release")
        line.settle()

        assert line.head.manifest.parent == old.id
        assert line.learned() == [n for n in range(90) if not 30 <= n < 40]
        at.until(lambda: line.candidate is None, "the candidate goes")
