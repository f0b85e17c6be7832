"""The page that documents the API works under the content security policy."""

import re
from contextlib import closing

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


def test_its_scripts_are_files_of_this_host(client):
    page = client.get(reverse("api:docs"))
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.content.decode(), re.DOTALL)
    assert len(scripts) == 3
    for attributes, inline in scripts:
        assert inline.strip() == ""
        source = re.search(r'src="(/[^/][^"]*)"', attributes)
        assert source
        with closing(client.get(source[1].replace("&amp;", "&"))) as got:
            assert got.status_code == 200
            assert "javascript" in got["Content-Type"]
