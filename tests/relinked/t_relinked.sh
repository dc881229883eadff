#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that are relinked instead of preloaded: builds uClibc-ng and musl from their sources, and runs the C test programs in
# four builds, those of one library beside those of the other; those that no hook is in the way of, in two. Ends in a table.
# FC_RELINKED_ONLY="NAME..." runs some of the programs only, FC_RELINKED_EVERY=1 every one in every build, in glibc with the preload object,
# too, as the other tests do, and compared with the stock uClibc-ng, too.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc
export FC_BUILD FARCALL
unset FC_TEST_LONG

# NAME HOW SOURCE|OPTION...: run_HOW says how it is run. Not here: what is linked with the domain, the command or Debian's libraries (t_execute,
# t_scribble, test_path, test_sites, ...), for these are never relinked.
table='
aio         files    e2e/h_aio.c
append      files    e2e/h_append.c
cancel      files    e2e/h_cancel.c
deep        files    e2e/h_deep.c
exec        files    e2e/h_exec.c
full        files    e2e/h_full.c
kin         files    e2e/h_kin.c
large       files    e2e/h_large.c
life        files    e2e/h_life.c
limits      files    e2e/h_limits.c
locks       files    e2e/h_locks.c
mmap        files    e2e/h_mmap.c
signals     files    e2e/h_signals.c
small       files    e2e/h_small.c
table       files    e2e/h_table.c
threads     files    e2e/h_threads.c
wide        files    preload/h_wide.c
fifo        handed   e2e/h_fifo.c
mapped      handed   e2e/h_mmap.c
passing     handed   e2e/h_passing.c
sockets     handed   e2e/h_sockets.c
watch       handed   e2e/h_watch.c
hook        prints   preload/h_hook.c -fexceptions
segv        prints   preload/h_signals.c
unhooked    prints   preload/h_unhooked.c
compare     compare  compare/call.c compare/h_compare.c compare/rows.c compare/show.c compare/tree.c compare/values.c compare/vectors.c
kill        fault    fault/fault_kill.c domain/peer.c domain/usage.c
hostile     fault    fault/fault_hostile.c domain/peer.c
control     peer     domain/t_control.c domain/suite.c domain/peer.c
intruders   peer     domain/t_intruders.c domain/suite.c domain/peer.c
posix_aio   aio      posix/t_aio.c
posix_attr  posix    posix/t_attr.c
posix_dir   posix    posix/t_dir.c
posix_exec  posix    posix/t_exec.c
posix_fifo  posix    posix/t_fifo.c
posix_link  posix    posix/t_link.c
posix_lock  posix    posix/t_lock.c
posix_map   posix    posix/t_map.c
posix_open  posix    posix/t_open.c
posix_pass  posix    posix/t_pass.c
posix_poll  posix    posix/t_poll.c
posix_read  posix    posix/t_read.c
posix_socket posix   posix/t_socket.c
posix_splice posix   posix/t_splice.c
posix_watch posix    posix/t_watch.c
queue       alone    stress/stress_queue.c
config      alone    unit/test_config.c unit/tsan/runner.c ../libc-shim/config.c
protocol    alone    unit/test_control.c unit/tsan/runner.c
doorbell    alone    unit/test_doorbell.c unit/tsan/runner.c
elfkind     alone    unit/test_elfkind.c unit/tsan/runner.c
exports     alone    unit/test_export_spec.c unit/tsan/runner.c
queue_unit  alone    unit/test_queue.c unit/tsan/runner.c
region      alone    unit/test_region.c unit/tsan/runner.c
spin        alone    unit/test_spin.c unit/tsan/runner.c
usercopy    alone    unit/test_usercopy.c unit/tsan/runner.c hook_libs -Wl,--unresolved-symbols=ignore-in-object-files
'

libraries

# try WHAT COMMAND...: it succeeds, and what it prints is in $log
try()
{
	local what=$1 status
	shift

	env --default-signal=INT,QUIT "$@" >"$log" 2>&1 </dev/null # which one of the lanes ignores
	status=$?
	((status)) || return 0
	wrong "$build: $program $what: status $status: $(tail -n 8 "$log")"
}

# ---- how to run a $program of a $build in a directory $d; $stock is what the library without hook makes of it ----
export FC_NOMAP=1 # as the exports say: calls that wait are to wait in the domain
run_files()
{
	mkdir -p "$d/stock" "$d/native" "$d/remote"
	[[ ! $stock ]] || log=$d/log try "natively in the stock library" timeout -k 5 100 "$stock" "$d/stock" native || return
	log=$d/log try natively timeout -k 5 100 "$bin" "$d/native" native || return
	log=$d/log try remotely timeout -k 5 100 "$FARCALL" run -v "$d/remote:/data:nomap" -- "$bin" /data remote
}

# The same where files are handed over.
run_handed()
{
	mkdir -p "$d/native" "$d/remote"
	log=$d/log try natively timeout -k 5 100 "$bin" "$d/native" native || return
	log=$d/log try remotely timeout -k 5 100 env -u FC_NOMAP "$FARCALL" run -v "$d/remote:/data" -- "$bin" /data remote
}

