# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# in_lab.sh - what the tests in the lab share, besides tests/lib.sh: they build the module and the domain's image, and run scripts there with in_lab.
need_farcall
((EUID == 0)) || skip "the lab takes root"
[[ -x $FC_BUILD/farcall-storaged ]] || skip "not a build tree"
"$FC_BUILD/farcall-storaged" --xen -v /:/x 2>&1 | grep -q 'without Xen' && skip "built without the Xen libraries"

lab=$FC_SOURCE/tests/xen/lab.sh
"$lab" --fetch || { wrong "the lab cannot be fetched"; finish; }
root=${FC_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/farcall-lab}/root

sparse=$(command -v sparse)
make -s -C "$FC_BUILD" kmod C="${sparse:+1}" >"$TESTDIR/kmod.out" 2>&1
check "the module builds" test -e "$FC_BUILD/kmod/farcall.ko"
check "without warnings" test -z "$(grep -i 'warning\|error:' "$TESTDIR/kmod.out")" || cat "$TESTDIR/kmod.out"
check "the domain's image" make -s -C "$FC_BUILD" domain-image DOMAIN_ROOT="$root"

lab_options=() # more for lab.sh
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
