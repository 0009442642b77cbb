#!/usr/bin/env bash
# What can be said about the sources without running them: format, lints, types, generated files, tidiness.
. "$(dirname "$0")/common.sh"

scripts/set-up.sh rust node
npm_install web
npm_install tests/browser
npm_install web/reference

scripts_parse() {
    local file
    for file in scripts/*.sh tests/netns/*.sh .ci/run; do
        bash -n "$file" || return 1
    done
}

step "format" cargo fmt --all --check
step "format of the peer" cargo fmt --manifest-path tests/peer/Cargo.toml --check
step "lints" cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
step "lints of every feature" cargo clippy --locked --workspace --all-targets --all-features --quiet -- -D warnings
step "generated files are fresh" scripts/generate.sh --check
step "the client's reference is fresh" npm --prefix web/reference run check
step "web types" npm --prefix web run types
step "browser tests' types" npm --prefix tests/browser run types
step "web lint" npm --prefix web run lint
step "scripts" scripts_parse
step "arrows and tidiness" cargo test --locked --quiet --package stoa --test it arrows::
say "all checks passed"
