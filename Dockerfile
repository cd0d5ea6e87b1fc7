# Pin the base by digest where you deploy: --build-arg PYTHON_IMAGE=python@sha256:…
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
# requirements/litellm.txt instead adds the `litellm` extra.
ARG LOCK=requirements/run.txt
WORKDIR /src
COPY requirements/run.txt requirements/litellm.txt requirements/
RUN python -m venv /opt/goodgate \
    && /opt/goodgate/bin/pip install --no-cache-dir --disable-pip-version-check \
       --require-hashes --only-binary :all: -r "${LOCK}"
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY gateway gateway
COPY policies policies
RUN /opt/goodgate/bin/pip install --no-cache-dir --disable-pip-version-check \
      --no-deps --no-build-isolation . \
    && /opt/goodgate/bin/pip uninstall --yes --quiet pip \
    && find /opt/goodgate -name __pycache__ -type d -prune -exec rm -rf {} + \
    && /usr/local/bin/python -m compileall -q /opt/goodgate/lib

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 goodgate \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin goodgate \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/goodgate /opt/goodgate
COPY goodgate.yaml /etc/goodgate/goodgate.yaml
COPY policies /etc/goodgate/policies
ENV PATH=/opt/goodgate/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GOODGATE_CONFIG=/etc/goodgate/goodgate.yaml \
    GOODGATE_POLICIES=/etc/goodgate/policies \
    GOODGATE_DATA=/data \
    GOODGATE_HOST=0.0.0.0 \
    GOODGATE_PORT=8080
# Everything that changes is under /data: the root file system may be read-only.
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['GOODGATE_PORT'] + '/health/live', timeout=3)"]
ENTRYPOINT ["goodgate"]
CMD ["serve"]
