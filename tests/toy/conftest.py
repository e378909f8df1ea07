"""A demo on drawn weights, drawn once a session."""

import pytest
from drawn_demo import SMALL, drawn_parts


@pytest.fixture(scope="session")
def demo(mini, tmp_path_factory):
    """Folder, readings and events of a small demo, with its page."""
    from ohwx_compare.demo.answer import answer
    from ohwx_compare.demo.page import write_answer
    from ohwx_compare.demo.work import work

    folder, events = tmp_path_factory.mktemp("demo") / "a demo é", []
    readings = work(folder, SMALL, drawn_parts(mini), events.append, lambda: False)
    write_answer(folder, answer(readings), readings)
    return folder, readings, events
