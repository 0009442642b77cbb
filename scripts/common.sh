# Sourced by the other scripts: words for the terminal, and where things are.
# shellcheck shell=bash

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Where cargo builds.
target=${CARGO_TARGET_DIR:-$root/target}

# Plain output: what is written here is also read in logs.
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} NO_COLOR=1 npm_config_color=false npm_config_progress=false

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# Runs one step and tells how long it took: step 'what' command...
step() {
    local what=$1 start=$SECONDS
    shift
    say "$what"
    "$@" || die "$what failed: $*"
    say "$what: done in $((SECONDS - start)) s"
}

# Installs the packages of a folder when its lock file is newer than what is installed.
npm_install() {
    [ "$1/package-lock.json" -nt "$1/node_modules/.package-lock.json" ] || [ ! -e "$1/node_modules/.package-lock.json" ] || return 0
    step "npm packages of $1" npm --prefix "$1" ci
    touch "$1/node_modules/.package-lock.json"
}
