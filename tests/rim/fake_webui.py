"""A webui that draws without a model: just enough of its `modules` package, and of gradio, to load and run the script.

Its pictures are functions of the weights in memory and of what it was asked, and it has the real one's faults: a file
overwritten under its name is not read again, keys that a file lacks keep the values of the model before.
"""

import contextlib
import hashlib
import importlib.util
import inspect
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from fake_gradio import Component
from PIL import Image
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[2]
SHAPES = {
    "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
    "model.diffusion_model.middle_block.attn.weight": (8, 8),
    "conditioner.embedders.0.transformer.mlp.weight": (8, 8),
    "conditioner.embedders.1.model.ln_final.weight": (8,),
    "conditioner.embedders.1.model.mlp.weight": (8, 8),
    "first_stage_model.decoder.conv.weight": (8, 8),
}


def write_checkpoint(path, seed, *, without=(), shapes=SHAPES):
    """A file that is SDXL by its names."""
    draw = torch.Generator().manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items() if name not in without}
    save_file(tensors, path)
    return path


class Model(torch.nn.Module):
    """Parameters under the names of a checkpoint."""

    def __init__(self, tensors=None):
        super().__init__()
        for name, value in (tensors or {name: torch.zeros(shape) for name, shape in SHAPES.items()}).items():
            *folders, last = name.split(".")
            at = self
            for folder in folders:
                if folder not in at._modules:
                    at.add_module(folder, torch.nn.Module())
                at = at._modules[folder]
            at.register_parameter(last, torch.nn.Parameter(value.clone(), requires_grad=False))


class Info:
    """The webui's entry of one checkpoint file."""

    def __init__(self, path, folder):
        self.filename, self.name = str(path), path.relative_to(folder).as_posix()
        self.title, self.ids = self.name, [self.name, path.stem]


@dataclass
class Processing:
    """The webui's processing object, as far as it is used."""

    sd_model: object = None
    outpath_samples: str = ""
    outpath_grids: str = ""
    prompt: str = "photo"
    negative_prompt: str = ""
    styles: list = field(default_factory=list)
    seed: object = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    sampler_name: str = "DPM++ 2M SDE"
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 8
    cfg_scale: float = 7.0
    width: int = 64
    height: int = 64
    restore_faces: bool = None
    tiling: bool = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    override_settings: dict = field(default_factory=dict)
    override_settings_restore_afterwards: bool = True
    extra_generation_params: dict = field(default_factory=dict)
    comments: dict = field(default_factory=dict)
    scripts: object = None
    script_args: object = None
    denoising_strength: float = None

    def comment(self, text):
        self.comments[text] = 1

    def close(self):
        pass


class OldTxt2Img(Processing):
    """txt2img before 1.9."""


@dataclass
class Txt2Img(Processing):
    """txt2img."""

    scheduler: str = "Karras"


@dataclass
class Img2Img(Processing):
    """img2img."""

    scheduler: str = "Karras"
    init_images: list = None
    resize_mode: int = 0
    mask: object = None
    mask_blur: int = 4
    inpainting_fill: int = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: int = 0
    inpainting_mask_invert: int = 0
    initial_noise_multiplier: float = None


class Script:
    """What the webui's scripts are."""

    is_img2img = False

    def elem_id(self, item):
        return f"script_ohwx_{item}"

    def on_after_component(self, callback, *, elem_id):
        vars(self).setdefault("on_made", {})[elem_id] = callback

    def has_made(self, elem_id, component):
        """The webui made it."""
        self.on_made[elem_id](SimpleNamespace(component=component))


class Processed(SimpleNamespace):
    """The webui's result."""

    def __init__(self, p, images_list, **more):
        super().__init__(images=images_list, comments="\n".join(p.comments), **more)


class State(SimpleNamespace):
    """What is drawn now, and what the user pressed."""

    def __init__(self):
        super().__init__(
            interrupted=False, skipped=False, job="", job_count=-1, textinfo=None, stopping_generation=False
        )
        self.stop_generating = self._finish_first

    def begin(self, job=""):
        self.interrupted = self.skipped = False
        self.job, self.job_count = job, -1

    def end(self):
        self.job, self.job_count = "", 0

    def interrupt(self):
        self.interrupted = True

    def _finish_first(self):
        self.stopping_generation = True

    def skip(self):
        self.skipped = True


