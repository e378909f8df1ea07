"""Fuzz what takes files from strangers: infotexts, safetensors headers, detector pickles, folders, recipes.

usage: python bench/fuzz.py {infotext,safetensors,pickle,runs,trainings,recipes} [--seconds 600] [--seed N] [--keep DIR]

Known good inputs are cut, spliced, repeated and sprinkled with words of their own grammar. A reader may answer or
raise OhwxError; any other exception, an answer that breaks a law of its reader, or more than two seconds of CPU for
one input is a finding. Each minute's batch runs in a process of its own, which the system ends when it takes more CPU
or memory than it may. Findings are kept as files under --keep and the exit status is then 1.
"""

import argparse
import faulthandler
import io
import json
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzz_folders import recipes, runs, trainings

from ohwx_compare.errors import OhwxError

TESTS = Path(__file__).parents[1] / "tests"
SLOWEST = 2.0  # seconds of CPU for one input
HANG = 120.0  # seconds after which the traceback is printed and the program ends
BATCH = 60.0  # seconds of one process
MEMORY = 1 << 30  # bytes that it may take beyond what it takes when it begins

Read = Callable[[bytes], None]  # raises OhwxError, or AssertionError where a law is broken


def mutated(chance: random.Random, seeds: list[bytes], words: list[bytes], most: int = 6) -> bytes:
    """One seed after one to `most` random changes."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, most)):
        at, length = chance.randint(0, len(data)), min(int(chance.expovariate(0.1)), 200)
        match chance.randrange(7):
            case 0:
                data[at : at + length] = b""
            case 1:
                data[at:at] = chance.choice(words)
            case 2:
                data[at : at + length] = chance.choice(words)
            case 3 if data:
                data[min(at, len(data) - 1)] = chance.randrange(256)
            case 4:
                other = chance.choice(seeds)
                start = chance.randint(0, len(other))
                data[at:at] = other[start : start + length]
            case 5:
                data[at:at] = bytes(data[at : at + length]) * chance.randint(1, 20)
            case _ if chance.random() < 0.2:
                del data[at:]
    return bytes(data)


@contextmanager
def infotexts(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """The parser, every typed view, the refusals, and the experiment that a text asks for."""
    from ohwx_compare.core.experiment.experiment import Experiment
    from ohwx_compare.core.infotext import infotext

    texts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((TESTS / "goldens").glob("*.json"))]
    seeds = [text.encode() for one in texts for text in _strings(one) if "Steps: " in text]
    for name in ("page.md", "infotexts.txt"):
        document = (TESTS / "seed" / name).read_text(encoding="utf-8")
        seeds += [document.encode(), *(text.encode() for text in infotext.split(document))]
    keys = {pair.key for seed in seeds for pair in _pairs(infotext, seed)}
    words = [f"{key}: ".encode() for key in sorted(keys)]
    words += [b'"', b'\\"', b"\\", b", ", b": ", b"\n", b"\r\n", b"```", b"---", b"{", b"}", b"{{{{", b"<lora:a:1>"]
    words += [b"-1", b"0", b"1e999", b"nan", b"999999999999999999999", b"1-100", b"1-1000000000 (+1)", b"\xef\xbb\xbf"]
    words += [b"0x0", b"7-8 [100000000]", "ß日本\u2028\u0000".encode(), b"Script: X/Y/Z plot, ", b'"1-9, 1-9 (+-1)"']

    def read(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for part in infotext.split(text)[:4]:
            parsed = infotext.parse(part)
            rendered = infotext.render(parsed)
            again = infotext.parse(rendered)
            assert infotext.render(again) == rendered, "what was rendered is read and rendered as another text"
            assert len(again.pairs) == len(parsed.pairs), "what was rendered is read as more or fewer pairs"
            for view in (infotext.faces, infotext.xyz, infotext.to_job, infotext.extra, infotext.unsupported):
                _refuses_or_answers(view, parsed)
            _refuses_or_answers(lambda one: Experiment.from_infotext(one).cells(), parsed)

    yield seeds, words, read


@contextmanager
def safetensors(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """Header, what the file is said to be, and the load of what says it is SDXL; the data is zeros."""
    from ohwx_compare.engine import weights
    from ohwx_compare.files.checkpoint import read_header, require_sdxl
    from ohwx_compare.testing.tiny import draw_tiny

    file = draw_tiny(folder / "drawn")[0]
    content = file.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, size = content[8 : 8 + length], len(content)
    small = {"a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}, "__metadata__": {"format": "pt"}}
    seeds = [header, *[json.dumps(small).encode()] * 3]
    words = [b"[", b"]", b"{", b"}", b'"', b",", b"-1", b"0", b"1e9", b"1e999", b"NaN", b"true", b"null", b"[[" * 5000]
    words += [
        b"18446744073709551616",
        b'"F8_E4M3"',
        b'"I64"',
        b"\xff",
        b'"data_offsets"',
        b'"shape"',
        b'"__metadata__"',
    ]
    words += [b"[4,4,4,4,4,4,4,4,4]", b"[999999999,999999999]", b"\\ud800", b'"v_pred":', b"9" * 5000]
    chance, path = random.Random(0), folder / "fuzzed.safetensors"

    def read(data: bytes) -> None:
        claimed = chance.choice([0, 1, 2**31, 2**63]) if chance.random() < 0.05 else len(data)
        with path.open("wb") as out:
            out.write(claimed.to_bytes(8, "little") + data)
            out.truncate(size + chance.choice([-1000, 0, 0, 0, 1000]) if len(data) > 1000 else 8 + len(data) + 12)
        found = read_header(path)
        assert all(0 <= t.start <= t.end <= path.stat().st_size for t in found.tensors.values())
        require_sdxl(found)
        weights.load(path)

    yield seeds, words, read


@contextmanager
def pickles(folder: Path) -> Iterator[tuple[list[bytes], list[bytes], Read]]:
    """A detector's pickle inside a whole zip, now and then the zip itself; what can be read becomes a network."""
    import torch

    from ohwx_compare.engine.detect import Yolo
    from ohwx_compare.engine.unpickle import read_pt

    files = {path.name: path for path in sorted((TESTS / "goldens").glob("drawn_*.pt"))}
    archives = [path.read_bytes() for path in files.values()]
    memory = io.BytesIO()
    torch.save({"a": torch.arange(6).view(2, 3), "b": [1, 2.0, "c", None, True, (1, 2)]}, memory)
    archives.append(memory.getvalue())
    members = [_members(archive) for archive in archives]
    seeds = [bytes([number]) + found["data.pkl"] for number, found in enumerate(members)]
    seeds += [seeds[-1]] * 60  # the small one: a hundred times as fast as a detector
    words = [b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nFloatStorage\n", b"ctorch._utils\n_rebuild_tensor_v2\n"]
    words += [b"(", b")", b"]", b"}", b"t", b"R", b"b", b"Q", b"0", b".", b"\x85", b"\x86", b"\x87", b"\x93", b"\x94"]
    words += [b"u", b"s", b"e", b"a", b"2", b"K\xff", b"M\xff\xff", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\xff" * 9]
    words += [
        b"h\x00",
        b"q\x00",
        b"(" * 3000,
        b"]" * 3000,
        b"\x85" * 3000,
        b"\x8a\xff" + b"\x7f" * 255,
        b"\x91",
        b"\x90",
    ]
    words += [b"X\x04\0\0\0abcd", b"\x8c\x02os\x8c\x06system\x93", b"ccollections\nOrderedDict\n)R", b"ctorch\nSize\n"]
    path, chance = folder / "fuzzed.pt", random.Random(0)

    def read(data: bytes) -> None:
        number = data[0] % len(members) if data else 0
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**members[number], "data.pkl": data[1:]}.items():
                archive.writestr(f"archive/{name}", content)
        if chance.random() < 0.2:
            broken = mutated(chance, [path.read_bytes()], [b"PK\x01\x02", b"PK\x05\x06", b"\xff" * 4, b"\0" * 8])
            path.write_bytes(broken)
        read_pt(path)
        Yolo(path)

    yield seeds, words, read


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)


