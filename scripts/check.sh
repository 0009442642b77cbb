#!/usr/bin/env bash
# What can be said about the sources without running them: format, lints, types, generated files, tidiness.
. "$(dirname "$0")/common.sh"

scripts/set-up.sh rust node
npm_install web
npm_install tests/browser

generated_is_fresh() {
    local folder status=0
    folder=$(mktemp -d "${TMPDIR:-/tmp}/stoa-generated-XXXXXX")
    cargo run --locked --quiet --package stoa-protocol --features generate --bin generate -- "$folder"
    local file
    for file in "$folder"/*; do
        diff -u "protocol/generated/$(basename "$file")" "$file" || status=1
    done
    rm -rf "$folder"
    [ "$status" -eq 0 ] || echo "stale; run: cargo run -p stoa-protocol --features generate --bin generate -- protocol/generated"
    return "$status"
}

scripts_parse() {
    local file
    for file in scripts/*.sh .ci/run; do
        bash -n "$file" || return 1
    done
}

step "format" cargo fmt --all --check
step "lints" cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
step "lints of every feature" cargo clippy --locked --workspace --all-targets --all-features --quiet -- -D warnings
step "the JSON Schemas are fresh" generated_is_fresh
step "the TypeScript types are fresh" npm --prefix web run generate:check
step "web types" npm --prefix web run types
step "web lint" npm --prefix web run lint
step "scripts" scripts_parse
step "arrows and tidiness" cargo test --locked --quiet --package stoa --test it arrows::
say "all checks passed"
