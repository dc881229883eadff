# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # some are set by, others for who sources this
# variants.sh - sourced by what measures variants beside each other (native, farcall, FUSE): how each sees the files in $data, running a command to
# its end, sysbench fileio, and undoing all of it. The script sets $farcall, $variants and $raw, and makes $work and $data.
# $raw: section,variant,round,test,size,threads,value

work=''       # for everything but the measured files; removed at the end
data=''       # the measured files; removed at the end
views=''      # where FUSE shows $data: $views/VARIANT; $work unless the script says otherwise
running=''
limit=90      # seconds, after which a command hangs
missing=()
daemons=() mounts=() litter=()

fail()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

progress()
{
	echo "[$SECONDS s] $*" >&2
}

has() # LIST ITEM
{
	[[ ",$1," == *",$2,"* ]]
}

# ---- what must be undone; a script that has more defines `stop_others` ---------------------------------------------

stop_others() { :; }

cleanup()
{
	local m

	trap '' INT TERM HUP
	[[ $running ]] && kill "$running" 2>/dev/null && wait "$running" 2>/dev/null
	stop_others
	for m in "${mounts[@]}"; do
		fusermount3 -u "$m" 2>/dev/null || fusermount3 -uz "$m" 2>/dev/null
	done
	((${#daemons[@]})) && kill "${daemons[@]}" 2>/dev/null && wait "${daemons[@]}" 2>/dev/null
	for m in "$data" "${litter[@]}" "$work"; do
		[[ ! $m ]] || rm -rf "$m"
	done
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- variants ------------------------------------------------------------------------------------------------------

fuse_program=''
fuse_kind=''

# libfuse ships its pass-through file systems as example sources; the low-level one is the fastest. bindfs is second best.
build_fuse()
{
	local source=/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c flags

	read -ra flags < <(pkg-config --cflags --libs fuse3 2>/dev/null)
	if ${CC:-cc} -O2 -w -o "$work/passthrough_ll" "$source" "${flags[@]}" 2>/dev/null; then
		fuse_program=$work/passthrough_ll
		fuse_kind="libfuse $(pkg-config --modversion fuse3) passthrough_ll"
	elif fuse_program=$(command -v bindfs); then
		fuse_kind=$(bindfs --version 2>&1 | head -n 1)
	else
		return 1
	fi
}

mount_fuse() # VARIANT
{
	local at=${views:-$work}/$1 options n

	[[ $fuse_program ]] || build_fuse || { unavailable "$1" "neither libfuse's examples nor bindfs"; return; }
	mkdir -p "$at"
	if [[ $fuse_program == */passthrough_ll ]]; then
		options=(-f -o "source=$data,cache=auto" "$at")
		[[ $1 == fuse-direct ]] && options=(-f -o "source=$data,cache=never" "$at")
	else
		options=(-f "$data" "$at")
		[[ $1 == fuse-direct ]] && options=(-f --direct-io -o attr_timeout=0 "$data" "$at")
	fi
	"$fuse_program" "${options[@]}" 2>"$work/$1.err" &
	daemons+=($!)
	for ((n = 0; n < 50; n++)); do
		if mountpoint -q "$at"; then
			mounts+=("$at")
			return
		fi
		kill -0 "${daemons[-1]}" 2>/dev/null || break
		sleep 0.1
	done
	unavailable "$1" "$(tail -n 1 "$work/$1.err")"
}

unavailable() # VARIANT REASON
{
	echo "${0##*/}: no $1: $2" >&2
	missing+=("$1: $2")
	variants=$(tr ',' '\n' <<<"$variants" | grep -vx "$1" | paste -sd,)
}

# Sets `at` and `prefix`: where the variant sees the files, and what the command is run by.
enter()
{
	prefix=()
	at=$data
	case $1 in
	farcall*) prefix=("$farcall" run -v "$data:/bench" --) at=/bench ;;
	fuse*) at=${views:-$work}/$1 ;;
	esac
}

# Runs a command to its end, its output in $work/stdout. A hang is a failure. Returns its status.
run()
{
	timeout -k 5 "$limit" "$@" >"$work/stdout" 2>"$work/stderr" </dev/null &
	running=$!
	wait "$running"
	local status=$?
	running=
	return $status
}

broken() # VARIANT WHAT STATUS
{
	tail -n 5 "$work/stdout" "$work/stderr" >&2
	fail "$1: $2 failed with status $3"
}

# Every other round goes backwards: whoever always came second might always find a warmer machine.
order() # ROUND VARIANT...
{
	local round=$1
	shift

	if ((round % 2)); then
		echo "$@"
	else
		printf '%s\n' "$@" | tac | paste -sd' '
	fi
}

# ---- sysbench fileio, with the options in the array `fileio`, for $sysbench_s seconds --------------------------------

# Whole files are left alone; seqwr begins with empty ones, and may not have come to the end.
sysbench_files()
{
	command -v sysbench >/dev/null || fail "sysbench is not installed"
	(cd "$data" && sysbench fileio "${fileio[@]}" prepare >/dev/null) || fail "sysbench prepare failed"
}

fileio() # SECTION VARIANT ROUND TEST MODE THREADS
{
	enter "$2"
	# shellcheck disable=SC2016 # the inner shell expands
	run "${prefix[@]}" sh -c 'cd "$0" && exec sysbench "$@"' "$at" fileio "${fileio[@]}" --file-test-mode="$5" \
		--threads="$6" --time="$sysbench_s" run || broken "$2" "sysbench $5 with $6 threads" $?
	awk -v s="$1,$2,$3,$4,16384,$6" '/(reads|writes)\/s:/ { n += $2; seen = 1 }
		END { if (!seen) exit 1; print s "," n }' "$work/stdout" >>"$raw" || broken "$2" "reading sysbench's output" 0
}

# ---- what the machine was ------------------------------------------------------------------------------------------

machine()
{
	echo "date: $(date -u '+%Y-%m-%d %H:%M UTC')"
	echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(uname -sr)"
}
