"""Pack WORK/toy.safetensors, which tools/toy_base.py trained, with the decoder of tools/toy_vae.py into the package.

python tools/toy_pack.py WORK
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file

from ohwx_compare.engine.weights import PREFIXES, save
from ohwx_compare.files.checkpoint import read_header, sha256
from ohwx_compare.toy import checkpoint

TARGET = Path(checkpoint.__file__).parent / "data" / "toy.packed.safetensors"


def main() -> None:
    """Pack, and print the size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    work = parser.parse_args().work
    source = work / "whole.safetensors"
    decoded = {PREFIXES["vae"] + name: value for name, value in load_file(work / "decoded.safetensors").items()}
    save(source, decoded, work / "toy.safetensors", read_header(work / "toy.safetensors").metadata)
    captions = (path.read_text(encoding="utf-8") for path in (work / "pictures").glob("*/*.txt"))
    about = {
        "modelspec.architecture": "stable-diffusion-xl-v1-base",
        "modelspec.title": "ohwx toy",
        "modelspec.license": "MIT",
        "ohwx.toy": f"trained from {sha256(source)[:12]}",
    }
    record = {k: v for k, v in read_header(source).metadata.items() if k in ("ohwx.recipe", "ss_steps")}
    TARGET.parent.mkdir(exist_ok=True)
    checkpoint.pack(source, TARGET, captions, about | record)
    print(f"{TARGET}: {TARGET.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
