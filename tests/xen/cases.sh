#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cases.sh [--root|--user] SCRIPT|DIRECTORY... - in the lab's primary domain: scripts (those of a directory: *.sh, not run.sh) that are given a
# directory to work in, natively on an ext4 that is mounted where the storage domain has its prefix, then on the same file system in the storage
# domain: they print the same. As root, and as an ordinary user. By hand: tests/xen/lab.sh --memory 4096 --timeout 3000 --results OUT
# tests/xen/cases.sh DIRECTORY; what was printed and what differs is in OUT/cases. What has been printed natively there before is not asked for again.
. "$FC_SOURCE/tests/xen/checks.sh"
far=/far disk=/run/disk-one out=$LAB/cases
stretch=${FC_CASES_STRETCH:-8} # the emulator is slow: so much longer lasts each timeout(1) in a script
users="root user"
case ${1:-} in --root | --user) users=${1#--}; shift ;; esac

cases=()
for what in "$@"; do
	if [[ -d $what ]]; then
		for script in "$what"/*.sh; do [[ ${script##*/} == run.sh ]] || cases+=("$script"); done
	else
		cases+=("$what")
	fi
done

# The directory's name belongs to it: two of different directories may have the same.
name_of() # SCRIPT
{
	local directory=${1%/*}
	echo "${directory##*/}-$(basename "$1" .sh)"
}

one_side() # SIDE USER SCRIPT COMMAND...
{
	local side=$1 user=$2 script=$3 name log began=$SECONDS
	shift 3
	name=$(name_of "$script")
	log=$out/$name.$user.$side

	# shellcheck disable=SC2016
	as "$user" /usr/bin/timeout -k 5 $((60 * stretch)) "$@" sh -c 'umask 022 && mkdir "$1" && exec bash "$2" "$1"' sh \
		"$far/open/$name-$user" "$script" </dev/null >"$log" 2>"$log.err"
	echo "exit $?" >>"$log"
	say "$side $user $name: $((SECONDS - began)) s"
}

compare()
{
	local name base
	name=$(name_of "$2")
	base=$out/$name.$1
	if diff -a "$base.native" "$base.remote" >"$base.diff"; then
		pass "$name as $1"
		rm -f "$base.diff"
	else
		fail "$name as $1"
		sed 's/^/    | /' "$base.diff" | head -n 12
	fi
}

stretch_timeouts()
{
	cat >/usr/local/sbin/timeout <<-EOF
	#!/bin/bash
	words=()
	for word; do
		[[ ! \$word =~ ^[0-9]+$ || \$done ]] || { word=\$((word * $stretch)); [[ \$before == -k ]] || done=1; }
		words+=("\$word") before=\$word
	done
	exec /usr/bin/timeout "\${words[@]}"
	EOF
	chmod 755 /usr/local/sbin/timeout
}

# The domain's own disk: names have the same order in a directory.
natively()
{
	truncate -s 256M "$disk" && mkfs.ext4 -q -F -m 0 -E lazy_itable_init=0,hash_seed=6661726c-6c61-6261-6264-6f6d61696e31 "$disk"
	mount -o loop,nosuid,nodev "$disk" "$far" || { fail "a native file system"; exit 1; }
	install -d -m 1777 "$far/open"
	for script in "${cases[@]}"; do
		for user in $users; do
			[[ -e $out/$(name_of "$script").$user.native ]] || one_side native "$user" "$script"
		done
	done
	rm -rf "$far/open"
	umount "$far"
}

stretch_timeouts
mkdir -p "$far" "$out" /run/home && chown 1000:1000 /run/home
natively
begin_with_one
"$FARCALL" run --domain one -- install -d -m 1777 "$far/open"
for script in "${cases[@]}"; do
	for user in $users; do
		one_side remote "$user" "$script" "$FARCALL" run --domain one --
		compare "$user" "$script"
	done
done
"$FARCALL" run --domain one -- rm -rf "$far/open"
end
