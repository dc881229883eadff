#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end-to-end tests with a real Xen domain to serve the files, the death of that domain under load, abuse by users, and limits: in a Xen
# machine under emulation
# (lab.sh). Builds the kernel module and the domain's image first. FC_LAB_ROUNDS: how often the domain dies (2); FC_LAB_FUZZ: seconds of abuse (30).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
((EUID == 0)) || skip "the lab takes root"
[[ -x $FC_BUILD/farcall-storaged ]] || skip "not a build tree"
"$FC_BUILD/farcall-storaged" --xen -v /:/x 2>&1 | grep -q 'without Xen' && skip "built without the Xen libraries"

lab=$FC_SOURCE/tests/xen/lab.sh
"$lab" --fetch || { wrong "the lab cannot be fetched"; finish; }
root=${FC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farcall-lab}/root

make -s -C "$FC_BUILD" kmod >"$TESTDIR/kmod.out" 2>&1
check "the module builds" test -e "$FC_BUILD/kmod/farcall.ko"
check "without warnings" test -z "$(grep -i 'warning' "$TESTDIR/kmod.out")" || cat "$TESTDIR/kmod.out"
check "the domain's image" make -s -C "$FC_BUILD" domain-image DOMAIN_ROOT="$root"

lab_options=()
in_lab() # SECONDS SCRIPT ARGUMENT...
{
	local seconds=$1 script=$2 log=$TESTDIR/$2.out
	shift 2

	mkdir -p "$TESTDIR/$script"
	"$lab" "${lab_options[@]}" --build "$FC_BUILD" --results "$TESTDIR/$script" --timeout "$seconds" "$FC_SOURCE/tests/xen/$script" "$@" >"$log" 2>&1
	check "$script ends" test $? = 0
	check "$script has results" grep -q '^PASS xen' "$log"
	grep '^PASS xen' "$log" | sed 's/^PASS/# passed/'
	if grep -q '^FAIL xen' "$log"; then
		wrong "$script"
		cat "$log"
		tail -n 5 "$TESTDIR/$script"/guest-*.log
	fi
}

in_lab 400 e2e.sh
in_lab 200 kill.sh "${FC_LAB_ROUNDS:-2}"
in_lab $((120 + ${FC_LAB_FUZZ:-30})) fuzz.sh "${FC_LAB_FUZZ:-30}"
lab_options=(--xen gnttab_max_frames=16)
in_lab 200 limits.sh
finish
