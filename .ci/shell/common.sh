# Sourced by the other scripts: what they share.

section() {
    printf '\n==> [%4d s] %s\n' "$SECONDS" "$*"
}

# compose COMMAND...: the plugin of today where it is installed, and the program of old elsewhere
compose() {
    if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# until_true SECONDS COMMAND...: try it once a second; fail when the seconds are over
until_true() {
    local tries=$1
    shift
    until "$@" >/dev/null 2>&1; do
        ((tries-- > 0)) || return 1
        sleep 1
    done
}
