#!/bin/sh
# dpkg calls it with "configure" and the version before, if any; rpm with the number of versions then installed.
set -e
case "$1" in
configure | [0-9]*) ;;
*) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# A running service gets the new program: it ends the request that it is sending, and resumes the cycle.
systemctl try-restart entrasync.service
