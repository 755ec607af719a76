# Sourced by run: the base images, as KAFKA_IMAGE and PYTHON_IMAGE, and our own, as BATCHSUM_IMAGE.
# The official ones where they can be pulled; elsewhere stand-ins, built from Debian's and Maven's packages and kept
# until something changes that they are made from.

docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0

# official VARIABLE NAME: export the variable, if the image is here or can be pulled
official() {
    docker image inspect "$2" >/dev/null 2>&1 || timeout 300 docker pull --quiet "$2" >/dev/null 2>&1 || return 1
    export "$1=$2"
    echo "$2"
}

# build OPTION...: docker build, silent unless it fails
build() {
    docker build "$@" >/tmp/build.log 2>&1 || {
        tail -n 40 /tmp/build.log
        return 1
    }
}

# stand_in NAME FOLDER: build FOLDER's Dockerfile, unless the image was made from the same files
stand_in() {
    local name=$1 folder=$2 inputs
    inputs=$(tar -C "$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c . | sha256sum | cut -c 1-64)
    if [[ $(docker image inspect --format '{{index .Config.Labels "inputs"}}' "$name" 2>/dev/null) != "$inputs" ]]; then
        echo "building $name"
        build --label "inputs=$inputs" --tag "$name" "$folder"
    fi
    echo "$name stands in"
}

# Debian itself, from the mirror that apt uses here, with the certificates that this machine trusts beyond Debian's.
debian() {
    local root mirror
    docker image inspect batchsum-ci/debian >/dev/null 2>&1 && return 0
    mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Label: Debian' 'Codename: bookworm' | head -n 1)
    echo "building batchsum-ci/debian from apt's own mirror"
    root=$(mktemp -d)
    debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror" >/tmp/debootstrap.log || {
        tail -n 20 /tmp/debootstrap.log
        return 1
    }
    cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null 2>&1
    tar -C "$root" --exclude=./var/cache/apt/archives/*.deb -c . | docker import - batchsum-ci/debian >/dev/null
    rm -rf "$root"
}

kafka_stand_in() {
    local folder jars
    jars=$(.venv/bin/python -c 'from tests.support.brokers.jars import kafka_jars; print(kafka_jars())')
    folder=$(mktemp -d)
    cp -r .ci/images/kafka/. "$folder"
    cp -r "$jars" "$folder/libs"
    export KAFKA_IMAGE="batchsum-ci/kafka:${kafka_version}"
    stand_in "$KAFKA_IMAGE" "$folder"
    rm -rf "$folder"
}

python_stand_in() {
    export PYTHON_IMAGE=batchsum-ci/python:3.11
    stand_in "$PYTHON_IMAGE" .ci/images/python
}

kafka_version=$(.venv/bin/python -c 'from tests.support.brokers.jars import kafka_version; print(kafka_version())')
if ! official KAFKA_IMAGE "apache/kafka:${kafka_version}"; then
    debian
    kafka_stand_in
fi
if ! official PYTHON_IMAGE python:3.13-slim; then
    debian
    python_stand_in
fi

export BATCHSUM_IMAGE=batchsum:ci
echo "building $BATCHSUM_IMAGE"
build --build-arg "PYTHON_IMAGE=$PYTHON_IMAGE" --tag "$BATCHSUM_IMAGE" .
docker image inspect --format "$BATCHSUM_IMAGE, {{.Size}} bytes" "$BATCHSUM_IMAGE"
