"""What a whole experiment is, as its file says it: arms, replicate seeds, comparisons, what is judged.

    {"recipe": {"base": ..., "train": ..., ...},
     "arms": {"no-reg": {}, "reg": {"reg": "datasets/reg"}},
     "seeds": [1, 2],
     "comparisons": {"comparison": {"job": {...}, "axes": [...], "faces": [...], "control": "ohwx man"}},
     "judge": {"photos": "photos/me", "held_out": "photos/me-not-trained-on"}}

An arm is the recipe with some fields of its own. Each arm is trained once for each seed. A comparison is an experiment
file without checkpoints: they are the base and every save at exposures that all arms have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.control import Control
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.regular import load_json
from ohwx_compare.train.outside.controls import WORDS as CONTROLS
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.recipe.recipe import Recipe, paths_from
from ohwx_compare.words import did_you_mean, quoted

__all__ = ["Study", "StudyComparison", "aligned", "read_study"]

_FIELDS = ("recipe", "arms", "seeds", "comparisons", "judge")
_JUDGED = ("comparison", "photos", "held_out", "negatives", "class_token")
_OWN = ("output", "name", "seed")  # fields of a recipe that the study sets


@dataclass(frozen=True, kw_only=True)
class StudyComparison:
    """One comparison of a study: an experiment without checkpoints, and which of them it is asked for."""

    experiment: Experiment
    base: bool = True  # the base takes part
    control: str = ""  # token and class: the base is asked for the class in place of it
    last: int | None = None  # saves of each training, from the end; None: all that are aligned

    def of(self, base: str, saves: Sequence[Sequence[str]]) -> Experiment:
        """The experiment over `base` and `saves`: file names, those of the same exposures in a row."""
        rows = saves[-self.last :] if self.last else saves
        names = [*([base] if self.base else []), *(name for row in rows for name in row)]
        whole = self.experiment.with_checkpoints(map(CheckpointRef, names))
        return whole.with_control(Control.of(CheckpointRef(base), self.control)) if self.control else whole

    @classmethod
    def read(cls, name: str, data: Any) -> "StudyComparison":
        """Raises ExperimentError."""
        if not isinstance(data, dict):
            raise ExperimentError(f"The comparison {quoted(name)} must be a JSON object, got {quoted(data)}.")
        last, base, control = data.get("last"), data.get("base", True), data.get("control") or ""
        is_count = last is None or (type(last) is int and last > 0)
        if not is_count or type(base) is not bool or type(control) is not str:
            raise ExperimentError(
                f"Comparison {quoted(name)} has base {quoted(base)}, control {quoted(control)}, last {quoted(last)}; "
                "expected true or false, token and class, and a whole number or null."
            )
        rest = {key: value for key, value in data.items() if key not in ("last", "base", "control")}
        experiment = Experiment.from_dict(rest).as_typed()
        if experiment.checkpoints:
            raise ExperimentError(f"The comparison {quoted(name)} has a checkpoint axis; leave that to the trainings.")
        return cls(experiment=experiment, base=base, control=control, last=last)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A whole experiment; relative paths in it start at `here`."""

    here: Path
    recipe: Mapping[str, Any]  # as a recipe file has it, without output, name and seed
    arms: Mapping[str, Mapping[str, Any]]  # fields of their own
    comparisons: Mapping[str, StudyComparison]
    seeds: tuple[int, ...] = ()  # none: the recipe's own, once
    judge: Mapping[str, str] | None = None

    @classmethod
    def from_dict(cls, data: Any, here: Path) -> "Study":
        """Read a study. Raises ExperimentError, with the nearest name for a field that is not one."""
        _known(data, _FIELDS, "the file")
        if missing := [name for name in ("recipe", "arms", "comparisons") if not data.get(name)]:
            raise ExperimentError(f"The file lacks {', '.join(missing)}.")
        for name in ("recipe", "arms", "comparisons"):
            if not isinstance(data[name], dict):
                raise ExperimentError(f"`{name}` must be a JSON object, got {quoted(data[name])}.")
        for what, given in (("recipe", data["recipe"]), *data["arms"].items()):
            own = [name for name in _OWN if name in given] if isinstance(given, dict) else [quoted(given)]
            if own:
                raise ExperimentError(
                    f"{quoted(what)} has {', '.join(own)}; give fields of a recipe without {', '.join(_OWN)}."
                )
        seeds = data.get("seeds", [])
        if not isinstance(seeds, list) or not all(type(seed) is int for seed in seeds) or len(set(seeds)) < len(seeds):
            raise ExperimentError(f"`seeds` must be different whole numbers, got {quoted(seeds)}.")
        if data.get("judge") is not None:
            _known(data["judge"], _JUDGED, "`judge`")
            if odd := [value for value in data["judge"].values() if not isinstance(value, str | None)]:
                raise ExperimentError(f"`judge` has {quoted(odd[0])}, expected texts.")
        comparisons = {name: StudyComparison.read(name, given) for name, given in data["comparisons"].items()}
        if wrong := [name for name in (*data["arms"], *comparisons) if not _is_folder_name(name)]:
            raise ExperimentError(f"{quoted(wrong[0])} becomes a folder; give it a plain name.")
        arms, judge = data["arms"], data.get("judge")
        return cls(
            here=here, recipe=data["recipe"], arms=arms, comparisons=comparisons, seeds=tuple(seeds), judge=judge
        )

    def recipes(self, out: Path) -> dict[str, Recipe]:
        """Every training, into its folder below `out`, by its name. Raises ExperimentError."""
        found = {}
        for arm, own in self.arms.items():
            for seed in self.seeds or (None,):
                name = arm if len(self.seeds) < 2 else f"{arm}-s{seed}"
                given = paths_from(self.here, {**self.recipe, **own})
                given |= {"output": str(out / name), "name": name} | ({} if seed is None else {"seed": seed})
                found[name] = Recipe.from_dict(given)
        return found

    def path(self, text: str) -> Path:
        """A path of the file."""
        return self.here / Path(text).expanduser()

    def experiments(self, plans: Mapping[str, TrainingPlan], out: Path) -> dict[str, Experiment]:
        """Every comparison over the saves of `plans`, by its name. Raises ExperimentError."""
        base, saves = self.base(out), aligned(plans)
        return {name: each.of(base, saves) for name, each in self.comparisons.items()}

    def base(self, out: Path) -> str:
        """What comparisons call the checkpoint that the trainings begin from."""
        path, out = self.path(self.recipe["base"]).absolute(), out.absolute()
        return path.relative_to(out).as_posix() if path.is_relative_to(out) else path.name


