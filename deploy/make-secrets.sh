#!/usr/bin/env bash
# Makes deploy/secrets/ with a random secret a file; what is there already is kept.
# Compose mounts each into the services that name it. The folder is yours alone; the files in it can be read by
# the users inside the containers, whose numbers differ from yours.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
make() { [ -e "secrets/$1" ] || { printf '%s' "$2" > "secrets/$1"; chmod 0444 "secrets/$1"; }; }

make postgres_password "$(random)"
make database_url "postgresql://kapok:$(cat secrets/postgres_password)@postgres:5432/kapok"
make redis_password "$(random)"
make broker_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
make s3_access_key "kapok"
make s3_secret_key "$(random)"
make signing_key "$(random)"
echo "deploy/secrets: $(ls secrets | wc -l) files"
