#!/usr/bin/env bash
# Runs a command beside a database, a Redis and a TURN server of its own, and stops everything again, also on failure and
# interrupt:
#
#     scripts/with-services.sh cargo test --test it kill::
#
# The command finds the database in STOA_TEST_POSTGRES, the URL of a superuser's connection; tests make their own
# databases with it. One that is set already is used as it is. STOA_TEST_REDIS is the URL of the Redis, which keeps
# nothing. Tests that stop, starve or kill a Redis or a Postgres start their own beside them; STOA_POSTGRES_BIN is where
# Postgres' programs are. The TURN server is coturn with the configuration that is shipped, on addresses of this machine
# alone: STOA_TEST_TURN_PORT is where it listens, STOA_TEST_TURN_SECRET_FILE has its secret, STOA_TEST_TURN_LOG what it
# says.
. "$(dirname "$0")/common.sh"
. "$root/scripts/find.sh"

[ $# -gt 0 ] || die "usage: scripts/with-services.sh COMMAND [ARGUMENT...]"

folder=""
services=()
# These get another signal than Postgres: what a script starts in the background ignores interrupts, and they keep to that.
coturn=""
redis=""
child=""

# A port below the range that the system hands out by itself. Somebody may take it before the service does; then the
# service fails to start and the next port is tried.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# What a service is started through: not as root (Postgres refuses to), and never outliving this script, however it
# ends.
as_service=(env)

start_postgres() {
    local bin port attempt
    # Tests that kill a Postgres or make one fail over start their own.
    bin=$(postgres_bin) && export STOA_POSTGRES_BIN=$bin
    if [ -n "${STOA_TEST_POSTGRES:-}" ]; then
        say "Postgres: using STOA_TEST_POSTGRES as it is set"
        return
    fi
    [ -n "$bin" ] || die "Postgres is missing; scripts/set-up.sh postgres tells how to get it"
    "${as_service[@]}" "$bin/initdb" -D "$folder/postgres" -U stoa --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync \
        >"$folder/initdb.log" 2>&1 || { cat "$folder/initdb.log" >&2; die "initdb failed"; }
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        # fsync stays on: what the tests ask is whether acknowledged means on disk. Each server under test has a pool.
        "${as_service[@]}" "$bin/postgres" -D "$folder/postgres" -p "$port" -k "$folder" -c listen_addresses=127.0.0.1 \
            -c max_connections=400 -c shared_buffers=128MB >"$folder/postgres.log" 2>&1 &
        local pid=$!
        while kill -0 "$pid" 2>/dev/null; do
            if "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U stoa -d postgres; then
                services+=("$pid")
                export STOA_TEST_POSTGRES="postgres://stoa@127.0.0.1:$port/postgres"
                say "Postgres: $("$bin/postgres" --version | cut -d' ' -f3) on port $port"
                return
            fi
            sleep 0.1
        done
    done
    cat "$folder/postgres.log" >&2
    die "Postgres did not start in $attempt attempts"
}

start_redis() {
    if [ -n "${STOA_TEST_REDIS:-}" ]; then
        say "Redis: using STOA_TEST_REDIS as it is set"
        return
    fi
    has redis-server || die "Redis is missing; scripts/set-up.sh redis tells how to get it"
    local port pid attempt
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        # It keeps nothing: no snapshots, no log of commands.
        "${as_service[@]}" redis-server --port "$port" --bind 127.0.0.1 --dir "$folder" --save '' --appendonly no \
            >"$folder/redis.log" 2>&1 &
        pid=$!
        while kill -0 "$pid" 2>/dev/null; do
            if grep -q 'Ready to accept connections' "$folder/redis.log"; then
                redis=$pid
                export STOA_TEST_REDIS="redis://127.0.0.1:$port"
                say "Redis: $(redis-server --version | sed -n 's/.* v=\([^ ]*\).*/\1/p') on port $port"
                return
            fi
            sleep 0.1
        done
    done
    cat "$folder/redis.log" >&2
    die "Redis did not start in $attempt attempts"
}

# Made before coturn starts: its threads would lock each other out while they make it, and refuse good credentials
# meanwhile. The program writes a log wherever it can; it tells where.
make_turn_database() {
    "${as_service[@]}" turnadmin --list --userdb "$folder/turn.db" >"$folder/turnadmin.log" 2>&1 ||
        { cat "$folder/turnadmin.log" >&2; die "turnadmin failed"; }
    sed -n 's/.*log file opened: //p' "$folder/turnadmin.log" | xargs -r rm -f
}

start_coturn() {
    has turnserver || die "coturn is missing; scripts/set-up.sh coturn tells how to get it"
    local port pid attempt
    export STOA_TEST_TURN_SECRET_FILE=$folder/turn-secret STOA_TEST_TURN_LOG=$folder/turn.log
    od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$STOA_TEST_TURN_SECRET_FILE"
    make_turn_database
    for attempt in 1 2 3 4 5; do
        port=$(free_port)
        # The configuration is the shipped one; the command line has what its first block leaves to the operator, and
        # keeps the process out of the system's folders.
        "${as_service[@]}" turnserver -c "$root/turn-config/turnserver.conf" \
            --listening-ip 127.0.0.1 --listening-ip ::1 --relay-ip 127.0.0.1 --relay-ip ::1 \
            --listening-port "$port" --tls-listening-port "$((port + 1))" --pidfile "$folder/turn.pid" \
            --userdb "$folder/turn.db" --static-auth-secret "$(cat "$STOA_TEST_TURN_SECRET_FILE")" \
            >"$STOA_TEST_TURN_LOG" 2>&1 &
        pid=$!
        while kill -0 "$pid" 2>/dev/null; do
            if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && grep -q 'Total General servers' "$STOA_TEST_TURN_LOG"; then
                coturn=$pid
                export STOA_TEST_TURN_PORT=$port
                say "coturn: $(sed -n "s/^Version Coturn-\([^ ]*\).*/\1/p" "$STOA_TEST_TURN_LOG") on port $port"
                return
            fi
            sleep 0.1
        done
    done
    cat "$STOA_TEST_TURN_LOG" >&2
    die "coturn did not start in $attempt attempts"
}

stop_all() {
    trap - EXIT INT TERM HUP
    if [ -n "$child" ] && kill -0 -- "-$child" 2>/dev/null; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    local pid
    for pid in "${services[@]}"; do
        # To Postgres it means: break connections off and write everything out.
        kill -INT "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    for pid in $coturn $redis; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ -z "$folder" ] || rm -rf "$folder"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

folder=$(mktemp -d "${TMPDIR:-/tmp}/stoa-services-XXXXXX")
if [ "$(id -u)" -eq 0 ]; then
    user=$(getent passwd postgres >/dev/null && echo postgres || echo nobody)
    group=$(id -gn "$user")
    chown "$user:$group" "$folder"
    as_service=(setpriv --reuid "$user" --regid "$group" --clear-groups --pdeathsig TERM)
elif has setpriv; then
    as_service=(setpriv --pdeathsig TERM)
fi
start_postgres
start_redis
start_coturn

# In a process group of its own, so that an interrupt reaches everything that it started.
set -m
"$@" &
child=$!
set +m
status=0
wait "$child" || status=$?
child=""
exit "$status"
