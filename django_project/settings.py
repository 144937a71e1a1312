"""Settings; the only reader of the environment. docs/settings.md lists the variables."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

BASE_DIR = Path(__file__).resolve().parent.parent


def each(pattern: str, error: str) -> Callable[[list[str]], None]:
    """Return what checks each item of a list."""
    check = validate.Regexp(f"(?:{pattern})$", error=error)

    def check_all(values: list[str]) -> None:
        for value in values:
            check(value)

    return check_all


env = Env()
ENV_FILE = env.str("CLEW_ENV_FILE", str(BASE_DIR / ".env"))

try:
    # Read before the file, which cannot turn them on: it may be left over from a demo.
    DEBUG = env.bool("DEBUG", False)
    CLEW_DEMO = env.bool("CLEW_DEMO", DEBUG)
    """Anonymous callers may read and write everything."""
    env.read_env(ENV_FILE, recurse=False)
    DEMO_BY_FILE = [
        name
        for name, on in (("DEBUG", DEBUG), ("CLEW_DEMO", CLEW_DEMO))
        if not on and env.bool(name, False)
    ]
    """What the file tries to turn on: django_project/checks.py."""
    CLEW_DEMO = CLEW_DEMO and env.bool("CLEW_DEMO", DEBUG)  # the file may turn it off
    CLEW_HTTPS = env.bool("CLEW_HTTPS", not (DEBUG or CLEW_DEMO))
    """Whoever comes by plain HTTP is sent to HTTPS, and cookies go by no other way."""
    CLEW_INTROSPECTION = env.bool("CLEW_INTROSPECTION", DEBUG)
    """Clients may ask for the schema, and GraphiQL can do so."""
    CLEW_GRAPHIQL = env.bool("CLEW_GRAPHIQL", CLEW_INTROSPECTION)
    SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=1))
    ALLOWED_HOSTS = env.list(
        "ALLOWED_HOSTS",
        ["127.0.0.1", "localhost", "[::1]"] if DEBUG else [],
        validate=each(r"[^/]+", "Give host names, as chat.example.org"),
    )
    CORS_ALLOWED_ORIGINS: list[str] = env.list(
        "CORS_ALLOWED_ORIGINS",
        [],
        validate=each(r"https?://[^/]+", "Give scheme, host and port, as https://app.example.org"),
    )
    """Foreign pages (scheme, host, port) that may call the API with the user's cookie."""
    REDIS_URL = env.str(
        "REDIS_URL",
        "",
        validate=validate.Regexp(r"(rediss?|unix)://|$", error="Give redis://host:port/number"),
    )
    REALTIME_LAYER = env.str(
        "REALTIME_LAYER",
        "pubsub" if REDIS_URL else "memory",
        validate=validate.OneOf(["pubsub", "core"] if REDIS_URL else ["memory"]),
    )
    METRICS_TOKEN = env.str(
        "METRICS_TOKEN",
        "",
        validate=validate.Regexp(r"[\w.~+/-]*=*$", error="Give letters, digits and -._~+/ alone"),
    )
    """What the reader of /metrics must bear; without it there are no metrics."""
    REALTIME: dict[str, object] = {
        name: read(f"CLEW_{name}", default, validate=validate.Range(min=0))
        for name, read, default in (
            ("OPERATION_RATE", env.float, 50),
            ("MESSAGE_RATE", env.float, 100),
            ("HASHING_RATE", env.float, 1),
            ("MAX_CONNECTIONS_PER_USER", env.int, 20),
            ("MAX_CONNECTIONS_PER_ADDRESS", env.int, 100),
            ("MAX_USER_CONNECTIONS_PER_ADDRESS", env.int, 1_000),
            ("MAX_ANONYMOUS_CONNECTIONS", env.int, 1_000),
        )
    }
    """Limits of the engine that depend on who the clients are."""
    CLEW_REGISTRATION_RATE = env.float("CLEW_REGISTRATION_RATE", 10, validate=validate.Range(min=0))
    """Users an hour whom one address may register."""
    CLEW_TRUSTED_ONLY = env.bool("CLEW_TRUSTED_ONLY", False)
    """Only documents that `trust_documents` has registered are accepted."""
    DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}
except EnvError as error:
    where = f"Set it in the environment or in {ENV_FILE}; docs/settings.md says how."
    raise ImproperlyConfigured(f"{str(error).rstrip('.')}. {where}") from None

if CLEW_GRAPHIQL and not CLEW_INTROSPECTION:
    raise ImproperlyConfigured("CLEW_GRAPHIQL=1 needs CLEW_INTROSPECTION=1.")