run_prints()
{
	local run

	mkdir -p "$d/remote"
	log=$d/stock.log try "natively in the stock library" timeout -k 5 100 "${stock:-$bin}" || return
	log=$d/hooked.log try natively timeout -k 5 100 "$bin" || return
	log=$d/beside.log try "beside a domain" timeout -k 5 100 "$FARCALL" run -v "$d/remote:/data:nomap" -- "$bin" || return
	for run in stock hooked beside; do
		sed -i '/^[0-9]\{9,\}$/d; /^Sig\(Ign\|Blk\):/d' "$d/$run.log" # addresses; what only the kernel knows
		diff "$d/stock.log" "$d/$run.log" >"$d/diff" || { head "$d/diff"; wrong "$build: $program ($run) prints something else"; return; }
	done
}

run_alone()
{
	mkdir -p "$d/remote"
	[[ ! $stock ]] || log=$d/log try "natively in the stock library" timeout -k 5 100 "$stock" 1 || return
	log=$d/log try natively timeout -k 5 100 "$bin" 1 || return
	log=$d/log try "beside a domain" timeout -k 5 100 "$FARCALL" run -v "$d/remote:/data:nomap" -- "$bin" 1
}

run_compare()
{
	mkdir -p "$d/w"
	log=$d/log try "" timeout -k 5 300 "$bin" --every 60 "$FARCALL" "$d/w"
}

# Each family of calls as its manual page says, natively and remotely: what the program prints is compared.
run_posix()
{
	mkdir -p "$d"
	log=$d/log try "" env -u FC_NOMAP TESTDIR="$d" timeout -k 5 200 bash "$FC_SOURCE/tests/posix/compare.sh" "$bin"
}

run_aio() { run_posix; } # uClibc-ng has no <aio.h>

run_fault()
{
	local n=50 # kills
	[[ $program = kill ]] || n=5 # seconds
	mkdir -p "$d"
	log=$d/log try "" timeout -k 5 200 "$bin" "$n"
}

run_peer()
{
	mkdir -p "$d"
	log=$d/log try "" timeout -k 5 200 "$bin" "$FC_BUILD/farcall-storaged"
}

builds_for()
{
	if [[ $1 == aio ]]; then
		echo "musl-static musl-dynamic"
	elif [[ ${FC_RELINKED_EVERY:-} ]]; then
		echo "$builds"
	elif [[ $1 == @(alone|peer|fault|posix) ]]; then
		echo "uclibc-dynamic musl-static"
	else
		echo "${builds#glibc }"
	fi
}

# run_program PROGRAM HOW SOURCE|OPTION...: in this $build
run_program()
{
	local program=$1 how=$2 d=$TESTDIR/run/$build/$1 stock='' bin
	shift 2

	bin=$(basename "${1%.c}") && bin=$TESTDIR/bin/$build/$bin
	mkdir -p "${bin%/*}" "$TESTDIR/run/$build"
	compile "$build" "$bin" "$@" || return
	if has_stock "$build" && [[ $how == @(files|prints|alone) ]]; then
		stock=$bin-stock
		compile "$build" stock "$stock" "$@" || return
	fi
	"run_$how"
}

# lane LIBRARY: every program in the builds of a library; what came of them goes to $TESTDIR/LIBRARY.results
lane()
{
	local program how sources began word

	failures=0
	while read -r program how sources; do
		[[ $program ]] || continue
		[[ -z ${FC_RELINKED_ONLY:-} || " $FC_RELINKED_ONLY " == *" $program "* ]] || continue
		began=$SECONDS
		for build in $(builds_for "$how"); do
			[[ $build == "$1"* ]] || continue
			# shellcheck disable=SC2086 # a list of words
			if run_program "$program" "$how" $sources; then word=passed; else word=FAILED; fi
			echo "$build $program $word" >>"$TESTDIR/$1.results"
		done
		note "$1: $program: $((SECONDS - began)) s"
	done <<<"$table"
	exit $((failures > 0))
}

# ---- the two libraries beside each other, then glibc ----
chmod 755 "$TESTDIR"
(lane uclibc) &
(lane musl)
check "every program of musl's" test $? = 0
wait $!
check "every program of uClibc-ng's" test $? = 0
[[ ! ${FC_RELINKED_EVERY:-} ]] || (lane glibc)
check "every program of glibc's" test $? = 0

declare -A result
programs=()
while read -r build program word; do
	result[$build/$program]=$word
	[[ " ${programs[*]} " == *" $program "* ]] || programs+=("$program")
done < <(cat "$TESTDIR"/*.results)

# ---- the table ----
printf '%-12s' program
# shellcheck disable=SC2086
printf ' %-15s' $builds
echo
for program in "${programs[@]}"; do
	printf '%-12s' "$program"
	for build in $builds; do
		printf ' %-15s' "${result[$build/$program]:--}"
	done
	echo
done
finish
