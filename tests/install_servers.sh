#!/usr/bin/env bash
# Gets the real servers that the tests start: PostgreSQL, Redis, RabbitMQ, Chromium, bubblewrap (Debian's packages) and
# MinIO (built by Go into .cache/bin). Where it may not install, it says in one line what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v rabbitmq-server >/dev/null || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
command -v bwrap >/dev/null || missing+=(bubblewrap)
command -v chromium >/dev/null || missing+=(chromium)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test servers: installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # A package's own service must not start: the tests start theirs on free ports.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
      printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod +x "$policy"
      trap 'rm -f "$policy"' EXIT
    fi
    { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
  else
    echo "test servers: these Debian packages are missing, tests that need them will skip: ${missing[*]}"
  fi
fi

if [ -z "${KAPOK_TEST_MINIO:-}" ] && ! command -v minio >/dev/null && [ ! -x .cache/bin/minio ]; then
  if command -v go >/dev/null; then
    echo "test servers: building MinIO into .cache/bin (about three minutes)"
    mkdir -p .cache/bin
    log=$(mktemp)
    CGO_ENABLED=0 GOFLAGS=-trimpath GOBIN="$PWD/.cache/bin" \
      go install github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c >"$log" 2>&1 || { tail -n 20 "$log"; exit 1; }
  else
    echo "test servers: MinIO is missing, tests that need it will skip: put minio on the PATH or set KAPOK_TEST_MINIO"
  fi
fi
