"""A training that an earlier version began is listed and goes on."""

from ohwx_compare.core.events import Learned, Started
from ohwx_compare.train.outside.runs import Trainings
from ohwx_compare.train.plan.plan import make_plan
from ohwx_compare.train.recipe.recipe import Recipe
from ohwx_compare.train.run.loop import train


def test_a_training_of_an_earlier_version_goes_on_where_it_stopped(earlier, monkeypatch):
    folder = earlier("44c9ee7")
    monkeypatch.chdir(folder)  # its paths are relative
    trainings = Trainings(folder / "runs")
    (run,) = trainings.all()
    assert (run["state"], run["step"], run["steps"]) == ("stopped", 4, 6)
    assert run["checkpoints"] == [{"name": "me-000001.safetensors", "step": 3, "exposures": 1.0}]
    recipe, told = Recipe.from_dict({**run["recipe"], "output": f"runs/{run['id']}"}), []
    assert train(make_plan(recipe), told.append).is_finished
    assert next(event.total for event in told if isinstance(event, Started)) == 2
    assert [event.step for event in told if isinstance(event, Learned)] == [5, 6]
    assert [kept.step for kept in trainings.kept(run["id"])] == [3, 6]
