"""Comparisons that running webuis draw over their API: the same pictures, each proved to be its checkpoint's."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from api_webui import ApiWebui, serving
from drawing_runs import PLAIN, draw
from killed_run import EXPERIMENT

from ohwx_compare.cli.main import main
from ohwx_compare.compare.host import Interruption
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.outcome import Outcome
from ohwx_compare.errors import CheckpointError, ExperimentError, HostError, UnknownCheckpointError, UnknownNameError
from ohwx_compare.files.images import load_rgb
from ohwx_compare.hosts.api.client import Client
from ohwx_compare.hosts.api.crew import ApiCrew
from ohwx_compare.hosts.api.host import ApiHost
from ohwx_compare.testing.fake_host import FakeHost


@contextmanager
def crew(*webuis, login="", tell=lambda text: None):
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(webui)) for webui in webuis]
        yield ApiCrew([ApiHost(Client(url, login)) for url in urls], tell)


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
    told = []
    with crew(ApiWebui(FakeHost(models), dies_after=3), ApiWebui(FakeHost(models)), tell=told.append) as host:
        result, there, _, _ = draw(EXPERIMENT, models, tmp_path / "there", host=host, resolve=host.resolve)
    assert (result.drawn, result.failed) == (12, 0)
    assert same(here, there)
    assert any("draw what it leaves" in text for text in told)


def test_one_that_comes_back_joins_at_the_next_checkpoint(models, tmp_path):
    gone, stays, told = ApiWebui(FakeHost(models)), ApiWebui(FakeHost(models)), []
    with crew(gone, stays, tell=told.append) as host:
        first, second = host.checkpoints()[:2]
        host.use(first)
        gone.dies_after = 0
        list(host.render([replace(EXPERIMENT.job, seed=seed) for seed in (1, 2, 3)]))
        gone.dies_after, before = 10**9, gone.pictures
        host.use(second)
        list(host.render([replace(EXPERIMENT.job, seed=seed) for seed in range(40)]))
    assert gone.pictures > before
    assert any("answers again" in text for text in told)


def test_another_models_picture_is_an_error_of_its_cells(models, tmp_path):
    with crew(ApiWebui(FakeHost(models), is_stuck=True)) as host:
        result, run, _, _ = draw(PLAIN, models, tmp_path / "out", host=host, resolve=host.resolve)
    failed = [cell.result.error for cell in run.cells if cell.result.outcome is Outcome.FAILED]
    assert (result.drawn, len(failed)) == (3, 3)
    assert all("Asked for b.safetensors [" in error and "drew the picture" in error for error in failed)


def test_what_was_drawn_is_not_drawn_again(models, tmp_path):
    webui = ApiWebui(FakeHost(models))
    with crew(webui) as host:
        draw(EXPERIMENT, models, tmp_path / "out", host=host, resolve=host.resolve)
        pictures = webui.pictures
        host.asks = lambda: Interruption.RUN_ON
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
    with crew(ApiWebui(FakeHost(models)), ApiWebui(FakeHost(elsewhere))) as host:
        with pytest.raises(HostError, match=r"a\.safetensors is not the same file everywhere"):
            host.use(host.resolve(CheckpointRef("a")))
        with pytest.raises(UnknownCheckpointError):
            host.resolve(CheckpointRef("b"))


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
        sha256 = host.sha256(host.checkpoints()[1])
        assert host.resolve(CheckpointRef("b", sha256[:10])).name == "b.safetensors"
        with pytest.raises(CheckpointError, match="another hash"):
            host.resolve(CheckpointRef("b", "0123456789"))


NAMES = {
    "sampler": {"sampler": "Eular"}, "schedule": {"schedule": "Karas"}, "VAE": {"vae": "w.safetensors"},
    "LoRA": {"prompt": "<lora:nosuch:1>"}, "upscaler": {"hires_upscaler": "4x-None"},
}  # fmt: skip


@pytest.mark.parametrize("what", NAMES)
def test_names_are_checked_before_anything_is_drawn(models, what):
    webui = ApiWebui(FakeHost(models))
    with crew(webui) as host, pytest.raises(UnknownNameError, match=f"has no {what} "):
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
