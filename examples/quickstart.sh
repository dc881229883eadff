#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# quickstart.sh - builds farcall and shows it at work: dd and sysbench through it, beside the same without it. Installs what
# is missing (Debian 12), changes nothing else outside the source's build/ and a temporary directory.
set -u -o pipefail
export LC_ALL=C

source_dir=$(cd "$(dirname "$0")/.." && pwd) || exit 1
# shellcheck source=tests/lib/packages.sh
. "$source_dir/tests/lib/packages.sh"
# shellcheck source=tests/lib/build.sh
. "$source_dir/tests/lib/build.sh"
build=$source_dir/build
farcall=$build/farcall

dd_blocks=10000   # of 4 KiB
seconds=5         # of each sysbench run
file_bytes=64M    # in 8 files

fail()
{
	echo "quickstart: $*" >&2
	exit 1
}

say()
{
	echo "[$SECONDS s] $*"
}

[[ ${1-} != --help ]] || {
	echo "usage: examples/quickstart.sh    (no options; about two minutes)"
	exit 0
}

# shellcheck disable=SC2086 # lists of words
packages_install $packages_build $packages_try || exit 1
build_in "$source_dir" "$build" all || exit 1

work=$(mktemp -d /tmp/farcall-quickstart.XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/disk" "$work/native"

# remote COMMAND...: with $work/disk served at /farcall-data
prefix=/farcall-data
remote()
{
	"$farcall" run -v "$work/disk:$prefix" -- "$@"
}

# ---- dd: the same bytes on both ways, there and back ----

rate() # of dd's last line, in MB/s
{
	awk '/copied/ { for (i = 1; i < NF; i++) if ($i == "bytes") bytes = $(i - 1)
	                print int(bytes / $(NF - 3) / 1e6 + 0.5) }' "$1"
}

say "dd: write $((dd_blocks * 4 / 1024)) MiB in blocks of 4 KiB, read them back, compare checksums"
dd if=/dev/urandom of="$work/input" bs=4k count=$dd_blocks status=none || fail "dd of random bytes failed"
dd if="$work/input" of="$work/native/f" bs=4k 2>"$work/native-write" || fail "native dd failed"
dd if="$work/native/f" of="$work/native-back" bs=4k 2>"$work/native-read" || fail "native dd failed"
remote dd if="$work/input" of=$prefix/f bs=4k 2>"$work/remote-write" || {
	cat "$work/remote-write" >&2
	fail "dd through farcall failed"
}
remote dd if=$prefix/f of="$work/remote-back" bs=4k 2>"$work/remote-read" || {
	cat "$work/remote-read" >&2
	fail "dd through farcall failed"
}
sum=$(sha256sum <"$work/input")
for copy in native/f native-back disk/f remote-back; do
	[[ $(sha256sum <"$work/$copy") == "$sum" ]] || fail "dd: $copy differs from what was written"
done
[[ $(remote sha256sum $prefix/f) == "${sum%% *}"* ]] || fail "sha256sum through farcall differs"
say "dd: all checksums are equal"

# ---- sysbench fileio ----

options=(--file-total-size="$file_bytes" --file-num=8 --file-test-mode=rndrw --file-block-size=16384 --file-fsync-freq=100
	--validate=on --time="$seconds" --max-requests=0)

# sysbench_round DIRECTORY COMMAND-PREFIX...: prepare, run with 1 and 8 threads, clean up; leaves result-N files
sysbench_round()
{
	local name=$1 dir=$2 threads
	shift 2

	say "sysbench fileio, $name: prepare"
	in_dir "$dir" "$@" sysbench fileio "${options[@]}" prepare >"$work/log" 2>&1 || sysbench_failed "$name"
	for threads in 1 8; do
		say "sysbench fileio, $name: rndrw with validation, $threads thread(s), $seconds s"
		in_dir "$dir" "$@" sysbench fileio "${options[@]}" --threads=$threads run >"$work/log" 2>&1 ||
			sysbench_failed "$name"
		awk '/reads\/s:/ { r = $2 } /writes\/s:/ { w = $2 } /fsyncs\/s:/ { f = $2 }
		     /95th percentile:/ { p = $3 } END { printf "%.0f %.0f %.0f %s\n", r, w, f, p }' \
			"$work/log" >"$work/result-$name-$threads"
	done
	in_dir "$dir" "$@" sysbench fileio "${options[@]}" cleanup >"$work/log" 2>&1 || sysbench_failed "$name"
}

# sysbench works in its current directory: the remote one is entered by a shell that is under farcall already
in_dir()
{
	local dir=$1
	shift
	if [[ $1 == remote ]]; then
		shift
		remote sh -c 'cd "$1" && shift && exec "$@"' sh "$dir" "$@"
	else
		(cd "$dir" && "$@")
	fi
}

sysbench_failed()
{
	tail -n 15 "$work/log" >&2
	fail "sysbench fileio, $1, failed"
}

sysbench_round native "$work/native"
sysbench_round farcall "$prefix" remote
[[ -z $(ls "$work"/disk/test_file.* 2>/dev/null) ]] || fail "sysbench cleanup through farcall left files behind"

# ---- the table ----

echo
printf '%-34s %12s %12s\n' "" native farcall
printf '%-34s %12s %12s\n' "dd write, MB/s" "$(rate "$work/native-write")" "$(rate "$work/remote-write")"
printf '%-34s %12s %12s\n' "dd read, MB/s" "$(rate "$work/native-read")" "$(rate "$work/remote-read")"
for threads in 1 8; do
	read -r -a native <"$work/result-native-$threads"
	read -r -a far <"$work/result-farcall-$threads"
	for i in 0 1 2 3; do
		what=("reads/s" "writes/s" "fsyncs/s" "95th percentile, ms")
		printf '%-34s %12s %12s\n' "rndrw, $threads thread(s): ${what[i]}" "${native[i]}" "${far[i]}"
	done
done
echo
echo "Everything was read back right. Try it yourself:"
echo "    $farcall run -v DIRECTORY:/data -- bash"
