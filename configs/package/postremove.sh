#!/bin/sh
# dpkg calls it with "remove", "purge" or "upgrade"; rpm with the number of versions that stay.
#
# Only a purge of dpkg removes the state and the configuration: without the state the next installation does not know
# which accounts are its own. rpm has no purge.
set -e
case "$1" in
purge) rm -rf /var/lib/private/entrasync /var/lib/entrasync /etc/entrasync ;;
remove | 0) ;;
*) exit 0 ;;
esac
[ ! -d /run/systemd/system ] || systemctl daemon-reload
