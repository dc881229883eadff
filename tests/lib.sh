# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# lib.sh - what the test scripts share: a scratch directory, starting and stopping domains, running the same thing natively
# and remotely, and looking for leaks to the client's own kernel in an strace log. Source it first.
#
# Environment: FARCALL (the command; default: that of $FC_BUILD or of the build tree), TESTDIR (scratch; default: a new
# directory), FC_BUILD (where the helper programs are), FC_TEST_LONG=1 for longer runs.
set -u -o pipefail
export LC_ALL=C

FC_SOURCE=${FC_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
FC_BUILD=${FC_BUILD:-$FC_SOURCE/build}
FARCALL=${FARCALL:-$FC_BUILD/farcall}
name=$(basename "$0" .sh)
made_testdir=
if [[ -z ${TESTDIR:-} ]]; then
	TESTDIR=$(mktemp -d "${TMPDIR:-/tmp}/fc-$name.XXXXXX") || exit 1
	made_testdir=1
fi
failures=0
started=() # processes to end at the end

skip()
{
	echo "SKIP: $*"
	exit 77
}

note()
{
	echo "# $*"
}

# One thing that must be so. check WHAT COMMAND...
check()
{
	local what=$1
	shift

	if "$@"; then
		return 0
	fi
	wrong "$what"
}

wrong()
{
	echo "FAIL: $*" | tee -a "$TESTDIR/.wrong"
	((failures++))
	return 1
}

finish()
{
	# what the domains' sanitizers had to say, if there are any in this build
	if grep -hsE -A20 '(WARNING|ERROR): [A-Za-z]*Sanitizer|: runtime error: ' "$TESTDIR"/*.log; then
		wrong "a sanitizer's report"
	fi
	if ((failures)); then
		tail -n 25 "$TESTDIR/.wrong" # once more, where whoever reads only the end finds them
		echo "$name: $failures failed"
		exit 1
	fi
	echo "$name: passed"
	exit 0
}

clean_up()
{
	local status=$? pid

	for pid in "${started[@]}"; do
		kill -TERM "$pid" 2>/dev/null && { sleep 0.2; kill -KILL "$pid" 2>/dev/null; }
	done
	wait 2>/dev/null
	if [[ $made_testdir ]]; then
		rm -rf --one-file-system "$TESTDIR"
	fi
	exit $status
}
trap clean_up EXIT

need()
{
	local tool

	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

need_farcall()
{
	[[ -x $FARCALL ]] || skip "no farcall command at $FARCALL"
}

# A helper program beside this file, by its path from tests/: printed, or the test is skipped.
helper()
{
	local program=$FC_BUILD/tests/$1

	[[ -x $program ]] || program=${FC_HELPERS:-/nonexistent}/${1##*/}
	[[ -x $program ]] || { echo "SKIP: $1 is not built" >&2; exit 77; }
	echo "$program"
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for()
{
	local end=$((SECONDS + $1))
	shift

	while ! "$@"; do
		((SECONDS <= end)) || return 1
		sleep 0.05
	done
}

# start_domain NAME EXPORT...: `farcall serve` in the background; ${NAME}_pid and ${NAME}_socket are set
start_domain()
{
	local domain=$1 socket=$TESTDIR/$1.sock volume args=()
	shift

	for volume in "$@"; do
		args+=(-v "$volume")
	done
	"$FARCALL" serve "${args[@]}" --socket "$socket" ${DOMAIN_MODE:+--mode "$DOMAIN_MODE"} \
		${DOMAIN_ANY_ROOT:+--any-root} </dev/null >>"$TESTDIR/$domain.log" 2>&1 &
	printf -v "${domain}_pid" %s $!
	printf -v "${domain}_socket" %s "$socket"
	started+=($!)
	wait_for 10 test -S "$socket" || { cat "$TESTDIR/$domain.log"; wrong "domain $domain does not start"; finish; }
}

stop_domain()
{
	local -n pid=${1}_pid

	kill -TERM "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# natively DIR PREFIX COMMAND...: with DIR bind-mounted at the existing directory PREFIX, in a mount namespace of its own
natively()
{
	local dir=$1 prefix=$2
	shift 2

	# shellcheck disable=SC2016
	if ((EUID == 0)); then
		unshare -m sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$dir" "$prefix" "$@"
	else
		# root of a user namespace mounts; the command is the user again, without a right of root's
		unshare -Urm sh -c 'mount --bind "$0" "$1" && shift && exec "$@"' "$dir" "$prefix" \
			unshare -U --map-user="$EUID" --map-group="$(id -g)" "$@"
	fi
}

# remotely DIR PREFIX COMMAND...
remotely()
{
	local dir=$1 prefix=$2
	shift 2

	"$FARCALL" run -v "$dir:$prefix" -- "$@"
}

# What a tree looks like: everything but times and inode numbers.
picture()
{
	(cd "$1" && find . -printf '%P %y %m %U:%G %s %l\n' | sed 's/^\(.* d [0-7]* [0-9:]*\) [0-9]*/\1/' | sort &&
		find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

same_tree()
{
	diff <(picture "$1") <(picture "$2") >"$TESTDIR/tree.diff" && return 0
	head -n 20 "$TESTDIR/tree.diff"
	return 1
}

# ---- the same test with either kind of domain ----
#
# By default files are served by a domain on this machine; with FC_TEST_XEN=NAME:PREFIX by the Xen domain NAME, which serves its disk at
# PREFIX. A test that is to run with both says `far_begin`, uses paths below $far in commands under `far COMMAND...`, and looks
# at what has become of a file with `stored FILE`.
far=/data

# A fresh directory at $far. far_options are those of its export: :nomap, where it is calls that wait in the domain that a test is about,
# for a FIFO is handed over otherwise.
far_options=
far_begin()
{
	unset FC_NOMAP # for the helper programs: is nothing handed over?
	[[ $far_options != *:nomap* && ! ${FC_TEST_XEN:-} ]] || export FC_NOMAP=1
	if [[ ${FC_TEST_XEN:-} ]]; then
		far_domain=${FC_TEST_XEN%%:*}
		far=${FC_TEST_XEN#*:}/$name.$$
		"$FARCALL" run --domain "$far_domain" -- mkdir "$far" || { wrong "no directory $far in $far_domain"; finish; }
	else
		[[ ! ${far_pid:-} ]] || stop_domain far
		rm -rf "$TESTDIR/far"
		mkdir "$TESTDIR/far"
		start_domain far "$TESTDIR/far:$far$far_options"
		far_domain=$far_socket
	fi
}

far()
{
	"$FARCALL" run --domain "$far_domain" -- "$@"
}

# The bytes of $far/FILE, as they are where they are stored if this machine can see them there.
stored()
{
	if [[ ${FC_TEST_XEN:-} ]]; then
		far cat "$far/$1"
	else
		cat "$TESTDIR/far/$1"
	fi
}

far_end()
{
	[[ -z ${FC_TEST_XEN:-} ]] || far rm -rf "$far"
}

# leaks LOG PREFIX: the calls in an `strace -f -y` log that took a path below PREFIX, or did anything with a placeholder
# descriptor that the domain should have done, to the client's own kernel. Prints them; succeeds if there are none.
leaks()
{
	awk -v prefix="$2" '
	BEGIN {
		split("open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat " \
		      "mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat mknod " \
		      "mknodat chmod fchmodat chown lchown fchownat utime utimes futimesat utimensat truncate statfs chdir " \
		      "setxattr lsetxattr getxattr lgetxattr listxattr llistxattr removexattr lremovexattr", p, " ")
		for (i in p) paths[p[i]] = 1
		split("read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lseek fstat newfstatat statx " \
		      "getdents64 fsync fdatasync ftruncate fallocate fchmod fchown flock fstatfs sendfile copy_file_range " \
		      "fadvise64 readahead sync_file_range syncfs fsetxattr fgetxattr flistxattr fremovexattr mmap ioctl " \
		      "splice openat", d, " ")
		for (i in d) descriptors[d[i]] = 1
		opens = "^openat\\([0-9]+<[^>]*>, \"\\.\", O_RDONLY\\|O_NOFOLLOW\\|(O_CLOEXEC\\|)?O_PATH\\|O_DIRECTORY"
	}
	NR == 1 { command = $1 } # the farcall command itself, which makes and removes the directory of placeholders
	$1 == command { next }
	{
		line = $0
		sub(/^[0-9]+ +/, "", line)
		call = line
		sub(/\(.*/, "", call)
		if (call in paths) {
			rest = line
			gsub(/<[^>]*>/, "", rest)
			if (match(rest, "\"" prefix "[/\"]")) { print; bad++; next }
		}
		if (call in descriptors && line ~ /^[a-z0-9]+\([0-9]+<[^>]*\/placeholder>/ && !shim(line)) { print; bad++ }
		if (call == "mmap" && line ~ /[0-9]+<[^>]*\/placeholder>/) { print; bad++ }
	}
	# the shim asks for a placeholder'"'"'s own inode to recognise it, on descriptors nobody sees, and opens more of them
	function shim(l) { return l ~ /^fstat\([0-9]+</ || l ~ /^newfstatat\([0-9]+<[^>]*>, "", / || l ~ opens }
	END { exit bad ? 1 : 0 }' "$1"
}

# straced DOMAIN_SOCKET LOG COMMAND...: through the shim, under strace -f, without tracing the domain
straced()
{
	local socket=$1 log=$2
	shift 2

	strace -f -y -qq -s 256 -o "$log" -e 'trace=!futex' "$FARCALL" run --domain "$socket" -- "$@"
}

# both_sides HELPER [SECONDS]: the program passes in a plain directory, and in a remote one
both_sides()
{
	local program limit=${2:-100}

	program=$(helper "e2e/$1") || exit 77
	rm -rf "$TESTDIR/native"
	mkdir "$TESTDIR/native"
	check "$1 natively" timeout "$limit" "$program" "$TESTDIR/native" native
	far_begin
	check "$1 remotely" timeout -k 5 "$limit" "$FARCALL" run --domain "$far_domain" -- "$program" "$far" remote
	far_end
}
