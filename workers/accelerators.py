"""What accelerators this machine has and how busy they are, as ``nvidia-smi`` says.

The command comes with the driver. Its absence, an error or a slow answer all mean the same: none is known of.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

FIELDS = ("name", "memory.used", "memory.total", "utilization.gpu")
SECONDS = 5.0
MIB = 1 << 20


def accelerators_read() -> list[dict[str, Any]]:
    """Each as ``{name, memory_used, memory_total, utilisation}``: bytes, and a share or None."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    query = [command, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return accelerators_parse(said.stdout)


def accelerators_parse(text: str) -> list[dict[str, Any]]:
    """One line per device. What a device does not tell (``[N/A]``, ``[Not Supported]``) is None."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.rsplit(",", len(FIELDS) - 1)]  # a name may hold a comma
        if len(cells) != len(FIELDS):
            continue
        used, total, busy = (_number(cell) for cell in cells[1:])
        found.append(
            {
                "name": cells[0],
                "memory_used": None if used is None else round(used * MIB),
                "memory_total": None if total is None else round(total * MIB),
                "utilisation": None if busy is None else busy / 100,
            }
        )
    return found


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
