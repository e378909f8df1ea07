"""In webuis of the second family: the checkpoint asked for generates, and the user's comes back."""

import json
import sys
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import stocked
from fake_forks import FORK_SHAPES, KINDS, LAYER
from fake_webui import Txt2Img, write_checkpoint
from PIL import Image
from safetensors.torch import load_file, save_file

from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.request.job import InpaintJob, Job
from ohwx_compare.errors import ExperimentError, HostError, MissingKeysError, UnknownCheckpointError

VAE = "first_stage_model.decoder.conv.weight"
JOB = Job(prompt="photo", seed=7, steps=8, width=64, height=64)
OTHER = replace(JOB, prompt="another")  # no batch with the first


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.slow] * (kind == "reforge")) for kind in KINDS])
def fork(request, fakes, monkeypatch):
    return small(stocked(fakes(kind=request.param)), monkeypatch)


@pytest.fixture
def forge(fakes, monkeypatch):
    return small(stocked(fakes(kind="forge")), monkeypatch)


def small(webui, monkeypatch):
    """Its checkpoints have one tensor for what are dozens."""
    from ohwx_compare.hosts.webui.generation import holding

    monkeypatch.setattr(holding, "_LEAST", 1)
    return webui


def host_of(webui, **overrides):
    from ohwx_compare.hosts.webui.generation.host import WebuiHost

    return WebuiHost(Txt2Img(override_settings=overrides), own_faces=False)


def drawn(webui, *stems, **overrides):
    """Two pictures of each of these checkpoints, by a host that is closed at the end."""
    from ohwx_compare.compare.host import Checkpoint

    host, pictures = host_of(webui, **overrides), []
    try:
        for stem in stems:
            host.use(Checkpoint(f"{stem}.safetensors", webui.folder / f"{stem}.safetensors"))
            pictures += [np.asarray(rendered.image) for rendered in host.render([JOB, OTHER])]
    finally:
        host.close()
    return pictures


def users_next(webui):
    """The checkpoint that the user's next picture is generated with."""
    webui.process_images(Txt2Img(seed=1))
    return webui.model_data.sd_model.sd_checkpoint_info.name


def choose_vae(webui, seed):
    """A VAE beside the checkpoints, chosen by the user."""
    path = webui.data / "models" / "VAE" / "vae.safetensors"
    path.parent.mkdir(exist_ok=True)
    weight = torch.randn((8, 8), generator=torch.Generator().manual_seed(seed))
    save_file({"decoder.conv_in.weight": weight, "decoder.conv.weight": weight.clone()}, path)
    webui.opts.data["forge_additional_modules"] = [str(path)]
    webui.choose()
    sys.modules["modules_forge.main_entry"].module_list["vae.safetensors"] = str(path)
    return path


def test_a_comparison_in_the_script(forge):
    forge.opts.sd_vae = "left over from another webui.pt"  # Forge has the setting and heeds it not
    asked = json.dumps({"checkpoints": ["one.safetensors", "two.safetensors"], "name": "run"})
    processed = forge.load_script().run(Txt2Img(seed=7), asked)
    assert len({image.tobytes() for image in processed.images}) == 3
    assert "differs" not in processed.comments
    sys.modules["modules.sd_vae"].vae_dict["theirs.pt"] = "theirs.pt"  # a picture that names it would not get it
    with pytest.raises(ExperimentError, match=r"no VAE 'theirs\.pt'"):
        forge.load_script().run(Txt2Img(seed=7), json.dumps({**json.loads(asked), "job": {"vae": "theirs.pt"}}))


def test_entries_that_are_no_sdxl_checkpoint_are_a_sentence_each_before_they_are_loaded(forge):
    begin = "model.diffusion_model.input_blocks.0.0.weight"
    for name, tensor in (("flux", "double_blocks.0.img_attn.proj.weight"), ("sd15", "cond_stage_model.transformer.x")):
        save_file({tensor: torch.zeros(2), begin: torch.zeros(2, 4)}, forge.folder / f"{name}.safetensors")
    (forge.folder / "small.gguf").write_bytes(b"GGUF")
    asked = {"checkpoints": ["flux.safetensors", "sd15.safetensors", "one.safetensors"], "name": "run"}
    processed = forge.load_script().run(Txt2Img(seed=7), json.dumps(asked))
    said = [line.partition(";")[0] for line in processed.comments.splitlines()[:2]]
    assert [line.partition(" is ")[2] for line in said] == [
        "a Flux checkpoint",
        "an SD 1.x checkpoint",
    ]
    assert forge.loads == ["one"]
    with pytest.raises(UnknownCheckpointError, match=r"no checkpoint named 'small\.gguf' here"):
        forge.load_script().run(Txt2Img(seed=7), json.dumps({**asked, "checkpoints": ["small.gguf"]}))


