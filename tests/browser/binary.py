"""The system's Chromium: its headless shell where there is one, with a third of the work for a page."""

import shutil

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
