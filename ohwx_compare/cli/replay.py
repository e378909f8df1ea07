"""`ohwx replay`: generate pictures again from their infotexts, and measure how far they are from the originals."""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ohwx_compare.cli.answer import print_json, words_of
from ohwx_compare.cli.bar import Bar
from ohwx_compare.cli.interrupt import CtrlC
from ohwx_compare.cli.options import (
    add_model_flags,
    checkpoint_map,
    detectors_asked,
    known_hashes,
    native_host,
    require_folder,
)
from ohwx_compare.cli.settings import add_set_flag, read_settings
from ohwx_compare.cli.start import FROM_NOISE, StartPictures, add_start_flags, read_start
from ohwx_compare.cli.texts import is_file, named_hashes, require_embeddings, texts_of, with_vae
from ohwx_compare.compare.batches import face_cost
from ohwx_compare.compare.face_pass import detail, reach, require_built
from ohwx_compare.compare.host import Loaded, Rendered
from ohwx_compare.compare.resolve import in_folder
from ohwx_compare.core import events
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import checkpoint_of
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.infotext.earlier import as_of_its_version
from ohwx_compare.core.infotext.skipped import SKIPPED_SIZE, seems_skipped
from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.core.request.limits import require_valid
from ohwx_compare.core.request.steps import picture_steps
from ohwx_compare.errors import InfotextError, Interrupted, OhwxError
from ohwx_compare.files.checkpoint import sha256
from ohwx_compare.files.images import load_rgb, write_result
from ohwx_compare.files.named import NamedFiles
from ohwx_compare.files.names import FreeNames
from ohwx_compare.files.vaes import named_vaes

if TYPE_CHECKING:  # loads torch
    from ohwx_compare.engine.detect import Detector
    from ohwx_compare.hosts.native import NativeHost

