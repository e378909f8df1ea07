"""`ohwx completion`: scripts that make a shell complete commands, flags and values, written from the parser itself."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ohwx_compare.cli.main import COMMANDS, parsers

__all__ = ["add_flags", "script"]


@dataclass(frozen=True, kw_only=True)
class _Flag:
    """A flag, or with an empty name what a command takes without a flag."""

    name: str
    help: str
    value: str  # "" (none), "folder", "path", "choice" or "text"
    choices: Sequence[str] = ()


_Commands = Mapping[str, Sequence[_Flag]]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Fill the parser of this command."""
    parser.description = "Print a script that makes your shell complete commands, flags and their values."
    parser.epilog = (
        "examples: ohwx completion bash >> ~/.bashrc. ohwx completion zsh >> ~/.zshrc  # below compinit. "
        "ohwx completion fish > ~/.config/fish/completions/ohwx.fish. ohwx completion powershell >> $PROFILE"
    )
    parser.add_argument("shell", choices=tuple(_WRITERS), help="the shell to write for")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    print(script(options.shell))
    return 0


def script(shell: str) -> str:
    """The script for "bash", "zsh", "fish" or "powershell"."""
    return "\n".join(_WRITERS[shell](_commands()))


def _commands() -> _Commands:
    return {name: [_flag(action) for action in command._actions] for name, command in parsers().items()}


def _flag(action: argparse.Action) -> _Flag:
    metavar = str(action.metavar)
    kind = "folder" if metavar == "DIR" else "path" if action.type is Path or "IMAGE" in metavar else "text"
    return _Flag(
        name=max(action.option_strings, key=len, default=""),
        help=re.split(r"[;.:(]", action.help or "")[0].strip(),
        value="" if action.nargs == 0 else "choice" if action.choices else kind,
        choices=tuple(action.choices or ()),
    )


def _bash(commands: _Commands) -> Iterator[str]:
    """Where it offers no word, bash offers files."""
    yield "_ohwx() {"
    yield '    local word="${COMP_WORDS[COMP_CWORD]}" words=""'
    yield '    case "$COMP_CWORD ${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}" in'
    yield f'    "1 "*) words="{" ".join(commands)}" ;;'
    for command, flags in commands.items():
        for flag in flags:
            if flag.name and flag.choices:
                yield f'    *" {command} {flag.name}") words="{" ".join(flag.choices)}" ;;'
        if others := [f'*" {command} {flag.name}"' for flag in flags if flag.name and flag.value]:
            yield f"    {' | '.join(others)}) ;;"
        named = " ".join(flag.name for flag in flags if flag.name)
        bare = " ".join(word for flag in flags if not flag.name for word in flag.choices)
        yield f'    *" {command} "*) case "$word" in -*) words="{named}" ;; *) words="{bare}" ;; esac ;;'
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "}"
    yield "complete -o default -F _ohwx ohwx"


def _zsh(commands: _Commands) -> Iterator[str]:
    def quoted(text: str) -> str:
        return text.replace("'", "'\\''")

    def spec(flag: _Flag) -> str:
        after = {"": "", "folder": "_files -/", "path": "_files", "text": " "}.get(flag.value)
        after = f"({' '.join(flag.choices)})" if after is None else after
        if not flag.name:
            return f"'*:{quoted(flag.help)}:{after}'"
        return f"'*{flag.name}[{quoted(flag.help)}]" + (f":value:{after}'" if after else "'")

    yield "#compdef ohwx"
    yield "_ohwx() {"
    yield "    if (( CURRENT == 2 )); then"
    words = " ".join(f"'{command}:{quoted(COMMANDS[command])}'" for command in commands)
    yield f"        local -a commands=({words})"
    yield "        _describe command commands"
    yield "        return"
    yield "    fi"
    yield '    local command="$words[2]"'
    yield "    shift words"
    yield "    (( CURRENT-- ))"
    yield '    case "$command" in'
    for command, flags in commands.items():
        yield f"    {command}) _arguments {' '.join(map(spec, flags))} ;;"
    yield "    esac"
    yield "}"
    yield '[[ "$funcstack[1]" == _ohwx ]] && _ohwx "$@" || compdef _ohwx ohwx'


def _fish(commands: _Commands) -> Iterator[str]:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    offered = {"": "", "folder": " -x -a '(__fish_complete_directories)'", "path": " -r -F", "text": " -x"}
    for command, flags in commands.items():
        yield f"complete -c ohwx -f -n __fish_use_subcommand -a {command} -d {quoted(COMMANDS[command])}"
        when = f"complete -c ohwx -n '__fish_seen_subcommand_from {command}'"
        for flag in flags:
            values = offered.get(flag.value, f" -x -a {quoted(' '.join(flag.choices))}")
            if flag.name:
                yield f"{when} -l {flag.name[2:]}{values} -d {quoted(flag.help)}"
            elif flag.choices:
                yield f"{when}{values.replace(' -x', ' -f')}"


def _powershell(commands: _Commands) -> Iterator[str]:
    """Where it offers no word, PowerShell offers files."""

    def words(names: Sequence[str]) -> str:
        return "@(" + ", ".join(f"'{name}'" for name in names) + ")"

    yield "Register-ArgumentCompleter -Native -CommandName ohwx -ScriptBlock {"
    yield "    param($word, $line, $cursor)"
    yield "    $offered = @{"
    yield f"        '' = {words(list(commands))}"
    for command, flags in commands.items():
        bare = [word for flag in flags if not flag.name for word in flag.choices]
        yield f"        '{command}' = {words([*bare, *(flag.name for flag in flags if flag.name)])}"
        for flag in flags:
            if flag.name and flag.value:
                yield f"        '{command} {flag.name}' = {words(flag.choices)}"
    yield "    }"
    yield '    $said = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })'
    yield "    if ($word) { $said = @($said | Select-Object -SkipLast 1) }"
    yield "    $key = if ($said.Count) { \"$($said[0]) $($said[-1])\" } else { '' }"
    yield '    if (-not $offered.ContainsKey($key)) { $key = "$($said[0])" }'
    yield '    $offered[$key] | Where-Object { $_ -like "$word*" } | ForEach-Object {'
    yield "        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)"
    yield "    }"
    yield "}"


_WRITERS: Mapping[str, Callable[[_Commands], Iterator[str]]] = MappingProxyType(
    {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}
)
