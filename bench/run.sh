#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - `make bench`: measures farcall beside native calls, FUSE, io_uring and the floor in one run of interleaved
# rounds, and writes tables, CSV and PNGs. See docs/benchmarks.md. The measuring programs and the report are not here.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
farcall=${FARCALL:-farcall}     # the command under test
programs=${BENCH_PROGRAMS:-$PWD/bench} # where bench_calls and its kin were built
out=bench-results
dir=/dev/shm
quick=
only=calls,stream,files,sysbench,hogs
wanted=native,farcall,fuse,fuse-direct,uring,floor
cases=
rounds=
publish=

# shellcheck source=bench/variants.sh
. "$here/variants.sh"

usage()
{
	cat <<-END
	usage: run.sh [--quick] [--dir DIR] [--out DIR] [--only LIST] [--variants LIST] [--cases LIST] [--rounds N]
	              [--publish DOCS]
	  --quick          short samples and few rounds, less than 90 s; for a first look, not for numbers to keep
	  --dir DIR        where the files are (default /dev/shm: no device's noise; give a directory on a disk to see one)
	  --out DIR        where report.txt, the CSVs and the PNGs go (default bench-results)
	  --only LIST      sections: calls,stream,files,sysbench,hogs
	  --variants LIST  native,farcall,fuse,fuse-direct,uring,floor
	  --rounds N       instead of the default numbers of rounds
  --cases LIST     calls to measure in the calls section, NAME[:SIZE], e.g. fcntl,pread:4096
	  --publish DOCS   copy the results into DOCS/benchmarks-* and the tables into DOCS/benchmarks.md
	environment: FARCALL (the farcall command), BENCH_PROGRAMS (directory of bench_calls and its kin)
	END
}

while (($#)); do
	case $1 in
	--quick) quick=1 ;;
	--dir | --out | --only | --variants | --cases | --rounds | --publish)
		(($# > 1)) || { echo "run.sh: $1 needs an argument" >&2; exit 2; }
		case $1 in
		--dir) dir=$2 ;;
		--out) out=$2 ;;
		--only) only=$2 ;;
		--variants) wanted=$2 ;;
		--cases) cases=$2 ;;
		--rounds) rounds=$2 ;;
		--publish) publish=$2 ;;
		esac
		shift
		;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

# Samples are shorter than a scheduler's slice, so that what else runs on the machine spoils few of them, not the median.
if [[ $quick ]]; then
	sample_us=400 repeats=15 call_rounds=3 stream_rounds=5 file_rounds=1 file_repeats=5
	sysbench_rounds=1 sysbench_s=1 hog_rounds=2
else
	sample_us=1000 repeats=31 call_rounds=7 stream_rounds=9 file_rounds=5 file_repeats=9
	sysbench_rounds=3 sysbench_s=3 hog_rounds=5
fi
if [[ $rounds ]]; then
	call_rounds=$rounds stream_rounds=$rounds file_rounds=$rounds sysbench_rounds=$rounds hog_rounds=$rounds
fi
fileio=(--file-num=16 --file-total-size=128M --file-block-size=16384)

raw=$out/raw.csv
limit=$((60 + sysbench_s * 10))

hogs=()

