#!/bin/sh
# Run a command in a minimal Debian of another suite, which has other Pythons and no compiler:
#
#     sudo tests/chroot.sh sid python3.15 --version
#
# The first call installs it into .matrix/SUITE (a minute; needs debootstrap). The command sees this
# repository and /tmp where they are, and the machine's network; nothing stays mounted after it.
set -eu

[ $# -ge 2 ] || { echo "usage: tests/chroot.sh SUITE COMMAND..." >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "chroot.sh: needs root" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "chroot.sh: needs debootstrap" >&2; exit 2; }

suite=$1
shift
repository=$(cd "$(dirname "$0")/.." && pwd)
root=$repository/.matrix/$suite

case $suite in
  sid) python=python3.14-venv,python3.15-venv ;;
  *) python=python3-venv ;;
esac

if [ ! -e "$root/installed" ]; then
  # The mirror that apt is set to, and its packages kept for the next time.
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 'debian/*$')
  rm -rf "$root"
  mkdir -p "$root"
  debootstrap --variant=minbase --include="ca-certificates,git,libatomic1,make,$python" \
    "$suite" "$root" "$mirror" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 1; }
  touch "$root/installed"
fi

cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
mkdir -p "$root$repository" "$root$PWD"
# Mounts made here end with this command.
exec unshare --mount sh -eu -c '
  root=$1 repository=$2
  shift 2
  for folder in /proc /sys /dev /tmp "$repository"; do mount --rbind "$folder" "$root$folder"; done
  exec chroot "$root" /usr/bin/env --chdir="$PWD" "$@"
' sh "$root" "$repository" "$@"
