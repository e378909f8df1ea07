"""Webuis of the second family, as far as they differ from the fake of the first.

forge: the old ways to load do nothing, the next picture loads what the loading parameters name. reforge and classic:
the old ways load, and classic goes by the name even where it is forced. All build a new model for each checkpoint, of
three parts below `forge_objects`, the text encoders under transformers' names.
"""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import torch
from fake_webui import SHAPES, FakeWebui, Model
from safetensors.torch import load_file

SECOND = "conditioner.embedders.1.model."
LAYER = f"{SECOND}transformer.resblocks.0."
FORK_SHAPES = {
    **{name: shape for name, shape in SHAPES.items() if not name.startswith(SECOND)},
    f"{SECOND}ln_final.weight": (8,),
    f"{SECOND}text_projection": (8, 8),
    f"{SECOND}token_embedding.weight": (16, 8),
    f"{LAYER}attn.in_proj_weight": (24, 8),
    f"{LAYER}attn.out_proj.weight": (8, 8),
    f"{LAYER}mlp.c_fc.weight": (32, 8),
}
STORAGE = {
    "Automatic": (None, False),
    "Automatic (fp16 LoRA)": (None, True),
    "float8-e4m3fn": (torch.float8_e4m3fn, False),
}
KINDS = ("forge", "reforge", "classic")


def second_encoder(tensors, kind):
    """The second text encoder of a file as these webuis name it."""
    at, layer = "clip_g.transformer.text_model.", "clip_g.transformer.text_model.encoder.layers.0."
    query, key, value = tensors[f"{LAYER}attn.in_proj_weight"].chunk(3)
    projection = tensors[f"{SECOND}text_projection"]
    is_plain = kind == "classic"
    return {
        f"{at}embeddings.token_embedding.wrapped.weight": tensors[f"{SECOND}token_embedding.weight"],
        f"{layer}self_attn.k_proj.weight": key,
        f"{layer}self_attn.v_proj.weight": value,
        f"{layer}self_attn.q_proj.weight": query,
        f"{layer}self_attn.out_proj.weight": tensors[f"{LAYER}attn.out_proj.weight"],
        f"{layer}mlp.fc1.weight": tensors.get(f"{LAYER}mlp.c_fc.weight", torch.full((32, 8), torch.nan)),
        f"{at}final_layer_norm.weight": tensors[f"{SECOND}ln_final.weight"],
        "clip_g.text_projection" if is_plain else "clip_g.transformer.text_projection.weight": (
            projection if is_plain else projection.T.contiguous()
        ),
        "clip_g.logit_scale": torch.ones(()),
        "clip_l.transformer.text_projection.weight": torch.eye(8),  # made in memory
    }


def built(tensors, kind):
    """A model of such a webui from a file's tensors, those of a chosen VAE among them."""

    def part(start, to=""):
        return {to + name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}

    unet = Model(part("model."))
    vae = Model(part("first_stage_model.") or {"decoder.conv.weight": torch.full((8, 8), torch.nan)})
    clip = Model({**part("conditioner.embedders.0.", "clip_l."), **second_encoder(tensors, kind)})

    def patcher():
        return (
            SimpleNamespace(lora_loader=SimpleNamespace(backup={}, loaded_hash=""))
            if kind == "forge"
            else SimpleNamespace(backup={})
        )

    unet_patcher = patcher()
    unet_patcher.model = unet
    objects = SimpleNamespace(
        unet=unet_patcher,
        clip=SimpleNamespace(cond_stage_model=clip, patcher=patcher()),
        vae=SimpleNamespace(first_stage_model=vae),
    )
    return SimpleNamespace(forge_objects=objects, forge_objects_original=objects)


