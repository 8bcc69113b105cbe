# Two stages: the first installs what the lock file names, the second runs it. No TensorFlow inside.
FROM python:3.11-slim AS build
COPY requirements/serve.txt /tmp/serve.txt
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r /tmp/serve.txt

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /srv/gemello gemello \
    && install -d -m 700 -o gemello -g gemello /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/gemello
COPY app app
COPY gemello gemello
COPY model_store model_store
# The one name that a running service may publish models by, as compose mounts it.
RUN install -d -o gemello -g gemello model_store/adapted
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GEMELLO_DATA_DIR=/data \
    GEMELLO_HOST=0.0.0.0 \
    GEMELLO_LOG_FORMAT=json
USER gemello
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=5)"]
ENTRYPOINT ["python3", "-m", "gemello"]
CMD ["serve"]
