"""The child of `_symbolic`: reads ``[stated, reference]`` lines, answers ``{"equal": bool | null}`` lines."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys

_MEMORY = 3 * 2**30  # bytes; 9**9**9 must fail here, not fill the machine


def main() -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify

    def read(text: str) -> list[object]:
        # No time limit of its own: it would need a signal; the parent keeps the clock.
        found: list[object] = parse(f"${text}$", parsing_timeout=None) or parse(text, parsing_timeout=None)
        return found

    print("{}", flush=True)
    for line in sys.stdin:
        stated, reference = json.loads(line)
        try:
            gold, said = read(reference), read(stated)
            equal = bool(gold and said) and verify(gold, said, timeout_seconds=None)
            answer: dict[str, object] = {"equal": bool(equal)}
        except (Exception, RecursionError, MemoryError) as error:
            answer = {"equal": None, "error": f"math-verify failed: {type(error).__name__}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