stop_hogs()
{
	((${#hogs[@]})) || return 0
	kill "${hogs[@]}" 2>/dev/null
	wait "${hogs[@]}" 2>/dev/null
	hogs=()
}

stop_others()
{
	stop_hogs
}

# ---- sections ------------------------------------------------------------------------------------------------------
# raw.csv: section,variant,round,test,size,threads,value - ns per call, or operations per second for sysbench.

calls() # SECTION VARIANT ROUND OPTIONS...
{
	local section=$1 variant=$2 round=$3 program=bench_calls status
	shift 3

	case $variant in uring | floor) program=bench_$variant ;; esac
	enter "$variant"
	run "${prefix[@]}" "$programs/$program" -t "$sample_us" -r "$repeats" "$@" "$at"
	status=$?
	if ((status == 77)); then
		unavailable "$variant" "$(tail -n 1 "$work/stderr")"
		return
	fi
	((status)) && broken "$variant" "$program" "$status"
	awk -F, -v s="$section,$variant,$round" '{ print s "," $1 "," $2 ",1," $3 }' "$work/stdout" >>"$raw"
}

calls_section()
{
	local round variant options=()

	for variant in ${cases//,/ }; do
		options+=(-o "$variant")
	done
	for ((round = 1; round <= call_rounds; round++)); do
		# shellcheck disable=SC2046,SC2086 # lists of words
		for variant in $(order $round ${variants//,/ }); do
			progress "calls, round $round of $call_rounds: $variant"
			calls calls "$variant" "$round" "${options[@]}"
		done
	done
}

stream_section()
{
	local round variant options=(-o pread:1048576 -o pwrite:1048576)

	has "$variants" farcall || return
	for ((round = 1; round <= stream_rounds; round++)); do
		progress "stream, round $round of $stream_rounds"
		for variant in $(order "$round" farcall farcall-unpipelined); do
			if [[ $variant == farcall ]]; then
				calls stream "$variant" "$round" "${options[@]}"
			else
				FARCALL_NO_STREAM=1 calls stream "$variant" "$round" "${options[@]}"
			fi
		done
	done
}

# Whole files: each round is a process of its own, and makes them anew.
files_section()
{
	local round variant

	for ((round = 1; round <= file_rounds; round++)); do
		for variant in $(order "$round" native farcall fuse); do
			has "$variants" "$variant" || continue
			progress "files, round $round of $file_rounds: $variant"
			enter "$variant"
			run "${prefix[@]}" "$programs/bench_files" -r "$file_repeats" "$at" || broken "$variant" bench_files $?
			awk -F, -v s="files,$variant,$round" '{ print s "," $1 "," $2 ",1," $3 }' "$work/stdout" >>"$raw"
		done
	done
}

sysbench_section()
{
	local round mode threads variant

	for ((round = 1; round <= sysbench_rounds; round++)); do
		for mode in seqwr seqrd rndrd rndwr; do
			sysbench_files
			for threads in 1 4 16; do
				progress "sysbench, round $round of $sysbench_rounds: $mode, threads: $threads"
				for variant in $(order "$round" native farcall fuse); do
					has "$variants" "$variant" && fileio sysbench "$variant" "$round" "$mode" "$mode" "$threads"
				done
			done
		done
	done
}

# One hog per CPU: with fewer there would be a CPU without one.
start_hogs()
{
	local n

	for ((n = $(nproc) < 2 ? 2 : $(nproc); n; n--)); do
		(while :; do :; done) &
		hogs+=($!)
	done
}

hogs_section()
{
	local round threads variant

	sysbench_files
	for ((round = 1; round <= hog_rounds; round++)); do
		for threads in 1 8; do
			progress "hogs, round $round of $hog_rounds, threads: $threads"
			for variant in $(order "$round" native farcall); do
				has "$variants" "$variant" || continue
				fileio hogs "$variant" "$round" quiet rndrw "$threads"
				start_hogs
				fileio hogs "$variant" "$round" hogs rndrw "$threads"
				stop_hogs
			done
		done
	done
}

# ---- all of it -----------------------------------------------------------------------------------------------------

describe()
{
	machine
	echo "files: $(stat -f -c %T "$data"), load when started: $load"
	echo "fuse: ${fuse_kind:-none}"
	has "$variants" farcall && "$farcall" --version | head -n 1
	echo "rounds: calls $call_rounds x $repeats samples of $sample_us us, stream $stream_rounds, files $file_rounds x $file_repeats," \
		"sysbench $sysbench_rounds x $sysbench_s s, hogs $hog_rounds"
	for reason in "${missing[@]}"; do
		echo "missing: $reason"
	done
}

for program in bench_calls bench_floor bench_files; do
	[[ -x $programs/$program ]] || fail "$programs/$program is not built (set BENCH_PROGRAMS, or use make bench)"
done
has "$wanted" farcall && { command -v "$farcall" >/dev/null || fail "no farcall command at $farcall (set FARCALL)"; }
if ! mkdir -p "$out" || ! : >"$raw"; then
	fail "cannot write to $out"
fi
rm -f "$out"/{medians,calls,stream,files,sysbench,hogs}.csv "$out"/{latency,transfers,sysbench,hogs}.png # of an earlier run
work=$(mktemp -d "${TMPDIR:-/tmp}/farcall-bench.XXXXXX") || fail "cannot make a directory in ${TMPDIR:-/tmp}"
data=$(mktemp -d "$dir/farcall-bench.XXXXXX") || fail "cannot make a directory in $dir"

variants=$wanted
if has "$variants" uring && [[ ! -x $programs/bench_uring ]]; then
	unavailable uring "built without liburing"
fi
for variant in fuse fuse-direct; do
	has "$variants" $variant && mount_fuse $variant
done
load=$(cut -d' ' -f1 /proc/loadavg)
for section in calls stream files sysbench hogs; do
	has "$only" $section && ${section}_section
done
describe >"$out/machine.txt"
"$here/report.sh" "$out" || fail "no report"
[[ -z $publish ]] || "$here/publish.sh" "$out" "$publish" || fail "cannot publish to $publish"
progress "done: $out/report.txt"
