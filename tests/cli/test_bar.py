"""The progress bar: what it says, and that its time left follows the steps."""

import io

from ohwx_compare.cli.bar import Bar, clock
from ohwx_compare.core.events import Failed, Hashing, Image, Started, Step


def test_clock():
    assert [clock(s) for s in (0.4, 59, 60, 187, 7500)] == ["0 s", "59 s", "1:00 min", "3:07 min", "2:05 h"]


def test_time_left_counts_steps_not_cells():
    now = iter(range(100))
    bar = Bar(io.StringIO(), now=lambda: next(now))
    bar(Started("run", total=2, cost=40))
    assert bar.seconds_left() is None
    started = bar.started
    bar(Step(10))
    seconds = bar.seconds_left()
    assert seconds == (next(now) - 1 - started) * 30 / 10


def test_a_line_that_stays_wipes_the_bar():
    stream = io.StringIO()
    bar = Bar(stream)
    bar.is_live = True
    bar(Started("a long label", 2, 2))
    bar.say("said")
    *_, wiped, said = stream.getvalue().split("\r")
    assert (wiped.strip(), said) == ("", "said\n")
    assert "\033" not in stream.getvalue()


def test_without_a_terminal_each_cell_is_a_line():
    stream = io.StringIO()
    bar = Bar(stream)
    for event in (Started("run", 2, 2), Step(1), Image(1, "a", "drawn"), Failed(2, "b", "no memory")):
        bar(event)
    bar.close()
    first, second = stream.getvalue().splitlines()
    assert first.startswith("1/2  a: drawn")
    assert second.startswith("2/2  b: no memory")
    assert "\r" not in stream.getvalue()


def test_reading_a_file_for_its_hash_is_told_with_the_time_left():
    stream, now = io.StringIO(), iter(range(0, 1000, 10))
    bar = Bar(stream, now=lambda: next(now))
    for done in (0, 3 * 10**9, 6 * 10**9):
        bar(Hashing("a.safetensors", done, 6 * 10**9))
        assert bar.hashing.endswith((" 0 %  ", "50 %, 10 s left  ")) or done == 6 * 10**9
    assert stream.getvalue() == "reading a.safetensors for its hash (6.0 GB)\n"
    assert bar.hashing == ""
    bar.is_live = True
    bar(Hashing("b.safetensors", 0, 2))
    bar(Hashing("b.safetensors", 1, 2))
    assert "hashing b.safetensors: 50 %" in stream.getvalue().rpartition("\r")[2]
