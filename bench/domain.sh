# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# domain.sh - sourced by what measures a whole program on either side: begin_domain makes $work on a tmpfs, with native/ and far/ in it, and
# has $farcall serve far/ as /bench at $work/socket until the script ends.

begin_domain()
{
	work=$(mktemp -d "/dev/shm/farcall-$1.XXXXXX") || exit 1
	mkdir "$work/native" "$work/far"
	# shellcheck disable=SC2154 # the script's
	"$farcall" serve -v "$work/far:/bench" --socket "$work/socket" </dev/null >"$work/log" 2>&1 &
	domain=$!
	trap 'kill $domain; wait $domain 2>/dev/null; rm -rf "$work"' EXIT
	for _ in $(seq 100); do
		[[ -S $work/socket ]] && return
		sleep 0.05
	done
	echo "${0##*/}: there is no domain: $(<"$work/log")" >&2
	exit 1
}
