"""A training set as a list of folders, each with settings of its own; the pictures lie right in them."""

from collections.abc import Callable, Sequence

from ohwx_compare.errors import ExperimentError
from ohwx_compare.files.dataset import Dataset, DatasetPicture, PictureFolder, pictures_in

__all__ = ["read_folders"]


def read_folders(folders: Sequence[PictureFolder], check: Callable[[], None] = lambda: None) -> Dataset:
    """Read these folders as `read_dataset` does; one that holds no picture is named. Raises ExperimentError."""
    skipped: list[str] = []
    notes: list[str] = []
    found: dict[bool, list[DatasetPicture]] = {False: [], True: []}
    for folder in folders:
        if not folder.path.is_dir():
            raise ExperimentError(f"The folder {folder.path} does not exist.")
        try:
            inside = list(pictures_in(folder, (skipped, notes), check))
        except OSError as error:
            raise ExperimentError(f"{folder.path} cannot be read: {error.strerror or error}.") from error
        if not inside:
            notes.append(f"{folder.path} holds no picture right in it and is passed over.")
        found[folder.reg] += inside
    if not found[False]:
        raise ExperimentError("The folders hold no training images; pictures must lie right in a concept's folder.")
    return Dataset(train=tuple(found[False]), reg=tuple(found[True]), skipped=tuple(skipped), notes=tuple(notes))