def _pairs(infotext: object, seed: bytes) -> tuple:
    try:
        return infotext.parse(seed.decode()).pairs
    except OhwxError:
        return ()


def _members(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name.split("/", 1)[1]: opened.read(name) for name in opened.namelist()}


def _refuses_or_answers(read: Callable, given: object) -> None:
    try:
        read(given)
    except OhwxError:
        return


TARGETS = {
    "infotext": infotexts, "safetensors": safetensors, "pickle": pickles,
    "runs": runs, "trainings": trainings, "recipes": recipes,
}  # fmt: skip


def fuzz(target: str, seconds: float, seed: int, keep: Path) -> int:
    """Run one fuzzer; returns the number of different findings, each kept once."""
    chance, findings, tried, refused = random.Random(seed), {}, 0, 0
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, TARGETS[target](Path(folder)) as (seeds, words, read):
        _limit(seconds)
        until, slowest = time.monotonic() + seconds, 0.0
        while time.monotonic() < until:
            data = mutated(chance, seeds, words)
            (keep / f"{target}-last").write_bytes(data)  # what it hung on, should it
            faulthandler.dump_traceback_later(HANG, exit=True)
            started, what = time.process_time(), None
            try:
                read(data)
            except OhwxError:
                refused += 1
            except Exception as error:  # noqa: BLE001  that is what is looked for
                what = f"{type(error).__name__} {_where(error)}: {error}"[:300]
            spent = time.process_time() - started
            tried, slowest = tried + 1, max(slowest, spent)
            if spent > SLOWEST:
                what = f"{spent:.1f} s for one input"
            name = what and what.split(":")[0].replace(" ", "-").replace("/", "-")
            if name and name not in findings:
                findings[name] = what
                (keep / f"{target}-{len(findings)}").write_bytes(data)
                print(f"{target}: {what}", flush=True)
        faulthandler.cancel_dump_traceback_later()
    print(f"{target}: {tried:,} inputs, {refused:,} refused, slowest {slowest:.2f} s, {len(findings)} findings")
    return len(findings)


def _limit(seconds: float) -> None:
    """Hard limits of this process, where the system has them (not on Windows)."""
    try:
        import resource
    except ImportError:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds + HANG), int(used + seconds + HANG) + 5))
    try:
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except OSError:  # another system than Linux
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def in_batches(options: argparse.Namespace) -> int:
    """Run one fuzzer in one process after the other, each with a seed of its own; returns the number that failed."""
    left, failed, number = options.seconds, 0, 0
    while left > 0:
        flags = ["--seconds", str(min(left, BATCH)), "--seed", str(options.seed * 1000 + number)]
        keep = options.keep / str(number)
        done = subprocess.run([sys.executable, __file__, options.target, *flags, "--keep", str(keep), "--batch"])
        if done.returncode not in (0, 1):
            print(f"{options.target}: the process ended with {done.returncode}, at {keep}/{options.target}-last")
        failed += done.returncode != 0
        left, number = left - BATCH, number + 1
    return failed


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}-{trace.tb_lineno}"


def main() -> int:
    """Parse the flags, run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    parser.add_argument("--batch", action="store_true", help="in this process")
    options = parser.parse_args()
    if not options.batch:
        return 1 if in_batches(options) else 0
    return 1 if fuzz(options.target, options.seconds, options.seed, options.keep) else 0


if __name__ == "__main__":
    sys.exit(main())
