#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# batch.sh SCRIPT [ARGUMENT...] [-- SCRIPT [ARGUMENT...]]... - in the lab's primary domain: scripts of this directory one after the other, on one
# machine. Each finds it as if it were the first: no module, no storage domain, no disk, an empty kernel log. What a script says is in
# $LAB/SCRIPT.out too, its exit status and the seconds it took in $LAB/SCRIPT.end; the log of a storage domain is kept as SCRIPT-guest-NAME.log.
. "$FC_SOURCE/tests/xen/checks.sh"

# A script that went wrong leaves what it had.
tidy() # SCRIPT
{
	local domu log image

	sync
	xl list 2>/dev/null | awk 'NR > 2 { print $1 }' | while read -r domu; do
		"$FARCALL" domain detach "$domu" >/dev/null 2>&1
		xl destroy "$domu"
	done
	if [[ -d /sys/module/farcall ]]; then rmmod farcall || say "the module is still there after $1"; fi
	for log in "$LAB"/guest-*.log; do
		[[ ! -e $log ]] || mv "$log" "$LAB/$1-${log##*/}"
	done
	for image in /run/disk-*; do
		[[ -e $image ]] || continue
		losetup -j "$image" | cut -d: -f1 | xargs -r -n 1 losetup -d
		rm -f "$image"
	done
	dmesg >"$LAB/$1.dmesg"
	dmesg -C
}

run_script() # SCRIPT ARGUMENT...
{
	local script=$1 began=$SECONDS
	shift

	say "---- $script $*"
	bash "$FC_SOURCE/tests/xen/$script" "$@" </dev/null 2>&1 | tee "$LAB/$script.out"
	echo "${PIPESTATUS[0]} $((SECONDS - began))" >"$LAB/$script.end"
	say "$script took $((SECONDS - began)) s"
	tidy "$script"
}

one=()
for word in "$@" --; do
	if [[ $word == -- ]]; then
		run_script "${one[@]}"
		one=()
	else
		one+=("$word")
	fi
done
