"""The floor rules of docs/architecture.md, so that nobody has to remember them."""

import ast
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from sources import nodes

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ohwx_compare"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOOR = {
    "": -2, "errors": -1, "words": -1, "numerals": -1, "core": 0, "files": 1, "models": 2, "engine": 3, "train": 4,
    "compare": 4, "toy": 4, "doctor": 4, "judge": 5, "look": 6, "hosts": 7, "testing": 7, "study": 8,
    "demo": 9, "cli": 10, "__main__": 11,
}  # fmt: skip
INNER = {  # rooms within a room, from the ground up; "" is what lies beside them
    "core": ({"request"}, {"prompt"}, {"infotext"}, {"experiment"}, {""}),
    "files": ({""}, {"ledger"}),
    "train": ({"recipe"}, {"plan", "outside"}, {"learn"}, {"run"}),
    "compare": ({""}, {"cost"}),
    "judge": ({""}, {"run"}),
    "hosts": ({""}, {"webui", "api", "machines"}),
    "hosts.webui": ({""}, {"generation"}, {"request"}, {"panel", "tab"}, {"entry"}),
}

PYTHON = set(sys.stdlib_module_names)
DISK = {"numpy", "PIL", "piexif", "cv2", "ftfy", "regex"}
TORCH = DISK | {"torch"}
ENGINE = TORCH | {"safetensors", "torchsde", "scipy"}
THIRD_PARTY = {
    "": set(), "errors": set(), "words": set(), "numerals": set(), "__main__": set(), "core": set(), "files": DISK,
    "models": {"torch"}, "engine": ENGINE | {"mediapipe", "spandrel"},
    "train": ENGINE | {"triton"}, "doctor": DISK, "compare": DISK, "toy": ENGINE, "judge": ENGINE, "look": DISK,
    "hosts": ENGINE, "testing": ENGINE, "study": ENGINE, "demo": ENGINE, "cli": TORCH,
}  # fmt: skip
WEBUI = {"modules", "gradio", "starlette", "open_clip"}  # below hosts/webui only
RAY = PACKAGE / "hosts" / "machines" / "on_ray.py"  # the only one that imports it


def parts_of(path: Path) -> list[str]:
    return [part for part in path.relative_to(PACKAGE).with_suffix("").parts if part != "__init__"]


def inner_floor(outer: str, parts: Sequence[str]) -> tuple[int, str]:
    """Floor and name of the room inside `outer` that the module `parts` lies in; a module of its own may be one."""
    rest = parts[len(outer.split(".")) :]
    for floor, rooms in enumerate(INNER[outer]):
        if rest and rest[0] in rooms:
            return floor, rest[0]
    return next(floor for floor, rooms in enumerate(INNER[outer]) if "" in rooms), ""


def climbs(here: Sequence[str], there: Sequence[str]) -> str:
    """Why the module `here` may not import `there`, "" where it may."""
    own, other = (parts[0] if parts else "" for parts in (here, there))
    if own != other:
        return "" if FLOOR[other] < FLOOR[own] else f"{other} is not below {own}"
    for outer in INNER:
        if all(".".join(parts).startswith(outer + ".") for parts in (here, there)):
            (low, a), (high, b) = inner_floor(outer, there), inner_floor(outer, here)
            if a != b and low >= high:
                return f"{outer}/{a} is not below {outer}/{b}"
    return ""


@cache
def imports(path: Path) -> list[str]:
    found = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            found.append(node.module or "")
    return found


@cache
def own_modules(path: Path) -> set[Path]:
    modules = set()
    for node in nodes(path):
        names = []
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ohwx_compare"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("ohwx_compare")]
        for name in names:
            file = ROOT / (name.replace(".", "/") + ".py")
            if file.exists():
                modules.add(file)
    return modules


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_go_down_or_stay(path):
    here = parts_of(path)
    for module in own_modules(path):
        why = climbs(here, parts_of(module))
        assert not why, f"{'.'.join(here)} may not import {module.relative_to(PACKAGE)}: {why}"
    for name in imports(path):
        top = name.partition(".")[0]
        rim = WEBUI if path.is_relative_to(PACKAGE / "hosts" / "webui") else set()
        rim |= {"ray"} if path == RAY else set()
        known = PYTHON | THIRD_PARTY[here[0] if here else ""] | rim | {PACKAGE.name}
        assert top in known, f"{'.'.join(here)} may not import {top}"


def test_no_circles():
    graph = {path: own_modules(path) for path in FILES}
    done: set[Path] = set()

    def visit(path, above):
        assert path not in above, "circle: " + " -> ".join(p.stem for p in [*above, path])
        if path not in done:
            for other in graph[path]:
                visit(other, [*above, path])
            done.add(path)

    for path in FILES:
        visit(path, [])


def arrows(graph: Mapping[Path, set[Path]], outer: str) -> int:
    """How many pairs of rooms inside `outer` depend on each other."""
    inside = [path for path in graph if ".".join(parts_of(path)).startswith(outer + ".")]
    rooms = {path: inner_floor(outer, parts_of(path))[1] for path in inside}
    return len({(rooms[a], rooms[b]) for a in inside for b in graph[a] if b in rooms and rooms[a] != rooms[b]})


@pytest.mark.parametrize(("outer", "most"), [("core", 6), ("train", 8), ("hosts.webui", 16)])
def test_the_big_rooms_stay_few_arrows(outer, most):
    assert arrows({path: own_modules(path) for path in FILES}, outer) <= most


@pytest.mark.parametrize("package", ["ohwx_compare", "ohwx_compare.core", "ohwx_compare.files"])
def test_lower_floors_load_nothing_heavy(package):
    folder = ROOT / package.replace(".", "/")
    files = sorted(folder.rglob("*.py")) if "." in package else []
    modules = [".".join([PACKAGE.name, *parts_of(path)]) for path in files]
    code = f"import sys, {', '.join([PACKAGE.name, *modules])}"
    code += "; print(*{'torch', 'scipy', 'gradio'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert not out.strip(), f"{package} loads {out}"


def test_the_command_line_starts_light():
    code = "import sys; from ohwx_compare.cli.main import build_parser; build_parser('pnginfo')"
    code += "; print(*{'torch', 'numpy', 'PIL', 'cv2', 'piexif'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert not out.strip(), f"--help or pnginfo loads {out}"


def test_the_webui_is_imported_in_one_place():
    for path in FILES:
        if "webui" not in path.relative_to(PACKAGE).parts:
            assert not [name for name in imports(path) if name.split(".")[0] == "modules"], path