DATABASE_THREADS = MUTATION_THREADS = 4
ENGINE_THREADS = 4
"""Two of the hub and two of the permissions."""
HASHING_THREADS = 1
DJANGO_REQUESTS = 4
"""Requests that Django itself serves at once, as the admin's; each has a thread of its own."""

OPTIONS = DATABASES["default"].setdefault("OPTIONS", {})
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    OPTIONS |= {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
    # One transaction writes at a time: more threads would only wait for the lock, and with four
    # a message costs a quarter more CPU.
    MUTATION_THREADS = 2
    DATABASES["default"] |= {
        "CONN_MAX_AGE": None,
        # A file, since the threads of the database pool share it.
        "TEST": {"NAME": BASE_DIR / "build" / "test.sqlite3"},
    }
else:
    from realtime.postgresql import Connection

    # What DATABASE_URL says goes first. After these seconds a host that is gone is noticed; one
    # that is there and does not answer is noticed by the connection's class.
    DATABASES["default"]["OPTIONS"] = OPTIONS = {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,  # milliseconds
        **OPTIONS,
    }
    OPTIONS["pool"] = {
        "connection_class": Connection,
        "min_size": 1,
        "max_size": DATABASE_THREADS
        + MUTATION_THREADS
        + ENGINE_THREADS
        + HASHING_THREADS
        + DJANGO_REQUESTS,
        "timeout": 5,
        # The pool doubles its pauses for so long: by default, until it finds a server that is
        # back only as long after as that was away. Who asks for a connection begins anew.
        "reconnect_timeout": 5,
    }
    # Of pooled connections: the server may have been restarted.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # PgBouncer in transaction mode gives each statement another session, without the cursor.
    DATABASES["default"]["DISABLE_SERVER_SIDE_CURSORS"] = True

INSTALLED_APPS = [
    "daphne",
    "django_project",
    "realtime",
    "accounts",
    "messaging",
    "orders",
    "axes",
    "channels",
    "servestatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django_project.caching.PrivatePages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

# django_project/headers.py and https.py read these, too, for what Django does not serve.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CLEW_HTTPS
if CLEW_HTTPS:
    # Browsers take these names from this host alone, over TLS: no subdomain can set them.
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
SECURE_SSL_REDIRECT = CLEW_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^metrics$"]  # Prometheus comes from behind the proxy
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if CLEW_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = CLEW_HTTPS

# Parsing a form takes some 0.7 µs of CPU a byte; no form of ours needs more.
DATA_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024

ROOT_URLCONF = "django_project.urls"
ASGI_APPLICATION = "django_project.asgi.application"

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
                "django_project.context_processors.graphiql",
            ],
        },
    },
]

CHANNEL_LAYERS = {
    "default": {
        "memory": {"BACKEND": "channels.layers.InMemoryChannelLayer"},
        "pubsub": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        },
        "core": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        },
    }[REALTIME_LAYER]
}

REALTIME |= {
    "DATABASE_THREADS": DATABASE_THREADS,
    "MUTATION_THREADS": MUTATION_THREADS,
    "HASHING_THREADS": HASHING_THREADS,
    "SCHEMA": "django_project.schema.schema",
    "TRUSTED_ONLY": CLEW_TRUSTED_ONLY,
}

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "accounts.hashers.PasswordHasher",
    # For hashes that are there; the next login replaces them.
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTHENTICATION_BACKENDS = [
    "accounts.attempts.AttemptBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

AXES_HANDLER = "accounts.attempts.AttemptHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
CLEW_ADDRESS_FAILURE_LIMIT = 50
"""Failed logins from one address, for whatever usernames; more than one person may be behind it."""
CLEW_USERNAME_FAILURE_LIMIT = 100
"""Failed logins with one username, from whatever addresses, after which attempts take turns."""
CLEW_USERNAME_RATE = 1.0
"""Attempts a second that a process admits then, from addresses where nobody has logged in so."""
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_COOLOFF_MESSAGE = "Too many failed logins. Try again in 15 minutes."
# Else who is locked out could be kept so by anyone at the same address.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "accounts.attempts.client_address"
AXES_CLIENT_STR_CALLABLE = "accounts.attempts.client_description"
# Axes keeps what a form has sent; passwords are masked anyway.
AXES_SENSITIVE_PARAMETERS = ["csrfmiddlewaretoken"]
AXES_ENABLE_ADMIN = False  # accounts/admin.py registers what there is
AXES_VERBOSE = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "class": "django_project.logs.WithoutRows",
            "format": "{levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        # Django's own handlers speak in DEBUG alone, and mail the rest.
        "django": {"handlers": [], "level": "INFO"},
        "realtime": {"level": "INFO"},
    },
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "servestatic.storage.CompressedManifestStaticFilesStorage"
    },
}
