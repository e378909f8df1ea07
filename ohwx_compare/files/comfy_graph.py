"""What a ComfyUI prompt graph says of the picture: from the node that saves it, back along the links.

The graph is a JSON object: number of a node to its `class_type` and `inputs`; an input is a value or a link, a list of
a node's number and an output's. Custom nodes name their inputs as they like, so a text, a model or a size is looked for
behind the links that usually lead to it, and what is not found is not said. Where several samplers follow one another
(hires), the first one made the picture, and its values are told.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["graph_values"]

_MOST = 20_000  # nodes, and steps along links
_TEXTS = (
    "text", "text_g", "text_l", "t5xxl", "clip_l", "string", "value", "prompt", "positive", "wildcard_text",
    "populated_text",
)  # fmt: skip
_NAMES = ("ckpt_name", "unet_name", "model_name", "gguf_name")
_OUTPUTS = ("SaveImage", "PreviewImage", "Image Save", "SaveImageWebsocket", "SaveAnimatedWEBP")
_Node = Mapping[str, Any]
_Graph = Mapping[str, _Node]


def graph_values(graph: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Prompt, negative prompt and values by the webui's keys; "" and {} for what is not told."""
    nodes = {str(key): node for key, node in list(graph.items())[:_MOST] if _is_node(node)}
    samplers = _samplers(nodes)
    if not samplers:
        model = next((name for node in nodes.values() if (name := _model_name(node))), "")
        return "", "", _filled({"Model": model})
    sampler = samplers[-1]  # the first one that ran
    inputs = sampler["inputs"]
    guider = _linked(nodes, inputs.get("guider")) or sampler
    asked = guider["inputs"]
    prompt = _text(nodes, asked.get("positive", asked.get("conditioning")), "positive")
    negative = _text(nodes, asked.get("negative"), "negative")
    models = list(_behind(nodes, asked.get("model", inputs.get("model")), _is_model_link))
    sigmas = _linked(nodes, inputs.get("sigmas"))
    scheduled = sigmas["inputs"] if sigmas else inputs
    noise = _linked(nodes, inputs.get("noise"))
    chosen = _linked(nodes, inputs.get("sampler"))
    return prompt, negative, _filled({
        "Steps": _value(nodes, scheduled.get("steps", inputs.get("steps"))),
        "Sampler": _value(nodes, (chosen["inputs"] if chosen else inputs).get("sampler_name")),
        "Schedule type": _value(nodes, scheduled.get("scheduler", inputs.get("scheduler"))),
        "CFG scale": _value(nodes, asked.get("cfg", inputs.get("cfg"))),
        "Seed": _seed(nodes, noise["inputs"] if noise else inputs),
        "Size": _size(nodes, inputs.get("latent_image", inputs.get("latent"))),
        "Model": next((name for node in models if (name := _model_name(node))), ""),
        "Denoising strength": _denoise(nodes, scheduled),
        "LoRAs": ", ".join(_loras(nodes, models)),
        "Passes": str(len(samplers)) if len(samplers) > 1 else "",
    })  # fmt: skip


def _is_node(node: object) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)


def _is_sampler(node: _Node) -> bool:
    kind, inputs = node["class_type"], node["inputs"]
    return "Sampler" in kind and any(name in inputs for name in ("positive", "guider", "steps"))


def _samplers(nodes: _Graph) -> list[_Node]:
    """Those that the saved picture comes from, the last one first; without a saving node any."""
    found = []
    for saved in (node for node in nodes.values() if node["class_type"] in _OUTPUTS):
        found = [node for node in _behind(nodes, saved["inputs"].get("images"), lambda name: True) if _is_sampler(node)]
        if found:
            break
    found = found or [node for node in nodes.values() if _is_sampler(node)][:1]
    chain, seen = found[:1], {id(node) for node in found[:1]}
    while chain:
        latent = chain[-1]["inputs"].get("latent_image", chain[-1]["inputs"].get("latent"))
        before = next(
            (n for n in _behind(nodes, latent, lambda name: True) if _is_sampler(n) and id(n) not in seen), None
        )
        if before is None:
            break
        seen.add(id(before))
        chain.append(before)
    return chain


def _linked(nodes: _Graph, link: object) -> _Node | None:
    if isinstance(link, list) and len(link) == 2 and isinstance(link[0], str | int):
        return nodes.get(str(link[0]))
    return None


def _behind(nodes: _Graph, link: object, is_followed: Callable[[str], bool]) -> Iterator[_Node]:
    """The nodes behind a link, nearest first, along the inputs that are followed; each once."""
    waiting: list[_Node | None] = [_linked(nodes, link)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        node = waiting.pop(0)
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        waiting += [_linked(nodes, value) for name, value in node["inputs"].items() if is_followed(name)]


def _is_model_link(name: str) -> bool:
    return name.startswith(("model", "lora_stack", "basic_pipe", "pipe", "unet"))


def _text(nodes: _Graph, link: object, side: str) -> str:
    """The texts behind a conditioning, in their order; side: followed through nodes that carry both prompts."""
    other = {"positive": "negative", "negative": "positive"}[side]

    def is_followed(name: str) -> bool:
        return name not in ("model", "clip", "vae", "control_net", "image", "latent_image", "samples", other)

    found: list[str] = []
    for node in _behind(nodes, link, is_followed):
        said = [node["inputs"][name] for name in _TEXTS if isinstance(node["inputs"].get(name), str)]
        found += [text for text in said if text.strip() and text not in found]
    return "\n".join(found)


def _model_name(node: _Node) -> str:
    return next((str(node["inputs"][name]) for name in _NAMES if isinstance(node["inputs"].get(name), str)), "")


def _loras(nodes: _Graph, models: list[_Node]) -> Iterator[str]:
    for node in models:
        name = node["inputs"].get("lora_name")
        if isinstance(name, str):
            yield f"{name}:{_value(nodes, node['inputs'].get('strength_model', 1))}"


def _value(nodes: _Graph, value: object) -> str:
    """A value, or the one that stands behind its link in a node of numbers or texts."""
    for _ in range(20):
        node = _linked(nodes, value)
        if node is None:
            break
        names = ("value", "number", "int", "float", "seed", "string", "text", "Number")
        value = next((node["inputs"][name] for name in names if name in node["inputs"]), None)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _seed(nodes: _Graph, inputs: Mapping[str, Any]) -> str:
    return _value(nodes, next((inputs[name] for name in ("seed", "noise_seed") if name in inputs), None))


def _denoise(nodes: _Graph, inputs: Mapping[str, Any]) -> str:
    value = _value(nodes, inputs.get("denoise"))
    return "" if value in ("1", "1.0") else value


def _size(nodes: _Graph, latent: object) -> str:
    for node in _behind(nodes, latent, lambda name: name not in ("model", "clip", "positive", "negative")):
        width, height = (_value(nodes, node["inputs"].get(name)) for name in ("width", "height"))
        if width and height:
            return f"{width}x{height}"
    return ""


def _filled(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
