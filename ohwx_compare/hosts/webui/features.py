"""What this webui has: every question that versions and forks answer differently, each under a name.

It is asked by looking at what is there; no version is compared. How models are loaded is asked in `generation`:
`holding.py`, `loading.py` and `parameters.py`. Light: the entry needs it at start-up.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modules import errors, paths, processing, scripts, sd_models, shared

__all__ = [
    "adetailer_arguments",
    "always_on",
    "api_passwords",
    "can_finish_first",
    "clear_bars",
    "clip_skip",
    "component_value",
    "embeddings_in",
    "field_of",
    "finishes_first",
    "folder_opener",
    "gradio_login",
    "has_adetailer",
    "has_blur",
    "has_callback_map",
    "has_hires_cfg",
    "has_hires_conds",
    "has_option",
    "has_prompt_comments",
    "has_route",
    "has_scheduler",
    "hides_folders",
    "hires_checkpoint",
    "hypernet_file",
    "hypernet_names",
    "is_finishing",
    "is_frozen",
    "lora_file",
    "lora_folder",
    "lora_names",
    "loses_errors",
    "model_folders",
    "noise_source",
    "option",
    "pasting",
    "refiner_of",
    "refusal",
    "report",
    "restored",
    "schedules",
    "script_files",
    "session_user",
    "upscalers",
    "vae_of_command_line",
    "when_made",
]


# ---- the command line


def is_frozen() -> bool:
    """Whether settings cannot be changed (--freeze-settings), and so no checkpoint switched."""
    return bool(_flag("freeze_settings"))


def refusal() -> str | None:
    """Why nothing can be generated here, in one sentence; None where it can."""
    if is_frozen():
        return "The webui runs with --freeze-settings, so no checkpoint can be switched; start without it."
    if not hasattr(processing, "program_version"):  # SD.Next; also absent there: the ways to load that are proved here
        return (
            "This webui draws through diffusers, where what is loaded cannot be proved: it is not supported. Use "
            "AUTOMATIC1111, Forge or reForge, or the command line ohwx."
        )
    return None


def hides_folders() -> bool:
    """Whether users may not enter folders of the machine (--hide-ui-dir-config)."""
    return bool(_flag("hide_ui_dir_config"))


def folder_opener() -> Callable[[str], None] | None:
    """What opens a folder in the machine's file manager, as the webui's own button does.

    None where the webui has no such button, or keeps what it does to itself (1.7).
    """
    if hides_folders():
        return None
    try:
        from modules import util
    except ImportError:
        return None
    return getattr(util, "open_folder", None)


def api_passwords() -> str:
    """--api-auth, "user:password,user:password"; "" asks for none."""
    return str(_flag("api_auth") or "")


def vae_of_command_line() -> str | None:
    """--vae-path."""
    return _flag("vae_path")


def lora_folder() -> Path:
    """Where LoRAs are: --lora-dir, else the models folder's own."""
    return Path(_flag("lora_dir") or Path(paths.models_path) / "Lora")


def lora_file(name: str) -> Path | None:
    """The file that `<lora:name:1>` loads: by its name, or the alias that the webui's Lora script knows it by."""
    known = getattr(sys.modules.get("networks"), "available_network_aliases", {})
    if (entry := known.get(name)) is not None:
        return Path(entry.filename)
    files = (path for path in sorted(lora_folder().rglob("*")) if path.stem == name and path.is_file())
    return next((path for path in files if path.suffix in (".safetensors", ".pt", ".ckpt")), None)


def lora_names() -> list[str]:
    """All that `<lora:name:1>` may name."""
    known = getattr(sys.modules.get("networks"), "available_network_aliases", {})
    files = lora_folder().rglob("*") if lora_folder().is_dir() else ()
    return sorted({*known, *(path.stem for path in files if path.suffix in (".safetensors", ".pt", ".ckpt"))})


def hypernet_file(name: str) -> Path | None:
    """The file that `<hypernet:name:1>` loads."""
    file = getattr(shared, "hypernetworks", {}).get(name)
    return Path(file) if file and Path(file).is_file() else None


def hypernet_names() -> list[str]:
    """All that `<hypernet:name:1>` may name."""
    return sorted(map(str, getattr(shared, "hypernetworks", {})))


