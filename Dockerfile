# One image for the web, worker and gateway services of compose.yaml.
FROM node:20-bookworm-slim AS frontend
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY web/frontend web/frontend
RUN node web/frontend/build.mjs

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-noto-cjk libexpat1 \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/base.txt /tmp/base.txt
RUN pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r /tmp/base.txt

RUN useradd --system --uid 10001 --home-dir /srv/skywarden --no-create-home skywarden \
    && install -d -o skywarden -g skywarden -m 0750 /var/lib/skywarden
WORKDIR /srv/skywarden
COPY schemas schemas
COPY geo geo
COPY flights flights
COPY sensing sensing
COPY enforcement enforcement
COPY web web
COPY sample_data sample_data
COPY --from=frontend /build/web/static/dist web/static/dist

ENV PYTHONPATH=/srv/skywarden PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 SKYWARDEN_DATA_DIR=/var/lib/skywarden
VOLUME /var/lib/skywarden
USER skywarden
ENTRYPOINT ["python", "-m", "web.cli"]
CMD ["serve"]