__all__ = ["Original", "Replayed", "add_flags", "differences", "draw_as_told", "read_original"]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A picture to be generated again."""

    stem: str  # of the file to be written
    text: str  # its infotext, kept as it is
    job: Job
    inpaint: InpaintJob | None  # of `job`, where there is a mask
    start: StartPictures
    faces: tuple[FaceSettings, ...]
    checkpoint: CheckpointRef
    image: Path | None  # None where only the text is there
    is_skipped: bool = False  # only the faces of `start` were drawn, see `skipped`
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What came of one: the differences are of 255 over all channels, None without an original picture."""

    name: str
    file: str | None = None
    max_difference: int | None = None
    mean_difference: float | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Generate each picture again from its infotext as <stem>.png, and print how far it is from the original."
    )
    parser.epilog = "example: ohwx replay 00012-1382869474.png --checkpoints models/Stable-diffusion --out replayed"
    parser.add_argument(
        "inputs", nargs="+", metavar="IMAGE_OR_INFOTEXT", help="a picture, a text file, or the infotext itself"
    )
    add_model_flags(parser)
    add_start_flags(parser)
    add_set_flag(parser)
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Generate all of them; a picture that fails is reported and skipped. Returns the exit status."""
    require_folder(options.out)
    bar = Bar()
    hashes = known_hashes(options, bar)
    resolve = in_folder(options.checkpoints, checkpoint_map(options.checkpoint_map), hashes)
    results: list[Replayed] = []
    originals = list(_readable(options, results))
    with CtrlC(bar.say) as asked:
        host = native_host(options, asked, lambda count: bar(events.Step(count)), hashes)
        detector = _detectors(options, host.device.type)
        cost = sum(picture_steps(original.job) + face_cost(original.job, original.faces) for original in originals)
        bar(events.Started("replay", len(originals), cost))
        try:
            for number, original in enumerate(originals, 1):
                if asked.asked:
                    raise Interrupted
                try:
                    loaded = host.use(resolve(original.checkpoint))
                    result = _draw(host, detector, original, loaded, options.out / f"{original.stem}.png")
                    bar(events.Image(number, original.stem, _in_words(result)))
                except Interrupted:
                    raise
                except Exception as error:  # noqa: BLE001  the boundary of a picture
                    result = Replayed(name=original.stem, error=words_of(error))
                    bar(events.Failed(number, original.stem, words_of(error)))
                results.append(result)
        finally:
            bar.close()
            host.close()
            _print(results, options.json)
    return 1 if any(result.error for result in results) else 0


def read_original(
    text: str,
    *,
    stem: str,
    image: Path | None = None,
    vae: Path | None = None,
    vaes: NamedFiles | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    start: StartPictures = FROM_NOISE,
) -> Original:
    """Read one infotext; `vae` stands for the one that it names, which is looked for in `vaes`.

    settings: fields of the job that it cannot tell.

    Raises InfotextError for what cannot be replayed: a grid, an unsupported key, img2img without `start`.
    """
    parsed, about_vae = with_vae(infotext.parse(text), vae, vaes or named_vaes((), (), sha256))
    if infotext.xyz(parsed):
        raise InfotextError(
            f"{stem} is the infotext of an X/Y/Z grid; for a grid use: ohwx compare --from "
            f"{image or 'INFOTEXT.txt'} --checkpoints DIR --out DIR"
        )
    infotext.require_supported(parsed)
    start, about_start = start.for_text(parsed)
    faces = infotext.faces(parsed)
    job = infotext.to_job(parsed)
    job = replace(job, **{**as_of_its_version(parsed, job), **settings})
    require_valid(job)
    inpaint = replace(infotext.to_inpaint_job(parsed), job=job) if start.mask else None
    is_foreign = start.image is not None and not inpaint and start.image.size != SKIPPED_SIZE
    for tab in faces:
        require_valid(tab)
    require_built(faces)
    ref = checkpoint_of(parsed)
    if ref is None:
        raise InfotextError(f"{stem} names no checkpoint: its infotext has neither Model nor Model hash. Add one.")
    return Original(
        stem=stem,
        text=infotext.render(infotext.with_settings(infotext.parse(text), settings)) if settings else text,
        job=job,
        inpaint=inpaint,
        start=start.on(job.background),
        faces=faces,
        checkpoint=ref,
        image=image,
        is_skipped=is_foreign and seems_skipped(job, faces),
        notes=(*infotext.notes_of(parsed), *about_vae, *about_start),
    )


def differences(drawn: Image.Image, original: Image.Image) -> tuple[int, float]:
    """Largest and mean absolute difference, 0..255, of two RGB pictures of one size."""
    difference = np.abs(np.asarray(drawn, np.int16) - np.asarray(original.convert("RGB"), np.int16))
    return int(difference.max()), float(difference.mean())


def _readable(options: argparse.Namespace, results: list[Replayed]) -> Iterator[Original]:
    settings, start = read_settings(options.set), read_start(options)
    vaes = named_vaes(options.vaes, [options.checkpoints], sha256)
    names = FreeNames(options.out, filter(is_file, map(Path, options.inputs)), advice="choose another --out")
    for given in options.inputs:
        name = given if len(given) < 80 else f"{given[:77]}..."
        try:
            texts = texts_of(given)
        except OhwxError as error:
            results.append(Replayed(name=name, error=words_of(error)))
            continue
        for found in texts:
            stem = found.stem
            try:
                stem = names.take(found.stem, found.image).stem
                require_embeddings(infotext.parse(found.text), options.embeddings)
                original = read_original(
                    found.text,
                    stem=stem,
                    image=found.image,
                    vae=options.vae,
                    vaes=vaes,
                    settings=settings,
                    start=start,
                )
                yield replace(original, faces=detectors_asked(options, original.faces)[1])
            except OhwxError as error:
                results.append(Replayed(name=stem if len(texts) > 1 else name, error=words_of(error)))


def _detectors(options: argparse.Namespace, device: str) -> "Callable[[str], Detector]":
    from ohwx_compare.engine.detect import find_detector

    folders, _ = detectors_asked(options, ())
    return cache(lambda name: find_detector(name, folders, device=device))


def _draw(
    host: "NativeHost", detector: "Callable[[str], Detector]", original: Original, loaded: Loaded, path: Path
) -> Replayed:
    detectors = [detector(tab.model) for tab in original.faces]  # one that is not there is said before all work
    drawn = draw_as_told(host, detectors, original)
    image, notes = drawn.image, drawn.notes
    text, stands_in = _text_with(original, loaded)
    write_result(path, image, text)
    largest, mean, compared = _compared(image, original.image)
    notes = (*original.notes, *notes, *stands_in, *_other_files(original, drawn.keys), *compared)
    return Replayed(
        name=original.stem, file=str(path), max_difference=largest, mean_difference=mean, notes=tuple(notes)
    )


def draw_as_told(host: "NativeHost", detectors: "Sequence[Detector]", original: Original) -> Rendered:
    """The picture from noise, from the one it starts from, or within its mask, with its face pass.

    detectors: one for each tab. Faces come before colours are corrected, in an inpaint before what was drawn is put
    into its picture, and there those beside its mask are left. In a soft inpaint the layer of the last face that was
    drawn takes the place of the picture's, as in the webui. Raises what host and detectors raise.
    """
    from ohwx_compare.engine.render import NotedImage, canvas_of, coloured

    start, job = original.start, original.job
    faces = partial(_detailed, host, detectors, original)
    if original.is_skipped and start.image:
        return faces(start.image, None)
    if original.inpaint and start.image and start.mask:
        within = reach(original.inpaint, start.mask)

        def between(_: int, one: NotedImage) -> NotedImage:
            done = faces(one.image, within)
            return NotedImage(done.image, (*one.notes, *done.notes), done.layer)

        return next(iter(host.inpaint([original.inpaint], [start.image], [start.mask], between=between)))
    plain = replace(job, color_correction=False)
    drawn = next(iter(host.img2img([plain], [start.image]) if start.image else host.render([job])))
    done = faces(drawn.image, None)
    image = done.image
    if start.image and job.color_correction:
        canvas = canvas_of(job, start.image, host.supply.resize_of(job))
        image = coloured(job, NotedImage(image), canvas).image
    return replace(drawn, image=image, notes=(*drawn.notes, *done.notes))


def _detailed(
    host: "NativeHost",
    detectors: "Sequence[Detector]",
    original: Original,
    image: Image.Image,
    within: Image.Image | None,
) -> Rendered:
    """The picture after its face pass; with the layer of a soft inpaint's last face."""
    if not original.faces:
        return Rendered(image)
    soft = original.inpaint.soft if original.inpaint else None
    done = detail(host, detectors, original.faces, [original.job], [image], within=within, soft=soft)[0]
    return Rendered(done.image, (done.outcome.value, *done.notes), layer=done.layer)


