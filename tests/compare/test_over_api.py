"""Comparisons that running webuis draw over their API: the same pictures, each proved to be its checkpoint's."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from api_webui import ApiWebui, serving
from drawing_runs import PLAIN, draw
from killed_run import EXPERIMENT

from ohwx_compare.cli.main import main
from ohwx_compare.compare import crew as crew_module
from ohwx_compare.core.events import Told
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.core.infotext.infotext import parse
from ohwx_compare.errors import CheckpointError, ExperimentError, HostError, UnknownCheckpointError, UnknownNameError
from ohwx_compare.files.images import load_rgb
from ohwx_compare.hosts.api.client import Client
from ohwx_compare.hosts.api.crew import ApiCrew
from ohwx_compare.hosts.api.host import ApiHost
from ohwx_compare.testing.fake_host import FakeHost, Faults


@contextmanager
def crew(*webuis, login=""):
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(webui)) for webui in webuis]
        yield ApiCrew([ApiHost(Client(url, login)) for url in urls])


def drawn(run):
    return {cell.cell.number: np.asarray(load_rgb(run.folder / (cell.result.after or cell.result.before)))
            for cell in run.cells if cell.result.before}  # fmt: skip


def same(one, other):
    return drawn(one).keys() == drawn(other).keys() and all(
        np.array_equal(picture, drawn(other)[number]) for number, picture in drawn(one).items()
    )


@pytest.mark.parametrize("count", [1, 2])
def test_the_pictures_are_those_that_are_drawn_here(models, tmp_path, count):
    """Whatever a job and a face pass can say arrives: the fake's pictures are functions of all of it."""
    job = replace(EXPERIMENT.job, eta=0.5, clip_skip=2, tiling=True, subseed=3, hires_upscaler="Latent", ngms=1.0)
    experiment = replace(EXPERIMENT, job=job)
    _, here, _, _ = draw(experiment, models, tmp_path / "here")
    webuis = [ApiWebui(FakeHost(models)) for _ in range(count)]
    with crew(*webuis) as host:
        result, there, _, _ = draw(experiment, models, tmp_path / "there", host=host, resolve=host.resolve)
        host.close()
    assert (result.drawn, result.failed) == (12, 0)
    assert same(here, there)
    assert [webui.loads[-1] for webui in webuis] == ["user.safetensors"] * count  # the user's, in the end
    assert sum(webui.pictures for webui in webuis) == 6 + 2 * sum(
        cell.result.outcome is Outcome.FACES for cell in there.cells
    )


def test_seeds_in_a_row_are_one_batch(models, tmp_path):
    webui = ApiWebui(FakeHost(models))
    sizes = []
    webui.draw, plain = lambda what, body: (sizes.append(body["batch_size"]), plain(what, body))[1], webui.draw
    with serving(webui) as url:
        host = ApiHost(Client(url))
        host.use(host.resolve(CheckpointRef("a")))
        jobs = [replace(EXPERIMENT.job, seed=seed) for seed in (1, 2, 3, 7, 8)]
        pictures = [one.image for one in host.render([*jobs, replace(jobs[0], subseed_strength=0.5)])]
    fake = FakeHost(models)
    fake.use(fake.checkpoints()[0])
    assert sizes == [3, 2, 1]
    assert all(np.array_equal(a, b.image) for a, b in zip(pictures, fake.render(jobs), strict=False))


def test_a_webui_that_is_killed_leaves_its_pictures_to_the_other(models, tmp_path):
    _, here, _, _ = draw(EXPERIMENT, models, tmp_path / "here")
    with crew(ApiWebui(FakeHost(models), dies_after=3), ApiWebui(FakeHost(models))) as host:
        result, there, _, told = draw(EXPERIMENT, models, tmp_path / "there", host=host, resolve=host.resolve)
    assert (result.drawn, result.failed) == (12, 0)
    assert same(here, there)
    assert any("generate what it leaves" in e.words for e in told if isinstance(e, Told))


def test_one_that_comes_back_joins(models, tmp_path, monkeypatch):
    monkeypatch.setattr(crew_module, "_AGAIN", 0.02)
    gone, stays, told = ApiWebui(FakeHost(models), dies_after=1), ApiWebui(FakeHost(models)), []
    stays.host.faults = Faults(seconds=0.05)

    class Hearing(list):
        def append(self, event):
            super().append(event)
            if isinstance(event, Told) and "leaves" in event.words:
                gone.dies_after = 10**9

    with crew(gone, stays) as host:
        told = Hearing()
        result, *_ = draw(EXPERIMENT, models, tmp_path / "out", host=host, resolve=host.resolve, told=told)
    assert (result.drawn, result.failed) == (12, 0)
    assert any("is there again" in e.words for e in told if isinstance(e, Told))


