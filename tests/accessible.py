"""What axe-core finds in a page that is shown (https://github.com/dequelabs/axe-core; a package of PyPI carries it)."""

import pytest

WIDTHS = {"desk": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
SHOWN = (  # width and theme; by default each of both once
    ("desk", "light"),
    ("phone", "dark"),
    pytest.param(("desk", "dark"), marks=pytest.mark.slow),
    pytest.param(("phone", "light"), marks=pytest.mark.slow),
)


def serious(page) -> list[str]:
    """Its serious and critical findings: the rule and where it is broken."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{each['id']} {node['target']} {node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