def test_each_checkpoint_generates_and_the_users_comes_back(fork):
    one, _, two, _ = drawn(fork, "one", "two")
    assert not np.array_equal(one, two)
    assert fork.opts.data["sd_model_checkpoint"] == "user.safetensors"
    assert users_next(fork) == "user.safetensors"
    assert fork.loads[-3:] == ["one", "two", "user"]


def test_a_file_overwritten_under_its_name_is_read_again(fork):
    two = drawn(fork, "two")
    assert users_next(fork) == "user.safetensors"
    write_checkpoint(fork.folder / "user.safetensors", 2, shapes=FORK_SHAPES)  # what `two` is
    assert all(map(np.array_equal, drawn(fork, "user"), two))


def test_any_tensor_changed_under_the_name_of_what_is_loaded_is_seen(fork):
    from ohwx_compare.files.checkpoint import read_header
    from ohwx_compare.hosts.webui.generation.loaded import differing

    path = fork.folder / "user.safetensors"
    users_next(fork)
    tensors, model = load_file(path), fork.model_data.sd_model
    for name, value in tensors.items():
        changed = value.clone()
        changed.view(-1)[-1] += 1
        save_file({**tensors, name: changed}, path)
        assert differing(model, read_header(path), whole=True) == [name]


def test_text_encoders_of_a_namesake_are_seen_and_those_that_were_chosen_are_taken(fakes, monkeypatch):
    reforge = small(stocked(fakes(kind="reforge")), monkeypatch)
    reforge.encoders_of, reforge.opts.sd_text_encoder = "one", "Automatic"
    one, _ = drawn(reforge, "one")
    with pytest.raises(HostError, match=r"two\.safetensors is not what the webui has in memory: conditioner"):
        drawn(reforge, "two")
    reforge.opts.sd_text_encoder = "TE: one"
    two, _ = drawn(reforge, "two")
    assert not np.array_equal(one, two)


def test_what_is_loaded_and_unchanged_is_not_read_again(fork):
    users_next(fork)
    fork.loads.clear()
    drawn(fork, "user")
    assert fork.loads == []


def test_what_a_lora_changed_is_known_by_its_original(fork):
    """A part of the UNet, and the second encoder's key: a third of one tensor of the file."""
    from ohwx_compare.files.checkpoint import read_header
    from ohwx_compare.hosts.webui.generation.loaded import differing

    users_next(fork)
    model, header = fork.model_data.sd_model, read_header(fork.folder / "user.safetensors")
    objects, kept = model.forge_objects, []
    for patcher, module, name in (
        (objects.unet, objects.unet.model, "diffusion_model.middle_block.attn.weight"),
        (
            objects.clip.patcher,
            objects.clip.cond_stage_model,
            "clip_g.transformer.text_model.encoder.layers.0.self_attn.k_proj.weight",
        ),
    ):
        weight = module.get_parameter(name)
        original = SimpleNamespace(weight=weight.clone()) if fork.kind == "reforge" else weight.clone()
        kept.append((patcher.lora_loader if fork.kind == "forge" else patcher).backup)
        kept[-1][name] = original
        weight += 1
    assert differing(model, header, whole=True) == []
    for backup in kept:
        backup.clear()
    assert len(differing(model, header, whole=True)) == 2


def test_a_lora_replaced_under_its_name_is_read_again(fork, monkeypatch, tmp_path):
    (lora := tmp_path / "lora").write_bytes(b"first")
    networks = SimpleNamespace(load_lora_state_dict=lru_cache(lambda path: path.read_bytes()))
    monkeypatch.setitem(sys.modules, "networks", networks)
    seen = []

    def apply():
        """By three names of what is there already: the file's, the model's choice, in Forge what its weights have."""
        model = fork.model_data.sd_model
        if model.current_lora_hash != str(lora):
            model.current_lora_hash, model.lora = str(lora), networks.load_lora_state_dict(lora)
        added = getattr(model.forge_objects.unet, "lora_loader", SimpleNamespace(loaded_hash=""))
        if added.loaded_hash != str(lora):
            added.loaded_hash, added.lora = str(lora), model.lora
        seen.append(added.lora)

    fork.before_draw = apply
    drawn(fork, "user")
    lora.write_bytes(b"second")
    drawn(fork, "user")
    assert seen == [b"first", b"first", b"second", b"second"]


