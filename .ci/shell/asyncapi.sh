#!/usr/bin/env bash
# Validates docs/asyncapi.yaml with the specification's own parser, installed for this one run.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-save --no-audit --no-fund --silent @asyncapi/parser@3.6.6
node "$root/.ci/asyncapi.mjs" "$root/docs/asyncapi.yaml"
