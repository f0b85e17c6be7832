"""The supervisor restarts what dies, stops everything, and leaves no process behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from webapp.embedded import processes
from webapp.embedded.layout import ROOT
from webapp.embedded.supervisor import Program, Supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def supervisor(layout):
    made = Supervisor(
        log=layout.log, state_file=layout.state_file, run_id=f"test-{os.getpid()}-{time.monotonic_ns()}"
    )
    yield made
    made.stop_all()


def program(name, script, **more):
    return Program(name=name, argv=[sys.executable, "-c", script], env=os.environ, cwd=ROOT, **more)


def pid_of(layout, name):
    return json.loads(layout.state_file.read_text())["children"][name]["pid"]


def test_a_dead_child_comes_back_and_its_new_pid_is_published(supervisor, layout, capfd):
    supervisor.start(program("sleeper", SLEEPER))
    first = pid_of(layout, "sleeper")
    os.kill(first, signal.SIGKILL)
    assert supervisor.watch(lambda: pid_of(layout, "sleeper") != first or None, 10)
    assert processes.alive(pid_of(layout, "sleeper"))
    assert json.loads(layout.state_file.read_text())["children"]["sleeper"]["restarts"] == 1
    assert "sleeper was ended by signal 9; it is started again in 0.5 s" in capfd.readouterr().out


def test_a_child_that_keeps_dying_is_tried_less_and_less_often(supervisor, capfd):
    supervisor.start(program("broken", "raise SystemExit(3)"))
    supervisor.watch(seconds=2.0)
    said = capfd.readouterr().out
    assert "broken ended with status 3; it is started again in 0.5 s" in said
    assert "it is started again in 1 s" in said
    assert said.count("started again") <= 3


def test_output_is_prefixed_and_logged(supervisor, layout, capfd, eventually):
    supervisor.start(program("sleeper", SLEEPER))
    log = layout.log / "sleeper.log"
    eventually(lambda: log.exists() and "up" in log.read_text())
    eventually(lambda: "sleeper      | up" in capfd.readouterr().out)


def test_stop_ends_children_grandchildren_and_the_stubborn(supervisor, layout, eventually):
    nest = textwrap.dedent(f"""
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], start_new_session=True)
        subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
        time.sleep(600)
    """)
    supervisor.start(program("nest", nest, stop_seconds=0.2))
    eventually(lambda: len(processes.marked(supervisor.run_id)) == 3)
    before = time.monotonic()
    supervisor.stop_all()
    assert time.monotonic() - before < 3
    assert processes.marked(supervisor.run_id) == []
    assert not layout.state_file.exists()


def test_run_once_gives_the_status_and_stops_when_asked(supervisor):
    assert supervisor.run_once("step", [sys.executable, "-c", "raise SystemExit(7)"], os.environ, ROOT) == 7


def test_a_running_server_is_adopted_and_replaced_when_it_dies(supervisor, layout):
    stranger = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.DEVNULL)
    offers = [stranger.pid]
    supervisor.start(program("server", SLEEPER, prepare=lambda: offers.pop() if offers else None))
    assert pid_of(layout, "server") == stranger.pid
    stranger.kill()
    stranger.wait()
    assert supervisor.watch(lambda: pid_of(layout, "server") != stranger.pid or None, 10)


def test_kill_9_of_the_supervisor_takes_its_children_along(layout, eventually):
    script = textwrap.dedent(f"""
        import os, sys
        from pathlib import Path
        sys.path.insert(0, {str(ROOT)!r})
        from webapp.embedded.supervisor import Program, Supervisor
        log, state = Path({str(layout.log)!r}), Path({str(layout.state_file)!r})
        s = Supervisor(log=log, state_file=state, run_id="doomed")
        s.start(Program(name="a", argv=[sys.executable, "-c", {SLEEPER!r}], env=os.environ, cwd=Path("/")))
        s.watch()
    """)
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
    eventually(layout.state_file.exists)
    child = pid_of(layout, "a")
    run.kill()
    run.wait()
    eventually(lambda: not processes.alive(child))


def test_leftovers_of_a_killed_supervisor_are_cleared(eventually):
    mark = {processes.RUN_MARK: "left-behind"}
    orphan = subprocess.Popen(
        [sys.executable, "-c", SLEEPER], env=os.environ | mark, stdout=subprocess.DEVNULL
    )
    eventually(lambda: processes.marked("left-behind") == [orphan.pid])
    assert processes.clear_leftovers("left-behind") == 1
    assert orphan.wait() == -signal.SIGTERM
    assert Path(f"/proc/{os.getpid()}").exists()
