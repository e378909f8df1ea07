"""Pack WORK/details.safetensors, which tools/toy_details.py trained, with the VAE of tools/toy_watched.py.

python tools/toy_pack.py WORK
"""

import argparse
import json
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from ohwx_compare.engine.weights import PREFIXES, save
from ohwx_compare.files.checkpoint import read_header, sha256
from ohwx_compare.toy import checkpoint

DATA = Path(checkpoint.__file__).parent / "data"
RUNS = ("watched.json", "read/recipe.json", "toy/recipe.json", "words.json", "details.json")


def sharp(vae: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same VAE whose latents are their means, almost: no host's chance moves what it encodes."""
    weight, bias = vae["quant_conv.weight"].clone(), vae["quant_conv.bias"].clone()
    weight[4:], bias[4:] = 0, -20.0  # the logarithm of the variance
    return vae | {"quant_conv.weight": weight, "quant_conv.bias": bias}


def main() -> None:
    """Pack, write the record beside it, and print the size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    work = parser.parse_args().work
    whole, target = work / "whole.safetensors", DATA / "toy.packed.safetensors"
    vae = sharp(load_file(work / "watched.safetensors"))
    trained = work / "details.safetensors"
    save(whole, {PREFIXES["vae"] + name: value for name, value in vae.items()}, trained, read_header(trained).metadata)
    captions = [path.read_text(encoding="utf-8") for path in (work / "pictures").glob("*/*.txt")]
    about = {
        "modelspec.architecture": "stable-diffusion-xl-v1-base",
        "modelspec.title": "ohwx toy",
        "modelspec.license": "MIT",
    }
    DATA.mkdir(exist_ok=True)
    checkpoint.pack(whole, target, captions, about)
    checkpoint.unpack(target, work / "unpacked.safetensors")
    runs = [json.loads((work / name).read_text(encoding="utf-8")) for name in RUNS]
    for run in runs:
        run |= {name: Path(run[name]).name for name in ("base", "train", "output") if name in run}
    record = {
        "sha256": sha256(work / "unpacked.safetensors"),
        "packed_sha256": sha256(target),
        "lessons": len(captions),
        "runs": runs,
    }
    (DATA / "toy.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
