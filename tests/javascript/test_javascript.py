"""The pages' scripts: their logic by node's own test runner, their types by TypeScript's checker."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OLDEST = (18, 15)  # of node: the first whose test runner can be asked for TAP
TYPESCRIPT = "typescript@5.9.3"


def program(name: str) -> str:
    """Where it is; skips without it. A full path, because Windows' npx is a script of the shell."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; Node.js 18.15 or newer brings it")
    return found


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", errors="replace", check=False)


def test_the_logic_of_the_pages():
    node = program("node")
    version = run(node, "--version").stdout.strip()
    if tuple(map(int, re.findall(r"\d+", version))) < OLDEST:
        pytest.skip(f"node {version} is too old for these tests; they need 18.15 or newer")
    tests = sorted(path.name for path in HERE.glob("*.test.mjs"))
    done = run(node, "--test", "--test-reporter=tap", *tests)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)[1]) > len(tests)


@pytest.mark.slow
@pytest.mark.parametrize("project", ["tsconfig.json", "tsconfig.page.json"])
def test_the_types_of_the_pages(project):
    tsc = (program("npx"), "--yes", "--package", TYPESCRIPT, "tsc")
    fetched = run(*tsc, "--version")
    if fetched.returncode:
        pytest.skip(f"npx cannot run {TYPESCRIPT}: {fetched.stderr.strip()[-200:]}")
    done = run(*tsc, "--project", project)
    assert done.returncode == 0, done.stdout
