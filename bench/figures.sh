#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# figures.sh - `make bench-figures`: Figures 3, 4, 7, 8, 9 and 10 of the VirtuOS paper measured again, farcall beside native calls and FUSE, in
# interleaved rounds: CSV, a table and PNGs. See docs/benchmarks.md. What the paper had is in figures.awk and figures.gp.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
farcall=${FARCALL:-farcall}
programs=${BENCH_PROGRAMS:-$PWD/bench} # where bench_writes was built
out=bench-results
memory=/dev/shm
disk=$PWD
quick=
add=
parts=writes,ro-cached,ro-memory,rw-memory,rw-disk,rndrd-memory,rndrw-disk
only=$parts
wanted=native,farcall,fuse,fuse-direct
rounds=
threads=

# shellcheck source=bench/variants.sh
. "$here/variants.sh"

usage()
{
	cat <<-END
	usage: figures.sh [--quick] [--out DIR] [--only LIST] [--variants LIST] [--rounds N] [--threads LIST]
	                  [--memory DIR] [--disk DIR] [--add] [--publish DOCS]
	  --quick          short samples, one round: less than 3 minutes, for a first look; all of it takes less than 15
	  --out DIR        where figures.txt, the CSVs and the PNGs go (default bench-results)
	  --only LIST      parts:
	                     writes         Figures 3 and 4: 16 MiB to a new file on tmpfs, by the size of the writes
	                     ro-cached      Figures 7 and 8: MariaDB, the paper's queries, all tables in its own memory
	                     ro-memory      the same with the smallest buffer pool, files on tmpfs: pages come from there
	                     rw-memory      sysbench's oltp_read_write, files on tmpfs
	                     rw-disk        the same, files on a disk
	                     rndrd-memory   Figure 9: sysbench fileio, random reads, files on tmpfs
	                     rndrw-disk     Figure 10: the same, random reads and writes, files on a disk
	  --variants LIST  native,farcall,fuse,fuse-direct (default all; MariaDB runs without fuse-direct)
	  --rounds N       instead of the default number of rounds
	  --threads LIST   instead of 1,2,4,8,16
	  --memory DIR     on a tmpfs (default /dev/shm)
	  --disk DIR       on a disk (default the current directory)
	  --add            to what DIR has from an earlier run, instead of beginning anew: on a busy machine, in pieces
	  --publish DOCS   copy the results into DOCS/benchmarks-* and the table into DOCS/benchmarks.md
	environment: FARCALL (the farcall command), BENCH_PROGRAMS (directory of bench_writes)
	END
}

