# The service in one image: `docker build -t heirloom . && docker run -p 7878:7878 -e DATABASE_URL=… heirloom`
# Without DATABASE_URL it keeps a Postgres of its own under /data.
FROM node:22-bookworm-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
COPY --from=web /build/web/dist web/dist
ARG HEIRLOOM_VERSION
RUN cargo build --profile dist --locked --bin heirloom

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --home-dir /data heirloom
COPY --from=build /build/target/dist/heirloom /usr/local/bin/heirloom
USER heirloom
WORKDIR /data
VOLUME /data
ENV HEIRLOOM_DATA=/data
EXPOSE 7878
HEALTHCHECK CMD ["heirloom", "doctor", "--quiet"]
ENTRYPOINT ["heirloom"]
CMD ["serve", "--listen", "0.0.0.0:7878"]
