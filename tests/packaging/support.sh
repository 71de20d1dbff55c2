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

# expect_below FILE BYTES
expect_below() {
  local size
  size=$(stat --format=%s "$1")
  printf '%s: %d bytes of %d\n' "${1##*/}" "$size" "$2"
  ((size < $2)) || fail "$1 is too large"
}
