"""The training loop: the plan's steps, one after the other, from wherever the run stopped.

Every random number is a function of (seed, step, place in the step), so a run that was killed and resumed ends with the
same weights as one that was left alone: bit for bit on the CPU with the same number of threads.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ohwx_compare.core.events import Encoding, Listener, Missed, Paused, Saved, Started
from ohwx_compare.engine.conditioning import size_vector
from ohwx_compare.errors import ExperimentError, TrainingError
from ohwx_compare.files import lock
from ohwx_compare.files.atomic import sweep
from ohwx_compare.files.hashes import Hashes, cache_folder
from ohwx_compare.train.learn.captions import caption_at
from ohwx_compare.train.learn.crossing import Coming, onto, queues
from ohwx_compare.train.learn.group import ProcessGroup
from ohwx_compare.train.learn.noise import disturbance_of, is_mirrored, level_of, noise_of
from ohwx_compare.train.learn.schedule import rate_scale
from ohwx_compare.train.learn.setup import Setup, set_up
from ohwx_compare.train.learn.shard import require_shard
from ohwx_compare.train.learn.step import TrainingBatch, losses
from ohwx_compare.train.outside.child import is_awaited
from ohwx_compare.train.outside.controls import Controls, clear
from ohwx_compare.train.outside.machine import free_memory, peak_memory
from ohwx_compare.train.plan.averaging import decay_at
from ohwx_compare.train.plan.course import CourseStep
from ohwx_compare.train.plan.plan import TrainingPlan
from ohwx_compare.train.plan.saves import Save
from ohwx_compare.train.recipe.recipe import write_recipe
from ohwx_compare.train.run.branch import explain_longer, found_state, take_over
from ohwx_compare.train.run.finished import is_finished, make_way
from ohwx_compare.train.run.identity import RunIdentity, identity_of
from ohwx_compare.train.run.keep import keep, require_space
from ohwx_compare.train.run.logs import logging_too
from ohwx_compare.train.run.record import recording
from ohwx_compare.train.run.state import (
    StateWriter,
    forget,
    read_state,
    setup_state_bytes,
    state_metadata,
    usable_state,
)
from ohwx_compare.train.run.taken import Taken, Teller
from ohwx_compare.train.run.watch import Watch
from ohwx_compare.words import counted

__all__ = ["TrainingResult", "batch", "require_float16", "take", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """What came of one sitting: a start of the run, until it ends or is stopped."""

    step: int  # steps taken in all
    is_finished: bool
    checkpoints: tuple[Path, ...]  # written in this sitting


def train(
    plan: TrainingPlan,
    listen: Listener,
    asked: Callable[[], bool] = lambda: False,
    device: str = "cpu",
    group: ProcessGroup = ProcessGroup(),  # noqa: B008  frozen
) -> TrainingResult:
    """Carry out `plan`, from the newest state in its output if there is one.

    asked: whether to stop; looked at before the first step and after each, as are the files of
        train/outside/controls.py in the output. The state is written before stopping or pausing.
    group: the processes that share each batch; all call this with the same plan, and the leader writes.
    Raises TrainingError for numbers that are not finite, a full disk or GPU, the state of another run, a second run
    in the same folder or a torch too old; CheckpointError for a base that does not load; ExperimentError for a plan
    that cannot start, or not with so many processes.
    """
    plan.require_runnable()
    require_shard(plan.recipe, group)
    _require_shares(plan, group)
    _require_memory(plan, device)
    if plan.recipe.precision.startswith("fp16"):
        require_float16(device)
    folder = Path(plan.recipe.output)
    with _machine(folder):
        (folder / "state").mkdir(parents=True, exist_ok=True)
    with _machine(folder), _alone(folder) if group.leads else nullcontext():
        if group.leads and not is_awaited(folder):  # whoever awaits it cleared them, and may have asked since
            clear(folder)
        if group.leads:
            sweep(folder)
            sweep(folder / "state")
        group.agree(True, device)  # the folder is ours, and swept
        base = Hashes(cache_folder())(Path(plan.recipe.base))
        identity = identity_of(plan, base)
        facts = {"steps": plan.steps, "name": plan.recipe.name}
        if is_finished(plan, identity):
            if group.leads:
                with recording(folder, {**facts, "step": plan.steps}, listen):
                    clear(folder)
            return TrainingResult(plan.steps, True, ())
        sitting = _Sitting(plan, identity, group)
        if not group.leads:
            return sitting.run(device, lambda event: None)
        sitting.controls = Controls(folder, asked)
        write_recipe(folder / "recipe.json", plan.recipe)
        with recording(folder, facts, listen) as record, _machine(folder), logging_too(plan.recipe, record) as told:
            return sitting.run(device, told)


@dataclass(eq=False)
class _Sitting:
    """From the newest state, or from the base, to the end or until asked to stop."""

    plan: TrainingPlan
    identity: RunIdentity
    group: ProcessGroup
    controls: Controls | None = None  # the leader's
    written: list[Path] = field(default_factory=list)

    def run(self, device: str, listen: Listener) -> TrainingResult:
        plan, group, states = self.plan, self.group, Path(self.plan.recipe.output) / "state"
        start, parent, damage = self._start(states)
        setup = set_up(plan, device, group, _told(plan, listen))
        done = read_state(start, setup) if start else 0
        if start:
            self.identity = self.identity.descended(state_metadata(start))
        elif parent:
            done, self.identity = take_over(parent, setup, self.identity)
        if group.leads:
            make_way(plan)
        if damage:
            listen(Missed(done, "state", f"{damage} The run resumes from step {done}."))
        if not group.leads:
            setup.ema.clear()  # the leader's is enough
        listen(Started("training", plan.steps - done, plan.steps - done))
        watch = Watch(setup, listen, self.controls.stops) if self.controls else None
        if watch:
            watch.look(done)
        setup.rejoin()
        stops = group.agree(self.controls is not None and self.controls.stops(), setup.device)
        teller = Teller(listen)
        with StateWriter(states, setup, self.identity) as writer:
            for number, epoch, step in () if stops else plan.walk(done):
                teller.add(take(setup, number, epoch, step))
                done = number
                is_last = done == plan.steps
                is_near = group.size > 1 or not queues(setup.device)  # processes agree after each step, and wait for it
                if is_last or is_near or done in plan.looks or self._is_due(done):
                    teller.settle()
                stops = self.controls is not None and self._after(self.controls, writer, (number, epoch), teller)
                setup.rejoin()
                if group.agree(stops, setup.device) and not is_last:
                    break
                if watch:
                    watch.look(done, to_the_end=is_last)
                setup.rejoin()
        if done == plan.steps and group.leads:
            forget(states, but=1 if plan.recipe.state_at_end else 0)
        if self.controls:
            clear(self.controls.folder)
        return TrainingResult(done, done == plan.steps, tuple(self.written))

    def _start(self, states: Path) -> tuple[Path | None, Path | None, str]:
        """This run's own state, or another run's to branch from; and what is wrong with newer ones."""
        try:
            start, damage = usable_state(states, self.identity)
        except TrainingError:
            explain_longer(states, self.plan, self.identity.base)
            raise
        parent = found_state(self.plan) if self.plan.recipe.from_state and start is None else None
        return start, parent, damage

    def _is_due(self, step: int) -> bool:
        """Whether the plan writes a checkpoint or a state after a step."""
        every = self.plan.recipe.state_every
        return bool(self.plan.saves_after(step)) or (every is not None and step % every == 0)

    def _after(self, controls: Controls, writer: StateWriter, at: tuple[int, int], teller: Teller) -> bool:
        """Write what is due after a step (its number and epoch), pause if that is wanted; returns whether to stop."""
        plan, setup, every = self.plan, writer.setup, self.plan.recipe.state_every
        (step, epoch), listen = at, teller.listen
        saves = plan.saves_after(step) or ((plan.save_at(step, epoch),) if controls.saves() else ())
        stops, pauses = controls.stops(), controls.pauses()
        if saves or stops or pauses:
            teller.settle()  # nothing is written of a step that gave NaN
        for save in saves:
            self._keep(setup, save, listen)
        regular = every is not None and (saves or step % every == 0)
        if plan.recipe.state_at_end if step == plan.steps else regular or stops or pauses:
            require_space(writer.folder, setup_state_bytes(setup), "The state")
            writer.write(step)
        if pauses:
            writer.wait()
            listen(Paused(step, True))
            controls.wait(lambda: self._keep(setup, plan.save_at(step, epoch), listen))
            listen(Paused(step, False))
        return stops or (pauses and controls.stops())

    def _keep(self, setup: Setup, save: Save, listen: Listener) -> None:
        for path in keep(setup, save, self.identity):
            self.written.append(path)
            listen(Saved(str(path)))


def _require_shares(plan: TrainingPlan, group: ProcessGroup) -> None:
    if plan.recipe.batch < group.size:
        raise ExperimentError(
            f"batch is {plan.recipe.batch}, shared by {counted(group.size, 'process', 'processes')}; set it to "
            f"{group.size} or a multiple."
        )


def _require_memory(plan: TrainingPlan, device: str) -> None:
    free = free_memory(device)
    if free is not None and free < plan.memory.steps:
        raise TrainingError(
            f"The run needs {plan.memory.steps / 1e9:.1f} GB of memory and {device} has {free / 1e9:.1f} GB free; "
            'close other programs that use it, or choose the preset "lean", a smaller batch or resolution.'
        )


def require_float16(device: str) -> None:
    """Raise TrainingError where this torch does not compute in float16 on `device`."""
    try:
        torch.nn.functional.conv2d(*torch.zeros(2, 1, 1, 1, 1, dtype=torch.float16, device=device))
    except RuntimeError as error:
        raise TrainingError(
            f'torch {torch.__version__} does not compute in float16 on {device}; choose the precision "fp32-master".'
        ) from error


def _told(plan: TrainingPlan, listen: Listener) -> Callable[[bool], None]:
    """Tell of each picture that is ready."""
    total = sum(2 if plan.concept(i).flip and plan.shown[i] else 1 for i in plan.needed)
    counts = [0, 0]

    def on_picture(made: bool) -> None:
        counts[0] += 1
        counts[1] += made
        listen(Encoding(counts[0], total, counts[1]))

    return on_picture


def take(setup: Setup, number: int, epoch: int, step: CourseStep) -> Taken:
    """Queue one optimiser step, in which every picture of its batches counts the same; waits for no device."""
    plan, stepper, group = setup.plan, setup.stepper, setup.group
    count = sum(len(batch) for batch in step)
    scale = rate_scale(plan.recipe, number, plan.steps)
    stepper.begin(number, scale)
    first, lost = 0, []
    for pictures in step:
        mine = {first + at: pictures[at] for at in group.share(len(pictures))}
        weights = [plan.loss_weight(i) for i in mine.values()]
        if not mine:  # every tensor's gradient is waited for: the first picture without weight
            mine, weights = {first: pictures[0]}, [0.0]
        each = losses(setup.unet, setup.diffusion, batch(setup, number, mine))
        loss = (each * onto(torch.tensor(weights), each.device)).sum() / count
        stepper.is_last_pass = first + len(pictures) == count
        stepper.scaled(loss).backward()
        lost.append(loss.detach())
        first += len(pictures)
    scaled = [stepper.loss_scale.scale.view(1)] if stepper.loss_scale else []  # by which the step went
    norm = stepper.end()
    parts = torch.stack(lost)
    group.add(parts)
    numbers = Coming(torch.cat([parts, norm.to(parts).view(1), *scaled]))
    _average(setup, number)
    shown = tuple(plan.pictures[i].path for batch in step for i in batch)
    return Taken(number, epoch, scale, peak_memory(str(setup.device)), shown, numbers, bool(scaled))


def batch(setup: Setup, number: int, shown: Mapping[int, int]) -> TrainingBatch:
    """What the UNet sees of `shown`, place in the step -> picture: no number depends on how a step is divided."""
    plan, seed, device = setup.plan, setup.plan.recipe.seed, setup.device
    places, pictures = list(shown), list(shown.values())
    fixed = plan.recipe.compatible("latents")
    mirrored = [is_mirrored(plan.concept(i), seed, number, place) for place, i in shown.items()]
    latents = torch.stack([
        setup.latents[i, way].draw(*((seed, "latents", i) if fixed else (seed, "latents", number, place)))
        for place, i, way in zip(places, pictures, mirrored, strict=True)
    ])  # fmt: skip
    noise = torch.stack([noise_of(plan.recipe, z, number, place) for z, place in zip(latents, places, strict=True)])
    timesteps = torch.tensor([level_of(plan.recipe, number, place) for place in places])
    disturbance = None
    if plan.recipe.ip_noise_gamma:
        shape = tuple(latents.shape[1:])
        disturbance = onto(torch.stack([disturbance_of(plan.recipe, shape, number, i) for i in places]), device)
    mask = None
    if setup.masks:
        shown_masks = zip(pictures, mirrored, strict=True)
        mask = onto(torch.stack([setup.masks[i].flip(-1) if way else setup.masks[i] for i, way in shown_masks]), device)
    context, pooled = setup.texts([
        caption_at(plan.pictures[i].caption, plan.concept(i), seed, number, place) for place, i in shown.items()
    ])  # fmt: skip
    sizes = onto(torch.stack([size_vector(plan.sizes(i)) for i in pictures]), device).to(pooled)
    return TrainingBatch(
        latents=onto(latents, device),
        noise=onto(noise, device),
        timesteps=onto(timesteps, device),
        context=context,
        vector=torch.cat([pooled, sizes], dim=1),
        disturbance=disturbance,
        mask=mask,
    )


def _average(setup: Setup, step: int) -> None:
    decay = decay_at(setup.plan.recipe, step)
    for name, average in setup.ema.items() if decay < 1 else ():
        average.lerp_(setup.stepper.kept(name).float().cpu(), 1 - decay)


@contextmanager
def _machine(folder: Path) -> Iterator[None]:
    """Raise TrainingError, in a sentence, for what disk and memory refuse."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise TrainingError(
            'The GPU\'s memory is full. Choose the preset "lean", a smaller batch or resolution, or close other '
            "programs that use the card."
        ) from error
    except OSError as error:
        raise TrainingError(
            f"Writing to {folder} failed: {error.strerror or error}. What was whole before is untouched; start the "
            "run again, and it resumes from the last state."
        ) from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, so that a second run is refused."""
    try:
        held = lock.hold(folder)
    except BlockingIOError as error:
        raise TrainingError(f"Another run is writing to {folder}; wait for it, or choose another output.") from error
    except OSError as error:
        raise TrainingError(f"{folder / lock.LOCK_FILE} cannot be used ({error}); choose another output.") from error
    with closing(held):
        yield
