# A static binary in an empty image. Build: docker build -t mcp-rest .
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs ./
COPY src ./src
COPY openapi ./openapi
RUN cargo build --release --locked --bin mcp-rest

FROM scratch
COPY --from=build /src/target/release/mcp-rest /mcp-rest
# 65532 is "nonroot" in distroless images; any number that is not 0 will do.
USER 65532:65532
# A container is reached from outside: configure API keys, or run it with --allow-unauthenticated.
WORKDIR /etc/mcp-rest
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["/mcp-rest", "--healthcheck"]
ENTRYPOINT ["/mcp-rest"]
