#!/usr/bin/env bash
# Builds the page and the server and starts it with SQLite in ./data. Arguments go to `stoa serve`.
. "$(dirname "$0")/common.sh"

scripts/set-up.sh rust node
npm_install web
step "the page" npm --prefix web run build
# The development profile: dependencies are optimised enough to chat with, and the first build takes a fraction of
# what a release build with its link-time optimisation does. `cargo build --release` makes the one to deploy.
step "the server" cargo build --locked --package stoa
say "starting; it tells its address below, and ends with Ctrl-C"
exec "$target/debug/stoa" serve --dev --data-dir ./data "$@"
