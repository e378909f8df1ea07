"""Nothing that a training made is lost, mixed or misreported, whatever is pressed, damaged or overwritten meanwhile."""

import json
import os
from pathlib import Path

import pytest

from ohwx_compare.core.events import Learned, Missed, Sampled, Started
from ohwx_compare.engine import weights
from ohwx_compare.errors import TrainingError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.contents import read_contents
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.files.json_file import json_text, parse_json
from ohwx_compare.files.lock import hold
from ohwx_compare.train.outside import child, controls, runs
from ohwx_compare.train.outside.runs import Trainings
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train

KINDS_OF_DAMAGE = {
    "state.json": [
        "{}",
        "[]",
        "null",
        '{"status": 5}',
        '{"status": "running", "started": "now"}',
        "{" * 100_000,
        "NaN",
    ],
    "recipe.json": ["[]", "", '{"output": 3}', "\udc80".encode("utf-8", "surrogatepass")],
    "events.jsonl": [
        '{"event": "Learned"}\n' * 9,
        "{" * 100_000 + "\n",
        '{"event": "Learned", "step": NaN, "time": NaN}\n',
    ],
}


def run(values, listen=lambda event, folder: None, **changes):
    recipe = Recipe.from_dict({**values, **changes})
    folder = Path(recipe.output)
    return folder, train(make_plan(recipe), lambda event: listen(event, folder))


def stop_after(step):
    return lambda e, folder: controls.ask(folder, "stop") if isinstance(e, Learned) and e.step == step else None


def test_a_stop_asked_for_while_it_starts_is_obeyed(small):
    def start(event, folder):
        if isinstance(event, Started):
            controls.ask(folder, "stop")

    _, result = run(small, start)
    assert (result.step, result.is_finished) == (0, False)
    assert run(small)[1].is_finished


def test_a_child_that_is_awaited_finds_what_was_asked_since(small):
    folder = Path(small["output"])
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(json.dumps({"status": "starting", "pid": os.getpid(), "time": 0}))
    controls.ask(folder, "stop")
    assert run(small)[1].step == 0


def test_a_stop_in_the_last_step_leaves_no_sample_out(small):
    seen = []

    def stop(event, folder):
        seen.append(type(event))
        stop_after(3)(event, folder)

    sampled = {"watch_every_epochs": 1, "sample_prompts": ["photo of ohwx man"], "sample_steps": 1}
    folder, result = run(small, stop, epochs=1, **sampled)
    last = max(i for i, kind in enumerate(seen) if kind is Learned)
    assert result.is_finished
    assert Sampled in seen[last:]
    assert not (folder / "stop").exists()


def test_a_finished_run_started_again_stays_done(small):
    folder, _ = run(small)
    before = Trainings(folder.parent).one(folder.name)
    child._note(folder, {"status": "starting", "pid": 1, "started": 1.0, "time": 1.0})  # as `start` does
    run(small)
    after = Trainings(folder.parent).one(folder.name)
    assert (after["state"], after["step"], after["steps"]) == ("done", before["steps"], before["steps"])


def test_a_save_while_paused_is_of_the_step_in_hand(small, monkeypatch):
    folder = Path(small["output"])
    turns = []

    def sleep(seconds):
        turns.append(sorted(path.name for path in folder.glob("*.safetensors")))
        controls.ask(folder, "save") if len(turns) == 1 else controls.unask(folder, "pause")

    monkeypatch.setattr(controls.time, "sleep", sleep)
    run(small, lambda e, folder: controls.ask(folder, "pause") if isinstance(e, Learned) and e.step == 1 else None)
    assert turns == [[], ["me-step00000001.safetensors"]]
    assert not (folder / "me-step00000002.safetensors").exists()


@pytest.mark.slow
def test_a_damaged_newest_state_gives_way_to_the_one_before(small, tmp_path):
    every = {"state_every": 1}
    whole, _ = run(small, output=str(tmp_path / "whole"), **every)
    folder, _ = run(
        small, lambda e, f: controls.ask(f, "stop") if isinstance(e, Learned) and e.step == 2 else None, **every
    )
    second = max((folder / "state").glob("*.state"))
    second.write_bytes(second.read_bytes()[:-100])
    told = []
    run(small, lambda event, folder: told.append(event), **every)
    assert next(event for event in told if isinstance(event, Missed)).what == "state"
    assert sha256(folder / "me.safetensors") == sha256(whole / "me.safetensors")


