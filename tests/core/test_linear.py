"""Text of any length costs what its length says: the attack on each reader is read right, within a hard limit of time.

With a pattern whose parts can match the same blanks, 200,000 of them take hours.
"""

import subprocess
import sys

import pytest

MANY = 200_000
READ = """
import resource, sys
{imports}
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
many, some = " " * {many}, " " * 30_000  # the csv module takes no more than 131,072 characters
def refused(call, *given):
    try:
        call(*given)
    except OhwxError as error:
        assert len(str(error)) < 2_000, len(str(error))
        return
    raise SystemExit(f"{{call}} took it")
{body}
"""
IMPORTS = """
from pathlib import Path
from ohwx_compare.errors import OhwxError
from ohwx_compare.core.experiment.axes import CheckpointRef
from ohwx_compare.core.experiment.axis_text import read_values
from ohwx_compare.core.experiment.groups import groups
from ohwx_compare.core.infotext import infotext
"""
CASES = {
    "blanks in a checkpoint's name": 'assert CheckpointRef.parse(f"a{many}b [0123456789]").name == f"a{many}b"',
    "blanks before a hash that is none": 'assert CheckpointRef.parse(f"a{many}[xyz]").name == f"a{many}[xyz]"',
    "blanks in a name to be found": """
from ohwx_compare.files.finding import find
refused(find, f"a{many}b [012345678x]", Path(sys.argv[1]))""",
    "blanks in a range": """
assert read_values("seed", f"1{some}-{some}3{some}") == [1, 2, 3]
assert read_values("cfg", f"1 -{some}2{some}({some}+0.5{some})") == [1.0, 1.5, 2.0]
for text in (some + "x", f"1{some}-{some}x", f"1-2{some}x", f"-{some}x", f"1-{some}-x", f"1-2 (+{some}x)"):
    refused(read_values, "seed", text)""",
    "digits without end": """
refused(read_values, "seed", "9" * 5_000)
assert groups([f"a-e{'9' * 5_000}", f"a-e{'9' * 4_999}"]) == ()""",
    "digits without end, as Python read them before 3.10.7": """
import json
from ohwx_compare.core.experiment.experiment import Experiment
from ohwx_compare.core.infotext.pairs import read_whole
from ohwx_compare.core.infotext.settings_lines import segments
from ohwx_compare.numerals import decode_json
from ohwx_compare.files.checkpoint import read_header
from ohwx_compare.files.json_file import read_object
from ohwx_compare.files.regular import load_json
from ohwx_compare.train.recipe.forms import read_pasted
from ohwx_compare.train.recipe.toml import parse_toml
getattr(sys, "set_int_max_str_digits", id)(0)
digits = "9" * 4_500_000
for text in (digits, f'{{"a": [-{digits}]}}', digits.encode()):
    try:
        decode_json(text)
    except ValueError:
        continue
    raise SystemExit("taken")
file = Path(sys.argv[1], "a.json")
file.write_text(digits)
try:
    raise SystemExit(load_json(file))
except ValueError:
    pass
file.write_text('{"a": ' + digits[:3_900_000] + "}")
assert read_object(file) == {}
header = ('{"a": {"dtype": "F32", "shape": [' + digits + '], "data_offsets": [0, 4]}}').encode()
file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
refused(read_header, file)
refused(read_whole, digits, "Seed")
refused(read_values, "seed", digits)
refused(Experiment.from_dict, {"axes": [{"kind": "seed", "values": [digits]}], "job": {"prompt": "", "seed": 1}})
refused(infotext.extra, infotext.parse("a\\nSteps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1, ohwx: " + digits))
assert [*segments("a: [" + digits + "], b: 1")][0][0] == "a"
assert parse_toml("a = " + digits)["a"] > 1e300
refused(read_pasted, '{"base": ' + digits + "}")""",
    "many ranges": 'refused(read_values, "seed", "1-10000," * 20_000)',
    "an axis of a plot": """
text = "a\\nSteps: 1, Sampler: Euler a, CFG scale: 7, Seed: 1, Script: X/Y/Z plot, X Type: {}, X Values: {}"
name = f"a{some}b.safetensors [0123456789]"
assert infotext.xyz(infotext.parse(text.format("Checkpoint name", name))).x.values == (name,)
refused(infotext.xyz, infotext.parse(text.format("Seed", infotext.quote("1-10000," * 20_000))))""",
    "parts of a face's prompt": """
from ohwx_compare.compare.face_pass import segment
assert segment(f" a{many}[SEP]{many}b{many}c{many}[SEP] d ", 0, "own") == " a"
assert segment(f" a{many}[SEP]{many}b{many}c{many}[SEP] d ", 1, "own") == f"b{many}c"
assert segment(f" a{many}[SEP]{many}b{many}c{many}[SEP] d ", 5, "own") == "d "
assert segment(f"a{many}b", 5, "own") == f"a{many}b"
assert segment(f"a{many}[SEP]{many}[SEP]b", 1, "own") == "own" """,
    "an unknown name of any length": """
from ohwx_compare.core.experiment.experiment import Experiment
for name in (("abc " * 50_000), many, "é" * 200_000):
    refused(Experiment.from_dict, {"axes": [{"kind": name, "values": [1]}]})
    refused(Experiment.from_dict, {name: 1})
    refused(Experiment.from_dict, {"job": {"prompt": "", "seed": 1}, "styles": [name]})""",
    "arguments of kohya_ss": """
from ohwx_compare.train.recipe.kohya import from_kohya
from ohwx_compare.train.recipe.toml import parse_toml
base = {"pretrained_model_name_or_path": "b", "train_data_dir": "t", "output_dir": "o"}
assert from_kohya({**base, "optimizer_args": "a" * len(many)}).recipe.optimizer == "adamw"
decay = from_kohya({**base, "optimizer_args": "weight_decay=0.5 " + "a" * len(many)}).recipe.optimizer_args
assert decay == {"weight_decay": 0.5}
refused(from_kohya, {**base, "optimizer_args": "a=(1 " * 40_000})
refused(parse_toml, "a = " + many + "x")
refused(parse_toml, "a = b" + many + "x")
assert parse_toml(f"a = 1{many}# {many}") == {"a": 1}""",
}


@pytest.mark.parametrize("name", CASES)
def test_text_of_any_length_is_read_in_linear_time(name, tmp_path):
    pytest.importorskip("resource")  # Windows has no such limit
    script = READ.format(imports=IMPORTS, many=MANY, body=CASES[name])
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
