"""One real stack in a state folder of its own: start, look into its database, kill parts of it, stop."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import redis

from webapp.embedded import checks, processes
from webapp.embedded.layout import ROOT
from webapp.embedded.postgres import SYSTEM_STATE

LEASE = 6  # seconds: how long a dead worker's unit rests
TAIL = 25

SIZES = {
    "train": int(os.environ.get("CHAOS_PROMPTS", "120")),
    "heldout": 60,
    "probe": 20,
    "set": [
        f"settings.samples={os.environ.get('CHAOS_SAMPLES', '4')}",
        "annotate.take=20",
        "finetune.epochs=4",
        "gate.min_prompts=20",
    ],
}

RESPONSES = """
select p.content_sha, r.text, r.origin, r.verdict from traces_response r
join projects_prompt p on p.id = r.prompt_id where r.iteration_id is not null order by 1, 2, 3, 4"""
EXAMPLES = "select row_sha from curate_example order by 1"
MOVES = "select from_stage, to_stage from iterations_transition order by id"
ANSWERS = (
    "select p.content_sha, count(*) from annotate_annotation a join annotate_annotationtask t on t.id = \
a.task_id join projects_prompt p on p.id = t.prompt_id group by 1 order by 1"
)


class Stack:
    """Use as a context manager; leaves no process and no folder behind."""

    def __enter__(self):
        self.var = Path(tempfile.mkdtemp(prefix="wh-chaos-"))
        self.var.chmod(0o755)
        outside = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", processes.RUN_MARK)
        self.env = {k: v for k, v in os.environ.items() if k not in outside} | {
            "WHETSTONE_VAR": str(self.var),
            "WHETSTONE_LEASE": str(LEASE),
            "WHETSTONE_PORT": str(checks.any_free_port("127.0.0.1")),
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
        }
        self.extra = []
        self.said = (self.var / "said.txt").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.serve"],
            cwd=ROOT,
            env=self.env,
            stdout=self.said,
            stderr=subprocess.STDOUT,
        )
        try:
            self.wait_for("the stack", lambda: "scheduler" in self.state().get("children", {}), 90)
        except BaseException:
            self.__exit__()
            raise
        self.env |= {k: self.state()[k] for k in ("DATABASE_URL", "REDIS_URL")}
        return self

    def __exit__(self, *_):
        run_id = self.state().get("run_id")
        for process in (*self.extra, self.process):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (*self.extra, self.process):
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if run_id:
            processes.clear_leftovers(run_id)
            assert processes.marked(run_id) == []
        self.said.close()
        self.keep_logs()
        shutil.rmtree(self.var, ignore_errors=True)
        from webapp.embedded.layout import Layout

        shutil.rmtree(SYSTEM_STATE / Layout(ROOT, self.var).key, ignore_errors=True)

    def keep_logs(self):
        """CHAOS_LOGS names a folder that keeps every run's logs."""
        if kept := os.environ.get("CHAOS_LOGS"):
            shutil.copytree(self.var / "log", Path(kept) / self.var.name, dirs_exist_ok=True)

    # Looking -------------------------------------------------------------------------------------

    def state(self):
        try:
            return json.loads((self.var / "run" / "state.json").read_text())
        except FileNotFoundError:
            return {}

    def pid(self, name):
        return self.state()["children"][name]["pid"]

    def rows(self, sql, *values):
        with psycopg.connect(self.env["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(sql, values).fetchall()

    def one(self, sql, *values):
        rows = self.rows(sql, *values)
        return rows[0] if rows else None

    def wait_for(self, what, look, seconds):
        """Ask again and again until there is something; a database that is away is asked again, too."""
        end = time.monotonic() + seconds
        while True:
            try:
                if found := look():
                    return found
            except psycopg.OperationalError:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"the stack ended while waiting for {what}:\n{self.tail()}")
            if time.monotonic() > end:
                raise AssertionError(f"{what} did not come within {seconds} s:\n{self.tail()}")
            time.sleep(0.05)

    def wait_unit(self, kind, *, busy=1.0, seconds=120):
        """Wait until a unit of this kind has been worked on for ``busy`` seconds."""
        sql = (
            "select id from iterations_workunit where kind = %s and state = 'running'"
            " and started_at < now() - make_interval(secs => %s)"
        )
        self.wait_for(f"a unit of {kind} at work", lambda: self.one(sql, kind, busy), seconds)

    def attempts(self, kind):
        sql = "select max(attempt) from iterations_workunit where kind = %s"
        return self.one(sql, kind)[0]

    def tail(self):
        lines = [f"{self.var}", *(self.var / "said.txt").read_text().splitlines()[-TAIL:]]
        for name in ("worker-model", "worker-train", "worker-light", "scheduler"):
            log = self.var / "log" / f"{name}.log"
            if log.is_file():
                lines += [f"--- {name}", *log.read_text(errors="replace").splitlines()[-TAIL:]]
        return "\n".join(line[:600] for line in lines)

    # Doing ---------------------------------------------------------------------------------------

    def begin(self):
        subprocess.run(
            [sys.executable, "-m", "tests.chaos.prepare", json.dumps(SIZES)],
            cwd=ROOT,
            env=self.env,
            check=True,
            timeout=120,
        )

    def kill(self, *pids):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def kill_postgres(self):
        """The postmaster and every process it started."""
        postmaster = self.pid("postgres")
        self.kill(postmaster, *(p for p in processes.all_pids() if _parent(p) == postmaster))

    def trainer(self):
        """The training subprocess, if there is one."""
        found = [
            p for p in processes.all_pids() if f"workers.trainers.run {self.var}" in processes.command_line(p)
        ]
        return found[0] if found else None

    def flush_broker(self):
        path = self.env["REDIS_URL"].removeprefix("redis+socket://").split("?")[0]
        with redis.Redis(unix_socket_path=path) as broker:
            broker.flushall()

    def second_scheduler(self):
        self.extra.append(
            subprocess.Popen(
                [sys.executable, "manage.py", "scheduler"],
                cwd=ROOT,
                env=self.env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def finish(self, seconds=420):
        """Wait for the iteration's end; everything that must not depend on what was killed."""
        sql = "select status, problem, decision, counts from iterations_iteration"
        ended = ("done", "failed", "cancelled")
        status, problem, decision, counts = self.wait_for(
            "the iteration's end", lambda: (r := self.one(sql)) and r[0] in ended and r, seconds
        )
        assert status == "done", f"{problem}\n{self.tail()}"
        for cost in decision["cost"].values():
            assert cost.pop("seconds_per_answer") > 0  # the clock's; the tokens must be the same
        return {
            "responses": self.rows(RESPONSES),
            "answers": self.rows(ANSWERS),
            "examples": self.rows(EXAMPLES),
            "dataset": self.rows("select sha256, row_count from curate_datasetversion"),
            "transitions": self.rows(MOVES),
            "counts": counts,
            "decision": decision,
            "adapter": self.rows("select adapter_sha from registry_modelversion order by number"),
            "promotions": self.rows("select kind from registry_promotion"),
        }


def _parent(pid):
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
