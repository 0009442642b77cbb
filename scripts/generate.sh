#!/usr/bin/env bash
# Makes protocol/generated anew from the Rust types: JSON Schema, then TypeScript. With --check it changes nothing and
# fails when something there is stale.
. "$(dirname "$0")/common.sh"

schemas() {
    cargo run --locked --quiet --package stoa-protocol --features generate --bin generate -- "$1"
}

if [ "${1:-}" != --check ]; then
    npm_install web
    schemas protocol/generated
    npm --prefix web run --silent generate
    exit
fi

fresh=$(mktemp -d "${TMPDIR:-/tmp}/stoa-generated-XXXXXX")
trap 'rm -rf "$fresh"' EXIT
schemas "$fresh"
for file in "$fresh"/*; do
    diff -u "protocol/generated/$(basename "$file")" "$file" || die "protocol/generated is stale; run scripts/generate.sh"
done
npm_install web
npm --prefix web run --silent generate -- --check || die "protocol/generated is stale; run scripts/generate.sh"
