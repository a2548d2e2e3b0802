#!/bin/sh
# dpkg calls it with "remove", or with "upgrade"; rpm with the number of versions that stay.
set -e
case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl disable --now entrasync-sync.timer entrasync.service
systemctl stop entrasync-sync.service
