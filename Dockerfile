# syntax=docker/dockerfile:1

# -- build: everything into one virtual environment ---------------------------------------------
FROM python:3.13-slim AS build
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 VIRTUAL_ENV=/opt/backfill
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
RUN pip install --no-cache-dir "$(grep '^uv==' requirements-dev.lock)" \
    && uv venv "$VIRTUAL_ENV" \
    && uv pip install --no-cache -r requirements.lock
COPY pyproject.toml README.md ./
COPY backfill backfill
COPY workers workers
COPY examples examples
RUN uv pip install --no-cache --no-deps .

# -- run: no build tools, no root ---------------------------------------------------------------
FROM python:3.13-slim
RUN groupadd --gid 10001 backfill \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/backfill backfill \
    && install -d -o backfill -g backfill /var/lib/backfill /definitions
COPY --from=build /opt/backfill /opt/backfill
ENV PATH=/opt/backfill/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BACKFILL_HOME=/var/lib/backfill
USER 10001:10001
WORKDIR /definitions
VOLUME /var/lib/backfill
STOPSIGNAL SIGTERM
CMD ["backfill", "--help"]
