# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# posix.sh [PROGRAM...] - in the lab's primary domain: the programs of tests/posix, natively on an ext4 that is mounted where the storage domain's
# prefix is, then on the same file system in the storage domain. What they say must be the same, but for what tests/posix/border says.
. "$FC_SOURCE/tests/xen/checks.sh"
. "$FC_SOURCE/tests/posix/border.sh"
far=/far
run=/run/posix
programs=("$@")
((${#programs[@]})) || programs=("${BORDER_PROGRAMS[@]}")

# In a fresh directory of the file system that is there now.
one_side() # SIDE PROGRAM COMMAND...
{
	local side=$1 program=$2
	shift 2

	"$@" sh -c 'umask 022 && mkdir "$1" && exec timeout -k 3 50 "$2" "$1"' sh "$far/$program" "$FC_BUILD/tests/posix/$program" \
		</dev/null >"$run/$program.$side" 2>&1
	echo $? >"$run/$program.$side.status"
}

mkdir -p "$run" "$far"
truncate -s 64M "$run/image" && mkfs.ext4 -q -F -m 0 "$run/image" && mount -o loop,nosuid,nodev "$run/image" "$far" || fail "a native file system"
for program in "${programs[@]}"; do
	one_side native "$program"
done
umount "$far"
begin_with_one
for program in "${programs[@]}"; do
	began=$SECONDS
	one_side remote "$program" "$FARCALL" run --domain one --
	cp "$run/$program".{native,remote} "$LAB"
	if border_same "$program" "$run/$program"; then
		pass "$program ($((SECONDS - began)) s)"
	else
		fail "$program: status $(<"$run/$program.remote.status") after $(<"$run/$program.native.status"), $((SECONDS - began)) s"
	fi
	"$FARCALL" run --domain one -- rm -rf "$far/$program"
done
end
