#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# e2e.sh - in the lab's primary domain: the end-to-end tests, with a Xen domain to serve the files; as root and as an ordinary user.
# Prints "PASS xen: NAME" or "FAIL xen: NAME" for each.
FARCALL=$FC_BUILD/farcall
export FARCALL
only=("$@")

fail() { echo "FAIL xen: $1"; }
pass() { echo "PASS xen: $1"; }

counter() { awk -v name="$1" '$1 == name { print $2 }' /sys/kernel/debug/farcall/counters; }

# All of the module's counters that are of what it holds are zero (or soon will be).
counters_zero()
{
	local i
	for ((i = 0; i < 100; i++)); do
		awk 'NR <= 6 && $2 != 0 { bad = 1 } END { exit bad }' /sys/kernel/debug/farcall/counters && return 0
		sleep 0.1
	done
	cat /sys/kernel/debug/farcall/counters
	return 1
}

kernel_clean()
{
	! dmesg | grep -E 'BUG|Oops|WARNING|hung task|rcu.*stall|general protection|page allocation failure|leaked|g\.e\.'
}

run_one() # NAME SCRIPT COMMAND...: the command runs the script
{
	local what=$1 script=$2 log
	shift 2
	log=$LAB/e2e-${what//[^a-z0-9_]/-}
	export TESTDIR=/tmp/t/$what
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

insmod "$FC_BUILD/kmod/farcall.ko" || { fail "the module loads"; exit 1; }
start_domu one /far || { fail "a storage domain starts"; exit 1; }
"$FARCALL" domain attach --timeout 20 one || { fail "farcall domain attach"; tail "$LAB/guest-one.log"; dmesg | tail; exit 1; }
"$FARCALL" domain list
"$FARCALL" run --domain one -- sh -c 'mkdir -p /far/open && chmod 1777 /far/open && echo hello >/far/open/f && cat /far/open/f' ||
	{ fail "a first call"; tail -n 5 "$LAB/guest-one.log"; dmesg | tail -n 20; exit 1; }

export FC_TEST_XEN=one:/far/open FC_TEST_THREADS=8
mkdir -p /tmp/home && chown 1000:1000 /tmp/home
for t in dd append large locks limits signals threads exec mmap sysbench; do
	wanted $t || continue
	run_one "$t" "t_$t.sh"
done
for t in dd locks exec sysbench; do
	wanted $t || continue
	run_one "$t as an ordinary user" "t_$t.sh" env HOME=/tmp/home XDG_RUNTIME_DIR=/tmp/home \
		setpriv --reuid 1000 --regid 1000 --clear-groups
done
"$FARCALL" stat --domain one
xl list
if "$FARCALL" domain detach one && counters_zero; then pass "detached, and nothing is left"; else fail "something is left"; fi
if rmmod farcall; then pass "the module unloads"; else fail "the module does not unload"; fi
if kernel_clean; then pass "the kernel log is clean"; else fail "the kernel log"; fi
