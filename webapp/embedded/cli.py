"""The commands of `./run`."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from webapp.embedded import install, stack
from webapp.embedded.layout import Layout
from webapp.embedded.refusal import MISCONFIGURED, Refusal, from_os_error

EPILOG = """\
environment:
  WHETSTONE_PORT, WHETSTONE_HOST   where the web server listens (8000 on 127.0.0.1)
  WHETSTONE_VAR                    folder for all state (var/ in the checkout)
  DATABASE_URL, REDIS_URL          servers of your own instead of the embedded ones

exit status: 0 done (also when `up` finds itself already running), 1 failed, 2 wrong option or setting
"""


def _words(layout: Layout, argv: list[str | Path]) -> int:
    """Run a tool in the virtual environment, from the checkout."""
    return subprocess.run([str(a) for a in argv], cwd=layout.root).returncode


def setup(layout: Layout, words: list[str]) -> int:
    """install everything into .venv (quick when nothing changed)"""
    install.setup(layout)
    return 0


def up(layout: Layout, words: list[str]) -> int:
    """start everything and serve until Ctrl-C"""
    install.setup(layout, quiet=True)
    return stack.up(layout)


def demo(layout: Layout, words: list[str]) -> int:
    """run whole iterations without people, on fresh services, and print the result"""
    install.setup(layout, quiet=True)
    return stack.demo(layout, words)


def manage(layout: Layout, words: list[str]) -> int:
    """a command of manage.py, with the services running"""
    install.setup(layout, quiet=True)
    return stack.manage(layout, words)


def test(layout: Layout, words: list[str]) -> int:
    """run the tests (words are passed to pytest)"""
    install.setup(layout, quiet=True)
    # In the order of tests/conftest.py: what needs a process to itself stands last.
    two = ["-n", "2", "--dist", "loadgroup", "--no-loadscope-reorder"]
    spread = [] if any(w.startswith("-n") for w in words) else two
    return _words(layout, [layout.python, "-m", "pytest", *spread, *words])


def lint(layout: Layout, words: list[str]) -> int:
    """ruff, mypy and the import contracts"""
    install.setup(layout, quiet=True)
    bin_ = layout.venv / "bin"
    checks: list[list[str | Path]] = [
        [bin_ / "ruff", "check", "."],
        [bin_ / "ruff", "format", "--check", "."],
        [layout.python, "-m", "mypy"],
        [bin_ / "lint-imports"],
    ]
    failed = []
    for argv in checks:  # all of them, so that one run shows everything
        name = Path(argv[0]).name if "mypy" not in argv else "mypy"
        if _words(layout, argv):
            failed.append(name)
    if failed:
        print(f"lint: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def bench(layout: Layout, words: list[str]) -> int:
    """run benchmarks of tests/bench by name (all without one); figures go to var/bench/<name>.json"""
    install.setup(layout, quiet=True)
    folder = layout.root / "tests" / "bench"
    known = sorted(path.stem for path in folder.glob("[!_]*.py"))
    chosen = [w for w in words if not w.startswith("-")] or known
    if unknown := [name for name in chosen if name not in known]:
        raise Refusal(f"No benchmark {unknown[0]!r}; there are: {', '.join(known) or 'none'}.", MISCONFIGURED)
    options = [w for w in words if w.startswith("-")]
    (layout.var / "bench").mkdir(parents=True, exist_ok=True)
    status = 0
    for name in chosen:
        print(f"bench: {name}", flush=True)
        status |= _words(layout, [layout.python, "-m", f"tests.bench.{name}", *options])
    return 1 if status else 0


def chaos(layout: Layout, words: list[str]) -> int:
    """kill processes at random while an iteration runs and check that nothing is lost or doubled"""
    install.setup(layout, quiet=True)
    return _words(layout, [layout.python, "-m", "pytest", "-m", "chaos", "-n", "0", "tests/chaos", *words])


COMMANDS: tuple[Callable[[Layout, list[str]], int], ...] = (setup, up, demo, manage, test, lint, bench, chaos)


def main(argv: list[str]) -> int:
    """Parse, run, and turn every refusal into one sentence and an exit status."""
    parser = argparse.ArgumentParser(
        prog="./run", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in COMMANDS:
        commands.add_parser(command.__name__, help=command.__doc__, add_help=False, prefix_chars="\0")
    known, words = parser.parse_known_args(argv[:1]), argv[1:]
    command = next(c for c in COMMANDS if c.__name__ == known[0].command)
    if words in (["--help"], ["-h"]) and command not in (demo, manage, test):
        print(f"./run {command.__name__}: {command.__doc__}\n\n{EPILOG}")
        return 0
    if command in (setup, up) and words:
        parser.error(f"{command.__name__} takes no further words: {' '.join(words)}")
    os.environ["PYTHONNOUSERSITE"] = "1"
    # Every process that starts would compile two thousand files anew. They lie where git ignores them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        return command(Layout.here(), words)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return refusal.code
    except OSError as error:
        translated = from_os_error(error)
        print(translated, file=sys.stderr)
        return translated.code
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