class FakeWebui:
    """The state behind the fake modules."""

    shapes = SHAPES  # of its checkpoints

    def __init__(self, data, *, is_old=False):
        self.data, self.folder = data, data / "models" / "Stable-diffusion"
        self.folder.mkdir(parents=True)
        self.model, self.calls, self.ignores_switch = None, [], False
        self.before_draw = self.after_draw = lambda: None
        self.state = State()
        names = ("randn_source", "CLIP_stop_at_last_layers", "sd_vae", "img2img_fix_steps", "return_mask")
        labels = names if is_old else (*names, "overlay_inpaint")
        self.opts = SimpleNamespace(
            data={"sd_model_checkpoint": "user.safetensors"},
            data_labels=dict.fromkeys(labels, SimpleNamespace(section=("img2img", ""), default=None)),
            randn_source="CPU",
            CLIP_stop_at_last_layers=1,
            sd_vae="Automatic",
            img2img_fix_steps=None,
            return_mask=None,
            overlay_inpaint=None,
        )
        self.opts.add_option = self.opts.data_labels.__setitem__
        self.styles: dict = {}
        self.scripts_data: list = []
        self.runner = SimpleNamespace(scripts=[1], alwayson_scripts=[], inputs=[None], callback_map={})
        self.lock = threading.Lock()
        self.is_old, self.trash = is_old, []
        self.model_data = SimpleNamespace(sd_model=None, loaded_sd_models=[], set_sd_model=self.set_model)
        if is_old:
            del self.state.stopping_generation, self.state.stop_generating
            del self.runner.callback_map, self.model_data.loaded_sd_models
        self.infos, self.aliases = {}, {}

    def list_models(self):
        self.infos.clear()
        self.aliases.clear()
        for path in sorted(self.folder.rglob("*.safetensors")):
            info = Info(path, self.folder)
            self.infos[info.title] = info
            self.aliases.update(dict.fromkeys(info.ids, info))

    def reload(self, info=None, forced_reload=False):
        info = info or self.aliases[self.opts.data["sd_model_checkpoint"]]
        loaded = getattr(self.model, "sd_checkpoint_info", None)
        is_there = loaded is not None and loaded.filename == info.filename
        if (is_there and not forced_reload) or (self.ignores_switch and loaded is not None):
            return
        self.model = self.model or Model()
        self.model.load_state_dict(load_file(info.filename), strict=False)
        self.model.sd_checkpoint_info = info

    def set_model(self, model):
        self.model = self.model_data.sd_model = model

    def process_images(self, p):
        """Of the settings that a picture overrides, those are put back that the webui's file held."""
        overridden = {name: value for name, value in p.override_settings.items() if name in self.opts.data_labels}
        kept = {name: self.opts.data[name] for name in overridden if name in self.opts.data}
        self.opts.data |= overridden
        try:
            return self._processed(p)
        finally:
            self.opts.data |= kept

    def _processed(self, p):
        self.load_for(p)
        unknown = [name for name in p.override_settings if name not in (*self.opts.data_labels, "sd_model_checkpoint")]
        assert not unknown, unknown
        self.calls.append(p)
        self.before_draw()
        if getattr(self.state, "stopping_generation", False):
            return Processed(p, [], index_of_first_image=0, all_prompts=[], infotexts=[])
        seeds = p.seed if isinstance(p.seed, list) else [p.seed]
        images = [self._mosaic(p, self.weights(), seed) for seed in seeds]
        self.after_draw()
        texts = [
            f"{p.prompt}\nSteps: {p.steps}, Sampler: {p.sampler_name}, Seed: {seed}, Hires steps: 3" for seed in seeds
        ]
        prompts = [p.prompt] * len(images)
        return Processed(p, images, index_of_first_image=0, all_prompts=prompts, infotexts=texts)

    def load_for(self, p):
        """What a picture loads first."""
        self.reload(self.aliases.get(p.override_settings.get("sd_model_checkpoint")))

    def weights(self):
        """All that lies in memory."""
        return b"".join(value.numpy().tobytes() for value in self.model.parameters())

    def _mosaic(self, p, weights, seed):
        asked = repr((p.prompt, p.negative_prompt, seed, p.steps, p.cfg_scale, p.denoising_strength))
        draw = np.random.default_rng(list(hashlib.sha256(weights + asked.encode()).digest()))
        new = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((p.width, p.height))
        return Image.composite(new, p.init_images[0], p.mask) if isinstance(p, Img2Img) else new

    def modules(self):
        """name -> module, as the webui's own."""
        made = {"modules": ModuleType("modules")}
        for name, content in self._contents().items():
            made[f"modules.{name}"] = module = ModuleType(f"modules.{name}")
            vars(module).update(content)
            setattr(made["modules"], name, module)
        own = {"sd_model": property(lambda module, fake=self: fake.model)}
        made["modules.shared"].__class__ = type("Shared", (ModuleType,), own)
        self.unloaded, self.on_paste, self.on_settings, self.tabs, self.started = [], [], [], [], []
        self.bindings: list = []
        return made

    def _contents(self):
        """What each module holds."""
        ages = {
            "generation_parameters_copypaste" if self.is_old else "infotext_utils": {
                "ParamBinding": SimpleNamespace,
                "register_paste_params_button": lambda binding: self.bindings.append(binding),
            },
        }
        if not self.is_old:
            labels = ("Automatic", "Uniform", "Karras")
            ages["sd_schedulers"] = {"schedulers": [SimpleNamespace(label=label) for label in labels]}
        return (
            self._drawing()
            | ages
            | {
                "script_callbacks": {
                    "on_script_unloaded": lambda callback: self.unloaded.append(callback),
                    "on_infotext_pasted": lambda callback: self.on_paste.append(callback),
                    "on_ui_settings": lambda callback: self.on_settings.append(callback),
                    "on_ui_tabs": lambda callback: self.tabs.append(callback),
                    "on_app_started": lambda callback: self.started.append(callback),
                },
                "call_queue": {"queue_lock": self.lock},
                "progress": {
                    "pending_tasks": {},
                    "add_task_to_queue": lambda task: None,
                    "start_task": lambda task: None,
                    "finish_task": lambda task: None,
                },
                "errors": {"report": lambda *args, **kwargs: None},
                "hashes": {"sha256_from_cache": lambda path, title: None},
                "scripts": {
                    "Script": Script,
                    "scripts_data": self.scripts_data,
                    "scripts_txt2img": self.runner,
                },
                "shared": {
                    "opts": self.opts,
                    "cmd_opts": SimpleNamespace(ckpt_dir=None),
                    "state": self.state,
                    "total_tqdm": SimpleNamespace(clear=lambda: None),
                    "prompt_styles": SimpleNamespace(styles=self.styles),
                    "OptionInfo": lambda default, label, component, section: SimpleNamespace(
                        default=default, label=label, component=component, section=section
                    ),
                },
                "ui_components": {"ToolButton": type("ToolButton", (Component,), {})},
            }
        )

    def _drawing(self):
        """Those that draw."""
        return {
            "devices": {"device": "cpu", "dtype": torch.float32, "dtype_vae": torch.float32, "torch_gc": lambda: None},
            "paths": {"data_path": str(self.data), "models_path": str(self.data / "models")},
            "processing": {
                "StableDiffusionProcessing": Processing,
                "StableDiffusionProcessingTxt2Img": Txt2Img,
                "StableDiffusionProcessingImg2Img": Img2Img,
                "Processed": Processed,
                "process_images": self.process_images,
                "get_fixed_seed": lambda seed: 12345 if seed == -1 else seed,
                "program_version": lambda: "v1.10.1",
            },
            "sd_models": {
                "SkipWritingToConfig": contextlib.nullcontext,
                "CheckpointInfo": Info,
                "checkpoint_aliases": self.aliases,
                "checkpoints_list": self.infos,
                "list_models": self.list_models,
                "model_data": self.model_data,
                "model_path": str(self.folder),
                "reload_model_weights": self.reload,
                "send_model_to_trash": self.trash.append,
            },
            "sd_samplers": {
                "all_samplers_map": {"DPM++ 2M SDE": 1, "DPM++ 2M SDE Karras": 1, "Euler": 1},
                "all_samplers": [
                    SimpleNamespace(name=name) for name in ("DPM++ 2M SDE", "DPM++ 2M SDE Karras", "Euler")
                ],
            },
            "sd_vae": {
                "loaded_vae_file": None,
                "vae_dict": (vaes := {}),
                "reload_vae_weights": lambda: None,
                "refresh_vae_list": lambda: vaes.update(
                    (path.name, str(path)) for path in self.data.glob("models/VAE/*.safetensors")
                ),
                "find_vae_near_checkpoint": lambda path: next(
                    (vae for vae in vaes.values() if Path(vae).name.startswith(Path(path).stem)), None
                ),
            },
        }

    def load_script(self):
        """Load the entry as the webui does: not kept in sys.modules, the extension's root on sys.path meanwhile."""
        path, kept = ROOT / "scripts" / "ohwx_compare.py", sys.path
        sys.path = [str(ROOT), *kept]
        try:
            spec = importlib.util.spec_from_file_location(path.name, path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        finally:
            sys.path = kept
        script = sys.modules["modules.scripts"].Script
        classes = [thing for thing in vars(module).values() if inspect.isclass(thing) and issubclass(thing, script)]
        assert len(classes) == 1
        return classes[0]()
