"""The training tab's server side: it reads recipes, starts a child process and reads its folder and checkpoints.

The child is the command line's `ohwx train`; it outlives the webui and is found again by its folder.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from modules import paths

from ohwx_compare.errors import ExperimentError, TrainingError
from ohwx_compare.files.gallery import is_possible
from ohwx_compare.files.json_file import read_object
from ohwx_compare.hosts.webui.folders import (
    checkpoint_files,
    checkpoint_folders,
    detector_names,
    require_shown,
    trainings_folder,
)
from ohwx_compare.hosts.webui.tab.dataset_jobs import DatasetJobs
from ohwx_compare.hosts.webui.tab.http import Turn
from ohwx_compare.hosts.webui.tab.room import make_room
from ohwx_compare.hosts.webui.tab.toy import toy_training
from ohwx_compare.train.outside import child, controls
from ohwx_compare.train.outside.runs import Trainings, class_token_of, folder_for
from ohwx_compare.train.plan.plan import TrainingPlan, make_plan
from ohwx_compare.train.recipe.concepts import concept_folders
from ohwx_compare.train.recipe.described import described_fields
from ohwx_compare.train.recipe.forms import read_pasted
from ohwx_compare.train.recipe.presets import PRESETS
from ohwx_compare.train.recipe.recipe import Recipe, paths_of
from ohwx_compare.words import quoted

__all__ = ["Training"]

_WORDS: Mapping[str, str] = MappingProxyType({
    "corrected": "The defaults, without the faults of sd-scripts. Their learning rate is careful and untried on "
    "photographs: compare the checkpoints, and train longer or at 1e-5 where the last one is still the best.",
    "lean": "As corrected, in 8 GB of the card's memory: more is computed twice.",
    "10 GB": "As corrected, for cards of 10 GB.",
    "fast": "As corrected, for cards of 24 GB: nothing is computed twice.",
    "toy": 'For the toy model, which the tab ohwx compare puts here ("Put a toy model here") with 15 pictures of one '
    "man: a minute or two on a CPU. Its rate was chosen by trials in the toy world.",
    "article-no-reg": "As the article trained without regularization images, with the faults of sd-scripts.",
    "article-reg": "As the article trained with regularization images, with the faults of sd-scripts.",
})  # fmt: skip


class Training:
    """What the tab asks for. Every method takes and gives JSON values and raises OhwxError with a sentence."""

    def __init__(self) -> None:
        self._runs = Trainings(trainings_folder())
        self._planning = Turn()
        self.datasets = DatasetJobs()

    def state(self) -> dict[str, Any]:
        """Presets, fields, base checkpoints, what the toy is trained with (None without it) and all runs."""
        example = Recipe(base="-", train="-", output="-").to_dict()
        own = ("base", "train", "output", "preset")
        return {
            "values": PRESETS,
            "defaults": {name: value for name, value in example.items() if name not in own},
            "words": dict(_WORDS),
            "fields": described_fields(),
            "toy": toy_training(),
            "checkpoints": list(checkpoint_files()),
            "detectors": detector_names(),
            "note": self._note(),
            "runs": self._runs.all(),
        }

    def read(self, text: str, without: Sequence[str]) -> dict[str, Any]:
        """A pasted recipe or another trainer's settings as a recipe, and what to know about it.

        without: settings that may be left out although they change the training. Raises ExperimentError.
        """
        imported = read_pasted(text, without)
        recipe = {name: value for name, value in imported.recipe.to_dict().items() if name != "output"}
        return {"recipe": recipe, "notes": list(imported.notes)}

    def look(self, folder: str, recipe: Mapping[str, Any], detector: str, *, crops: bool) -> dict[str, Any]:
        """Look at a folder of pictures as `recipe` would sort them; see `DatasetJobs.add`."""
        place = _from_data(folder)
        known = {name: value for name, value in recipe.items() if name not in ("train", "reg", "concepts", "base")}
        return self.datasets.add(Path(place), {**known, "train": place}, detector, crops=crops)

    def plan(self, recipe: Mapping[str, Any], check: Callable[[], None]) -> dict[str, Any]:
        """What a recipe will do, without the lists that grow with the pictures.

        check: called for each picture; what it raises ends the planning.
        """
        told = self._plan(recipe, check).to_dict()
        return {name: value for name, value in told.items() if name not in ("recipe", "reg_images")}

    def start(self, recipe: Mapping[str, Any], check: Callable[[], None]) -> dict[str, Any]:
        """Start a recipe, or resume its run; where the GPU is too full, the webui's model is unloaded first."""
        return self._start(self._plan(recipe, check))

    def act(self, name: str, act: str, check: Callable[[], None]) -> dict[str, Any]:
        """Carry out "start", "pause", "resume", "save" or "stop"; the training obeys after its current step."""
        folder = self._runs.path(name)
        if act == "start":
            # a folder that was renamed, or made elsewhere, names another one in its recipe
            recipe = Recipe.from_dict({**_recipe_in(folder), "output": str(folder)})
            return self._start(self._counted(recipe, check))
        try:
            if act == "resume":
                controls.unask(folder, "pause")
            else:
                controls.ask(folder, act)
        except OSError as error:
            raise TrainingError(f"{name} cannot be asked: {error.strerror or error}.") from error
        return self._runs.one(name)

    def follow(self, name: str, after: int) -> dict[str, Any]:
        """A run, and its events from byte `after` on; continue from `next`, at once where there is `more`."""
        events, following, more = self._runs.events(name, after)
        return {"run": self._runs.one(name), "events": events, "next": following, "more": more}

    def folder(self, name: str) -> Path:
        """A run's folder."""
        return self._runs.path(name)

    def request(self, names: Sequence[str], draft: Mapping[str, Any]) -> dict[str, Any]:
        """`draft` with the checkpoints of these runs, ordered by how often each picture had been shown by then.

        The first run's base is the control, where it is among the webui's checkpoints and the words of the class are
        known.
        """
        kept = [(one.exposures, one.step, name, one.name) for name in names for one in self._runs.kept(name)]
        if not kept:
            raise ExperimentError(f"{', '.join(names)} has saved no checkpoint yet.")
        for name in names:
            if _recipe_in(self._runs.path(name)).get("network"):
                raise ExperimentError(
                    f"{name} trained LoRAs. Copy its saves into the webui's Lora folder, then compare with an axis of "
                    "LoRAs on its base."
                )
        recipe = Recipe.from_dict(_recipe_in(self._runs.path(names[0])))
        learned = class_token_of(self._runs.path(kept[0][2]) / kept[0][3])
        width, height = (side - side % 64 for side in recipe.resolution)
        prompt = next(iter(recipe.sample_prompts), f"photo of {learned or 'ohwx man'}")
        job = {**draft["job"], "prompt": prompt, "width": width, "height": height}
        base = _name_of(Path(recipe.base))
        control = {"checkpoint": base, "class_token": learned} if base and learned and learned in prompt else None
        files = [f"{name}/{file}" for _, _, name, file in sorted(kept)]
        return {**draft, "job": job, "checkpoints": files, "control": control}

    def _plan(self, recipe: Mapping[str, Any], check: Callable[[], None]) -> TrainingPlan:
        asked = {name: value for name, value in recipe.items() if name != "output"}
        for name in ("train", "reg"):
            if asked.get(name):
                asked[name] = _from_data(asked[name])
        if isinstance(asked.get("concepts"), list):
            asked["concepts"] = [dict(one) if isinstance(one, dict) else one for one in asked["concepts"]]
        for concept in concept_folders(asked.get("concepts")):
            concept["folder"] = _from_data(concept["folder"])
        if asked.get("base"):
            asked["base"] = str(_checkpoint(str(asked["base"])))
        # read once without its folder, so that what is wrong with it is told before a folder is looked for
        Recipe.from_dict({**asked, "output": "-"})
        output = folder_for(asked, trainings_folder())
        return self._counted(Recipe.from_dict({**asked, "output": str(output)}), check)

    def _counted(self, recipe: Recipe, check: Callable[[], None]) -> TrainingPlan:
        for place in paths_of(recipe.to_dict()):
            require_shown(Path(place))
        with self._planning.taken(check):
            return make_plan(recipe, check)

    def _start(self, plan: TrainingPlan) -> dict[str, Any]:
        plan.require_runnable()
        make_room(plan.memory.total)
        child.start(plan.recipe)
        return self._runs.one(Path(plan.recipe.output).name)

    def _note(self) -> str | None:
        if not torch.cuda.is_available():
            return "This webui has no GPU; the training will run on the CPU, which is too slow for more than a trial."
        return None


