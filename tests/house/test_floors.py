"""The floor rules of docs/architecture.md, so that nobody has to remember them."""

import ast
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ohwx_compare"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOOR = {
    "": -1, "errors": -1, "core": 0, "files": 1, "models": 2, "engine": 3, "train": 4, "compare": 4, "judge": 4,
    "toy": 4, "hosts": 5, "toy.demo": 5, "ui": 6, "cli": 6, "__main__": 7,
}  # fmt: skip
SAME_FLOOR = {("toy.demo", "hosts")}  # the demo draws with the native host

PYTHON = set(sys.stdlib_module_names)
DISK = {"numpy", "PIL", "piexif", "cv2", "ftfy", "regex"}
TORCH = DISK | {"torch"}
ENGINE = TORCH | {"safetensors", "torchsde", "scipy"}
THIRD_PARTY = {
    "": set(), "errors": set(), "__main__": set(), "core": set(), "files": DISK, "models": {"torch"}, "engine": ENGINE,
    "train": ENGINE, "compare": DISK, "judge": ENGINE, "hosts": ENGINE, "toy": ENGINE,
    "toy.demo": ENGINE, "cli": TORCH, "ui": ENGINE | {"gradio"},
}  # fmt: skip
WEBUI = {"modules", "gradio", "starlette", "open_clip"}  # below hosts/webui only


def room(parts: Sequence[str]) -> str:
    """The room of a module, given its name's parts below the package."""
    inner = ".".join(parts[:2])
    return inner if inner in FLOOR else parts[0] if parts else ""


def room_of(path: Path) -> str:
    return room([part for part in path.relative_to(PACKAGE).with_suffix("").parts if part != "__init__"])


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            found.append(node.module or "")
    return found


def own_modules(path: Path) -> set[Path]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    here = room_of(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "ohwx_compare":
            there = room(rest.split("."))
            lower = FLOOR[there] < FLOOR[here]
            assert lower or there == here or (here, there) in SAME_FLOOR, f"{here} may not import {name}"
        else:
            rim = WEBUI if path.is_relative_to(PACKAGE / "hosts" / "webui") else set()
            assert top in PYTHON | THIRD_PARTY[here] | rim, f"{here} may not import {top}"


def test_no_circles():
    graph = {path: own_modules(path) for path in FILES}

    def visit(path, above):
        assert path not in above, "circle: " + " -> ".join(p.stem for p in [*above, path])
        for other in graph[path]:
            visit(other, [*above, path])

    for path in FILES:
        visit(path, [])


@pytest.mark.parametrize("package", ["ohwx_compare", "ohwx_compare.core", "ohwx_compare.files"])
def test_lower_floors_load_nothing_heavy(package):
    modules = ["ohwx_compare", *(p for p in [package] if p != "ohwx_compare")]
    folder = PACKAGE / package.partition(".")[2] if "." in package else None
    modules += [f"{package}.{p.stem}" for p in sorted(folder.glob("*.py")) if p.stem != "__init__"] if folder else []
    code = f"import sys, {', '.join(modules)}; print(*{{'torch', 'scipy', 'gradio'}} & set(sys.modules))"
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
