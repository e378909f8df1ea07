"""`ohwx extract`: a LoRA from the command line."""

import json

import pytest

from ohwx_compare.cli.main import main
from ohwx_compare.files.checkpoint import describe, read_header


@pytest.mark.slow
def test_it_writes_a_lora_and_says_what_it_lacks(tiny, tmp_path, capsys):
    base, tuned, out = tiny / "tiny_base.safetensors", tiny / "tiny_reg.safetensors", tmp_path / "ohwx ü.safetensors"
    arguments = ["extract", str(tuned), "--base", str(base), "--rank", "4", "--out", str(out), "--json"]
    assert main(arguments) == 0
    said, header = json.loads(capsys.readouterr().out), read_header(out)
    assert describe(header) == "a LoRA"
    assert 0 < said["error"] < 1
    assert header.metadata["ss_output_name"] == "ohwx ü"
    assert json.loads(header.metadata["ohwx.extraction"])["base"] == "tiny_base.safetensors"
    assert main(arguments[:-1]) == 1
    assert f"{out} is there already." in capsys.readouterr().err
