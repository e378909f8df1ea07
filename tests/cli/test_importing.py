"""Importing without the collector: it is back afterwards, and leaves alone what was imported."""

import subprocess
import sys

CHILD = """
import gc
from ohwx_compare.cli.importing import importing
assert gc.get_freeze_count() == 0
with importing():
    assert not gc.isenabled()
    import torch
assert gc.isenabled() and gc.get_freeze_count() > 100_000
frozen = gc.get_freeze_count()
with importing():
    assert gc.isenabled()
assert gc.get_freeze_count() == frozen
"""


def test_the_collector_rests_while_torch_is_imported_and_not_again():
    assert subprocess.run([sys.executable, "-c", CHILD], check=False).returncode == 0
