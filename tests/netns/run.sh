#!/usr/bin/env bash
# Runs a command beside two networks that cannot reach each other, only a third with a server and a relay in it:
#
#     tests/netns/run.sh npm --prefix tests/browser run relayed
#
#     alice 11.0.1.2 ---- 11.0.1.1 [ hub: 11.0.3.1, stoa and coturn ] 11.0.2.1 ---- 11.0.2.2 bob
#
# The hub does not forward, so nothing of alice's reaches bob. The addresses are public ones that nobody routes here:
# the relay runs with the configuration that is shipped, which denies every private range. Nothing of this leaves the
# machine: the namespaces have no way out.
#
# The command finds: STOA_NETNS_URL, where the page is (https with a certificate of its own); STOA_NETNS_RELAY, the
# relay's address; STOA_NETNS_TOKEN_ALICE and _BOB, tokens for the room `relayed`; STOA_NETNS_ALICE and _BOB, programs
# that run Chromium in their networks; STOA_NETNS_KEY, the key of the certificate for Chromium's list of trusted ones.
# Root's rights over networks are needed; without them it is tried in a user namespace. Everything ends with the command,
# and after STOA_NETNS_SECONDS (300) at the latest.
. "$(dirname "$0")/../../scripts/common.sh"
. "$root/scripts/find.sh"

