#!/usr/bin/env bash
# Brings up docker-compose.yml with the images that KAFKA_IMAGE, PYTHON_IMAGE and BATCHSUM_IMAGE name, passes the
# example of the contract through it with clients that are not ours, and takes it down again.
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/shell/common.sh

export COMPOSE_PROJECT_NAME=batchsum-ci BATCHSUM_IMAGE=${BATCHSUM_IMAGE:-batchsum}
readonly broker=localhost:${KAFKA_PORT:-9092}
readonly request='{"batchid": "id0101", "payload": [[1, 2], [3, 4]]}'

take_down() {
    local status=$?
    if ((status)); then compose ps; compose logs --no-color --tail 15; fi
    compose down --volumes --timeout 20 >/dev/null 2>&1
    exit "$status"
}

fail() {
    echo "$*" >&2
    exit 1
}
container() { compose ps --quiet batchsum; }
is_healthy() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$(container)") == healthy ]]; }
consume() { timeout 60 kcat -C -b "$broker" -o beginning -q "$@"; }

trap take_down EXIT
compose up --detach
until_true 60 is_healthy || fail "the service is not healthy"
echo "up and healthy"

port=http://localhost:${HTTP_PORT:-8080}
until_true 30 curl --fail --silent "$port/readyz" || fail "the HTTP port does not say that it is ready"
sum=$(curl --fail --silent --json '{"numbers": [1, 2, 3, 4]}' "$port/add_numbers")
[[ $sum == '{"result":10}' ]] || fail "the HTTP port says that 1 + 2 + 3 + 4 is $sum"
echo "the HTTP port is ready, and adds"

# With a key and without one: the answer has the request's key, or else the batchid.
printf 'customer-7\t%s\n' "$request" | kcat -P -b "$broker" -t batch-requests -p 0 -K '\t'
printf '%s\n' "$request" | kcat -P -b "$broker" -t batch-requests -p 0
answers=$(consume -t batch-results -c 2 -J)
echo "$answers"
python3 .ci/expect_answers.py <<<"$answers"

kafka_tool() { compose exec -T kafka "/opt/kafka/bin/$1.sh" --bootstrap-server localhost:29092 "${@:2}"; }
echo 'no batch' | kafka_tool kafka-console-producer --topic batch-requests
dead_letter=$(kafka_tool kafka-console-consumer --topic batch-requests-dlq --from-beginning \
    --max-messages 1 --timeout-ms 30000 2>/dev/null)
[[ $dead_letter == 'no batch' ]] || fail "no dead letter for what is no batch: $dead_letter"
echo "Kafka's console tools: a dead letter for what is no batch"

# The image with its shells covered up: all that it does at run time, it does without.
without_shell() { docker run --rm --volume /dev/null:/usr/bin/dash:ro --volume /dev/null:/usr/bin/bash:ro "$@" 2>&1; }
without_shell "$BATCHSUM_IMAGE" --version || fail "the image needs a shell"
probed=$(without_shell --entrypoint python3 "$BATCHSUM_IMAGE" -m consumer.probe) && fail "the probe finds a heartbeat where there is none"
[[ $probed == *'No such file'* ]] || fail "the probe needs a shell: $probed"
if docker exec "$(container)" touch /written 2>/dev/null; then fail "the root file system is not read-only"; fi
[[ $(docker exec "$(container)" id -u) != 0 ]] || fail "the service runs as root"
stopped=$(container)
compose stop batchsum >/dev/null 2>&1
[[ $(docker inspect --format '{{.State.ExitCode}}' "$stopped") == 0 ]] || fail "no clean exit on SIGTERM"
echo "read-only, not root, and a clean exit on SIGTERM"
