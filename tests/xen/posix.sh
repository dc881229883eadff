# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# posix.sh [--root] [PROGRAM...] - in the lab's primary domain: the programs of tests/posix, natively on an ext4 that is mounted where the storage
# domain has its prefix, then on the same file system in the storage domain: what they say differs as tests/posix/border lists, and not
# otherwise. As root, and as an ordinary user.
. "$FC_SOURCE/tests/xen/checks.sh"
. "$FC_SOURCE/tests/posix/border.sh"
far=/far run=/run/posix
users="root user"
export FC_POSIX_SECONDS=150 # the emulator is slow
[[ ${1:-} != --root ]] || { users=root; shift; }
programs=("$@")
((${#programs[@]})) || programs=("${border_programs[@]}")

# In a fresh directory of the file system that is there now, which all may write to.
one_side() # SIDE USER PROGRAM COMMAND...
{
	local side=$1 user=$2 program=$3
	shift 3

	# shellcheck disable=SC2016
	as "$user" "$@" sh -c 'umask 022 && mkdir "$1" && exec "$2" "$1"' sh "$far/open/$program-$user" \
		"$FC_BUILD/tests/posix/$program" </dev/null >"$run/$program-$user.$side" 2>&1
	echo $? >"$run/$program-$user.$side.status"
}

as_listed() # USER PROGRAM
{
	local out=$run/$2-$1

	cp "$out".{native,remote} "$LAB"
	[[ $(<"$out.native.status") == 0 ]] || { say "natively: status $(<"$out.native.status")"; return 1; }
	[[ $(<"$out.remote.status") == 0 ]] || { say "remotely: status $(<"$out.remote.status")"; tail -n 3 "$out.remote"; return 1; }
	border_same "$2" "xen $1 xen-$1" "$out.native" "$out.remote"
}

mkdir -p "$run" "$far" /run/home && chown 1000:1000 /run/home
truncate -s 64M "$run/image" && mkfs.ext4 -q -F -m 0 "$run/image"
mount -o loop,nosuid,nodev "$run/image" "$far" || { fail "a native file system"; exit 1; }
install -d -m 1777 "$far/open"
for user in $users; do
	for program in "${programs[@]}"; do
		one_side native "$user" "$program"
	done
done
umount "$far"

begin_with_one
"$FARCALL" run --domain one -- install -d -m 1777 "$far/open"
for user in $users; do
	for program in "${programs[@]}"; do
		began=$SECONDS
		one_side remote "$user" "$program" "$FARCALL" run --domain one --
		if as_listed "$user" "$program"; then
			pass "$program as $user ($((SECONDS - began)) s)"
		else
			fail "$program as $user"
		fi
	done
done
"$FARCALL" run --domain one -- rm -rf "$far/open"
end
