#!/usr/bin/env bash
# Installs the tools that are named, or says what to install: set-up.sh rust node postgres redis chromium coturn netns strace
# Only a root user on a Debian-like system gets packages installed; everybody else gets the command to run.
. "$(dirname "$0")/common.sh"

packages=()

wants_rust() {
    has cargo && return
    die "Rust is missing. Install it from https://rustup.rs (rust-version in Cargo.toml says from which version on)."
}

# Vite needs this version (`engines` in web/package.json).
node_least=20.19

wants_node() {
    if ! has node || ! has npm; then
        packages+=(nodejs npm)
        return
    fi
    local version
    version=$(node --version)
    printf '%s\n' "$node_least" "${version#v}" | sort -CV ||
        die "Node.js is $version, and $node_least or newer is needed: https://nodejs.org/en/download"
}

wants_postgres() {
    postgres_bin >/dev/null || packages+=(postgresql)
}

wants_redis() {
    has redis-server || packages+=(redis-server)
}

wants_chromium() {
    chromium_bin >/dev/null || packages+=(chromium)
}

wants_coturn() {
    has turnserver || packages+=(coturn)
}

# Networks of the tests' own, and a certificate in them.
wants_netns() {
    has ip || packages+=(iproute2)
    has openssl || packages+=(openssl)
}

wants_strace() {
    has strace || packages+=(strace)
}

. "$root/scripts/find.sh"
for tool in "$@"; do
    "wants_$tool"
done
[ ${#packages[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${packages[*]}"
if ! has apt-get; then
    die "missing: ${packages[*]} (these are Debian's names; install what your system calls them)"
elif [ "$(id -u)" -ne 0 ]; then
    die "missing: ${packages[*]}. Run: sudo $install"
fi
say "installing ${packages[*]}"
apt-get update -qq
# RUNLEVEL=1 keeps Debian from starting the services that it installs; the tests start their own.
DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $install
# What Debian has may be older than what is needed.
for tool in "$@"; do
    if [ "$tool" = node ]; then
        packages=()
        wants_node
    fi
done
