"""What a run generates, apart from which host does it and where the pictures go.

A batch of one checkpoint is the unit of work: `needed` says which pictures it is made of, `BatchWork.lacking` which of
them are missing. Both are values without host, file or lock, so they can be sent to whoever generates, here or on
another machine; a larger unit is several batches of a checkpoint, cut where `batches()` cuts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ohwx_compare.compare.batches import Batch, cells_by_job, face_cost
from ohwx_compare.compare.shelf import file_name
from ohwx_compare.core.experiment.experiment import Cell
from ohwx_compare.core.experiment.key_text import Forms
from ohwx_compare.core.experiment.keys import PictureKeys
from ohwx_compare.core.request.job import Job
from ohwx_compare.core.request.steps import expected_faces, picture_steps

__all__ = ["NO_KEYS", "BatchWork", "CellKeys", "Holdings", "KeysOf", "Wanted", "keys_with", "needed"]


@dataclass(frozen=True)
class CellKeys:
    """The keys of one cell; `last` is the one of the picture it ends with."""

    before: str
    last: str


NO_KEYS = CellKeys("", "")  # of a cell of which none is known: no picture has them


KeysOf = Callable[[Cell, str], CellKeys]  # of a cell, with the checkpoint file of this sha256


class Holdings(Protocol):
    """Pictures that are there, by their keys."""

    def has(self, key: str) -> bool:
        """Whether a picture with this key need not be generated."""
        ...

    def is_lent(self, key: str) -> bool:
        """Whether another folder has it, copied in already or not."""
        ...

    def key_here(self, forms: Forms) -> str:
        """The key that a picture carries there, of the forms its settings may be written in; today's for none."""
        ...


def keys_with(
    fingerprint: Callable[[Job], Mapping[str, Any]],
    detectors: Mapping[str, str],
    there: Holdings,
    beside: Callable[[Cell], str] = lambda cell: "",
) -> KeysOf:
    """Keys as a run makes them: of a picture that is there, the one that it carries, also an earlier version's.

    fingerprint: the host's; detectors: name -> sha256; beside: `Host.beside` of the cell's checkpoint.
    """
    forms = PictureKeys(fingerprint, detectors).of

    def keys(cell: Cell, sha256: str) -> CellKeys:
        also = beside(cell)
        return CellKeys(*map(there.key_here, forms(cell, f"{sha256} with {also}" if also else sha256)))

    return keys


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A picture to generate: its key, and what it is made from."""

    key: str
    cell: Cell  # that it is for; without face settings where the picture comes from noise
    before: str | None = None  # key of the picture whose faces are inpainted; None: from noise
    is_followed: bool = False  # by a face pass

    @property
    def name(self) -> str:
        """Of its file, without suffix."""
        cell = self.cell
        return file_name(cell.number, cell.checkpoint, cell.job.seed, before=self.is_followed, digits=cell.digits)

    @property
    def cost(self) -> float:
        """Sampling steps; a face pass counts as many as are to be expected."""
        job = self.cell.job
        return picture_steps(job) if self.before is None else face_cost(job, self.cell.faces)


@dataclass(frozen=True)
class BatchWork:
    """The pictures of one batch to be generated."""

    befores: tuple[Wanted, ...]  # from noise, together
    afters: tuple[Wanted, ...]  # face passes, those of the same settings in a row

    @property
    def stages(self) -> list[tuple[Wanted, ...]]:
        """What is generated together, in order: the pictures from noise, then the face passes of each settings."""
        kinds = dict.fromkeys(wanted.cell.faces for wanted in self.afters)
        return [self.befores, *(tuple(w for w in self.afters if w.cell.faces == tabs) for tabs in kinds)]

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Of the pictures from noise."""
        return tuple(wanted.cell.job for wanted in self.befores)

    @property
    def faces(self) -> tuple[Cell, ...]:
        """The cells whose face pass is to run."""
        return tuple(wanted.cell for wanted in self.afters)

    @property
    def inpaints(self) -> int:
        """Faces to inpaint, if each tab finds as many as its top k allows, or one."""
        return sum(expected_faces(tab) for cell in self.faces for tab in cell.faces)

    def lacking(self, there: Holdings, *, is_fresh: bool) -> "BatchWork":
        """What of it must be generated, given what is `there`.

        is_fresh: nothing of the batch is committed. A stage of such a batch is generated whole where any of it is
        missing; of other batches only the missing pictures are. Lent pictures are not the batch's, whether copied in
        before or now, so a resumed run generates what an undisturbed one does.
        """

        def missing(pictures: Iterable[Wanted]) -> tuple[Wanted, ...]:
            own = tuple(wanted for wanted in pictures if not there.is_lent(wanted.key))
            lacked = tuple(wanted for wanted in own if not there.has(wanted.key))
            return own if lacked and is_fresh else lacked

        befores, *afters = map(missing, self.stages)
        return BatchWork(befores, tuple(wanted for stage in afters for wanted in stage))


def needed(batch: Batch, todo: Sequence[Cell], keys: Mapping[int, CellKeys]) -> BatchWork:
    """Every picture that `todo` needs, there already or not.

    todo: the cells of `batch` that are not committed. keys: by the cells' numbers.
    """
    cells_of = cells_by_job(batch)
    befores = []
    for job in cells_by_job(todo):
        cells = cells_of[job]
        is_followed = any(cell.faces for cell in cells)
        first = replace(cells[0], faces=())
        befores.append(Wanted(key=keys[first.number].before, cell=first, is_followed=is_followed))
    afters = []
    for tabs in dict.fromkeys(cell.faces for cell in todo if cell.faces):
        for cell in {cell.job: cell for cell in todo if cell.faces == tabs}.values():
            own = keys[cell.number]
            afters.append(Wanted(key=own.last, cell=cell, before=own.before))
    return BatchWork(tuple(befores), tuple(afters))