def embeddings_in(text: str) -> dict[str, Path]:
    """The files of the textual inversions whose names stand in `text`, by name."""
    database = getattr(getattr(sys.modules.get("modules.sd_hijack"), "model_hijack", None), "embedding_db", None)
    known = getattr(database, "word_embeddings", {})
    files = {name: getattr(one, "filename", None) for name, one in sorted(known.items()) if name in text}
    return {name: Path(file) for name, file in files.items() if file and Path(file).is_file()}


def refiner_of(p: Any) -> str | None:
    """The refiner that is on for `p`, by the field or the built-in script's arguments (since 1.6); None for none.

    Asked over the API, the webui heeds the field alone.
    """
    named = field_of(p, "refiner_checkpoint")
    for script in () if field_of(p, "is_api") else always_on(field_of(p, "scripts")):
        arguments = list(field_of(p, "script_args") or ())[script.args_from : script.args_to]
        if Path(script.filename).stem == "refiner" and len(arguments) > 1:
            named = arguments[1] if arguments[0] else None
    return str(named) if named and str(named).lower() != "none" else None


def hires_checkpoint(p: Any) -> str | None:
    """The checkpoint that hires fix is to generate with in place of the picture's own; None for none."""
    named = str(field_of(p, "hr_checkpoint_name") or "")
    return named if named not in ("", "None", "Use same checkpoint") else None


def upscalers() -> list[str]:
    """What hires fix may upscale with."""
    return [*getattr(shared, "latent_upscale_modes", {}), *(one.name for one in getattr(shared, "sd_upscalers", ()))]


def model_folders() -> list[Path]:
    """Where checkpoints are: --ckpt-dir, each of forge-neo's --ckpt-dirs, then the webui's own folder."""
    named = (_flag("ckpt_dir"), *(_flag("ckpt_dirs") or ()), getattr(sd_models, "model_path", None))
    return [Path(name) for name in dict.fromkeys(named) if name]


def _flag(name: str) -> Any:
    return getattr(shared.cmd_opts, name, None)


# ---- settings


def has_option(name: str) -> bool:
    """Whether there is a setting of this name, so that a picture may override it."""
    return name in shared.opts.data_labels


def option(name: str, default: Any) -> Any:
    """The value of a setting; `default` where there is none of this name."""
    return getattr(shared.opts, name, default)


@contextmanager
def restored(names: Iterable[str]) -> Iterator[None]:
    """While a picture overrides these settings: they are afterwards what they were.

    The webui puts back those alone that its config.json holds (`process_images` of `modules/processing.py` at 82a973c),
    which after an update or before the first "Apply settings" are not all.
    """
    data = shared.opts.data
    lacking = [name for name in names if has_option(name) and name not in data]
    data.update({name: getattr(shared.opts, name) for name in lacking})
    try:
        yield
    finally:
        for name in lacking:
            data.pop(name, None)


def noise_source() -> str:
    """Where the noise comes from: "GPU", "CPU" or "NV"."""
    return str(option("randn_source", "GPU"))


def clip_skip() -> int:
    """The layer of CLIP to stop at, from 1."""
    return int(option("CLIP_stop_at_last_layers", 1))


def has_prompt_comments() -> bool:
    """Whether `#` begins a comment in a prompt (since 1.8, a setting)."""
    return bool(option("enable_prompt_comments", False))


# ---- what is generated


def has_scheduler(p: Any) -> bool:
    """Whether the schedule is a field of its own (since 1.9), or part of the sampler's name."""
    return hasattr(p, "scheduler")


def schedules() -> list[str] | None:
    """The labels of all schedules; None where they are part of the samplers' names."""
    try:
        from modules import sd_schedulers
    except ImportError:
        return None
    return [schedule.label for schedule in sd_schedulers.schedulers]


def has_hires_cfg() -> bool:
    """Whether the second pass of hires fix can have a CFG scale of its own (Forge)."""
    return hasattr(processing.StableDiffusionProcessingTxt2Img, "hr_cfg")


def has_hires_conds(p: Any) -> bool:
    """Whether the second pass of hires fix has a cache of conditioning."""
    return hasattr(p, "cached_hr_c")


def field_of(p: Any, name: str) -> Any:
    """A field of a processing object; None where its kind has none of this name."""
    return getattr(p, name, None)


# ---- state


