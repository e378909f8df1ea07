"""What a run needs to resume at a step as if nothing had happened: weights, optimiser, average, and the step's number.

Order, noise, timesteps and learning rate are functions of the step, so nothing else is there to keep. A state is one
safetensors file; the newest stay, and a newer one is whole before an older one goes.
"""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from ohwx_compare.errors import CheckpointError, TrainingError
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.tensors import write_tensors
from ohwx_compare.numerals import whole_number
from ohwx_compare.train.learn.crossing import all_copied, copied, queues
from ohwx_compare.train.learn.setup import Setup
from ohwx_compare.train.learn.stepper import Held
from ohwx_compare.train.outside.machine import free_memory
from ohwx_compare.train.plan.saves import states_kept
from ohwx_compare.train.run.identity import RunIdentity

__all__ = [
    "NAMES", "StateWriter", "forget", "newest", "read_state", "setup_state_bytes", "state_metadata",
    "usable_state",
]  # fmt: skip

NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.uint8: "U8"}
_LOSS_SCALE = "loss scale"
_ROOM = 2  # a copy of the state is made in memory where this many would fit


def newest(folder: Path) -> Path | None:
    """The state to resume from, if there is one."""
    return max(folder.glob("step-*.state"), default=None)


def usable_state(folder: Path, identity: RunIdentity) -> tuple[Path | None, str]:
    """The newest state that is whole, None for none; and what is wrong with newer ones, "" for nothing.

    Raises TrainingError where all are damaged, or the newest whole one is another run's.
    """
    damage = []
    for path in sorted(folder.glob("step-*.state"), reverse=True):
        try:
            metadata = read_header(path).metadata
        except CheckpointError as error:
            damage.append(str(error))
            continue
        if not identity.owns(dict(metadata)):
            raise TrainingError(
                f"{path} is the state of another run: recipe, base or pictures differ. Choose another output (with "
                "from_state it branches from this one), or delete the state to start again."
            )
        return path, " ".join(damage)
    if damage:
        raise TrainingError(f"No state is whole: {' '.join(damage)} Delete {folder} to start again.")
    return None, ""


def forget(folder: Path, but: int = 0) -> None:
    """Remove all states but the newest ones: the run has finished."""
    for path in sorted(folder.glob("step-*.state"))[: -but or None]:
        path.unlink()


def setup_state_bytes(setup: Setup) -> int:
    """What a state takes on the disk; before the first step the optimiser's part is missing."""
    return sum(held.bytes for held in _held(setup).values())


class StateWriter:
    """Writes states beside the steps where memory holds a copy, else between them. A context manager: waits at its end.

    The copy's memory stays for the next one: to take new memory costs several times what copying does.
    What went wrong beside a step is raised by the next call, or at the end.
    """

    def __init__(self, folder: Path, setup: Setup, identity: RunIdentity) -> None:
        self.folder, self.setup, self.identity = folder, setup, identity
        self._beside = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None
        self._copies: dict[str, Tensor] = {}

    def __enter__(self) -> "StateWriter":
        return self

    def __exit__(self, *error: object) -> None:
        self._beside.shutdown()
        if error[0] is None:
            self.wait()

    def write(self, step: int) -> None:
        """Write the state after `step`, then drop the oldest. Raises OSError where the disk is full."""
        self.wait()
        held = _held(self.setup)
        free = free_memory("cpu")
        room = _ROOM + queues(self.setup.device)  # page-locked memory is handed out in powers of two
        if not self._copies and free is not None and free < room * setup_state_bytes(self.setup):
            self._put(held, step)
            return
        for name, one in held.items():
            self._copies[name] = copied(one.read(), self._copies.get(name))
        all_copied(self.setup.device)
        copies = {name: Held.of(tensor) for name, tensor in self._copies.items()}
        self._last = self._beside.submit(self._put, copies, step)

    def wait(self) -> None:
        """Until the last state is on the disk. Raises OSError where the disk is full."""
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def _put(self, held: dict[str, Held], step: int) -> None:
        kinds = {name: (NAMES[one.dtype], one.shape) for name, one in held.items()}
        path = self.folder / f"step-{step:08d}.state"  # safetensors inside; under another name, for it is no checkpoint
        recipe = self.setup.plan.recipe
        about = {"step": str(step), "recipe": json.dumps(recipe.to_dict()), **self.identity.marks()}
        about["ancestors"] = json.dumps(self.identity.ancestors)
        write_tensors(path, kinds, lambda name: _bytes(held[name].read()), about)
        size = path.stat().st_size
        for old in sorted(self.folder.glob("step-*.state"))[: -states_kept(recipe, size)]:
            old.unlink()


def state_metadata(path: Path) -> dict[str, str]:
    """What a state says of itself: its step, run, recipe and ancestors. Raises CheckpointError."""
    return dict(read_header(path).metadata)


def read_state(path: Path, setup: Setup) -> int:
    """Put the tensors of `path`, a usable state, into `setup`; returns the step it was written after."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        for name in file.keys():  # noqa: SIM118  the file is no mapping
            kind, _, rest = name.partition("/")
            _put(setup, kind, rest, file.get_tensor(name))
    return whole_number(metadata["step"])


def _put(setup: Setup, kind: str, name: str, tensor: Tensor) -> None:
    if kind == "ema":
        setup.ema[name] = tensor.clone()
    elif kind == _LOSS_SCALE and setup.stepper.loss_scale:
        setup.stepper.loss_scale.put(name, tensor)
    else:
        setup.stepper.put(name, kind, tensor)


def _held(setup: Setup) -> dict[str, Held]:
    """All that moves: what the stepper holds, the loss's scale, and "ema/NAME"."""
    more = {f"ema/{name}": tensor for name, tensor in setup.ema.items()}
    if scale := setup.stepper.loss_scale:
        more |= {f"{_LOSS_SCALE}/{kind}": tensor for kind, tensor in scale.state.items()}
    return setup.stepper.held() | {name: Held.of(tensor) for name, tensor in more.items()}


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