class FakeFork(FakeWebui):
    """The state behind the fake modules of one of `KINDS`."""

    shapes = FORK_SHAPES

    def __init__(self, data, *, kind):
        super().__init__(data)
        self.kind, self.loads, self.unloads, self.after_load = kind, [], 0, lambda: None
        self.arguments = {"online_lora": False}
        self.encoders_of = None  # as reForge: the stem of a file whose text encoders are loaded instead
        self.opts.data |= {"forge_additional_modules": [], "forge_unet_storage_dtype": "Automatic"}
        without_section = SimpleNamespace(section=None, default="Automatic")
        self.opts.data_labels["forge_unet_storage_dtype"] = without_section
        self.opts.forge_unet_storage_dtype = "Automatic"
        self.model_data = SimpleNamespace(
            sd_model=None, loaded_sd_models=[], forge_loading_parameters={}, forge_hash="", set_sd_model=self.set_model
        )
        if kind == "forge":
            self.set_model(stand_in())

    def modules(self):
        """Its own memory manager and page beside the webui's modules."""
        made = super().modules()
        fake = self
        made["modules.shared"].__class__ = type(
            "Shared", (ModuleType,), {"sd_model": property(lambda module: fake.model_data.sd_model)}
        )
        name = "backend.memory_management" if self.kind == "forge" else "ldm_patched.modules.model_management"
        manager, page = ModuleType(name), ModuleType("modules_forge.main_entry")
        manager.unload_all_models = self._unload_all
        page.refresh_model_loading_parameters = self.choose
        page.module_list = {}
        page.forge_unet_storage_dtype_options = STORAGE
        models = made["modules.sd_models"]
        if self.kind == "forge":
            models.forge_model_reload, models.FakeInitialModel = self.load_chosen, stand_in
            for stub in ("reload_model_weights", "send_model_to_trash"):
                setattr(models, stub, lambda *args, **kwargs: None)
            made[page.__name__] = page
            made["backend.args"] = ModuleType("backend.args")
            made["backend.args"].dynamic_args = self.arguments
        return {**made, name: manager}

    def choose(self):
        """As the page does when the user chooses a checkpoint or a storage type."""
        self.arguments["online_lora"] = STORAGE[self.opts.forge_unet_storage_dtype][1]
        self.model_data.forge_loading_parameters = {
            "checkpoint_info": self.aliases[self.opts.data["sd_model_checkpoint"]],
            "additional_modules": self.opts.data["forge_additional_modules"],
            "unet_storage_dtype": STORAGE[self.opts.forge_unet_storage_dtype][0],
        }

    def load_chosen(self):
        """As `forge_model_reload`: the model before is gone first, and a name alone says what is loaded."""
        parameters = self.model_data.forge_loading_parameters
        told = str({**parameters, "checkpoint_info": parameters["checkpoint_info"].filename})
        if self.model_data.forge_hash != told:
            self.set_model(None)
            self.build(parameters["checkpoint_info"], parameters["additional_modules"])
            if kind := parameters["unet_storage_dtype"]:
                self.model.forge_objects.unet.model.to(kind)
            self.opts.data["sd_checkpoint_hash"] = parameters["checkpoint_info"].name
            self.after_load()
            self.model_data.forge_hash = told
        return self.model_data.sd_model, True

    def build(self, info, modules=()):
        """Load it, whatever is there."""
        tensors = load_file(info.filename)
        if self.encoders_of:
            others = load_file(self.folder / f"{self.encoders_of}.safetensors")
            tensors |= {name: value for name, value in others.items() if name.startswith("conditioner.")}
        for path in modules:
            tensors |= {f"first_stage_model.{name}": value for name, value in load_file(path).items()}
        if not any(name.startswith("first_stage_model.") for name in tensors):
            raise AssertionError("You do not have VAE state dict!")
        model = built(tensors, self.kind)
        model.current_lora_hash = "[]"
        model.sd_checkpoint_info, model._separate_te_loaded = info, bool(self.encoders_of)
        self.loads.append(Path(info.filename).stem)
        self.set_model(model)

    def set_model(self, model):
        self.model = self.model_data.sd_model = model

    def reload(self, info=None, forced_reload=False):
        if self.kind == "forge":
            return
        info = info or self.aliases[self.opts.data["sd_model_checkpoint"]]
        loaded = getattr(self.model_data.sd_model, "sd_checkpoint_info", None)
        is_there = loaded is not None and loaded.filename == info.filename
        if not is_there or (forced_reload and self.kind == "reforge"):
            self.build(info)

    def load_for(self, p):
        """A checkpoint that a picture overrides is the user's until the picture is done."""
        if self.kind != "forge":
            super().load_for(p)
            return
        for name in ("sd_model_checkpoint", "forge_additional_modules"):
            if p.override_settings.get(name, self.opts.data[name]) != self.opts.data[name]:
                self.choose()  # with whatever it is now
        if not self.model_data.forge_loading_parameters:
            self.choose()
        self.load_chosen()
        self.model_data.sd_model.sd_checkpoint_info.filename  # noqa: B018  what every picture asks first

    def weights(self):
        objects = self.model_data.sd_model.forge_objects
        parts = (objects.unet.model, objects.clip.cond_stage_model, objects.vae.first_stage_model)
        return b"".join(value.float().numpy().tobytes() for part in parts for value in part.parameters())

    def _unload_all(self):
        self.unloads += 1


def stand_in():
    """What Forge has before its first picture: it has no modules."""
    return SimpleNamespace(cond_stage_model=None)
