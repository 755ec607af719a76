# Sourced by run: a container engine that answers, started here where none runs. It goes on when this script has ended.

if ! docker info >/dev/null 2>&1; then
    echo "starting dockerd"
    setsid dockerd </dev/null >/var/log/dockerd.log 2>&1 &
    until_true 60 docker info || {
        tail -n 40 /var/log/dockerd.log
        echo "the container engine did not start" >&2
        exit 1
    }
fi
docker version --format 'engine {{.Server.Version}}'