def test_where_none_answers_the_run_ends_and_is_resumed(models, tmp_path):
    _, here, _, _ = draw(EXPERIMENT, models, tmp_path / "here")
    for count in (1, 2):
        webuis = [ApiWebui(FakeHost(models), dies_after=2) for _ in range(count)]
        out = tmp_path / str(count)
        with crew(*webuis) as host:
            with pytest.raises(HostError, match="No webui answers at"):
                draw(EXPERIMENT, models, out, host=host, resolve=host.resolve)
            for webui in webuis:
                webui.dies_after = 10**9
            result, there, _, _ = draw(EXPERIMENT, models, out, host=host, resolve=host.resolve)
        assert result.failed == 0
        assert same(here, there)


def test_another_models_picture_is_an_error_of_its_cells(models, tmp_path):
    with crew(ApiWebui(FakeHost(models), is_stuck=True)) as host:
        result, run, _, _ = draw(PLAIN, models, tmp_path / "out", host=host, resolve=host.resolve)
    failed = [cell.result.error for cell in run.cells if cell.result.outcome is Outcome.FAILED]
    assert (result.drawn, len(failed)) == (3, 3)
    assert all("Asked for b.safetensors [" in error and "drew the picture" in error for error in failed)


def test_a_file_that_was_overwritten_there_is_told_where_our_extension_is(models, tmp_path):
    own = {one.name: FakeHost(models).sha256(one) for one in FakeHost(models).checkpoints()}
    webui = ApiWebui(FakeHost(models), files={**own, "b.safetensors": "0" * 64})
    with crew(webui) as host:
        result, run, _, _ = draw(PLAIN, models, tmp_path / "out", host=host, resolve=host.resolve)
    failed = [cell.result.error for cell in run.cells if cell.result.outcome is Outcome.FAILED]
    assert (result.drawn, len(failed), webui.pictures) == (3, 3, 3)
    assert all("b.safetensors was overwritten at" in error for error in failed)


def test_what_was_drawn_is_not_drawn_again(models, tmp_path):
    webui = ApiWebui(FakeHost(models))
    with crew(webui) as host:
        draw(EXPERIMENT, models, tmp_path / "out", host=host, resolve=host.resolve)
        pictures = webui.pictures
        result, _, _, _ = draw(EXPERIMENT, models, tmp_path / "out", host=host, resolve=host.resolve)
    assert (result.drawn, result.reused, webui.pictures) == (0, 12, pictures)


