"""Run by the webui when the extension is installed and at every start: installs nothing, says what is missing.

Everything that is needed is part of a webui already; only the standard library is used here, and nothing is imported.
"""

import sys
from importlib.util import find_spec

NEEDED = {
    "torch": "torch", "numpy": "numpy", "PIL": "Pillow", "cv2": "opencv-python", "safetensors": "safetensors",
    "piexif": "piexif", "ftfy": "ftfy", "regex": "regex",
}  # fmt: skip

missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
if missing:
    sys.stdout.write(
        f"ohwx compare needs {', '.join(missing)}, which this webui lacks; install it beside the others.\n"
    )
