#!/bin/sh
# Fetch a container engine, its client, Compose and a static BusyBox into .tools/docker; nothing is installed.
# The machine's own packages are taken where they are new enough, else those of Debian's next release, which run
# on the one before it. Needs apt and no root; containerd and runc must be installed. Does nothing the second time.
set -eu
cd "$(dirname "$0")/.."
tools="$PWD/.tools/docker"
next=trixie

refuse() {
  echo "tests/docker.sh: no container engine: $1; tests that need one are skipped" >&2
  exit 0
}

if [ -e "$tools/complete" ]; then exit 0; fi
command -v apt-get >/dev/null && command -v dpkg >/dev/null || refuse "this is no Debian system"
rm -rf "$tools"
mkdir -p "$tools/apt/lists/partial" "$tools/apt/archives/partial"

# Whoever ships version 25 or later needs no other release than its own.
own=$(apt-cache policy docker.io 2>/dev/null | sed -n 's/^  Candidate: //p')
if [ -n "$own" ] && [ "$own" != "(none)" ] && dpkg --compare-versions "$own" ge 25; then
  options=""
else
  # The main stanza of the machine's own sources, whichever mirror that is.
  sources=/etc/apt/sources.list.d/debian.sources
  if [ -r "$sources" ]; then
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/-security/' "$sources" |
      sed -e '/^#/d' -e "s/^Suites:.*/Suites: $next/" > "$tools/apt/next.sources"
  elif [ -r /etc/apt/sources.list ]; then
    sed -n "s/^deb \(.*\) [a-z]* main\$/deb \1 $next main/p" /etc/apt/sources.list |
      grep -v security | head -n 1 > "$tools/apt/next.list"
  fi
  list=$(find "$tools/apt" -name 'next.*' -size +0 | head -n 1)
  [ -n "$list" ] || refuse "no sources of Debian are configured"
  options="-o Dir::Etc::SourceList=$list -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists=$tools/apt/lists -o Dir::Cache=$tools/apt"
fi

echo "Fetching a container engine into .tools/docker …"
cd "$tools/apt"
# shellcheck disable=SC2086
{
  [ -z "$options" ] || apt-get -qq $options update || refuse "the package lists of $next cannot be fetched"
  # Ubuntu has the client in docker.io, and Compose under another name.
  for names in docker.io busybox-static "docker-compose-v2 docker-compose" "docker-cli docker.io"; do
    found=""
    for name in $names; do
      [ -n "$found" ] || ! apt-get -qq $options download "$name" 2>log || found=$name
    done
    [ -n "$found" ] || refuse "no package $names can be fetched: $(grep '^E:' log | head -n 1)"
  done
}
for package in *.deb; do dpkg -x "$package" "$tools"; done
cd "$tools"
rm -rf apt usr/share etc usr/lib
: > complete
