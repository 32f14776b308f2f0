# syntax=docker/dockerfile:1
# One image for web, grpc, worker and cron; compose.yaml names the command of each. It holds no setting and no secret.
# With a digest, an image is the same one for ever: docker buildx imagetools inspect python:3.13-slim, then
# python:3.13-slim@sha256:… here. compose.yaml has the same place for PostgreSQL and Redis.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
WORKDIR /app
COPY requirements.lock ./
RUN /venv/bin/pip install --require-hashes -r requirements.lock
COPY . .
# SECRET_KEY and DATA_DIR of this step stay in this step.
RUN SECRET_KEY=collectstatic DATA_DIR=/build-data STATIC_ROOT=/static /venv/bin/python manage.py collectstatic --noinput

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /app tracing && install -d -o tracing /data
COPY --from=build /venv /venv
COPY --from=build /static /static
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 STATIC_ROOT=/static DATA_DIR=/data
USER tracing
VOLUME /data
EXPOSE 8000 4317
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/readyz', timeout=4)"]
CMD ["python", "manage.py", "web"]