def _recipe_in(folder: Path) -> dict[str, Any]:
    found = read_object(folder / "recipe.json")
    if not found:
        raise ExperimentError(f"The recipe of {folder.name} cannot be read. Start a new training.")
    return found


def _from_data(folder: Any) -> str:
    """A folder as typed; a relative one starts at the webui's data."""
    return str(Path(paths.data_path) / _home(str(folder).strip(' "')))


def _home(path: str) -> Path:
    """Raises ExperimentError for the home of somebody who is not known here."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ExperimentError(f"There is no folder {quoted(path)}; write the whole path.") from error


def _checkpoint(name: str) -> Path:
    """A checkpoint of the webui's folders by its name there, or any file by its path."""
    found = (folder / name for folder in checkpoint_folders())
    path = next((path for path in found if is_possible(path) and path.is_file()), None)
    if path is None:
        path = Path(name)
        require_shown(path)
    if not (is_possible(path) and path.is_file()):
        raise ExperimentError(
            f"There is no base checkpoint {quoted(name)} in the webui's folders; select one from the list."
        )
    return path


def _name_of(path: Path) -> str | None:
    """What the webui calls a checkpoint; None outside of its folders."""
    folders = (folder for folder in checkpoint_folders() if path.resolve().is_relative_to(folder))
    return next((path.resolve().relative_to(folder).as_posix() for folder in folders), None)
