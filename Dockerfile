# Untried: it was written where no container engine could run. Please tell what it needed.
FROM node:22-bookworm-slim AS page
WORKDIR /src
COPY web web
COPY protocol/generated protocol/generated
RUN npm --prefix web ci && npm --prefix web run build

FROM rust:1.95-bookworm AS server
WORKDIR /src
COPY . .
COPY --from=page /src/web/app/dist web/app/dist
COPY --from=page /src/web/client/dist web/client/dist
RUN cargo build --release --locked --package stoa

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home /var/lib/stoa --create-home stoa
COPY --from=server /src/target/release/stoa /usr/local/bin/stoa
USER stoa
ENV STOA_LISTEN=0.0.0.0:8080 STOA_DATA_DIR=/var/lib/stoa STOA_LOG_FORMAT=json
VOLUME /var/lib/stoa
EXPOSE 8080
# SIGTERM drains; the default of ten seconds before a kill is shorter than the default drain.
STOPSIGNAL SIGTERM
ENTRYPOINT ["stoa", "serve"]
