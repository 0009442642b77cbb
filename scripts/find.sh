# Sourced: finds programs that are not on every PATH.
# shellcheck shell=bash

# The folder with Postgres' own programs, the newest version that is installed.
postgres_bin() {
    local folder
    if [ -n "${STOA_POSTGRES_BIN:-}" ]; then
        printf '%s\n' "$STOA_POSTGRES_BIN"
        return
    fi
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) /usr/local/bin /opt/homebrew/bin; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            printf '%s\n' "$folder"
            return
        fi
    done
    return 1
}

# The browser that the tests drive.
chromium_bin() {
    local name
    if [ -n "${CHROMIUM:-}" ]; then
        printf '%s\n' "$CHROMIUM"
        return
    fi
    for name in chromium chromium-browser google-chrome-stable google-chrome; do
        command -v "$name" && return
    done
    return 1
}
