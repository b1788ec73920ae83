# One image for the worker, the demo gateway and the command line. Build it with BuildKit: docker build -t stillwatch .

FROM python:3.11.14-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    UV_PROJECT_ENVIRONMENT=/opt/stillwatch
RUN python -m pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# Dependencies first: this layer changes only with the lock file.
COPY uv.lock pyproject.toml ./
COPY schemas/pyproject.toml schemas/
COPY serving/pyproject.toml serving/
RUN uv sync --frozen --no-dev --no-install-workspace --python /usr/local/bin/python3
COPY . .
RUN uv sync --frozen --no-dev --no-editable --python /usr/local/bin/python3


FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="Stillwatch" \
      org.opencontainers.image.description="Finds distillation attacks on LLM APIs in real time" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/stillwatch --shell /usr/sbin/nologin stillwatch \
    && install --directory --owner stillwatch --group stillwatch /var/lib/stillwatch
COPY --from=build /opt/stillwatch /opt/stillwatch
# Compiled loops are kept where even a container with a read-only file system has room.
# Where the health check asks; a service on another port sets its own.
ENV PATH=/opt/stillwatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NUMBA_CACHE_DIR=/tmp/stillwatch-compiled \
    HEALTH_URL=http://127.0.0.1:8642/healthz
WORKDIR /var/lib/stillwatch
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(os.environ['HEALTH_URL'], timeout=4)"]
ENTRYPOINT ["stillwatch"]
CMD ["worker"]
