#!/usr/bin/env bash
# Every test there is, with a database of its own. STOA_LONG=1 runs the long forms.
. "$(dirname "$0")/common.sh"
. "$root/scripts/find.sh"

if [ "${1:-}" != inside ]; then
    scripts/set-up.sh rust node postgres redis chromium coturn netns strace
    npm_install web
    npm_install tests/browser
    npm_install tests/yjs
    step "the page" npm --prefix web run build
    # Built first, so that no service idles while the compiler works.
    step "the tests' programs" cargo test --locked --workspace --no-run
    step "another WebRTC stack" env CARGO_TARGET_DIR="$target/peer" \
        cargo test --locked --manifest-path tests/peer/Cargo.toml --no-run
    exec scripts/with-services.sh scripts/test.sh inside
fi

failed=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() {
    local what=$1 start=$SECONDS
    shift
    say "$what"
    if "$@" 2>&1 | tee "$logs/$what"; then
        say "$what: passed in $((SECONDS - start)) s"
    else
        say "$what: FAILED after $((SECONDS - start)) s"
        failed+=("$what")
    fi
}

run "Rust tests" cargo test --locked --workspace --no-fail-fast
run "web tests" npm --prefix web test
run "browser tests" env STOA_BIN="$target/debug/stoa" STOA_PEER_BIN="$target/peer/debug/stoa-peer" \
    CHROMIUM="$(chromium_bin)" npm --prefix tests/browser test
run "calls of another WebRTC stack" env STOA_BIN="$target/debug/stoa" CARGO_TARGET_DIR="$target/peer" \
    cargo test --locked --manifest-path tests/peer/Cargo.toml
run "relayed calls" env STOA_BIN="$target/debug/stoa" CHROMIUM="$(chromium_bin)" \
    tests/netns/run.sh npm --prefix tests/browser run relayed
# Last, because it puts a server with planted bugs in the place of the true one.
run "planted bugs are found" cargo test --locked --package stoa --features planted-bugs --lib --test it planted

# What failed is told again at the end: whoever sees only the last lines of a long run sees it too.
for what in "${failed[@]}"; do
    say "$what ended so:"
    grep -E '^ +[0-9]+\) |^ +[^ ]+ › |^(test .*|---- .*)(FAILED|failed|panicked)|panicked at|^not ok| (failed|passed)\b' "$logs/$what" |
        tail -n 15
done
[ ${#failed[@]} -eq 0 ] || die "failed: $(IFS=,; echo "${failed[*]}")"
say "all tests passed"
