#!/bin/sh
# Install the servers and tools that the tests speak to: Debian packages, Bugsink, anvil and axe-core.
# Run by `make test` after .venv is made; needs root where a Debian package is missing.
set -eu
cd "$(dirname "$0")/.."

packages="prometheus prometheus-alertmanager prometheus-node-exporter prometheus-blackbox-exporter
prometheus-postgres-exporter prometheus-redis-exporter chromium openssh-client containerd runc iproute2 iptables
postgresql-15 redis-server openssh-server pebble certbot caddy knot bind9 unbound nftables
aapt android-framework-res apksigner restic"
missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "tests/setup.sh: these Debian packages are missing and only root can install them:$missing" >&2
    exit 1
  fi
  echo "Installing Debian packages:$missing …"
  # Services must not start by themselves: the tests start their own on random ports.
  policy=/usr/sbin/policy-rc.d
  made=""
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod +x "$policy"
    made=yes
  fi
  apt-get update -q >/dev/null
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >/dev/null
  [ -z "$made" ] || rm -f "$policy"
fi

if [ ! -x .venv-bugsink/bin/gunicorn ]; then
  echo "Installing Bugsink into .venv-bugsink …"
  python3 -m venv .venv-bugsink
  .venv-bugsink/bin/pip install --disable-pip-version-check --quiet 'bugsink>=2.6,<3'
fi

# Their package.json files name exact versions. No lock file: anvil's names packages of other systems, which
# `npm ci` then asks for here.
for folder in tests/reports/browser tests/demo/node; do
  if [ ! -d "$folder/node_modules" ]; then
    echo "Installing what $folder/package.json names …"
    (cd "$folder" && npm install --no-package-lock --no-audit --no-fund --silent)
  fi
done

# An app that others built and signed, to read beside our own.
if [ ! -e .tools/apps/settings_apk-debug.apk ]; then
  echo "Fetching an Android app from io.appium.settings …"
  mkdir -p .tools/apps
  (cd .tools/apps && tar -xzf "$(npm pack --silent io.appium.settings@8.0.10)" --strip-components=2 package/apks)
  rm -f .tools/apps/*.tgz
fi

tests/docker.sh
