"""Running webuis as the workers of one run: each keeps to a checkpoint, and one that comes back joins again."""

from collections.abc import Sequence

from ohwx_compare.compare.crew import Crew, difference
from ohwx_compare.compare.drawing import HostWorker
from ohwx_compare.compare.host import Checkpoint
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.errors import HostError, UnknownCheckpointError
from ohwx_compare.hosts.api.host import ApiHost

__all__ = ["ApiCrew"]


class ApiCrew(Crew):
    """What must be alike at all of them is asked here, before anything is generated."""

    def __init__(self, hosts: Sequence[ApiHost]):
        """hosts: at least one. Raises HostError for webuis whose pictures would not be the same."""
        super().__init__([_ApiWorker(host) for host in hosts])
        self.hosts = list(hosts)
        first = self.hosts[0].common
        for host in self.hosts[1:]:
            if other := difference(first, host.common):
                raise HostError(
                    f"{self.hosts[0].url} and {host.url} would not draw the same picture: {other}. Set both alike."
                )

    def checkpoints(self) -> list[Checkpoint]:
        """What the first webui lists."""
        return self.hosts[0].checkpoints()

    def resolve(self, ref: CheckpointRef) -> Checkpoint:
        """The checkpoint of a reference. Raises UnknownCheckpointError, also where one of the webuis has none of its
        name, CheckpointError where several fit or the hash is another.
        """
        found = self.hosts[0].resolve(ref)
        for host in self.hosts[1:]:
            if (other := host.resolve(ref)).name != found.name:
                raise UnknownCheckpointError(
                    f"{ref} is {found.name} at {self.hosts[0].url} and {other.name} at {host.url}; name it alike."
                )
        return found

    def require(self, experiment: Experiment) -> None:
        """Raise UnknownNameError for the first name of its cells that one of the webuis does not have.

        HostError for a LoRA that tells other things of itself on one of them.
        """
        for job, tabs in dict.fromkeys((cell.job, cell.faces) for cell in experiment.cells()):
            for host in self.hosts:
                host.offered.require(job, tabs)
            for host in self.hosts[1:]:
                if other := difference(self.hosts[0].fingerprint(job), host.fingerprint(job)):
                    raise HostError(f"{self.hosts[0].url} and {host.url} have another file of one name: {other}.")

    def close(self) -> None:
        """Have each webui load its own checkpoint again; safe to call twice."""
        for host in self.hosts:
            host.close()


class _ApiWorker(HostWorker):
    def __init__(self, host: ApiHost):
        super().__init__(host)
        self.name, self._api = host.url, host

    def is_back(self) -> bool:
        """Whether it answers."""
        return self._api.answers()
