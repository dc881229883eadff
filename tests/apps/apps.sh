# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# apps.sh - sourced by the scripts here: one application, run on a directory that is bind-mounted, and on the same as an export; what it prints,
# its exit code and what it leaves must be the same. The script defines `app`, which works in the current directory and prints nothing that
# differs between two native runs, then says `compare`. With FARCALL= (empty) both runs are native: that the script itself is sound.
#
# Each run has a process namespace of its own, which ends with it: no server survives its script. Needs root for that.

# the part inside: the script calls itself with the directory
app_inside=${APP_INSIDE:-}
app_native_twice=
if [[ ! $app_inside ]]; then
	[[ ${FARCALL-unset} ]] || app_native_twice=1
	# shellcheck source=tests/lib.sh
	. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
	need unshare setpriv
	((EUID == 0)) || skip "not root: no process namespaces"
fi
set -u -o pipefail
export LC_ALL=C TZ=UTC

app_limit=100 # seconds for each run
app_tree=exact # what of the trees is compared: exact, names, none

# needs PACKAGE PROGRAM...: programs of a Debian package
needs()
{
	local package=$1 tool
	shift

	[[ ! $app_inside ]] || return 0
	for tool; do
		[[ $tool != */* ]] || { [[ -e $tool ]] || skip "no $tool: install $package"; continue; }
		command -v "$tool" >/dev/null || skip "no $tool: install $package"
	done
}

# as USER COMMAND...: servers that refuse to be root's
as()
{
	local user=$1
	shift

	setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"
}

# until SECONDS COMMAND...: succeeds
until_so()
{
	local end=$((SECONDS + $1))
	shift

	while ! "$@" >/dev/null 2>&1; do
		((SECONDS <= end)) || { echo "waited too long for: $*"; return 1; }
		sleep 0.05
	done
}

# build NAME.c FLAGS...: a program from standard input, outside of the mount; before `compare`
build()
{
	local out=$TESTDIR/$1
	shift

	cat >"$out.c"
	gcc -O1 -Wall -o "$out" "$out.c" "$@" 2>"$out.err" || { cat "$out.err"; skip "$(basename "$out") cannot be compiled"; }
}

# one KIND DIR
app_run()
{
	local kind=$1 dir=$2 spaces=(unshare -m -p -f --mount-proc --kill-child)

	# shellcheck disable=SC2016 # the first process of a namespace has to wait for orphans: a shell does
	APP_INSIDE=1 timeout -k 5 $((app_limit + 10)) "${spaces[@]}" bash -c '
		kind=$1 dir=$2 mnt=$3 limit=$4 farcall=$5 script=$6
		export APP_DIR=$mnt
		if [ "$kind" = native ]; then
			mount --bind "$dir" "$mnt" || exit 99
			timeout -k 3 "$limit" bash "$script"
		else
			timeout -k 3 "$limit" "$farcall" run -v "$dir:$mnt" -- bash "$script"
		fi
		exit $?' bash "$kind" "$dir" "$app_mnt" "$app_limit" "$FARCALL" "$app_script" </dev/null
}

app_picture()
{
	case $app_tree in
	exact) picture "$1" ;;
	names) (cd "$1" && find . -printf '%P %y %m %U:%G\n' | sort) ;;
	none) ;;
	esac
}

# The two runs
compare()
{
	local second=far

	if [[ $app_inside ]]; then
		cd "$APP_DIR" && app
		exit
	fi
	if [[ $app_native_twice ]]; then second=native; else need_farcall; fi
	app_script=$(realpath "$0")
	app_mnt=$TESTDIR/mnt
	mkdir "$app_mnt" "$TESTDIR/first" "$TESTDIR/second"
	chmod 755 "$TESTDIR"
	export APP_SIDE=$TESTDIR APP_PROGRAMS=$TESTDIR
	local begun=$EPOCHREALTIME middle end
	app_run native "$TESTDIR/first" >"$TESTDIR/first.out" 2>"$TESTDIR/first.err"
	local native=$?
	middle=$EPOCHREALTIME
	app_run "$second" "$TESTDIR/second" >"$TESTDIR/second.out" 2>"$TESTDIR/second.err"
	local remote=$?
	end=$EPOCHREALTIME
	awk "BEGIN { printf \"# native %.1f s, $second %.1f s\n\", $middle - $begun, $end - $middle }"
	((native == 0)) || { cat "$TESTDIR/first.out" "$TESTDIR/first.err"; wrong "natively: status $native"; }
	! grep 'waited too long' "$TESTDIR/first.out" || wrong "natively: a script that does not work"
	check "status $remote instead of $native" test "$remote" = "$native"
	check "output" diff "$TESTDIR/first.out" "$TESTDIR/second.out" || tail -n 15 "$TESTDIR/second.err"
	check "what is left" diff <(app_picture "$TESTDIR/first") <(app_picture "$TESTDIR/second")
	# a copy to look at, for who has to find out
	[[ ! ${APP_KEEP:-} ]] || { rm -rf "$APP_KEEP"; cp -a "$TESTDIR" "$APP_KEEP"; }
	finish
}
