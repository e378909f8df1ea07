"""A real webui's API draws a comparison that is run outside of it: the pictures are those of X/Y/Z + ADetailer."""

from functools import cache

from webui_api import difference

from ohwx_compare.compare.run import draw_run
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.engine.detect import find_detector
from ohwx_compare.files.images import load_rgb
from ohwx_compare.files.ledger.reader import open_run
from ohwx_compare.hosts.api.client import Client
from ohwx_compare.hosts.api.crew import ApiCrew
from ohwx_compare.hosts.api.host import ApiHost


def test_pictures_are_those_of_xyz_and_adetailer(webui, case, theirs, tmp_path):
    user, expected = webui.get("/sdapi/v1/options")["sd_model_checkpoint"], theirs(webui)
    experiment = Experiment.from_infotext(parse(case["infotexts"][0]), {})
    crew = ApiCrew([ApiHost(Client(webui.url))])
    try:
        crew.require(experiment)
        folders = [webui.folder.parent / "adetailer"]
        detectors = cache(lambda name: find_detector(name, folders, device="cpu"))
        result = draw_run(experiment, crew, detectors, tmp_path / "out", resolve=crew.resolve)
    finally:
        crew.close()
    assert (result.drawn, result.failed) == (6, 0)
    for cell in open_run(tmp_path / "out").cells:
        picture, _ = expected[cell.cell.checkpoint.stem + ".safetensors", cell.cell.job.seed]
        most, mean = difference(load_rgb(tmp_path / "out" / (cell.result.after or cell.result.before)), picture)
        assert (most <= 4, mean <= 0.02) == (True, True), (cell.cell.number, most, mean)
    assert webui.get("/sdapi/v1/options")["sd_model_checkpoint"] == user
