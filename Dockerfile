# The server, the worker and the command line in one image: `candela serve`, `candela worker`, `candela migrate`.

FROM python:3.11.13-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/candela
ENV PATH=/opt/candela/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# The packages first: they change less often than the code, and stay in their own layer.
COPY requirements.lock pyproject.toml ./
COPY sdk/python/pyproject.toml sdk/python/
RUN python -c "import tomllib; print('\n'.join(one for one in tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'] if not one.startswith('candela==')))" > direct.txt \
    && pip install --constraint requirements.lock --requirement direct.txt
COPY sdk/python sdk/python
COPY server server
RUN pip install --no-deps ./sdk/python .

FROM python:3.11.13-slim-bookworm
RUN useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --uid 8430 candela
COPY --from=build /opt/candela /opt/candela
ENV PATH=/opt/candela/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CANDELA_GRPC_ADDRESS=0.0.0.0:8430 \
    CANDELA_HTTP_ADDRESS=0.0.0.0:8431
USER 8430
EXPOSE 8430 8431
# Asks the server's own gRPC health service; the worker, which serves nothing, switches it off in compose.yaml.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["candela", "health"]
# SIGTERM lets calls in progress end before the process does.
STOPSIGNAL SIGTERM
ENTRYPOINT ["candela"]
CMD ["serve"]
