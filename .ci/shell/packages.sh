# Sourced by run: Debian's packages for what is missing here.

declare -A package_of=(
    [chromium]=chromium
    [curl]=curl
    [dockerd]=docker.io
    [iptables]=iptables
    [debootstrap]=debootstrap
    [java]=openjdk-17-jre-headless
    [kcat]=kcat
    [make]=make
    [mvn]=maven
    [ps]=procps
)
missing=()
for command in "${!package_of[@]}"; do
    command -v "$command" >/dev/null || missing+=("${package_of[$command]}")
done
compose version >/dev/null 2>&1 || missing+=(docker-compose)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

if ((${#missing[@]})); then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/tmp/packages.log 2>&1 || {
        tail -n 40 /tmp/packages.log
        exit 1
    }
else
    echo "nothing is missing"
fi
