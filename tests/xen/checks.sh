# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# checks.sh - what the scripts in the lab's primary domain share: results, the module's counters, the kernel log. Each result is a line
# "PASS xen: WHAT" or "FAIL xen: WHAT".
export FARCALL=$FC_BUILD/farcall

fail() { echo "FAIL xen: $*"; }
pass() { echo "PASS xen: $*"; }

counter() { awk -v name="$1" '$1 == name { print $2 }' /sys/kernel/debug/farcall/counters; }

# awk's condition holds for the counters of what the module holds, soon
counters_become() # CONDITION over name[...]
{
	local i
	for ((i = 0; i < 100; i++)); do
		awk "{ n[\$1] = \$2 } END { exit !($1) }" /sys/kernel/debug/farcall/counters && return 0
		sleep 0.1
	done
	cat /sys/kernel/debug/farcall/counters
	return 1
}

# Nothing is held for anybody.
counters_zero() { counters_become 'n["domains"] + n["sessions"] + n["pages"] + n["grants"] + n["set_aside"] + n["requests"] == 0'; }

# The same, but for the dead domain itself (its ring and bells).
counters_only_domain() { counters_become 'n["sessions"] + n["set_aside"] + n["requests"] == 0 && n["pages"] <= 2'; }

# How long the toolstack takes for nothing here and now, in ms: what limits in seconds are stretched by.
yardstick()
{
	local began
	began=$(date +%s%3N)
	xl list >/dev/null
	echo $(($(date +%s%3N) - began))
}

kernel_clean()
{
	! dmesg | grep -E 'BUG|Oops|WARNING|hung task|rcu.*stall|general protection|allocation failure|leak|g\.e\.'
}

# as USER COMMAND...: USER is root, or user: an ordinary one, with /run/home
as()
{
	local user=$1
	shift

	if [[ $user == user ]]; then
		HOME=/run/home XDG_RUNTIME_DIR=/run/home setpriv --reuid 1000 --regid 1000 --clear-groups "$@"
	else
		"$@"
	fi
}

# The module, the storage domain `one` at $FC_DOMU_PREFIX (/far), attached; or the end. Where another script has left such a domain, it is
# that one, with whatever is on its disk.
begin_with_one()
{
	local prefix=${FC_DOMU_PREFIX:-/far}

	# no domain is given up because the machine that emulates it has other work; scripts about that set what they need
	insmod "$FC_BUILD/kmod/farcall.ko" answer_ms=120000 || { fail "the module does not load"; exit 1; }
	if ! grep -qs "farcall.prefix=$prefix " /run/one.cfg || ! xl list one >/dev/null 2>&1; then
		start_domu one "$prefix" || { fail "the storage domain does not start"; exit 1; }
	fi
	"$FARCALL" domain attach --timeout 60 one ||
		{ fail "farcall domain attach"; tail "$LAB/guest-one.log"; dmesg | tail; exit 1; }
	"$FARCALL" domain list
}

# Detach, unload: nothing may be left of it all.
end()
{
	"$FARCALL" domain detach one || fail "detach"
	if counters_zero; then pass "nothing is left"; else fail "something is left"; fi
	if rmmod farcall; then pass "the module unloads"; else fail "the module does not unload"; fi
	if kernel_clean; then pass "the kernel log is clean"; else fail "the kernel log"; fi
}
