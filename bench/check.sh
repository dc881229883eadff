#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh - asserts the performance that farcall promises, from short runs of run.sh. A section whose numbers are not
# good enough is measured up to three times, since a busy machine can spoil one. Exit status: 0 all kept, 1 one broken,
# 77 one could not be measured here. Takes FARCALL and BENCH_PROGRAMS from the environment as run.sh does.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/farcall-check.XXXXXX") || exit 1
running=''
# shellcheck disable=SC2317 # called by the trap
cleanup()
{
	[[ $running ]] && kill "$running" 2>/dev/null && wait "$running" 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if (($(nproc) < 2)); then
	echo "check.sh: skipped: needs two CPUs"
	exit 77
fi

# A line per promise: ok, FAIL or SKIP. Returns 1 if one is broken, 77 if one could not be measured.
judge() # lines of NAME,VALUE,"at most" or "at least",LIMIT,DETAIL
{
	awk -F, '
		$2 == "" { printf "SKIP  %s: not measured\n", $1; if (!status) status = 77; next }
		{
			kept = $3 == "at most" ? $2 <= $4 : $2 >= $4
			printf "%-5s %s: %.2f (%s %.2f)%s\n", kept ? "ok" : "FAIL", $1, $2, $3, $4, $5 == "" ? "" : "  [" $5 "]"
			if (!kept)
				status = 1
		}
		END { exit status }'
}

# shellcheck disable=SC2317 # called by ${name}_promises
calls_promises()
{
	awk -F, '
		function ratio(a, b) { return a != "" && b != "" ? a / b : "" }
		NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
		{ far[$1] = $column["farcall"]; floor[$1] = $column["floor"]; fuse[$1] = $column["fuse"] }
		END {
			print "fcntl / floor," ratio(far["fcntl"], floor["fcntl"]) ",at most,1.6," far["fcntl"] " against " floor["fcntl"] " ns"
			print "pread 4 KiB / floor," ratio(far["pread"], floor["pread"]) ",at most,1.6," far["pread"] " against " floor["pread"] " ns"
			print "FUSE / farcall pwrite 4 KiB," ratio(fuse["pwrite"], far["pwrite"]) ",at least,5," fuse["pwrite"] " against " far["pwrite"] " ns"
		}' "$1/calls.csv"
}

# shellcheck disable=SC2317
stream_promises()
{
	awk -F, 'NR > 1 { print "1 MiB " $1 " pipelined / unpipelined rate," ($3 && $4 ? $4 / $3 : "") ",at least,1.2," $3 " against " $4 " ns" }' \
		"$1/stream.csv"
}

# shellcheck disable=SC2317
files_promises()
{
	awk -F, '
		$1 == "read on" { print "4 KiB from a file of 512 MiB, one after the other: native / farcall time," ($3 && $4 ? $3 / $4 : "") ",at least,1," $3 " against " $4 " ns" }
		$1 == "write on" && $2 < 4096 { print "writes of " $2 " bytes, one after the other: native / farcall time," ($3 && $4 ? $3 / $4 : "") ",at least,1," $3 " against " $4 " ns" }' \
		"$1/files.csv"
}

# shellcheck disable=SC2317
hogs_promises()
{
	awk -F, 'NR > 1 {
		print "beside hogs at " $1 " threads: kept by farcall / kept natively," $8 ",at least,0.33," $7 " against " $6 }' "$1/hogs.csv"
}

# Measures one section until its promises are kept, three times at most. Returns what judge returned last.
section() # NAME RUN-OPTIONS...
{
	local name=$1 attempt status
	shift

	for attempt in 1 2 3; do
		"$here/run.sh" --quick --only "$name" --out "$tmp/$name" "$@" >"$tmp/log" 2>&1 &
		running=$!
		wait "$running"
		status=$?
		running=''
		if ((status)); then
			tail -n 20 "$tmp/log"
			echo "FAIL  $name: run.sh failed"
			return 1
		fi
		echo "$name, attempt $attempt:"
		"${name}_promises" "$tmp/$name" | judge
		status=$?
		((status == 1)) || break
	done
	return $status
}

status=0
note()
{
	(($1 == 0 || status == 1)) || status=$1
}

section calls --variants farcall,fuse,floor --cases fcntl,pread:4096,pwrite:4096 --rounds 9
note $?
section stream --variants farcall --rounds 9
note $?
section files --variants native,farcall --rounds 3
note $?
section hogs --variants native,farcall --rounds 2
note $?
exit "$status"