publish=
while (($#)); do
	case $1 in
	--quick) quick=1 ;;
	--add) add=1 ;;
	--out | --only | --variants | --rounds | --threads | --memory | --disk | --publish)
		(($# > 1)) || { echo "figures.sh: $1 needs an argument" >&2; exit 2; }
		declare "$(case $1 in --variants) echo wanted ;; *) echo "${1#--}" ;; esac)=$2"
		shift
		;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
for part in ${only//,/ }; do
	has "$parts" "$part" || { echo "figures.sh: there is no part $part" >&2; exit 2; }
done

if [[ $quick ]]; then
	rounds=${rounds:-1} threads=${threads:-1,4,16} write_rounds=3 write_ms=60 sysbench_s=1
else
	write_rounds=${rounds:-7} rounds=${rounds:-3} threads=${threads:-1,2,4,8,16} write_ms=200 sysbench_s=2
fi
raw=$out/figures-raw.csv
fileio=(--file-num=128 --file-total-size=1G --file-block-size=16384)

# begin_place NAME DIR [VARIANTS]: $data is a new directory in DIR, and `variants` are those of the wanted ones that can see it
begin_place()
{
	local variant

	data=$(mktemp -d "$2/farcall-figures.XXXXXX") || fail "cannot make a directory in $2"
	litter+=("$data")
	views=$work/$1
	variants=''
	for variant in ${3:-native farcall fuse fuse-direct}; do
		has "$wanted" "$variant" && variants+=${variants:+,}$variant
	done
	for variant in fuse fuse-direct; do
		has "$variants" $variant && mount_fuse $variant
	done
}

end_place()
{
	local m

	for m in "${mounts[@]}"; do
		fusermount3 -u "$m" || fail "$m cannot be unmounted"
	done
	((${#daemons[@]})) && wait "${daemons[@]}"
	mounts=() daemons=()
	rm -rf "$data"
}

# ---- Figures 3 and 4 -----------------------------------------------------------------------------------------------

writes_part()
{
	local round variant

	begin_place writes "$memory"
	for ((round = first + 1; round <= first + write_rounds; round++)); do
		progress "writes, round $round of $((first + write_rounds))"
		# shellcheck disable=SC2046,SC2086 # lists of words
		for variant in $(order $round ${variants//,/ }); do
			enter "$variant"
			run "${prefix[@]}" "$programs/bench_writes" "$write_ms" "$at" || broken "$variant" bench_writes $?
			awk -F, -v s="writes,$variant,$round,writes" '{ print s "," $1 ",1," $2 }' "$work/stdout" >>"$raw"
		done
	done
	end_place
}

# ---- Figures 7 and 8 -----------------------------------------------------------------------------------------------
# Each variant has a server and a copy of the same data directory; the servers run at once, those whose turn it is not doing nothing. sysbench and
# the socket are on the native side. The server's defaults, so a commit is on the disk when it is answered; but not O_DIRECT, which FUSE's
# pass-through cannot do on a disk, and which MySQL did not do by default at the paper's time.

tables=(--db-driver=mysql --mysql-user=root --mysql-db=test --tables=8 --table-size=10000)
# requests of ten selections with output ordering
declare -A workload=(
	[ro]="oltp_read_only --skip_trx=on --point_selects=0 --simple_ranges=0 --sum_ranges=0 --distinct_ranges=0 --order_ranges=10"
	[rw]="oltp_read_write"
)
as_root=()
((EUID)) || as_root=(--user=root)
servers=()

# server VARIANT DIRECTORY OPTIONS...: starts it, and waits until it answers at $work/VARIANT.sock
server()
{
	local variant=$1 dir=$2 n
	shift 2

	"${prefix[@]}" mariadbd --no-defaults "${as_root[@]}" --datadir="$dir" --socket="$work/$variant.sock" --skip-networking --tmpdir=/tmp \
		--pid-file="$work/$variant.pid" --log-error="$work/$variant.log" --innodb-flush-method=fsync "$@" >"$work/$variant.out" 2>&1 </dev/null &
	servers+=("$variant") daemons+=($!)
	for ((n = 0; n < 300; n++)); do
		mariadb-admin --no-defaults -u root -S "$work/$variant.sock" ping >/dev/null 2>&1 && return
		kill -0 "${daemons[-1]}" 2>/dev/null || break
		sleep 0.1
	done
	tail -n 10 "$work/$variant.log" "$work/$variant.out" >&2
	fail "$variant: mariadbd does not answer"
}

end_servers()
{
	local variant

	for variant in "${servers[@]}"; do
		mariadb-admin --no-defaults -u root -S "$work/$variant.sock" shutdown >/dev/null || fail "$variant: mariadbd does not end"
	done
	for variant in "${servers[@]}"; do
		wait "${daemons[-1]}" || fail "a mariadbd ends with status $?"
		unset "daemons[-1]"
	done
	servers=()
}

# what all servers' directories are copies of, made once
master=''
database()
{
	[[ ! $master ]] || return 0
	progress "the database"
	master=$(mktemp -d "$memory/farcall-figures.XXXXXX") || fail "cannot make a directory in $memory"
	litter+=("$master")
	mariadb-install-db --no-defaults "${as_root[@]}" --datadir="$master" --auth-root-authentication-method=normal --skip-test-db \
		>"$work/stdout" 2>"$work/stderr" || broken database mariadb-install-db $?
	prefix=()
	server native "$master" --innodb-log-file-size=32M
	mariadb --no-defaults -u root -S "$work/native.sock" -e 'CREATE DATABASE test' || fail "no database"
	run sysbench oltp_read_write "${tables[@]}" --mysql-socket="$work/native.sock" prepare || broken database "sysbench prepare" $?
	end_servers
}

oltp() # PART VARIANT ROUND WORKLOAD THREADS SECONDS
{
	local words

	read -ra words <<<"${workload[$4]}"
	run sysbench "${words[@]}" "${tables[@]}" --rand-type=uniform --mysql-socket="$work/$2.sock" --threads="$5" --time="$6" run ||
		broken "$2" "sysbench ${words[0]} with $5 threads" $?
	awk -v s="oltp,$2,$3,$1,0,$5" '/transactions:/ { sub(/\(/, "", $3); print s "," $3; seen = 1 } END { exit !seen }' "$work/stdout" >"$work/line" ||
		broken "$2" "reading sysbench's output" 0
}

oltp_part() # PART PLACE WORKLOAD POOL
{
	local round variant n pool=$4

	command -v mariadbd sysbench mariadb-install-db >/dev/null || { unavailable "$1" "mariadb-server or sysbench is not installed"; return; }
	database
	begin_place "$1" "$2" "native farcall fuse"
	for variant in ${variants//,/ }; do
		progress "$1: $variant starts"
		cp -r "$master" "$data/$variant" || fail "no copy of the database in $data"
		enter "$variant"
		server "$variant" "$at/$variant" --innodb-log-file-size=32M --innodb-buffer-pool-size="$pool"
		oltp "$1" "$variant" 0 "$3" 4 1 # what is read first is not measured
	done
	for ((round = first + 1; round <= first + rounds; round++)); do
		for n in ${threads//,/ }; do
			progress "$1, round $round of $((first + rounds)), threads: $n"
			# shellcheck disable=SC2046,SC2086 # lists of words
			for variant in $(order $round ${variants//,/ }); do
				oltp "$1" "$variant" "$round" "$3" "$n" "$sysbench_s"
				cat "$work/line" >>"$raw"
			done
		done
	done
	end_servers
	end_place
}

# ---- Figures 9 and 10 ----------------------------------------------------------------------------------------------

fileio_part() # PART PLACE
{
	local round variant n

	begin_place "$1" "$2"
	sysbench_files
	cat "$data"/test_file.* >/dev/null # what is read is in the page cache; FUSE's own is emptied whenever a file is opened
	for ((round = first + 1; round <= first + rounds; round++)); do
		for n in ${threads//,/ }; do
			progress "$1, round $round of $((first + rounds)), threads: $n"
			# shellcheck disable=SC2046,SC2086 # lists of words
			for variant in $(order $round ${variants//,/ }); do
				fileio fileio "$variant" "$round" "$1" "${1%-*}" "$n"
			done
		done
	done
	end_place
}

# ---- all of it -----------------------------------------------------------------------------------------------------

part()
{
	case $1 in
	writes) writes_part ;;
	ro-cached) oltp_part "$1" "$memory" ro 128M ;;
	ro-memory) oltp_part "$1" "$memory" ro 6M ;;
	rw-memory) oltp_part "$1" "$memory" rw 128M ;;
	rw-disk) oltp_part "$1" "$disk" rw 128M ;;
	rndrd-memory) fileio_part "$1" "$memory" ;;
	rndrw-disk) fileio_part "$1" "$disk" ;;
	esac
}

# A variant by another, round for round: a slow minute of the machine had both.
ratios() # RAW
{
	awk -F, -v OFS=, '
		NR == FNR { value[$2, $1, $3, $4, $5, $6] = $7; next }
		{
			variant = $2
			rate = $7
			for (i = split("native fuse", base, " "); i; i--) {
				$2 = variant "/" base[i]
				$7 = value[base[i], $1, $3, $4, $5, $6]
				if (variant != base[i] && $7 > 0) {
					$7 = rate / $7
					print
				}
			}
		}' "$1" "$1"
}

describe()
{
	machine
	echo "files: $(stat -f -c %T "$memory"), $(stat -f -c %T "$disk"), load when started: $load"
	echo "fuse: ${fuse_kind:-none}, $(mariadbd --version 2>/dev/null | grep -o 'Ver [^ ]*'), $(sysbench --version)"
	"$farcall" --version | head -n 1
	for reason in "${missing[@]}"; do
		echo "missing: $reason"
	done
}

[[ -x $programs/bench_writes ]] || fail "$programs/bench_writes is not built (set BENCH_PROGRAMS, or use make bench-figures)"
command -v "$farcall" >/dev/null || fail "no farcall command at $farcall (set FARCALL)"
if ! mkdir -p "$out" || ! { [[ $add && -e $raw ]] || : >"$raw"; }; then
	fail "cannot write to $out"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/farcall-figures.XXXXXX") || fail "cannot make a directory in ${TMPDIR:-/tmp}"
load=$(cut -d' ' -f1 /proc/loadavg)
for part in ${parts//,/ }; do
	has "$only" "$part" || continue
	first=$(awk -F, -v part="$part" '$4 == part && $3 > last { last = $3 } END { print last + 0 }' "$raw") # rounds that are there already
	part "$part"
done
[[ $add && -e $out/figures-machine.txt ]] || describe >"$out/figures-machine.txt"
ratios "$raw" | cat "$raw" - >"$work/all.csv" || fail "no ratios"
"$here/medians.sh" "$work/all.csv" >"$out/figures-medians.csv" || fail "no medians"
{
	cat "$out/figures-machine.txt"
	awk -F, '!seen[$4, $3]++ { if (!n[$4]++) part[++parts] = $4 }
		END { printf "rounds:"; for (i = 1; i <= parts; i++) printf " %s %d", part[i], n[part[i]]; print "" }' "$raw"
	awk -v out="$out" -f "$here/figures.awk" "$out/figures-medians.csv"
} | tee "$out/figures.txt" || fail "no report"
if command -v gnuplot >/dev/null; then
	(cd "$out" && gnuplot "$here/figures.gp") || fail "no PNGs"
else
	echo "figures.sh: gnuplot is not installed, no PNGs" >&2
fi
[[ -z $publish ]] || "$here/publish.sh" "$out" "$publish" || fail "cannot publish to $publish"
progress "done: $out/figures.txt"
