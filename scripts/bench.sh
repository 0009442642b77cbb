#!/usr/bin/env bash
# The load generator against a release build, on this machine: what docs/performance.md tells, one run after the
# other. Arguments are a run of one's own instead: scripts/bench.sh run --rooms 1 --members 500 --rate 100
# Reports are written to target/bench. Nothing else should be running meanwhile.
. "$(dirname "$0")/common.sh"

if [ "${1:-}" != inside ]; then
    scripts/set-up.sh rust node postgres redis coturn
    npm_install web
    npm_install tests/load/peers
    step "the page" npm --prefix web run build
    step "the server and the load generator" cargo build --locked --release --package stoa --package stoa-load
    exec scripts/with-services.sh scripts/bench.sh inside "$@"
fi
shift

load() {
    "$target/release/stoa-load" "$1" --spawn "$target/release/stoa" "${@:2}"
}
if [ $# -gt 0 ]; then
    load "$@"
    exit
fi

reports=$target/bench
mkdir -p "$reports"
measure() {
    local name=$1
    shift
    say "$name: stoa-load $*"
    load "$@" --json "$reports/$name.json"
}
measure idle-memory idle --connections 10000 --beside floor,ws
measure deliveries-50k run --rooms 10 --members 100 --rate 500 --beside floor,ws --database-url "$STOA_TEST_POSTGRES"
measure deliveries-200k run --rooms 10 --members 100 --rate 2000 --database-url "$STOA_TEST_POSTGRES"
measure postgres-latency run --rooms 10 --members 100 --rate 250 --database-url "$STOA_TEST_POSTGRES"
measure acks-many-rooms-sqlite acks --rooms 1000 --members 2
measure acks-one-room-sqlite acks --rooms 1 --members 4 --in-flight 128
measure acks-many-rooms-postgres acks --rooms 1000 --members 2 --database-url "$STOA_TEST_POSTGRES"
measure acks-one-room-postgres acks --rooms 1 --members 4 --in-flight 128 --database-url "$STOA_TEST_POSTGRES"
measure class-of-1000 class --members 1000
measure calls calls --calls 1000 --rate 2000
measure boards-200-editors boards --editors 200 --rate 5 --beside y-websocket
measure boards-200-editors-postgres boards --editors 200 --rate 5 --database-url "$STOA_TEST_POSTGRES"
measure board-of-10000 boards --editors 50 --rate 2 --shapes 10000 --joins 1
measure board-soak boards --soak --shapes 10000 --svg "$reports/board-soak.svg"
measure reconnect-storm storm --connections 10000
# The same work on one node without Redis and on one, two and three with it. Members of a room are on different nodes.
nodes=(--database-url "$STOA_TEST_POSTGRES" --redis-url "$STOA_TEST_REDIS" --nodes)
measure nodes-none run --rooms 10 --members 100 --rate 250 --database-url "$STOA_TEST_POSTGRES"
for count in 1 2 3; do
    measure "nodes-$count" run --rooms 10 --members 100 --rate 250 "${nodes[@]}" "$count"
    measure "nodes-$count-acks" acks --rooms 1000 --members 2 "${nodes[@]}" "$count"
done
measure nodes-3-storm storm --connections 10000 "${nodes[@]}" 3
say "reports are in $reports"
