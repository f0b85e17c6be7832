"""Nothing on a page comes from another host, and what is vendored is what was recorded."""

import re
import runpy
from pathlib import Path

import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "static" / "vendor"
OURS = [
    path
    for folder in ("templates", "static")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".html", ".css", ".js", ".svg"} and VENDOR not in path.parents
]
LOADS = re.compile(
    r"""(?:\b(?:src|href|action|data-src|data-live)\s*=\s*["']?|url\(\s*["']?|@import\s*["']?|\bfetch\(\s*["'`]"""
    r"""|\bfrom\s+["']|\bimport\(?\s*["'`]|EventSource\(\s*["'`])(?:https?:)?//""",
    re.IGNORECASE,
)
INLINE = re.compile(r"""<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*["']|javascript:""", re.IGNORECASE)


@pytest.mark.parametrize("path", OURS, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_loaded_from_another_host(path):
    assert not LOADS.findall(path.read_text())


# A report is a file of its own: it carries its style and a policy that allows that one sheet by its hash.
ALONE = {ROOT / "templates" / "metrics" / "report.html"}


@pytest.mark.parametrize(
    "path",
    [p for p in OURS if p.suffix == ".html" and p not in ALONE],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_no_template_needs_a_weaker_content_policy(path):
    assert not INLINE.findall(path.read_text())


def test_the_check_would_see_it():
    for text in (
        '<script src="https://cdn.example/x.js">',
        "url(//cdn.example/x)",
        '@import "http://x"',
        "fetch('https://x",
    ):
        assert LOADS.search(text)
    assert not LOADS.search('<a href="/projects/">')
    assert INLINE.search('<p style="color: red">')


def test_vendored_files_are_what_was_recorded():
    script = runpy.run_path(str(VENDOR / "fetch.py"))
    assert script["sums"]() == script["recorded"]()
    assert script["recorded"]()


def test_the_policy_allows_this_host_only(client: Client):
    policy = client.get("/sign-in/", follow=False)["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
