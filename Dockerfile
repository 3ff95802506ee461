# One image for web, worker, beat and migrations: the command chooses. The first stage has pip and its caches, the second
# only what runs.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
# Wheels only: no package's set-up code runs here, and no compiler is needed.
RUN /opt/venv/bin/pip install --require-hashes --no-deps --only-binary :all: -r /tmp/requirements.lock \
    && printf '/app/src\n/app\n' > /opt/venv/lib/python3.13/site-packages/xinyidai.pth

FROM python:3.13-slim AS pages
COPY frontend_templates/package.json frontend_templates/package-lock.json frontend_templates/.npmrc frontend_templates/node.lock /pages/
# npm comes as a wheel, by hash, and stays in this stage; nobody's install scripts run.
RUN pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r /pages/node.lock \
    && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --prefix /pages

FROM python:3.13-slim
# LightGBM loads the system's OpenMP library.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/xinyidai
COPY --from=build /opt/venv /opt/venv
COPY LICENSE NOTICE /app/
COPY src /app/src
COPY ml /app/ml
COPY migrations /app/migrations
COPY frontend_templates /app/frontend_templates
COPY --from=pages /pages/node_modules /app/frontend_templates/node_modules
# Compiled once here, because the root file system is read-only later.
RUN /opt/venv/bin/python -m compileall -q /app/src /app/ml
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    XINYIDAI_HOME=/var/lib/xinyidai \
    LOG_FORMAT=json
WORKDIR /app
# A number, so that an orchestrator can see it is not root without reading /etc/passwd.
USER 10001:10001
EXPOSE 8000
ENTRYPOINT ["python", "-m", "xinyidai"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
