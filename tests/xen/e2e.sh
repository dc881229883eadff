#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e2e.sh - in the lab's primary domain: the end-to-end tests, with a Xen domain to serve the files; as root and as an ordinary user.
. "$FC_SOURCE/tests/xen/checks.sh"
only=("$@")
root="append large limits threads mmap sandbox"
user="dd locks exec maps sysbench signals"

run_one() # NAME SCRIPT COMMAND...: the command runs the script
{
	local what=$1 script=$2 log
	shift 2
	log=$LAB/e2e-${what//[^a-z0-9_]/-}
	export TESTDIR=/run/t/${what// /-}
	mkdir -p "$TESTDIR" && chmod 777 "$TESTDIR"
	local began=$SECONDS
	if "$@" bash "$FC_SOURCE/tests/e2e/$script" >"$log" 2>&1; then
		pass "$what ($((SECONDS - began)) s)"
	else
		fail "$what (status $?)"
		tail -n 15 "$log" | sed 's/^/    | /'
	fi
	rm -rf "$TESTDIR"
}

wanted() { ((${#only[@]} == 0)) || [[ " ${only[*]} " == *" $1 "* ]]; }

begin_with_one
"$FARCALL" run --domain one -- sh -c 'mkdir -p /far/open && chmod 1777 /far/open && echo hello >/far/open/f && cat /far/open/f' ||
	{ fail "a first call"; tail -n 5 "$LAB/guest-one.log"; dmesg | tail -n 20; exit 1; }

export FC_TEST_XEN=one:/far/open FC_TEST_THREADS=8
mkdir -p /run/home && chown 1000:1000 /run/home
# t_signals' storms of alarms take minutes on an emulated machine: by hand, tests/xen/lab.sh tests/xen/e2e.sh signals
for t in "${only[@]}"; do # by hand: any that there is
	[[ " $root $user relinked " == *" $t "* ]] || root+=" $t"
done
# shellcheck disable=SC2086
for t in $root; do
	wanted $t || continue
	run_one "$t" "t_$t.sh"
done
# by an ordinary user, to whom less is allowed: what these do, root may do, too
# shellcheck disable=SC2086
for t in $user; do
	[[ $t != signals ]] || ((${#only[@]})) || continue
	wanted $t || continue
	run_one "$t as an ordinary user" "t_$t.sh" env HOME=/run/home XDG_RUNTIME_DIR=/run/home \
		setpriv --reuid 1000 --regid 1000 --clear-groups
done
for program in "$FC_BUILD"/relinked/*/h_*; do
	if [[ ! -x $program ]] || ! wanted relinked; then continue; fi
	build=${program%/*}
	what="${program##*/h_} relinked (${build##*/}), as an ordinary user"
	if env HOME=/run/home XDG_RUNTIME_DIR=/run/home setpriv --reuid 1000 --regid 1000 --clear-groups "$FARCALL" run --domain one -- \
		sh -c 'mkdir /far/open/relinked && exec "$1" /far/open/relinked remote' sh "$program" >"$LAB/relinked" 2>&1; then
		pass "$what"
	else
		fail "$what (status $?)"
		tail -n 15 "$LAB/relinked"
	fi
	"$FARCALL" run --domain one -- rm -r /far/open/relinked
done
"$FARCALL" stat --domain one
"$FARCALL" run --domain one -- rm -rf /far/open
end
