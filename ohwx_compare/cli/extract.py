"""`ohwx extract`: a fine-tune as a LoRA for its base."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from ohwx_compare.cli.answer import print_json
from ohwx_compare.cli.options import at_least_1, require_device, share
from ohwx_compare.errors import ExperimentError
from ohwx_compare.words import counted

__all__ = ["add_flags"]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = (
        "Take a LoRA out of a fine-tuned checkpoint: what it changed of its base, in so few ranks as you say. The file "
        "is kohya's, for any webui, and `ohwx compare --lora` holds it against the checkpoint. It says how much of the "
        "change it lacks."
    )
    parser.epilog = "example: ohwx extract me.safetensors --base sd_xl_base_1.0.safetensors --rank 64"
    parser.add_argument("checkpoint", metavar="FILE", type=Path, help="the fine-tuned checkpoint")
    parser.add_argument(
        "--base", metavar="FILE", type=Path, required=True, help="the checkpoint that it was trained from"
    )
    parser.add_argument(
        "--rank", metavar="N", type=at_least_1, default=64, help="ranks of a layer, at most (default: 64)"
    )
    parser.add_argument(
        "--error",
        metavar="SHARE",
        type=share,
        default=0.0,
        help="a layer takes no more ranks than leave this share of its change (default: 0, all of --rank)",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="the LoRA (default: FILE-lora-N.safetensors beside FILE)"
    )
    parser.add_argument("--device", metavar="NAME", help='"cuda", "cpu", "mps" ... (default: the first that is there)')
    parser.add_argument("--json", action="store_true", help="print what was written as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Extract and write. Returns the exit status."""
    from ohwx_compare.cli.bar import Bar
    from ohwx_compare.core.events import Started, Step
    from ohwx_compare.engine.networks.extract import extract
    from ohwx_compare.engine.networks.lora_file import write_lora
    from ohwx_compare.files.hashes import Hashes, cache_folder

    require_device(options.device)
    tuned, base = options.checkpoint, options.base
    out = options.out or tuned.with_name(f"{tuned.stem}-lora-{options.rank}.safetensors")
    if out.exists():
        raise ExperimentError(f"{out} is there already. Choose another --out, or remove it.")
    bar = Bar()

    def on_layers(total: int) -> Callable[[], None]:
        bar(Started(f"extracting {out.name}", total, total))
        return lambda: bar(Step(1))

    try:
        found = extract(tuned, base, options.rank, options.error, options.device, on_layers)
    finally:
        bar.close()
    hashes = Hashes(cache_folder())
    record = {
        "checkpoint": tuned.name,
        "checkpoint_sha256": hashes(tuned),
        "base": base.name,
        "base_sha256": hashes(base),
    }
    record |= {"rank": options.rank, "error": round(found.error, 4)}
    digest = write_lora(out, found.tensors, base.stem, {"ohwx.extraction": json.dumps(record, ensure_ascii=False)})
    if options.json:
        print_json({"path": str(out), "sha256": digest, "layers": len(found.ranks), "error": found.error})
    else:
        words = counted(len(found.ranks), "layer")
        print(f"{out}: {words}, {out.stat().st_size / 1e6:.0f} MB, lacks {100 * found.error:.1f} % of the change.")
    return 0