def test_a_vae_chosen_beside_the_checkpoints_is_theirs_and_loads_nothing_twice(forge):
    choose_vae(forge, 1)
    write_checkpoint(forge.folder / "bare.safetensors", 5, shapes=FORK_SHAPES, without=[VAE])
    drawn(forge, "one", "bare", "bare")
    drawn(forge, "bare")
    assert forge.loads == ["one", "bare"]


def test_a_vae_overwritten_under_its_name_is_read_again(forge):
    choose_vae(forge, 1)
    plain = drawn(forge, "one")
    choose_vae(forge, 2)
    assert not any(map(np.array_equal, drawn(forge, "one"), plain))
    assert forge.loads == ["one", "one"]


def test_what_is_chosen_beside_the_checkpoint_is_in_the_key(forge):
    keys = [host_of(forge).fingerprint(JOB)]
    for seed in (1, 2):
        choose_vae(forge, seed)
        keys.append(host_of(forge).fingerprint(JOB))
    assert keys[-1] == host_of(forge).fingerprint(JOB)
    assert keys[0] == host_of(forge, forge_additional_modules=[]).fingerprint(JOB)
    keys.append(host_of(forge, forge_unet_storage_dtype="float8-e4m3fn").fingerprint(JOB))
    forge.opts.forge_unet_storage_dtype = "float8-e4m3fn"
    assert keys[-1] == host_of(forge).fingerprint(JOB)
    assert len({json.dumps(key) for key in keys}) == 4


@pytest.mark.parametrize("section", ["epsilon_scaling", "sd_sampling"])
def test_settings_in_reforges_own_sections_are_in_the_key(fork, section):
    before = host_of(fork).fingerprint(JOB)
    fork.opts.data_labels["setting"] = SimpleNamespace(section=(section, "", "sd"), default=1)
    assert host_of(fork).fingerprint(JOB) == before
    fork.opts.setting = 2
    assert host_of(fork).fingerprint(JOB) != before


def test_a_vae_beside_the_file_counts_where_the_webui_takes_it(fork):
    beside = fork.folder / "one.vae.safetensors"
    beside.write_bytes(b"")
    sys.modules["modules.sd_vae"].vae_dict["one"] = str(beside)
    host = host_of(fork)
    host.resolve(CheckpointRef("one"))
    assert ("vaes" in host.fingerprint(JOB)) == (fork.kind != "forge")


def test_a_storage_type_that_changed_by_the_api_counts(forge):
    plain = drawn(forge, "one")
    forge.opts.forge_unet_storage_dtype = "float8-e4m3fn"
    stored = drawn(forge, "one")
    assert not any(map(np.array_equal, stored, plain))
    forge.opts.forge_unet_storage_dtype = "Automatic"
    assert all(map(np.array_equal, drawn(forge, "one", forge_unet_storage_dtype="float8-e4m3fn"), stored))
    assert all(map(np.array_equal, drawn(forge, "one"), plain))


def test_the_user_may_choose_while_a_run_generates(forge):
    plain = drawn(forge, "one", "two")
    path = choose_vae(forge, 1)
    forge.opts.data["forge_additional_modules"] = []
    forge.choose()

    def touch():
        forge.opts.data |= {"sd_model_checkpoint": "two.safetensors", "forge_additional_modules": [str(path)]}
        forge.choose()

    forge.after_draw = touch
    assert all(map(np.array_equal, drawn(forge, "one", "two"), plain))


def test_what_the_user_chooses_during_a_run_is_theirs_afterwards(fork):
    users_next(fork)
    told = fork.opts.data.get("sd_checkpoint_hash")

    def touch():
        fork.opts.data["sd_model_checkpoint"] = "two.safetensors"

    fork.after_draw = touch
    drawn(fork, "one")
    assert fork.opts.data["sd_model_checkpoint"] == "two.safetensors"
    assert fork.opts.data.get("sd_checkpoint_hash") == told
    assert users_next(fork) == "two.safetensors"


