# docker build -t eksnetpol .
# docker run --rm --read-only -v "$PWD:/work:ro" eksnetpol preflight --manifests k8s/
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
RUN python -m venv /opt/eksnetpol
COPY requirements/run.lock requirements/run.lock
RUN /opt/eksnetpol/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md ./
COPY eksnetpol eksnetpol
COPY templates templates
COPY iam iam
RUN /opt/eksnetpol/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/eksnetpol/bin/python -m compileall -q /opt/eksnetpol/lib

FROM python:${PYTHON}-slim
COPY --from=build /opt/eksnetpol /opt/eksnetpol
# Nothing is written but what -o names; HOME is where a mounted ~/.aws or ~/.kube is looked for.
ENV PATH=/opt/eksnetpol/bin:$PATH HOME=/home/eksnetpol PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["eksnetpol"]
CMD ["--help"]
