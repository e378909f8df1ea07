"""One running webui over its API: it draws, and every answer is checked for the checkpoint that drew it."""

import base64
import binascii
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from ohwx_compare.compare.host import Checkpoint, Interruption, Loaded, Rendered
from ohwx_compare.compare.resolve import among
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.infotext import infotext
from ohwx_compare.core.prompt.networks import networks
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import CheckpointError, HostError, InfotextError, OhwxError
from ohwx_compare.hosts.api.client import Client, NoAnswerError
from ohwx_compare.hosts.api.offered import Offered
from ohwx_compare.hosts.api.payload import Dialect, face_request, picture_request
from ohwx_compare.numerals import decode_json
from ohwx_compare.words import counted, quoted

__all__ = ["ApiHost"]

_READING = 900.0  # s for a whole checkpoint
_PIXELS = 1 << 28  # of a picture that is taken from an answer
_OPTIONS = frozenset({  # that move pixels and are not a job's; as hosts.webui's fingerprint takes them by section
    "auto_backcompat", "auto_vae_precision", "auto_vae_precision_bfloat16", "batch_cond_uncond", "cache_fp16_weight",
    "code_former_weight", "cross_attention_optimization", "ddim_discretize", "enable_quantization",
    "face_restoration", "face_restoration_model", "forge_additional_modules", "forge_unet_storage_dtype",
    "fp8_storage", "hires_fix_refiner_pass", "hires_fix_use_firstpass_conds", "img2img_background_color",
    "initial_noise_multiplier", "no_dpmpp_sde_batch_determinism", "pad_cond_uncond", "pad_cond_uncond_v0",
    "refiner_switch_by_sample_steps", "s_min_uncond", "s_min_uncond_all", "sd_vae", "sd_vae_decode_method",
    "sd_vae_overrides_per_model_preferences", "sdxl_crop_left", "sdxl_crop_top",
    "sdxl_refiner_high_aesthetic_score", "sdxl_refiner_low_aesthetic_score", "tiling", "token_merging_ratio",
    "token_merging_ratio_hr", "token_merging_ratio_img2img", "upcast_attn", "use_downcasted_alpha_bar",
    "use_old_emphasis_implementation", "use_old_hires_fix_width_height", "use_old_karras_scheduler_sigmas",
    "use_old_scheduling",
    # what a job has of its own where it is not at the webui's default
    "always_discard_next_to_last_sigma", "beta_dist_alpha", "beta_dist_beta", "comma_padding_backtrack", "emphasis",
    "eta_ancestral", "eta_ddim", "eta_noise_seed_delta", "rho", "s_churn", "s_noise", "s_tmax", "s_tmin",
    "sd_noise_schedule", "sdxl_clip_l_skip", "sgm_noise_multiplier", "sigma_max", "sigma_min", "skip_early_cond",
    "uni_pc_lower_order_final", "uni_pc_order", "uni_pc_skip_type", "uni_pc_variant",
})  # fmt: skip
_FLAGS = ("all_in_fp16", "no_half", "no_half_vae", "precision", "upcast_sampling", "use_cpu", "vae_path")


