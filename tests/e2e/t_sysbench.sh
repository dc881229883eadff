#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sysbench fileio through the shim: all six modes with 1 and 16 threads (or $FC_TEST_THREADS), with --validate.
. "$(dirname "$0")/../lib.sh"
need_farcall
need sysbench

seconds=${FC_TEST_LONG:+3}
seconds=${seconds:-1}
size=${FC_TEST_LONG:+512M}
size=${size:-32M}
threads_to_try=${FC_TEST_THREADS:-1 16}
far_begin

sysbench_there() # THREADS MODE COMMAND
{
	# shellcheck disable=SC2016
	far sh -c 'cd "$0" && exec sysbench fileio --file-num=16 "$@"' "$far" \
		--file-total-size="$size" --threads="$1" --file-test-mode="$2" --validate=on --time="$seconds" \
		--file-fsync-freq=100 "$3"
}

for mode in seqwr seqrewr seqrd rndrd rndwr rndrw; do
	far sh -c 'rm -f "$0"/*' "$far"
	check "prepare for $mode" sysbench_there 1 $mode prepare >"$TESTDIR/prepare.out" 2>&1 || cat "$TESTDIR/prepare.out"
	for threads in $threads_to_try; do
		if ! sysbench_there "$threads" $mode run >"$TESTDIR/run.out" 2>&1; then
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
check "the files are there" test "$(far ls "$far" | grep -c '^test_file\.')" = 16
[[ ${FC_TEST_XEN:-} ]] || check "and in the export" test "$(find "$TESTDIR/far" -name 'test_file.*' | wc -l)" = 16
check "cleanup" sysbench_there 1 rndrw cleanup >/dev/null
check "nothing is left" test -z "$(far ls "$far")"
far_end
finish
