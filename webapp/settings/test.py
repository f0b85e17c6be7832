"""Settings of the test run: quick hashing, eager broker-less tasks, a throw-away var folder."""

import os
import tempfile

if "WHETSTONE_VAR" not in os.environ:  # the test run sets it and cleans up
    os.environ["WHETSTONE_VAR"] = tempfile.mkdtemp(prefix="whetstone-test-")

from webapp.settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
AXES_ENABLED = False
WHITENOISE_AUTOREFRESH = True  # else every test client reads all static files when it is made
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405 (whitenoise warns where it is missing)