class ApiHost:
    """Generates with a webui that was started with its API; it satisfies `compare.host.Host`.

    A checkpoint is known by the name and the hash that the webui tells: no file of it is read here. One that was
    overwritten under its name there is noticed where our extension is installed, which reads the file, and elsewhere
    only when the webui itself notices. The webui's own checkpoint is loaded again at the end.
    """

    name = "webui over its API"
    reports_steps = False

    def __init__(self, client: Client):
        """Raises HostError for a webui that does not answer, or would answer with something else than PNG."""
        self._client, self.url = client, client.url
        self._options = _dictionary(client.get("/sdapi/v1/options"), "settings")
        if (kind := str(self._options.get("samples_format", "png")).casefold()) != "png":
            raise HostError(f"{client.url} would send its pictures as {kind}; set its file format for images to png.")
        memory = _dictionary(client.look("/sdapi/v1/memory") or {}, "memory")
        program = _dictionary(client.look("/internal/sysinfo") or {}, "version")
        flags = _flags(client, program)
        self._users = self._options.get("sd_model_checkpoint")
        self.offered = Offered(client)
        self._dialect = Dialect(
            has_option=self._options.__contains__,
            has_hires_cfg="forge_preset" in self._options,
            splits_samplers=self.offered.splits_samplers,
        )
        self.common = {
            "host": self.name,
            "version": [program.get("Version"), program.get("Commit")],
            "device": "cuda" if "system" in _dictionary(memory.get("cuda", {}), "memory") else "cpu",
            "flags": {name: flags[name] for name in _FLAGS if flags.get(name)},
            "settings": {name: self._options[name] for name in sorted(_OPTIONS) if name in self._options},
        }
        self._in_use: Loaded | None = None

    def checkpoints(self) -> list[Checkpoint]:
        """Every .safetensors file that the webui lists, sorted by name."""
        names = sorted((name for name in self._listed() if name.endswith(".safetensors")), key=str.casefold)
        return [self._checkpoint(name) for name in names]

    def resolve(self, ref: CheckpointRef) -> Checkpoint:
        """The webui's checkpoint of a reference; one whose hash it does not know yet is loaded there to learn it.

        Raises UnknownCheckpointError, CheckpointError where several fit or the hash is another.
        """

        def known(path: Path) -> str | None:
            return listed[by_path[path]].get("sha256")

        listed = self._listed()
        checkpoints = self.checkpoints()
        by_path = {checkpoint.path: checkpoint.name for checkpoint in checkpoints}

        def digest(path: Path) -> str:
            return self.sha256(self._checkpoint(by_path[path]))

        return among(checkpoints, known, digest, self.url)(ref)

    def sha256(self, checkpoint: Checkpoint) -> str:
        """As the webui tells it, which hashes a file when it loads it. Raises CheckpointError, HostError."""
        if said := self._entry(checkpoint).get("sha256"):
            return str(said)
        self._load(checkpoint)
        if said := self._entry(checkpoint).get("sha256"):
            return str(said)
        raise HostError(f"The webui does not tell the hash of {checkpoint.name}; start it without --no-hashing.")

    def answers(self) -> bool:
        """Whether the webui is there."""
        try:
            self._client.get("/sdapi/v1/options")
        except HostError:
            return False
        return True

    def glance(self, checkpoint: Checkpoint) -> Loaded | None:
        """None: what a webui knows of a file is not a sample that was taken now."""

    def expect(self, checkpoint: Checkpoint) -> None:
        """Nothing: webuis read checkpoints in their own way."""

    def beside(self, checkpoint: Checkpoint, job: Job) -> str:
        """Nothing that a webui tells over its API."""
        return ""

    def interruption(self) -> Interruption:
        """Run on: the user is here, not there."""
        return Interruption.RUN_ON

    def use(self, checkpoint: Checkpoint, *, sampled: bool = False) -> Loaded:
        """Have `checkpoint` loaded there. Raises CheckpointError or HostError."""
        self._in_use = None
        self._load(checkpoint)
        loaded = Loaded(checkpoint, self.sha256(checkpoint))
        file = self._of_file(checkpoint)
        if file not in (None, loaded.sha256):
            raise CheckpointError(
                f"{checkpoint.name} was overwritten at {self.url}: the webui took it for [{loaded.sha256[:10]}], the "
                f"file is [{str(file)[:10]}]. Start that webui again, or give the file another name there."
            )
        self._in_use = loaded
        return loaded

    def render(self, jobs: Sequence[Job]) -> Iterator[Rendered]:
        """Generate jobs in order; neighbours that are the same but for seeds in a row are one batch."""
        for group in _in_a_row(jobs):
            yield from self._drawn("/sdapi/v1/txt2img", picture_request(group, self._dialect), group)

    def inpaint(
        self, jobs: Sequence[InpaintJob], images: Sequence[Image.Image], masks: Sequence[Image.Image]
    ) -> Iterator[Rendered]:
        """Inpaint the white of each mask ("L") in each image (RGB), one after the other."""
        for asked, image, mask in zip(jobs, images, masks, strict=True):
            yield from self._drawn("/sdapi/v1/img2img", face_request(asked, image, mask, self._dialect), [asked.job])

    def fingerprint(self, job: Job) -> dict[str, Any]:
        """Device, flags and settings there, and the LoRAs that a prompt names, as far as the API tells of them."""
        prompts = (job.prompt, job.hires_prompt) if job.hires_upscaler else (job.prompt,)
        loras = {tag.name: self.offered.lora(tag.name) for prompt in prompts for tag in networks(prompt)}
        return {**self.common, **({"loras": dict(sorted(loras.items()))} if loras else {})}

    def close(self) -> None:
        """Have the webui load its own checkpoint again; safe to call twice."""
        if self._users is not None:
            with suppress(OhwxError):  # the webui may be gone, and what was drawn is here
                self._client.post("/sdapi/v1/options", {"sd_model_checkpoint": self._users})
            self._users = None

    def _drawn(self, path: str, body: dict[str, Any], jobs: Sequence[Job]) -> Iterator[Rendered]:
        if (loaded := self._in_use) is None:
            raise HostError("No checkpoint is loaded; call use() first.")
        answer = _dictionary(self._client.post(path, body), "picture")
        try:
            said = _dictionary(decode_json(answer["info"]), "picture")
            first = int(said.get("index_of_first_image", 0))
            texts, images = said["infotexts"][first:], answer["images"][first : first + len(jobs)]
            seeds = said["all_seeds"][: len(jobs)]
        except (KeyError, TypeError, ValueError) as error:
            raise HostError(f"{self._client.url} answers {path} without what a webui tells of a picture.") from error
        if len(images) != len(jobs) or seeds != [job.seed for job in jobs]:
            raise HostError(
                f"{self._client.url} drew {len(images)} of {counted(len(jobs), 'picture')}; its log says why."
            )
        for image, text in zip(images, texts, strict=False):
            pairs = _verified(loaded, str(text), said)
            yield Rendered(_decoded(image), keys=pairs)

    def _load(self, checkpoint: Checkpoint) -> None:
        self._client.post("/sdapi/v1/options", {"sd_model_checkpoint": self._entry(checkpoint)["title"]})

    def _of_file(self, checkpoint: Checkpoint) -> str | None:
        """The sha256 of its file, where our extension is there and tells it; the webui's own is a memory of it."""
        try:
            told = self._client.look(f"/ohwx/api/checkpoints/{quote(checkpoint.name)}", _READING)
        except NoAnswerError:
            raise
        except HostError:  # a login of the page that an API does not have
            return None
        return told.get("sha256") if isinstance(told, dict) else None

    def _entry(self, checkpoint: Checkpoint) -> dict[str, Any]:
        listed = self._listed()
        if checkpoint.name not in listed:
            raise CheckpointError(f"{self.url} does not list {checkpoint.name}; put it there, under this name.")
        return listed[checkpoint.name]

    def _listed(self) -> dict[str, dict[str, Any]]:
        """What the webui says of its checkpoints, by name below its folders, "/" between them."""
        listed = {}
        for entry in self._client.get("/sdapi/v1/sd-models"):
            title = str(_dictionary(entry, "checkpoint").get("title", ""))
            name = title.rpartition(" [")[0] if title.endswith("]") else title
            listed[name.replace("\\", "/").lstrip("/")] = entry
        return listed

    def _checkpoint(self, name: str) -> Checkpoint:
        return Checkpoint(name, Path(f"{self._client.url}/{name}"))  # a path that no file here has


