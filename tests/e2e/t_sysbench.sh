#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sysbench fileio through the shim: all six modes with 1 and 16 threads, with --validate.
. "$(dirname "$0")/../lib.sh"
need_farcall
need sysbench

seconds=${FC_TEST_LONG:+20}
seconds=${seconds:-1}
size=${FC_TEST_LONG:+512M}
size=${size:-32M}
mkdir -p "$TESTDIR/d"
start_domain domain "$TESTDIR/d:/data"

sysbench_there() # THREADS MODE COMMAND
{
	"$FARCALL" run --domain "$domain_socket" -- sh -c 'cd /data && exec sysbench fileio --file-num=16 "$@"' sh \
		--file-total-size="$size" --threads="$1" --file-test-mode="$2" --validate=on --time="$seconds" \
		--file-fsync-freq=100 "$3"
}

for mode in seqwr seqrewr seqrd rndrd rndwr rndrw; do
	rm -f "$TESTDIR/d"/*
	check "prepare for $mode" sysbench_there 1 $mode prepare >"$TESTDIR/prepare.out" 2>&1 || cat "$TESTDIR/prepare.out"
	for threads in 1 16; do
		if ! sysbench_there $threads $mode run >"$TESTDIR/run.out" 2>&1; then
			wrong "$mode with $threads threads: status"
			tail -n 20 "$TESTDIR/run.out"
			continue
		fi
		check "$mode with $threads threads: nothing wrong with the data" \
			test -z "$(grep -iE 'fatal|mismatch|failed' "$TESTDIR/run.out")"
		check "$mode with $threads threads: something was done" grep -qE 'total number of events: *[1-9]' "$TESTDIR/run.out"
		note "$mode, $threads threads: $(awk '/(reads|writes)\/s/ { printf "%s %s ", $1, $2 }' "$TESTDIR/run.out")"
	done
done
check "the files are in the export" test "$(find "$TESTDIR/d" -name 'test_file.*' | wc -l)" = 16
check "cleanup" sysbench_there 1 rndrw cleanup >/dev/null
check "nothing is left" test -z "$(ls "$TESTDIR/d")"
finish