def can_finish_first() -> bool:
    """Whether Interrupt can ask to finish the current picture (since 1.8)."""
    return hasattr(shared.state, "stop_generating")


def finishes_first() -> bool:
    """Whether the first press of Interrupt does so, by the user's setting."""
    return can_finish_first() and bool(option("interrupt_after_current", False))


def is_finishing() -> bool:
    """Whether it was pressed so."""
    return bool(getattr(shared.state, "stopping_generation", False))


def report(what: str) -> None:
    """Have the error in hand logged as the webui logs its own, or as Python does."""
    if hasattr(errors, "report"):
        errors.report(what, exc_info=True)
    else:
        traceback.print_exc()


def clear_bars() -> None:
    """End the console's bar over all steps, where the webui has one."""
    if hasattr(shared, "total_tqdm"):
        shared.total_tqdm.clear()


def loses_errors(p: Any) -> bool:
    """Whether the page shows nothing of what a script raises.

    In forge-classic and reForge a thread of the webui's own generates for the page and keeps no exception, as Forge's
    does (`modules_forge/main_thread.py`); the API calls scripts itself.
    """
    thread = sys.modules.get("modules_forge.main_thread")
    return thread is not None and not hasattr(thread, "last_exception") and not field_of(p, "is_api")


# ---- scripts

_ADETAILER = "!adetailer"  # its script's stem


def script_files() -> list[Path]:
    """The files of all scripts; [] before they are loaded."""
    return [Path(data.path) for data in getattr(scripts, "scripts_data", ())]


def has_adetailer() -> bool:
    """Whether ADetailer is installed and on; known once scripts are loaded."""
    return any(path.stem == _ADETAILER for path in script_files())


def adetailer_arguments(runner: Any, arguments: Iterable[Any] | None) -> list[Any]:
    """ADetailer's own of all scripts' `arguments` (values or components); [] without it."""
    for script in always_on(runner):
        if Path(script.filename).stem == _ADETAILER:
            return list(arguments or ())[script.args_from : script.args_to]
    return []


def always_on(runner: Any) -> Sequence[Any]:
    """The always-on scripts of a runner; () of none."""
    return getattr(runner, "alwayson_scripts", ())


def has_callback_map(runner: Any) -> bool:
    """Whether the runner keeps its scripts' callbacks by script number (since 1.9)."""
    return hasattr(runner, "callback_map")


def pasting() -> Any:
    """The module that pastes infotexts, which is loaded by now: it has the first name since 1.8."""
    names = ("modules.infotext_utils", "modules.generation_parameters_copypaste")
    return next(sys.modules[name] for name in names if name in sys.modules)


# ---- gradio and the server


def when_made(script: Any, elem_id: str, call: Callable[[Any], None]) -> None:
    """Have `call` told of this component of the script's tab when it is made (since 1.7); before, never.

    `after_component`, the other way, is called for each of some thousand.
    """
    if hasattr(script, "on_after_component"):
        script.on_after_component(call, elem_id=elem_id)


def component_value(component: Any) -> Any:
    """What it holds at start; None where there is no component."""
    return getattr(component, "value", None)


def has_blur(component: Any) -> bool:
    """Whether a text box has an event for losing the focus."""
    return hasattr(component, "blur")


def has_route(app: Any, path: str) -> bool:
    """Whether the server answers to `path` already."""
    return any(getattr(route, "path", None) == path for route in app.routes)


def gradio_login(app: Any) -> bool:
    """Whether gradio asks for a login: `auth`, from gradio 4 `auth_dependency` too (gradio/routes.py, login_check)."""
    return bool(getattr(app, "auth", None) or getattr(app, "auth_dependency", None))


def session_user(app: Any, request: Any) -> Any:
    """Who is logged in to gradio, None for nobody; as `get_current_user` of gradio/routes.py.

    3.41.2 names its cookies plainly, 4 adds the app's `cookie_id`.
    """
    if own := getattr(app, "auth_dependency", None):
        return own(request)
    suffix = f"-{app.cookie_id}" if hasattr(app, "cookie_id") else ""
    cookies = (request.cookies.get(name + suffix) for name in ("access-token", "access-token-unsecure"))
    token = next(filter(None, cookies), None)
    return None if token is None else getattr(app, "tokens", {}).get(token)