def _verified(loaded: Loaded, text: str, said: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The keys of a picture. Raises HostError unless the checkpoint `loaded` drew it, and nothing else its faces."""
    try:
        pairs = tuple((pair.key, pair.value) for pair in infotext.parse(text).pairs)
    except InfotextError:
        pairs = ()
    told = str(dict(pairs).get("Model hash") or said.get("sd_model_hash") or "")
    if not told:
        raise HostError("The webui does not tell which model drew a picture; have it add the model's hash.")
    if not loaded.sha256.startswith(told):
        drew = dict(pairs).get("Model") or said.get("sd_model_name")
        raise HostError(
            f"Asked for {loaded.checkpoint.name} [{loaded.sha256[:10]}], but {drew} [{told}] drew the picture; its log "
            "says why it did not load."
        )
    if any(key.startswith("ADetailer") for key, _ in pairs):
        raise HostError("ADetailer ran in the webui, and the face pass is ours; switch it off in its saved defaults.")
    return tuple(pair for pair in pairs if pair[0] not in ("Version", "User"))


def _in_a_row(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Groups of neighbours that a webui can draw as one batch."""
    group: list[Job] = []
    for job in jobs:
        if group and (job.subseed_strength or job != replace(group[-1], seed=group[-1].seed + 1)):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def _flags(client: Client, program: dict[str, Any]) -> dict[str, Any]:
    """What the webui was started with; Forge fails to tell it under `--port`, but tells its command line."""
    try:
        return _dictionary(client.get("/sdapi/v1/cmd-flags"), "flags")
    except NoAnswerError:
        raise
    except HostError:
        words = program.get("Commandline")
        if not isinstance(words, list):
            raise
    flags: dict[str, Any] = {}
    for word, value in zip(words, [*words[1:], "--"], strict=True):
        if (flag := str(word)).startswith("--"):
            flags[flag[2:].replace("-", "_")] = True if str(value).startswith("--") else str(value)
    return flags


def _dictionary(said: Any, what: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise HostError(f"The webui answers with {quoted(said)} for its {what}, expected names and values.")
    return said


def _decoded(text: Any) -> Image.Image:
    """The picture in an answer (RGB). Raises HostError for what is none."""
    try:
        content = base64.b64decode(str(text).rpartition(",")[2], validate=True)
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            if image.width * image.height > _PIXELS:
                raise HostError(f"The webui sent a picture of {image.width}x{image.height} px, which is too large.")
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, binascii.Error) as error:
        raise HostError(f"The webui sent something else than a PNG: {error}.") from error
