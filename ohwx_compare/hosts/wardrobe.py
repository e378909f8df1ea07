"""LoRAs and embeddings: what the native host's prompts name, and the hashes that keys and infotexts need of it."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache, cached_property
from pathlib import Path

from ohwx_compare.core.prompt.networks import Network, networks
from ohwx_compare.core.request.job import Job
from ohwx_compare.engine.embeddings import Embeddings, read_embedding
from ohwx_compare.engine.networks.wear import Chosen
from ohwx_compare.errors import CheckpointError
from ohwx_compare.files.hashes import Hashes
from ohwx_compare.files.loras import Loras, network_hash
from ohwx_compare.files.named import NamedFiles
from ohwx_compare.hosts.run_files import RunFiles

__all__ = ["Wardrobe"]

_LEFT_OUT = str.maketrans("", "", ":,")  # of names in the infotext


class Wardrobe:
    """Finds and hashes a file once, when it is first asked for."""

    def __init__(self, loras: Sequence[Path], embeddings: Sequence[Path], files: RunFiles, hashes: Hashes):
        """The folders of LoRAs and of embeddings."""
        self._loras, self._embeddings = Loras("LoRA", loras, hashes), NamedFiles("embedding", embeddings, hashes)
        self._files = files
        self._find, self._short, self._used = cache(self._loras.find), cache(network_hash), cache(self._words_used)

    @cached_property
    def words(self) -> Embeddings:
        """The embeddings for SDXL; the folder's others mean nothing in a prompt, as in the webui."""
        found = []
        for name in self._embeddings.names():
            with suppress(CheckpointError):
                path = self._embeddings.find(name)
                self._files.sha256(path)
                found.append(read_embedding(path, name))
        return Embeddings(tuple(found))

    def hashes(self, job: Job) -> dict[str, dict[str, str]]:
        """The files that the job's prompts name, by kind: name -> sha256. A kind of which there is none is left out.

        Raises UnknownCheckpointError, CheckpointError or PromptError for a LoRA.
        """
        loras = {one.name: self._files.sha256(self._find(one.name)) for one in self._worn(job)}
        words = {name: self._files.sha256(self._embeddings.find(name)) for name in self._names(job)}
        return {kind: files for kind, files in (("loras", loras), ("embeddings", words)) if files}

    def chosen(self, prompt: str) -> tuple[Chosen, ...]:
        """The LoRAs of a prompt with their files. Raises HostError for one that changed since the run began."""
        found = []
        for network in networks(prompt):
            path = self._find(network.name)
            self._files.require_untouched(path)
            found.append(Chosen(network, path, self._files.sha256(path)))
        return tuple(found)

    def keys(self, job: Job) -> tuple[tuple[str, str], ...]:
        """What the webui writes of them into the infotext."""
        loras = {one.name: self._short(self._find(one.name)) for one in self._worn(job)}
        words = {name: sha256[:12] for name, sha256 in self.hashes(job).get("embeddings", {}).items()}
        told = (
            (key, ", ".join(f"{name.translate(_LEFT_OUT)}: {short}" for name, short in found.items()))
            for key, found in (("Lora hashes", loras), ("TI hashes", words))
        )
        return tuple((key, text) for key, text in told if text)

    def _worn(self, job: Job) -> tuple[Network, ...]:
        """The LoRAs of both passes."""
        return (*networks(job.prompt), *networks(job.hires_prompt))

    def _names(self, job: Job) -> list[str]:
        texts = (job.prompt, job.negative, job.hires_prompt, job.hires_negative)
        used = (self._used(text, job.steps) for text in texts if text)
        return list(dict.fromkeys(name for names in used for name in names))

    def _words_used(self, text: str, steps: int) -> tuple[str, ...]:
        return self.words.used(text, steps) if self.words else ()
