#!/usr/bin/env bash
# CARD=0 CARD_BROWSER=PATH one_card.sh ARGS...
#
# Starts a program that sees one NVIDIA card only, the one with index CARD among /dev/nvidia0, 1, ...:
# in a mount namespace of its own, the device nodes of the others lie on a file system without devices, so
# that the driver cannot open them. Needs root. Arguments and open files (Playwright's pipes) are kept.
set -euo pipefail
# The carried libraries are for the browser only.
if [ -z "${CARD_LIBRARIES+x}" ]; then
  export CARD_LIBRARIES=${LD_LIBRARY_PATH:-}
  unset LD_LIBRARY_PATH
  exec unshare --mount bash "$0" "$@"
fi
folder=$(mktemp -d /tmp/one-card.XXXXXX)
mount -t tmpfs -o nodev tmpfs "$folder"
index=0
for device in $(ls -v /dev/nvidia[0-9]* 2>/dev/null || true); do
  if [ "$index" != "$CARD" ]; then
    node=$folder/$(basename "$device")
    mknod "$node" c "0x$(stat -c %t "$device")" "0x$(stat -c %T "$device")"
    mount --bind "$node" "$device"
  fi
  index=$((index + 1))
done
[ -z "$CARD_LIBRARIES" ] || export LD_LIBRARY_PATH=$CARD_LIBRARIES
unset CARD_LIBRARIES
exec "$CARD_BROWSER" "$@"
