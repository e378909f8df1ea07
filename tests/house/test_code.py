"""Caps and manners of the code: sizes, docstrings, prints, swallowed errors."""

import ast
import importlib.util
from pathlib import Path

import pytest
from sources import nodes, tree

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ohwx_compare"
FILES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = sorted(path for folder in ("bench", "tools") for path in (ROOT / folder).glob("*.py"))
BROAD = {  # where `except Exception` may stand: the named boundaries of docs/architecture.md
    "compare/conductor.py", "compare/behind.py", "hosts/webui/tab/queue.py", "hosts/webui/tab/routes.py", "cli/main.py",
    "cli/replay.py", "train/run/watch.py", "train/outside/runs.py", "hosts/webui/tab/run_list.py",
    "hosts/webui/tab/face_jobs.py", "look/server.py", "hosts/machines/replying.py",
}  # fmt: skip

each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())


def functions(path: Path):
    return [n for n in nodes(path) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@each_file
def test_files_are_one_sitting(path):
    cap = 550 if path.name == "unet.py" else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= cap


@each_file
def test_functions_do_one_thing(path):
    for node in functions(path):
        assert node.end_lineno - node.lineno < 60, f"{node.name} is longer than 60 lines"
        if any(ast.unparse(decorator) == "triton.jit" for decorator in node.decorator_list):
            continue  # a kernel takes pointers and numbers one by one
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        count = len([a for a in arguments if a.arg not in ("self", "cls")])
        assert count <= 7, f"{node.name} takes {count} parameters"


def is_overload(node: ast.ClassDef | ast.FunctionDef) -> bool:
    return any(getattr(decorator, "id", "") == "overload" for decorator in node.decorator_list)


@each_file
def test_public_names_have_docstrings(path):
    module = tree(path)
    assert ast.get_docstring(module), "no module docstring"
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not (node.name.startswith("_") or is_overload(node)):
            assert ast.get_docstring(node), f"{node.name} has no docstring"
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and inner.name != "forward":
                    assert ast.get_docstring(inner), f"{node.name}.{inner.name} has no docstring"


@each_file
def test_public_names_are_listed(path):
    if path.name not in ("__init__.py", "__main__.py"):
        assigned = [getattr(n.targets[0], "id", "") for n in tree(path).body if isinstance(n, ast.Assign)]
        assert "__all__" in assigned


@each_file
def test_errors_are_not_swallowed(path):
    for node in nodes(path):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            if path.relative_to(PACKAGE).as_posix() not in BROAD:
                passes_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
                broad = getattr(node.type, "id", "") in ("Exception", "BaseException")
                assert not broad or passes_on, f"line {node.lineno}: except {node.type.id}"


@each_file
def test_only_the_command_line_prints(path):
    if path.relative_to(PACKAGE).parts[0] == "cli":
        return
    calls = [n for n in nodes(path) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"]
    assert not calls


@each_file
def test_json_is_read_in_one_place(path):
    """Which bounds its numbers: see numerals.py."""
    called = [ast.unparse(n.func) for n in nodes(path) if isinstance(n, ast.Call)]
    assert path.name == "numerals.py" or not {"json.loads", "json.load"}.intersection(called)


@each_file
def test_nothing_global_changes(path):
    for node in nodes(path):
        assert not isinstance(node, ast.Global), f"line {node.lineno}: global"
    for node in functions(path):
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            assert not isinstance(default, ast.List | ast.Dict | ast.Set), f"{node.name}: mutable default"


def test_one_name_is_one_thing():
    """A public top-level name stands in one module, but for what is the same thing there by design."""
    found: dict[str, list[str]] = {}
    for path in FILES:
        for node in tree(path).body:
            for name in top_level_names(node):
                found.setdefault(name, []).append(path.relative_to(PACKAGE).as_posix())
    twice = {name: places for name, places in found.items() if len(places) > 1 and not name.startswith("_")}
    assert {name for name, places in twice.items() if not allowed_twice(name, places)} == set()


def top_level_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [] if is_overload(node) else [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def allowed_twice(name: str, places: list[str]) -> bool:
    if name in ("add_flags", "run"):  # of every command
        return all(place.startswith("cli/") for place in places)
    return name in ("Downsample", "Upsample") and places == ["models/unet.py", "models/vae.py"]  # the papers' names


def test_no_room_for_leftovers():
    assert not [p for p in FILES if p.stem in ("utils", "helpers", "common", "misc")]


def test_no_two_test_files_share_a_name():
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)  # pytest imports them by it


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_programs_take_what_is_there(path):
    """bench/ and tools/ are not run by the tests; what they import of the package must exist."""
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == PACKAGE.name:
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}")


WEBUI = PACKAGE / "hosts" / "webui"
ASKS = {WEBUI / "features.py", *(WEBUI / "generation" / f"{name}.py" for name in ("holding", "loading", "parameters"))}


@pytest.mark.parametrize("path", sorted(WEBUI.rglob("*.py")), ids=lambda p: p.relative_to(WEBUI).as_posix())
def test_what_a_webui_has_is_asked_in_one_room(path):
    """Elsewhere nothing is looked for that may not be there, and no model loaded."""
    if path in ASKS:
        return
    for node in nodes(path):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            assert name != "hasattr", f"line {node.lineno}: hasattr"
            assert name != "getattr" or len(node.args) < 3, f"line {node.lineno}: getattr with a default"
        if isinstance(node, ast.ImportFrom) and node.module == "modules":
            names = {alias.name for alias in node.names}
            assert not names & {"sd_models", "sd_vae"}, f"line {node.lineno}: {names}"