[ $# -gt 0 ] || die "usage: tests/netns/run.sh COMMAND [ARGUMENT...]"

if [ "$(id -u)" -ne 0 ]; then
    [ -z "${STOA_NETNS_TRIED:-}" ] || die "the user namespace gave no rights over networks"
    has unshare && unshare --user --map-root-user --net --mount true 2>/dev/null ||
        die "network namespaces need root, or user namespaces (sysctl kernel.unprivileged_userns_clone=1): run as root"
    STOA_NETNS_TRIED=1 exec unshare --user --map-root-user --net --mount --kill-child "$0" "$@"
fi
has ip || die "ip is missing: apt-get install iproute2"
has turnserver || die "coturn is missing; scripts/set-up.sh coturn tells how to get it"
has openssl || die "openssl is missing: apt-get install openssl"
chromium=$(chromium_bin) || die "Chromium is missing; scripts/set-up.sh chromium tells how to get it"
binary=${STOA_BIN:-$target/debug/stoa}
[ -x "$binary" ] || die "$binary is missing: cargo build --package stoa"

address=11.0.3.1
port=8443
turn_port=3478
turns_port=5349
prefix=stoa$$
spaces=()
pids=()
folder=""
child=""

end() {
    trap - EXIT INT TERM HUP
    local pid space
    if [ -n "$child" ] && kill -0 -- "-$child" 2>/dev/null; then
        kill -TERM -- "-$child" 2>/dev/null || true
    fi
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for space in "${spaces[@]}"; do
        # Whatever still runs inside: a browser that outlived its driver.
        ip netns pids "$space" 2>/dev/null | xargs -r kill -KILL 2>/dev/null || true
        ip netns del "$space" 2>/dev/null || true
    done
    [ -z "$folder" ] || rm -rf "$folder"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# In a user namespace the folder of named networks is to be our own.
if [ -n "${STOA_NETNS_TRIED:-}" ]; then
    mount -t tmpfs none /run
    mkdir -p /run/netns
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/stoa-netns-XXXXXX")

make_space() {
    ip netns add "$prefix-$1" || die "ip netns add needs more rights than this process has (CAP_SYS_ADMIN, CAP_NET_ADMIN)"
    spaces+=("$prefix-$1")
    ip -n "$prefix-$1" link set lo up
}

# A network of its own for one person, joined to the hub by a cable.
make_person() {
    local name=$1 net=$2
    make_space "$name"
    ip link add "$prefix$net" netns "$prefix-hub" type veth peer name eth0 netns "$prefix-$name"
    ip -n "$prefix-hub" address add "11.0.$net.1/24" dev "$prefix$net"
    ip -n "$prefix-hub" link set "$prefix$net" up
    ip -n "$prefix-$name" address add "11.0.$net.2/24" dev eth0
    ip -n "$prefix-$name" link set eth0 up
    ip -n "$prefix-$name" route add default via "11.0.$net.1"
    # Playwright starts this in the place of the browser, and speaks to it through pipes.
    printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "$prefix-$name" "$chromium" >"$folder/$name"
    chmod +x "$folder/$name"
}

in_hub() { exec ip netns exec "$prefix-hub" "$@"; }

start_network() {
    make_space hub
    ip -n "$prefix-hub" address add "$address/32" dev lo
    ip netns exec "$prefix-hub" sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward' 2>/dev/null || true
    [ "$(ip netns exec "$prefix-hub" cat /proc/sys/net/ipv4/ip_forward)" = 0 ] || die "the hub forwards packets"
    make_person alice 1
    make_person bob 2
}

start_coturn() {
    # Made beforehand: its threads would lock each other out while they make it, and refuse good credentials meanwhile.
    # The program writes a log wherever it can; it tells where.
    turnadmin --list --userdb "$folder/turn.db" >"$folder/turnadmin.log" 2>&1 || die "$(cat "$folder/turnadmin.log")"
    sed -n 's/.*log file opened: //p' "$folder/turnadmin.log" | xargs -r rm -f
    # The configuration is the shipped one; the command line has what its first block leaves to the operator, and keeps
    # the process out of the system's folders.
    in_hub turnserver -c "$root/turn-config/turnserver.conf" --listening-ip "$address" --relay-ip "$address" \
        --listening-port "$turn_port" --tls-listening-port "$turns_port" --cert "$folder/cert.pem" \
        --pkey "$folder/key.pem" --pidfile "$folder/turn.pid" --userdb "$folder/turn.db" \
        --static-auth-secret "$(cat "$folder/turn-secret")" >"$folder/turn.log" 2>&1 &
    pids+=("$!")
    await "coturn" "$!" "$folder/turn.log" 'Total General servers'
}

# One for the page and for the relay's TLS. Chromium is told its key, for WebRTC's sockets pass over no bad certificate.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$address" \
        -addext "subjectAltName=IP:$address" -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>"$folder/openssl.log" ||
        die "no certificate: $(cat "$folder/openssl.log")"
    STOA_NETNS_KEY=$(openssl x509 -in "$folder/cert.pem" -noout -pubkey | openssl pkey -pubin -outform der |
        openssl dgst -sha256 -binary | openssl base64)
    export STOA_NETNS_KEY
}

start_stoa() {
    local flags=(--data-dir "$folder/data" --secret-file "$folder/secret")
    in_hub "$binary" serve "${flags[@]}" --listen "$address:$port" --public-url "https://$address:$port" \
        --tls-cert "$folder/cert.pem" --tls-key "$folder/key.pem" --turn-secret-file "$folder/turn-secret" \
        --turn-url "turn:$address:$turn_port?transport=udp" --turn-url "turn:$address:$turn_port?transport=tcp" \
        --turn-url "turns:$address:$turns_port?transport=tcp" >"$folder/stoa.log" 2>&1 &
    pids+=("$!")
    await "stoa" "$!" "$folder/stoa.log" 'listening on https'
    local token=("$binary" token "${flags[@]}" --room relayed --role host --create)
    STOA_NETNS_TOKEN_ALICE=$("${token[@]}" --user alice)
    STOA_NETNS_TOKEN_BOB=$("${token[@]}" --user bob)
    export STOA_NETNS_TOKEN_ALICE STOA_NETNS_TOKEN_BOB
}

# Waits until a process has said something: await WHAT PID LOG WORDS
await() {
    until grep -q "$4" "$3" 2>/dev/null; do
        kill -0 "$2" 2>/dev/null || { cat "$3" >&2; die "$1 ended"; }
        sleep 0.1
    done
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
random >"$folder/turn-secret"
random >"$folder/secret"
start_network
make_certificate
start_coturn
start_stoa
export STOA_NETNS_URL="https://$address:$port" STOA_NETNS_RELAY="$address"
export STOA_NETNS_ALICE="$folder/alice" STOA_NETNS_BOB="$folder/bob" STOA_NETNS_LOG="$folder"
say "alice and bob meet at $STOA_NETNS_URL alone"

set -m
timeout "${STOA_NETNS_SECONDS:-300}" "$@" &
child=$!
set +m
status=0
wait "$child" || status=$?
child=""
if [ "$status" -ne 0 ]; then
    printf '== %s\n' "stoa said" >&2
    tail -n 30 "$folder/stoa.log" >&2
    printf '== %s\n' "coturn said" >&2
    grep -v 'listing: ' "$folder/turn.log" | tail -n 60 >&2
fi
[ "$status" -ne 124 ] || die "it took longer than ${STOA_NETNS_SECONDS:-300} s"
exit "$status"
