"""The checkpoints that a job names besides the one in use: a refiner, the second pass's and a face pass's own."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.compare.resolve import Resolve
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.prompt.networks import Network, networks
from ohwx_compare.core.request.job import Job
from ohwx_compare.files.checkpoint import read_header, require_sdxl, short_hash
from ohwx_compare.files.webui_config import has_own_config, share_config
from ohwx_compare.hosts.run_files import RunFiles

__all__ = ["OtherCheckpoints"]


class OtherCheckpoints:
    """Finds and hashes a file once, when it is first asked for."""

    def __init__(self, resolve: Resolve, files: RunFiles, vae_of: Callable[[Path, Job], str] = lambda path, job: ""):
        """resolve: finds a file by a name, a hash or both, as infotexts have them. vae_of: gives the sha256 of the VAE
        that is taken for a checkpoint alone, "" for none.
        """
        self._resolve, self._files, self._vae_of = resolve, files, vae_of
        self.find = cache(self._find)

    def hashes(self, job: Job) -> dict[str, str]:
        """Of what a job names, by what it is for: sha256. Raises CheckpointError where it is not there or no SDXL's."""
        found = {what: self.find(name).path for what, name in _named(job).items()}
        vaes = {f"{what}'s vae": vae for what, path in found.items() if (vae := self._vae_of(path, job))}
        bare = "refiner" in found and networks(job.prompt) and has_own_config(found["refiner"])
        told = {"refiner's loras": "none"} if bare else {}
        if job.tiling and found:  # earlier versions tiled what takes over too: their pictures are not these
            told["tiled"] = "the first"
        return {what: self._files.sha256(path) for what, path in found.items()} | vaes | told

    def worn(self, job: Job, before: Path) -> tuple[Network, ...]:
        """The LoRAs of the job's prompt as far as they are in its model; before: the checkpoint that it follows."""
        is_refiner = job.refiner is not None and job.checkpoint == job.refiner
        if is_refiner and not share_config(before, self.find(job.refiner or "").path):
            return ()
        return networks(job.prompt)

    def keys(self, job: Job) -> tuple[tuple[str, str], ...]:
        """What the webui writes of them into the infotext."""
        written = {"refiner": "Refiner", "hires checkpoint": "Hires checkpoint"}
        return tuple((written[what], self._title(name)) for what, name in _named(job).items() if what in written)

    def _title(self, name: str) -> str:
        found = self.find(name)
        return f"{found.path.stem} [{short_hash(self._files.sha256(found.path))}]"

    def _find(self, name: str) -> Checkpoint:
        found = self._resolve(CheckpointRef.parse(name))
        require_sdxl(read_header(found.path))
        return found


def _named(job: Job) -> Mapping[str, str]:
    is_twice = job.hires_upscaler is not None
    named = {
        "refiner": job.refiner,
        "hires checkpoint": job.hires_checkpoint if is_twice else None,
        "face checkpoint": job.checkpoint,
    }
    return {what: name for what, name in named.items() if name}
