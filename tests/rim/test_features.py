"""What this webui has, asked of two ages of it: 1.10 and 1.7."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_webui import OldTxt2Img, Txt2Img, write_checkpoint

from ohwx_compare.compare.host import Checkpoint


@pytest.fixture(params=[False, True], ids=["1.10", "1.7"])
def aged(request, fakes):
    """(webui, features, whether it is the old one)."""
    webui = fakes(is_old=request.param)
    from ohwx_compare.hosts.webui import features

    return webui, features, request.param


def test_what_came_with_a_version_is_seen(aged):
    webui, features, is_old = aged
    assert features.has_scheduler(OldTxt2Img() if is_old else Txt2Img()) != is_old
    assert features.schedules() == (None if is_old else ["Automatic", "Uniform", "Karras"])
    assert features.has_callback_map(webui.runner) != is_old
    assert features.can_finish_first() != is_old
    assert features.has_option("overlay_inpaint") != is_old
    assert features.has_option("randn_source")
    assert features.pasting().ParamBinding is SimpleNamespace


def test_a_press_of_interrupt_is_seen_where_it_can_be_patient(aged):
    webui, features, is_old = aged
    assert not features.finishes_first()
    webui.opts.interrupt_after_current = True
    assert features.finishes_first() != is_old
    assert not features.is_finishing()
    if not is_old:
        webui.state.stop_generating()
        assert features.is_finishing()


def test_flags_and_settings_that_are_not_there_are_off(aged):
    webui, features, _ = aged
    assert not any((features.is_frozen(), features.hides_folders(), features.has_prompt_comments()))
    assert (features.api_passwords(), features.vae_of_command_line()) == ("", None)
    assert features.lora_folder() == webui.data / "models" / "Lora"
    assert (features.noise_source(), features.clip_skip()) == ("CPU", 1)
    assert features.option("nobody's", 7) == 7
    assert features.model_folders() == [webui.folder]
    vars(sys.modules["modules.shared"].cmd_opts).clear()  # a fork without any of them
    assert features.model_folders() == [webui.folder]


def test_flags_and_settings_that_are_there_count(webui):
    from ohwx_compare.hosts.webui import features

    flags = sys.modules["modules.shared"].cmd_opts
    vars(flags).update(freeze_settings=True, hide_ui_dir_config=True, api_auth="a:b", vae_path="v.pt", lora_dir="loras")
    flags.ckpt_dir = "more"
    del webui.opts.randn_source
    assert features.is_frozen()
    assert features.hides_folders()
    assert (features.api_passwords(), features.vae_of_command_line()) == ("a:b", "v.pt")
    assert (features.lora_folder(), features.model_folders()) == (Path("loras"), [Path("more"), webui.folder])
    assert features.noise_source() == "GPU"


def test_scripts_are_seen_once_they_are_loaded(aged):
    webui, features, _ = aged
    assert features.script_files() == []
    webui.scripts_data.append(SimpleNamespace(path=str(webui.data / "scripts" / "!adetailer.py")))
    assert [path.stem for path in features.script_files()] == ["!adetailer"]
    assert (features.always_on(webui.runner), features.always_on(None)) == ([], ())


def test_models_are_let_go_and_loaded_again(aged):
    webui, _, is_old = aged
    from ohwx_compare.hosts.webui.generation import holding, loading

    write_checkpoint(webui.folder / "user.safetensors", 1)
    webui.list_models()
    loading.unload()  # with nothing loaded
    assert (webui.trash, loading.loaded_name()) == ([], "nothing")
    webui.reload()
    held = webui.model_data.sd_model = webui.model
    more = [] if is_old else [SimpleNamespace(name="kept beside it")]
    if not is_old:
        webui.model_data.loaded_sd_models += [held, *more]
    loading.unload()
    assert webui.trash == [held, *more]
    assert webui.model is None
    assert is_old or webui.model_data.loaded_sd_models == []
    holding.hold_model({}).give_back()
    assert loading.is_loaded(webui.folder / "user.safetensors")
    assert loading.loaded_name() == "user.safetensors"


def test_a_file_that_came_since_is_found_and_loaded_under_a_name_of_its_own(webui):
    from ohwx_compare.hosts.webui.generation import holding, loading

    path = write_checkpoint(webui.folder / "new.safetensors", 9)
    entry = loading.entry_of(Checkpoint("new.safetensors", path))
    assert webui.aliases[loading.alias_of(entry)] is entry
    holding.hold_model({}).load(entry, forced=False)
    assert loading.is_loaded(path)
    assert not loading.is_loaded(webui.folder / "user.safetensors")


def test_a_webui_that_has_no_way_to_keep_the_users_choice_loads_all_the_same(webui):
    from ohwx_compare.hosts.webui.generation import holding, loading

    del sys.modules["modules.sd_models"].SkipWritingToConfig
    path = webui.folder / "one.safetensors"
    holding.hold_model({}).load(loading.entry_of(Checkpoint("one.safetensors", path)), forced=True)
    assert loading.is_loaded(path)


def test_who_is_logged_in_to_gradio(webui):
    """gradio 3.41, 4 with a login of the app's own, and a plain server."""
    from ohwx_compare.hosts.webui import features

    request = SimpleNamespace(cookies={"access-token": "old", "access-token-7": "new"})
    plain, old = SimpleNamespace(), SimpleNamespace(auth={"a": "b"}, tokens={"old": "a"})
    new = SimpleNamespace(auth={"a": "b"}, tokens={"new": "a"}, cookie_id="7")
    own = SimpleNamespace(auth=None, auth_dependency=lambda request: "a")
    assert [features.gradio_login(app) for app in (plain, old, new, own)] == [False, True, True, True]
    assert [features.session_user(app, request) for app in (plain, old, new, own)] == [None, "a", "a", "a"]
    assert features.session_user(new, SimpleNamespace(cookies={"access-token": "new"})) is None
