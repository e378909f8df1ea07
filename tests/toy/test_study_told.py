"""A study's folder tells programs outside what it does, and takes their stop."""

import json
from contextlib import suppress

import pytest

from ohwx_compare.core.events import Learned, Started
from ohwx_compare.errors import ExperimentError, Interrupted
from ohwx_compare.study.study import Study
from ohwx_compare.study.told import study_record
from ohwx_compare.train.outside import child, controls


def told(folder):
    return json.loads((folder / "state.json").read_text(encoding="utf-8"))


def test_it_tells_its_parts_while_it_holds_the_folder(tmp_path):
    with study_record(tmp_path, 2, lambda event: None) as record:
        record.begin("training a")
        record(Started("training", 3, 3.0))
        record(Learned(1, 1, 0.1, 1.0, 1.0))
        record.write()
        now = child.look(tmp_path)
        assert (now["status"], now["doing"], now["part"], now["parts"]) == ("running", "training a", 1, 2)
        assert (now["step"], now["steps"], now["alive"]) == (1, 3, True)
        with pytest.raises(ExperimentError, match="at work in"), study_record(tmp_path, 2, lambda event: None):
            pass
        record.end(["It is so."], "comparison")
    assert (told(tmp_path)["status"], told(tmp_path)["said"]) == ("ended", ["It is so."])
    assert not child.look(tmp_path)["alive"]


def test_a_stop_is_seen_and_forgotten_and_one_left_from_before_does_not_count(tmp_path):
    controls.ask(tmp_path, "stop")
    with suppress(Interrupted), study_record(tmp_path, 1, lambda event: None) as record:
        assert not record.stops()
        controls.ask(tmp_path, "stop")
        assert record.stops()
        raise Interrupted
    assert not (tmp_path / "stop").exists()
    assert (told(tmp_path)["status"], "said" in told(tmp_path)) == ("ended", False)


def test_what_ends_it_is_told(tmp_path):
    with pytest.raises(ExperimentError), study_record(tmp_path, 1, lambda event: None):
        raise ExperimentError("It cannot be.")
    assert (told(tmp_path)["status"], told(tmp_path)["error"]) == ("failed", "It cannot be.")
    with pytest.raises(ZeroDivisionError), study_record(tmp_path, 1, lambda event: None):
        raise ZeroDivisionError
    assert told(tmp_path)["status"] == "cut off"


@pytest.mark.parametrize("name", controls.WORDS)
def test_no_part_is_called_as_a_control(tmp_path, name):
    job = {"job": {"prompt": "a", "seed": 1}}
    file = {"recipe": {"base": "b", "train": "t"}, "arms": {name: {}}, "comparisons": {"c": job}}
    with pytest.raises(ExperimentError, match="becomes a folder"):
        Study.from_dict(file, tmp_path)
