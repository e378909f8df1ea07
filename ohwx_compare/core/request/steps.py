"""How many sampling steps a request runs, and how many faces it is expected to inpaint."""

from ohwx_compare.core.request.face import FaceSettings
from ohwx_compare.core.request.hires import second_pass
from ohwx_compare.core.request.job import Job

__all__ = ["expected_faces", "face_steps", "picture_steps", "planned_steps", "sampling_steps", "steps_run"]


def sampling_steps(steps: int, denoise: float | None = None) -> int:
    """The steps that run of `steps`: all of them from noise, int(denoise * steps) + 1 in img2img and inpaint.

    denoise: 0..1, counted as 0.999 at most; None is from noise. Source: `setup_img2img_steps` in
    https://github.com/AUTOMATIC1111/stable-diffusion-webui/blob/82a973c0/modules/sd_samplers_common.py
    """
    return steps if denoise is None else int(min(denoise, 0.999) * steps) + 1


def planned_steps(job: Job) -> int:
    """The steps of a job's schedule, of which the last `steps_run` run."""
    if job.denoise is None or not job.fix_steps:
        return job.steps
    return int(job.steps / min(job.denoise, 0.999)) if job.denoise > 0 else 0


def steps_run(job: Job) -> int:
    """The sampling steps that run for a job, without those of its second pass."""
    if job.fix_steps:
        return 0 if job.denoise == 0 else job.steps
    return sampling_steps(job.steps, job.denoise)


def picture_steps(job: Job) -> float:
    """The sampling steps of a picture before its faces; those of hires fix count by their share of its pixels."""
    if job.hires_upscaler is None:
        return steps_run(job)
    second = second_pass(job)
    return steps_run(job) + steps_run(second) * second.width * second.height / (job.width * job.height)


def face_steps(job: Job, tab: FaceSettings) -> int:
    """The steps that run for one face of the picture of `job`."""
    steps = tab.steps or job.steps
    return steps if job.fix_steps else sampling_steps(steps, tab.denoise)


def expected_faces(tab: FaceSettings) -> int:
    """Faces to inpaint in one picture: as many as the tab's top k allows, or one; nobody knows beforehand."""
    return max(tab.top_k, 1)
