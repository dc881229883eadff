#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# t_debootstrap.sh - the README's two commands in a fresh Debian 12: makes a minimal system with debootstrap, clones the
# committed state of the source into it, runs both, and checks that each took less than six minutes and left nothing behind.
# By hand, as root. The mirror is the one that this machine's apt uses.
#   t_debootstrap.sh [DIRECTORY]    keep the system there, and use it again as it is (default: a new temporary one)
set -u -o pipefail
export LC_ALL=C
limit=360

fail()
{
	echo "t_debootstrap: $*" >&2
	exit 1
}

skip()
{
	echo "t_debootstrap: $*: skipped" >&2
	exit 77
}

((EUID == 0)) || skip "root is needed"
for tool in debootstrap git unshare pivot_root; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
source_dir=$(cd "$(dirname "$0")/../.." && pwd) || exit 1
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' "Identifier: Packages" |
	awk '$2 == "bookworm" { print $1; exit }')
[[ $mirror ]] || skip "this machine's apt has no source for bookworm"

if (($#)); then
	mkdir -p "$1" || exit 1
	root=$(realpath "$1")
else
	root=$(mktemp -d /var/tmp/farcall-clean.XXXXXX) || exit 1
	trap 'rm -rf --one-file-system "$root"' EXIT
fi

if [[ ! -x $root/bin/bash ]]; then
	echo "== debootstrap into $root"
	debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 || {
		tail "$root.log" >&2
		fail "debootstrap failed"
	}
	rm -f "$root.log"
fi
echo "== apt's configuration, name resolution, the source"
rm -rf "$root/etc/apt/sources.list" "$root/etc/apt/sources.list.d"
for item in sources.list sources.list.d auth.conf auth.conf.d trusted.gpg.d keyrings; do
	[[ ! -e /etc/apt/$item ]] || cp -a "/etc/apt/$item" "$root/etc/apt/"
done
apt-config dump Acquire >"$root/etc/apt/apt.conf.d/90host"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
rm -rf "$root/farcall"
git clone -q --no-hardlinks "$source_dir" "$root/farcall" || fail "git clone failed"

# run_inside COMMAND: as the root of a mount namespace, as a container's would be; a chroot could not make user namespaces
run_inside()
{
	unshare --mount --pid --fork --kill-child sh -euc '
		mount --bind "$1" "$1"
		cd "$1"
		mkdir -p old
		mount --rbind /sys sys
		mount --rbind /dev dev
		pivot_root . old
		mount -t proc proc /proc
		mount -t tmpfs tmpfs /run
		umount -l /old
		cd /farcall
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C sh -c "$2"
	' sh "$root" "$1" </dev/null
}

for command in "./examples/quickstart.sh" "./tests/run.sh"; do
	echo "== $command"
	began=$SECONDS
	run_inside "$command" || fail "$command failed"
	took=$((SECONDS - began))
	echo "== $command took $took s"
	((took < limit)) || fail "$command took $took s, more than $limit"
	[[ -z $(ls -A "$root/run/farcall" 2>/dev/null) ]] || fail "$command left something in /run/farcall"
done
echo "== both commands pass in a fresh Debian 12"