def test_how_loras_are_added_is_the_runs_although_the_user_chooses_another_way(forge):
    seen = []
    forge.before_draw = lambda: seen.append(forge.arguments["online_lora"])

    def touch():
        forge.opts.forge_unet_storage_dtype = "Automatic (fp16 LoRA)"
        forge.choose()

    forge.after_draw = touch
    drawn(forge, "one")
    assert (seen, forge.arguments["online_lora"]) == ([False, False], True)
    drawn(forge, "one", forge_unet_storage_dtype="Automatic")
    drawn(forge, "one")
    assert seen == [False, False, False, False, True, True]


def test_what_a_picture_overrides_leads_not_back_to_the_users_checkpoint(forge):
    plain, path = drawn(forge, "one"), choose_vae(forge, 1)
    with_vae = drawn(forge, "one")
    forge.opts.data["forge_additional_modules"] = []
    forge.choose()
    chosen = {"forge_additional_modules": [path.name], "sd_model_checkpoint": "two.safetensors"}
    assert all(map(np.array_equal, drawn(forge, "one", **chosen), with_vae))
    choose_vae(forge, 1)
    assert all(map(np.array_equal, drawn(forge, "one", forge_additional_modules=[]), plain))


def test_after_a_load_that_failed_the_webui_generates(fork):
    users_next(fork)
    write_checkpoint(fork.folder / "bare.safetensors", 5, shapes=FORK_SHAPES, without=[VAE])
    lacks_vae = (MissingKeysError, r"bare.safetensors lacks first_stage_model.\*, whole or nearly")
    error, said = lacks_vae if fork.kind == "forge" else (AssertionError, "You do not have VAE")
    with pytest.raises(error, match=said):
        drawn(fork, "bare")
    assert users_next(fork) == "user.safetensors"


def test_after_a_load_that_failed_at_its_end_the_webui_has_the_users_checkpoint(forge):
    users_next(forge)
    forge.after_load = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        drawn(forge, "one")
    forge.after_load = lambda: None
    assert users_next(forge) == "user.safetensors"


def test_tensors_that_the_webui_leaves_without_values_are_named(fork):
    write_checkpoint(fork.folder / "bare.safetensors", 5, shapes=FORK_SHAPES, without=[f"{LAYER}mlp.c_fc.weight"])
    with pytest.raises(
        MissingKeysError, match=r"lacks 1 tensor \(.*c_fc\.weight\); the webui would leave them without"
    ):
        drawn(fork, "bare")


def test_weights_packed_into_integers_are_left_out_and_the_rest_is_compared(forge):
    from ohwx_compare.files.checkpoint import read_header
    from ohwx_compare.hosts.webui.generation.loaded import differing

    users_next(forge)
    header, model = read_header(forge.folder / "user.safetensors"), forge.model_data.sd_model
    inner = model.forge_objects.unet.model.diffusion_model
    inner.middle_block.attn.weight = torch.nn.Parameter(torch.zeros(32, dtype=torch.uint8), requires_grad=False)
    assert differing(model, header) == differing(model, header, whole=True) == []
    inner.input_blocks.get_parameter("0.0.weight").add_(1)
    assert len(differing(model, header)) == len(differing(model, header, whole=True)) == 1


def test_a_face_depends_on_no_neighbour(fork):
    from ohwx_compare.compare.host import Checkpoint

    host = host_of(fork)
    host.use(Checkpoint("one.safetensors", fork.folder / "one.safetensors"))
    asked = [InpaintJob(job=replace(JOB, seed=seed, denoise=0.5)) for seed in (1, 2)]
    picture = Image.new("RGB", (64, 64))
    list(host.inpaint(asked, [picture] * 2, [Image.new("L", (64, 64), 255)] * 2))
    assert [(call.seed, call.batch_size) for call in fork.calls] == [(1, 1), (2, 1)]
    host.close()


def test_room_is_made_by_the_webuis_own_manager(fork):
    drawn(fork, "one")
    from ohwx_compare.hosts.webui.generation import loading

    unloads = fork.unloads
    loading.unload()
    assert (fork.unloads, fork.trash) == (unloads + 1, [])
    assert users_next(fork) == "user.safetensors"