def _compared(drawn: Image.Image, path: Path | None) -> tuple[int | None, float | None, tuple[str, ...]]:
    """How far a picture is from the original, and a note where that has another size: upscaled, or a grid of a batch.

    What fits better counts: the original resized, or the first picture of a grid.
    """
    if path is None:
        return None, None, ()
    original, (width, height) = load_rgb(path), drawn.size
    if original.size == drawn.size:
        return *differences(drawn, original), ()
    size = f"{original.width}x{original.height}, the new picture {width}x{height}"
    found = []
    if original.width * height == original.height * width:
        small = original.resize(drawn.size, Image.Resampling.LANCZOS)
        found.append((differences(drawn, small), f"the original is {size}; it was resized to compare them"))
    if original.width % width == original.height % height == 0:
        first = original.crop((0, 0, width, height))
        found.append((differences(drawn, first), f"the original is {size}; its first picture was compared"))
    if not found:
        return None, None, (f"the original is {size}; they were not compared",)
    (largest, mean), note = min(found, key=lambda one: one[0][1])
    return largest, mean, (note,)


def _text_with(original: Original, loaded: Loaded) -> tuple[str, tuple[str, ...]]:
    """The picture's infotext, and a note where another checkpoint was used, which the text then names."""
    ref = original.checkpoint
    if not ref.short_hash or loaded.sha256.startswith(ref.short_hash):
        return original.text, ()
    stem = CheckpointRef(loaded.checkpoint.name).stem
    text = infotext.parse(original.text).with_value("Model hash", loaded.sha256[:10]).with_value("Model", stem)
    return infotext.render(text), (f"generated with {loaded.checkpoint.name} [{loaded.sha256[:10]}] in place of {ref}",)


def _other_files(original: Original, keys: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Notes where LoRAs, embeddings or a VAE of the same name have another hash than the original's."""
    text, used = infotext.parse(original.text), infotext.Infotext(prompt="")
    for key, value in keys:
        used = used.with_value(key, value)
    pairs = [(name, short, named_hashes(used, key)[name]) for key in ("Lora hashes", "TI hashes")
             for name, short in named_hashes(text, key).items() if name in named_hashes(used, key)]  # fmt: skip
    if (told := text.get("VAE hash")) and (here := used.get("VAE hash")):
        pairs.append((text.get("VAE") or "the VAE", told.strip().lower(), here))
    return tuple(
        f"{name} here is [{here}], the text was drawn with [{told}]"
        for name, told, here in pairs
        if not here.startswith(told[:10])
    )


def _in_words(result: Replayed) -> str:
    if result.error:
        return result.error
    notes = "".join(f"; {note}" for note in result.notes)
    if result.max_difference is None:
        return f"generated{notes}"
    return f"differs by at most {result.max_difference}/255, mean {result.mean_difference:.4f}{notes}"


def _print(results: list[Replayed], as_json: bool) -> None:
    if as_json:
        print_json([asdict(result) for result in results])
        return
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        print(f"{result.name:<{width}}  {_in_words(result)}")