def aligned(plans: Mapping[str, TrainingPlan]) -> list[list[str]]:
    """The files of all saves at exposures that every training has, `training/file`; each row is of equal exposures.

    Raises ExperimentError where there are none.
    """
    files = {
        name: {round(save.exposures, 2): f"{name}/{plan.files(save)[0]}" for save in plan.saves if save.kept}
        for name, plan in plans.items()
    }
    shared = sorted(set.intersection(*(set(own) for own in files.values())))
    if not shared:
        told = "; ".join(f"{name} saves at {', '.join(map('{:g}'.format, own))}" for name, own in files.items())
        raise ExperimentError(f"The trainings share no exposures at which to compare them: {told}. Save them alike.")
    return [[own[exposures] for own in files.values()] for exposures in shared]


def read_study(path: Path) -> Study:
    """The study of a file (UTF-8 JSON). Raises ExperimentError."""
    try:
        data = load_json(path)
    except OSError as error:
        raise ExperimentError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise ExperimentError(f"{path} is not JSON: {error}.") from error
    return Study.from_dict(data, path.absolute().parent)


def _known(data: Any, names: Sequence[str], where: str) -> None:
    if not isinstance(data, dict):
        raise ExperimentError(f"{where} must be a JSON object, got {quoted(data)}.")
    for name in data:
        if name not in names:
            raise ExperimentError(f"{where} has no {quoted(name)}; {did_you_mean(name, names)}")


def _is_folder_name(name: str) -> bool:
    is_plain = bool(name) and name == Path(name).name and not name.startswith(".") and not set(name) & set('<>:"\\|?*')
    return is_plain and name not in CONTROLS
