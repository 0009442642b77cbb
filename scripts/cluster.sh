#!/usr/bin/env bash
# Three nodes on this machine behind a balancer, with a Postgres, a Redis and a Prometheus of their own in a temporary
# folder; everything ends with Ctrl-C. Arguments go to every node's `stoa serve`.
. "$(dirname "$0")/common.sh"

nodes=3
# Where people go; each node's own port follows on it.
port=${STOA_CLUSTER_PORT:-8080}

if [ "${1:-}" != inside ]; then
    scripts/set-up.sh rust node postgres redis coturn haproxy prometheus
    npm_install web
    step "the page" npm --prefix web run build
    step "the server" cargo build --locked --package stoa
    exec scripts/with-services.sh scripts/cluster.sh inside "$@"
fi
shift

folder=$(mktemp -d "${TMPDIR:-/tmp}/stoa-cluster-XXXXXX")
pids=()
stop() {
    trap - EXIT INT TERM
    # The nodes first: they hand their people over and write what they have.
    for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/secret"
od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/cluster-key"
chmod 600 "$folder/secret" "$folder/cluster-key"

servers=""
targets=""
for ((node = 1; node <= nodes; node++)); do
    own=$((port + node))
    STOA_DATABASE_URL=$STOA_TEST_POSTGRES STOA_REDIS_URL=$STOA_TEST_REDIS "$target/debug/stoa" serve --dev \
        --listen "127.0.0.1:$own" --public-url "http://127.0.0.1:$port" --trusted-proxy 127.0.0.1/32 \
        --secret-file "$folder/secret" --cluster-key-file "$folder/cluster-key" --drain-seconds 5 "$@" \
        >"$folder/node-$node.log" 2>&1 &
    pids+=($!)
    servers+="    server node-$node 127.0.0.1:$own"$'\n'
    targets+="${targets:+, }\"127.0.0.1:$own\""
done

sed "s|@PORT@|$port|; s|@STATS@|$((port + 100))|" deploy/haproxy.cfg >"$folder/haproxy.cfg"
printf '%s' "$servers" >>"$folder/haproxy.cfg"
haproxy -f "$folder/haproxy.cfg" -db >"$folder/haproxy.log" 2>&1 &
pids+=($!)
sed "s|\"stoa:8080\"|$targets|" deploy/prometheus.yml >"$folder/prometheus.yml"
prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/prometheus" \
    --web.listen-address="127.0.0.1:$((port + 101))" >"$folder/prometheus.log" 2>&1 &
pids+=($!)

for ((node = 1; node <= nodes; node++)); do
    until grep -q "^listening on" "$folder/node-$node.log"; do
        kill -0 "${pids[node - 1]}" 2>/dev/null || { cat "$folder/node-$node.log" >&2; die "node $node did not start"; }
        sleep 0.1
    done
    say "node $node: http://127.0.0.1:$((port + node)), process ${pids[node - 1]}, log $folder/node-$node.log"
done
say "the page, through the balancer: http://127.0.0.1:$port"
say "the balancer's view: http://127.0.0.1:$((port + 100)); Prometheus: http://127.0.0.1:$((port + 101))"
say "try: kill -9 ${pids[0]}   # nobody notices; Ctrl-C ends everything"
wait
