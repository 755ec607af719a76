# Sourced by run, and run by itself as root: Prometheus' programs from the system's package, and nothing more of it.
# The package itself would start a service beside them.

if command -v prometheus >/dev/null && command -v promtool >/dev/null; then
    echo "prometheus is there"
else
    echo "unpacking prometheus"
    unpacked=$(mktemp -d)
    apt-get update -qq
    (cd "$unpacked" && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg-deb --extract prometheus_*.deb .)
    install "$unpacked"/usr/bin/prometheus "$unpacked"/usr/bin/promtool /usr/local/bin
    rm -rf "$unpacked"
fi
promtool --version | head -n 1
