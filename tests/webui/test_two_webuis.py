"""Two real webuis draw one run, with the extension and without it; one of them is killed in the middle."""

from dataclasses import replace
from functools import cache

from starting import kill, started
from webui_api import difference

from ohwx_compare.compare.run import draw_run
from ohwx_compare.core.events import Image, Told
from ohwx_compare.core.experiment.axes import Axis
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.api.client import Client
from ohwx_compare.hosts.api.crew import ApiCrew
from ohwx_compare.hosts.api.host import ApiHost


def test_one_killed_in_the_middle_leaves_its_cells_to_the_other(webui, case, data, tmp_path):
    found = Experiment.from_infotext(parse(case["infotexts"][0]), {})
    axes = (Axis("seed", tuple(range(10, 18))) if axis.kind == "seed" else axis for axis in found.axes)
    experiment = replace(found, axes=tuple(axes))
    detectors = cache(lambda name: find_detector(name, [webui.folder.parent / "adetailer"], device="cpu"))

    def drawn(folder, urls, on_event):
        crew = ApiCrew([ApiHost(Client(url)) for url in urls])
        try:
            crew.require(experiment)
            return draw_run(experiment, crew, detectors, folder, on_event, resolve=crew.resolve)
        finally:
            crew.close()

    alone = drawn(tmp_path / "alone", [webui.url], lambda event: None)
    told = []
    with started(data) as (api, process):  # whose extensions are the others', not ours

        def end_one(event: object):
            told.append(event)
            if isinstance(event, Image) and sum(isinstance(one, Image) for one in told) == 8:
                kill(process)

        both = drawn(tmp_path / "both", [webui.url, api.url], end_one)
    assert any("generate what it leaves" in event.words for event in told if isinstance(event, Told))
    assert (alone.drawn, both.drawn, alone.failed, both.failed) == (24, 24, 0, 0)
    for one, other in zip(open_run(tmp_path / "alone").cells, open_run(tmp_path / "both").cells, strict=True):
        assert (one.cell, one.result.outcome) == (other.cell, other.result.outcome)
        assert other.result.outcome is not Outcome.FAILED
        pictures = (load_rgb(tmp_path / name / c.result.image) for name, c in (("alone", one), ("both", other)))
        most, mean = difference(*pictures)
        assert (most <= 4, mean <= 0.02) == (True, True), (one.cell.number, most, mean)
