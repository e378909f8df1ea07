"""What the system could give a program: a number of bytes, or None."""

from pathlib import Path

import pytest

from ohwx_compare.files.memory import available_memory, nearest_there


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="only Linux lists it in a file")
def test_it_is_less_than_the_machine_has():
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    assert 0 < available_memory() < int(total.split()[1]) * 1024


def test_a_name_that_is_too_long_is_not_there(tmp_path):
    assert nearest_there(tmp_path / ("x" * 5_000) / "y") == tmp_path
