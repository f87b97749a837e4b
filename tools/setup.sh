#!/usr/bin/env bash
# Installs what the tests need: setup.sh VENV. It leaves no service running, and does nothing twice.
set -euo pipefail
venv=${1:?usage: setup.sh VENV}
here=$(cd "$(dirname "$0")" && pwd)
packages=$(sed 's/#.*//' "$here/apt-packages.txt" | xargs)

missing() {
  local package
  for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
  done
}

# Packages start their services when they are installed, unless this file says no.
without_services() {
  local policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then "$@"; return; fi
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
  local status=0
  "$@" || status=$?
  $sudo rm -f "$policy"
  return $status
}

# Debian builds qemu-utils and qemu-system-x86 for each other: apt would remove a newer qemu-utils to install an older
# emulator, so it is asked for in the emulator's version.
with_fitting_qemu() {
  local version
  version=$(apt-cache policy qemu-system-x86 | awk '/Candidate:/ { print $2 }')
  if [[ " $* " == *" qemu-system-x86 "* ]] && [ "$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null)" != "$version" ]; then
    echo "$* qemu-utils=$version"
  else
    echo "$*"
  fi
}

install_packages() {
  local wanted
  wanted=$(missing | xargs)
  [ -n "$wanted" ] || return 0
  if [ "$(id -u)" = 0 ]; then sudo=
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=sudo
  else
    echo "The tests need these packages. Install them, then run this again:" >&2
    echo "  sudo apt-get install --no-install-recommends $wanted" >&2
    exit 1
  fi
  echo "Installing: $wanted"
  $sudo apt-get update -qq
  wanted=$(with_fitting_qemu $wanted)
  without_services $sudo env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends --allow-downgrades $wanted >/dev/null
}

install_python() {
  local stamp="$venv/.requirements"
  cmp -s "$here/requirements.txt" "$stamp" && return 0
  echo "Making the Python environment for the tests"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$stamp"
}

if command -v apt-get >/dev/null; then
  install_packages
else
  echo "This is not Debian or Ubuntu: tests that need a program which is missing will say so." >&2
fi
install_python
