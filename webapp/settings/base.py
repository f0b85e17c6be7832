"""Settings, from the environment. Everything has a default that works with the embedded services.

DATABASE_URL, REDIS_URL   external services; `./run` sets both to the embedded ones otherwise
SECRET_KEY                required when WHETSTONE_DEBUG is off and no var/secret_key exists
WHETSTONE_VAR             folder for all state (default: var/ in the checkout)
WHETSTONE_DEBUG           1 for Django's debug pages
WHETSTONE_ADAPTER_MB      largest adapter taken by upload (default: 2048)
WHETSTONE_EXPORT_DAYS     merged models are kept so long for download (default: 7)
WHETSTONE_TRAIN_LAUNCH    how runs are started (docs/training.md): empty, an accelerate config, or auto
WHETSTONE_HOSTS           comma-separated host names served (default: loopback)
WHETSTONE_URL             where people reach this server: https://whetstone.example.org (links in notices)
EMAIL_URL                 the mail server: smtp+tls://user:password@host:587 (default: mail goes to the log)
EMAIL_FROM                the sender of notices
WHETSTONE_METRICS_TOKEN   what Prometheus may also read /metrics with, beside API tokens of the staff
WHETSTONE_TRACKER         trackio, mlflow or wandb: where finished iterations' metrics go (default: none);
                          docs/dashboards.md says how each is told its server
WHETSTONE_WEBHOOK_HTTP    1 to let webhooks use http:// as well as https://
WHETSTONE_WEBHOOK_PRIVATE 1 to let webhooks reach machines of a private network
"""

import os
from pathlib import Path
from urllib.parse import unquote

import environ
import structlog
from csp.constants import NONCE, NONE, SELF

from webapp.settings.secret import secret_key

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(os.environ.get("WHETSTONE_VAR", BASE_DIR / "var")).resolve()
ADAPTERS_DIR = VAR_DIR / "adapters"
RUNS_DIR = VAR_DIR / "runs"
EXPORTS_DIR = VAR_DIR / "exports"
SEED_MODEL_DIR = BASE_DIR / "workers" / "seed" / "model"

env = environ.Env()
DEBUG = env.bool("WHETSTONE_DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or secret_key(VAR_DIR)
ALLOWED_HOSTS = env.list("WHETSTONE_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("WHETSTONE_ORIGINS", default=[])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "axes",
    "django_structlog",
    "webapp.accounts",
    "webapp.projects",
    "webapp.traces",
    "webapp.annotate",
    "webapp.curate",
    "webapp.registry",
    "webapp.iterations",
    "webapp.metrics",
    "webapp.playground",
    "webapp.notices",
    "webapp.schedules",
    "webapp.api",
    "webapp.demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "webapp.accounts.language.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "webapp.urls"
ASGI_APPLICATION = "webapp.asgi.application"
WSGI_APPLICATION = None

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "webapp.projects.context.shell",
                "webapp.accounts.language.catalogue",
            ],
        },
    }
]

DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres:///whetstone")}
# libpq's spelling of a socket folder, postgres://user@%2Fpath%2Fto%2Ffolder/name, works too.
DATABASES["default"]["HOST"] = unquote(DATABASES["default"].get("HOST", ""))
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)
DATABASES["default"]["OPTIONS"].setdefault("prepare_threshold", 5)  # see webapp.annotate.statements
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
# Lock the pair of name and address: one person's mistakes must not lock out everyone behind the same proxy.
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False
AXES_LOCKOUT_CALLABLE = "webapp.accounts.views.locked_out"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
# Finders serve straight from static/: no collectstatic step stands between a clone and a running page.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("WHETSTONE_HTTPS", default=False)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

CELERY_BROKER_URL = env.str("REDIS_URL", default="redis+socket:///nowhere/valkey.sock")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Longer than any run: a message whose worker lives must never be handed out twice. Recovery is the
# work unit's lease, not the broker's redelivery.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 12 * 3600}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PARSER_CLASSES": ["webapp.api.parsers.BoundedJSONParser"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Whetstone",
    "DESCRIPTION": "Sharpen a language model with human critique.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {"TaskKindEnum": "webapp.annotate.models.TaskKind"},
}

# How training runs are started: empty, one process; the path of an accelerate config; "auto", the FSDP config
# that is shipped, where there are several GPUs.
TRAIN_LAUNCH = env("WHETSTONE_TRAIN_LAUNCH", default="auto")

PUBLIC_URL = env.str("WHETSTONE_URL", default="").rstrip("/")
EMAIL_CONFIG = env.email("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="whetstone@localhost")
NOTICE_DOMAIN = DEFAULT_FROM_EMAIL.rpartition("@")[2].strip(" >") or "localhost"
WEBHOOK_HTTP = env.bool("WHETSTONE_WEBHOOK_HTTP", default=False)
WEBHOOK_PRIVATE = env.bool("WHETSTONE_WEBHOOK_PRIVATE", default=False)

METRICS_TOKEN = env.str("WHETSTONE_METRICS_TOKEN", default="")
TRACKER = env.str("WHETSTONE_TRACKER", default="")

ADAPTER_UPLOAD_BYTES = env.int("WHETSTONE_ADAPTER_MB", default=2048) << 20  # of one import by a browser
EXPORT_DAYS = env.int("WHETSTONE_EXPORT_DAYS", default=7)  # merged models are made anew when asked again

# How long a claim lasts without a heartbeat, in seconds.
WORK_UNIT_LEASE = env.int("WHETSTONE_LEASE", default=60)
REGENERATION_LEASE = env.int("WHETSTONE_REGENERATION_LEASE", default=15)  # somebody waits: found dead soon
ASSIGNMENT_LEASE = env.int("WHETSTONE_ASSIGNMENT_LEASE", default=15 * 60)

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": structlog.stdlib.ProcessorFormatter, "processor": structlog.processors.JSONRenderer()},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env.str("WHETSTONE_LOG", default="WARNING")},
    "loggers": {
        "django_structlog": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
    },
}
