#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# batch.sh SCRIPT [ARGUMENT...] [-- SCRIPT [ARGUMENT...]]... - in the lab's primary domain: scripts of this directory one after the other, on one
# machine. Each finds it without module and with an empty kernel log. The storage domain of a script that went well may serve the next one,
# see begin_with_one; of another nothing is left. What a script says is in $LAB/SCRIPT.out too, its exit status and the seconds it took in
# $LAB/SCRIPT.end.
. "$FC_SOURCE/tests/xen/checks.sh"

tidy() # SCRIPT
{
	local config

	if [[ -d /sys/module/farcall ]] || grep -q '^FAIL' "$LAB/$1.out"; then
		for config in /run/*.cfg; do
			[[ ! -e $config ]] || end_domu "$(basename "$config" .cfg)"
		done
	fi
	if [[ -d /sys/module/farcall ]]; then rmmod farcall || say "the module is still there after $1"; fi
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