def test_no_whole_state_is_a_sentence(small):
    folder, _ = run(small, stop_after(1))
    for state in (folder / "state").glob("*.state"):
        state.write_bytes(b"no")
    with pytest.raises(TrainingError, match=r"No state is whole.*Delete"):
        run(small)


def test_a_base_overwritten_meanwhile_is_not_mixed_in(small):
    base = Path(small["base"])
    content = base.read_bytes()

    def overwrite(event, folder):
        if isinstance(event, Learned) and event.step == 2:
            changed = bytearray(content)
            changed[-4:] = b"\0\0\0\0"
            stat = base.stat()
            base.write_bytes(changed)
            os.utime(base, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    try:
        with pytest.raises(TrainingError, match="changed while this training ran"):
            run(small, overwrite)
    finally:
        base.write_bytes(content)
    assert not list(Path(small["output"]).glob("*.safetensors"))
    assert run(small)[1].is_finished


def test_a_base_written_to_during_a_save_is_not_mixed_in(small, monkeypatch):
    save = weights.save

    def saved(path, tensors, base, *more):
        digest = save(path, tensors, base, *more)
        os.utime(base)
        return digest

    monkeypatch.setattr(weights, "save", saved)
    with pytest.raises(TrainingError, match="changed while this training ran"):
        run(small)
    assert not list(Path(small["output"]).glob("*.safetensors"))


def test_what_it_saved_need_not_be_read_by_who_trusts_samples(small):
    _, result = run(small)
    for path in result.checkpoints:
        seen = Hashes(cache_folder(), trusts_samples=True).glance(path)
        assert seen is not None
        assert (seen.contents, seen.is_certain) == (read_contents(path), True)
        assert not Hashes(cache_folder()).glance(path).is_certain
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        assert Hashes(cache_folder(), trusts_samples=True).glance(path) is None
    assert result.checkpoints


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in KINDS_OF_DAMAGE.items() for text in texts])
def test_a_damaged_folder_is_a_row_and_hides_no_other(tmp_path, name, text):
    for folder in ("good", "bad"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "recipe.json").write_text("{}")
    state = {"status": "running", "started": 1.0, "step": 1, "steps": 2}
    (tmp_path / "bad" / "state.json").write_text(json.dumps(state))
    (tmp_path / "bad" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    rows = Trainings(tmp_path).all()
    assert sorted(row["id"] for row in rows) == ["bad", "good"]
    assert [row["error"] for row in rows] == [None, None]  # what is whole of it is shown
    json.dumps(rows, allow_nan=False)
    Trainings(tmp_path).events("bad", 0)
    with hold(tmp_path / "bad"):  # as one that runs
        assert Trainings(tmp_path).one("bad")["seconds_left"] is None


def test_a_folder_that_cannot_be_read_at_all_hides_no_other(tmp_path, monkeypatch):
    for folder in ("good", "long", "odd"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "recipe.json").write_text(json.dumps({"name": "x" * 500_000} if folder == "long" else {}))
    monkeypatch.setattr(runs, "look", lambda folder: [][0] if folder.name == "odd" else child.look(folder))
    found = {row["id"]: row["error"] for row in Trainings(tmp_path).all()}
    assert found.pop("good") is None
    assert "more of itself" in found.pop("long")
    assert "damaged" in found.pop("odd")
    assert not found


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFO in a folder")
@pytest.mark.parametrize("name", ["recipe.json", "state.json", "events.jsonl", "train.log", "x.safetensors"])
def test_a_pipe_holds_nobody_up(tmp_path, name):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    (tmp_path / "run" / "state.json").write_text('{"status": "running"}')
    (tmp_path / "run" / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / "run" / name)
    with hold(tmp_path / "run"):  # so it runs, and its pace is looked for
        assert len(Trainings(tmp_path).all()) == (name != "recipe.json")
    if name != "recipe.json":
        assert Trainings(tmp_path).events("run", 0) == ([], 0, False)


def test_what_is_no_number_is_null():
    assert parse_json(json_text({"loss": float("nan"), "norms": [1.0, float("inf")]})) == {
        "loss": None,
        "norms": [1.0, None],
    }
    assert json_text({"loss": float("nan")}) == '{"loss": null}'
    assert parse_json('{"loss": NaN}') == {"loss": None}
    assert parse_json("[1e999, -1e999, 1e-999, 0.5]") == [None, None, 0.0, 0.5]
