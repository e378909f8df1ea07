"""`ohwx completion`: what the shells offer is what the parser takes."""

import shutil
import subprocess

import pytest

from ohwx_compare.cli.completion import script
from ohwx_compare.cli.main import COMMANDS, build_parser, main

SHELLS = ("bash", "zsh", "fish", "powershell")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_flag_is_offered(shell, capsys):
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    parser = build_parser(*COMMANDS)
    for name, command in parser._subparsers._group_actions[0].choices.items():
        assert name in said
        for action in command._actions:
            assert not action.option_strings or max(action.option_strings, key=len).removeprefix("--") in said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_it(shell, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    file = tmp_path / "completion"
    file.write_text(script(shell), encoding="utf-8")
    subprocess.run([shell, "-n", str(file)], check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ohwx pl", ["plan"]),
        ("ohwx compare --js", ["--json"]),
        ("ohwx compare --dtype fl", ["float32", "float16"]),
        ("ohwx compare --out ", []),  # bash goes on with files
        ("ohwx pnginfo ", []),
        ("ohwx completion z", ["zsh"]),
    ],
)
def test_bash_offers(line, offered):
    words = line.split(" ")
    asked = f"COMP_WORDS=({' '.join(word or repr('') for word in words)}); COMP_CWORD={len(words) - 1}"
    code = f'{script("bash")}\n{asked}; _ohwx; printf "%s\\n" "${{COMPREPLY[@]}}"'
    said = subprocess.run(["bash", "-c", code], check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8").stdout
    assert said.split() == offered