WRONG = {
    "no login": ({"login": "me:secret"}, "wants a name and a password"),
    "no API": ({"has_api": False}, "start the webui with its API"),
    "JPEG": ({"options": {"samples_format": "jpg"}}, "would send its pictures as jpg"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_webui_that_cannot_serve_is_named_before_anything(models, name):
    faults, says = WRONG[name]
    with serving(ApiWebui(FakeHost(models), **faults)) as url, pytest.raises(HostError, match=says):
        ApiHost(Client(url))


def test_a_wrong_password_and_nobody_there(models):
    with serving(ApiWebui(FakeHost(models), login="me:secret")) as url:
        ApiHost(Client(url, "me:secret"))
        with pytest.raises(HostError, match="refuses this name and password"):
            ApiHost(Client(url, "me:other"))
    with pytest.raises(HostError, match=f"No webui answers at {url}"):
        ApiHost(Client(url))


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:7860", "ftp://a", "http://", "http://a:b", "http://a/?x", "file:///etc"]
)
def test_no_address(url):
    with pytest.raises(ExperimentError, match="not an address of a webui"):
        Client(url)


def test_a_password_in_an_address_is_refused():
    with pytest.raises(ExperimentError, match="name and password in it") as caught:
        Client("http://me:secret@127.0.0.1:7860")
    assert "secret" not in str(caught.value)


def test_webuis_that_would_not_draw_the_same_are_refused(models):
    other = ApiWebui(FakeHost(models))
    other.options["token_merging_ratio"] = 0.5
    says = r"token_merging_ratio is None and 0\.5"
    with pytest.raises(HostError, match=says), crew(ApiWebui(FakeHost(models)), other):
        pass


def test_a_file_that_is_another_on_one_of_them_is_refused(models, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.safetensors").write_bytes(b"another")
    experiment = PLAIN.with_checkpoints([CheckpointRef("a")])
    with crew(ApiWebui(FakeHost(models)), ApiWebui(FakeHost(elsewhere))) as host:
        result, run, _, told = draw(experiment, models, tmp_path / "out", host=host, resolve=host.resolve)
        with pytest.raises(UnknownCheckpointError, match=f"no checkpoint named 'b' in {host.hosts[1].url}"):
            host.resolve(CheckpointRef("b"))
    says = [e.words for e in told if isinstance(e, Told)]
    assert result.failed == 0
    assert len({parse(cell.result.infotext).get("Model hash") for cell in run.cells}) == 1
    assert len(says) <= 1
    assert all("a.safetensors is not the same file everywhere" in words for words in says)


def test_a_file_of_another_name_on_one_of_them_is_refused(models, tmp_path):
    (tmp_path / "elsewhere" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere" / "a" / "b.safetensors").write_bytes((models / "b.safetensors").read_bytes())
    says = r"b is b\.safetensors at .* and a/b\.safetensors at"
    webuis = ApiWebui(FakeHost(models)), ApiWebui(FakeHost(tmp_path / "elsewhere"))
    with crew(*webuis) as host, pytest.raises(UnknownCheckpointError, match=says):
        host.resolve(CheckpointRef("b"))


def test_a_lora_that_is_another_on_one_of_them_is_refused(models):
    other = ApiWebui(FakeHost(models), loras={"me": {"ss_steps": "100"}})
    with crew(ApiWebui(FakeHost(models)), other) as host, pytest.raises(HostError, match="another file of one name"):
        host.require(replace(PLAIN, job=replace(PLAIN.job, prompt="<lora:me:1>")))


def test_a_picture_without_a_hash_is_nobodys(models, tmp_path):
    with crew(ApiWebui(FakeHost(models), tells_hash=False)) as host:
        _, run, _, _ = draw(PLAIN, models, tmp_path / "out", host=host, resolve=host.resolve)
    assert all("does not tell which model" in cell.result.error for cell in run.cells)


def test_a_reference_by_hash_is_checked(models):
    with crew(ApiWebui(FakeHost(models))) as host:
        sha256 = host.hosts[0].sha256(host.checkpoints()[1])
        assert host.resolve(CheckpointRef("b", sha256[:10])).name == "b.safetensors"
        with pytest.raises(CheckpointError, match="another hash"):
            host.resolve(CheckpointRef("b", "0123456789"))


NAMES = {
    "sampler": {"sampler": "Eular"}, "schedule": {"schedule": "Karas"}, "VAE": {"vae": "w.safetensors"},
    "LoRA": {"prompt": "<lora:nosuch:1>"}, "upscaler": {"hires_upscaler": "4x-None"},
    "upscaler ": {"img2img_upscaler": "4x-None"},
}  # fmt: skip


@pytest.mark.parametrize("what", NAMES)
def test_names_are_checked_before_anything_is_drawn(models, what):
    webui = ApiWebui(FakeHost(models))
    with crew(webui) as host, pytest.raises(UnknownNameError, match=f"has no {what.strip()} "):
        host.require(replace(PLAIN, job=replace(PLAIN.job, **NAMES[what])))
    assert webui.pictures == 0


def test_no_memory_there_is_no_memory(models, tmp_path):
    webui = ApiWebui(FakeHost(models), error="CUDA out of memory. Tried to allocate 2 GiB")
    with crew(webui) as host:
        _, run, _, _ = draw(PLAIN, models, tmp_path / "out", host=host, resolve=host.resolve)
    assert all("no memory for this" in cell.result.error for cell in run.cells)


def test_from_the_command_line(models, tmp_path, monkeypatch, capsys):
    experiment = tmp_path / "e.json"
    experiment.write_text('{"job": {"prompt": "a", "seed": 1, "width": 64, "height": 64, "sampler": "Euler"}, '
                          '"axes": [{"kind": "checkpoint", "values": ["x", "b"]}]}', encoding="utf-8")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    webui = ApiWebui(FakeHost(models), login="me:secret")
    (tmp_path / "login").write_text("me:secret\n", encoding="utf-8")
    with serving(webui) as url:
        given = ["compare", str(experiment), "--api", url, "--out", "out", "--checkpoint-map", "x=a"]
        assert main(given) == 1
        assert "wants a name and a password" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
        assert main([*given, "--api-login", "login"]) == 0
        assert webui.pictures == 2
        monkeypatch.setenv("OHWX_API_LOGIN", "me:secret")
        assert main(given) == 0
        assert webui.pictures == 2
        assert main([*given, "--vae", "v.safetensors"]) == 1


class FailingAtFlags(Client):
    """Of a webui that fails to tell its flags, as Forge does where it was started with `--port`."""

    def get(self, path):
        if path.endswith("/cmd-flags"):
            raise HostError("an error (500)")
        return super().get(path)

    def look(self, path, seconds=60):
        words = ["launch.py", "--no-half", "--precision", "full", "--port", "7860"]
        return {"Commandline": words} if path == "/internal/sysinfo" else super().look(path, seconds)


def test_flags_that_a_webui_fails_to_tell_are_read_in_its_command_line(models):
    with serving(ApiWebui(FakeHost(models))) as url:
        assert ApiHost(FailingAtFlags(url)).common["flags"] == {"no_half": True, "precision": "full"}
