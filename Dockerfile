# The image of the service: docker build --tag batchsum .
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
# Everything that is fetched is pinned by its hash; the project's own wheel is then built without a look outside.
COPY requirements requirements
RUN python3 -m venv /build \
    && /build/bin/pip install --quiet --no-cache-dir --require-hashes -r requirements/build.txt \
    && python3 -m venv --without-pip /opt/batchsum \
    && /build/bin/pip --python /opt/batchsum install --quiet --no-cache-dir --require-hashes -r requirements/run.txt
COPY . .
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/batchsum install --quiet --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="batchsum" \
      org.opencontainers.image.description="A Kafka consumer service for CPU-bound batch work"
COPY --from=build /opt/batchsum /opt/batchsum
# The one file that is written while the service runs; the root file system may be read-only, with a tmpfs on /tmp.
# Probes and Prometheus come from outside of the container, where its loopback is out of reach; who else can reach the
# port is decided where the container is run.
ENV PATH=/opt/batchsum/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BATCHSUM_HEARTBEAT_FILE=/tmp/batchsum.heartbeat \
    BATCHSUM_HTTP_ENABLED=true \
    BATCHSUM_HTTP_HOST=0.0.0.0
EXPOSE 8080
USER 10001:10001
# That a process is there proves nothing: the file is touched every second while the instance is in its group and gets
# on with its work. Nothing here needs a shell.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-m", "consumer.probe"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["batchsum"]
CMD ["run"]
