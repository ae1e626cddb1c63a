"""Pictures of the pages, to be looked at: ``python Tests/Pages/shots.py PAGE.html FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import screenshot

page, folder = Path(sys.argv[1]), Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for width in (390, 1280):
    for dark in (False, True):
        to = folder / f"{page.stem}-{width}-{'dark' if dark else 'light'}.png"
        screenshot(page, to, width, dark)
        print(to)
