#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# calls that meet something remote and are not run in a domain: see h_table.c. As root, then as an ordinary user.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
far_options=:nomap # and nothing is handed over
both_sides h_table
if ((EUID == 0)); then
	program=$(helper e2e/h_table) || exit 77
	chmod 755 "$TESTDIR"
	mkdir "$TESTDIR/user-native" "$TESTDIR/user-far" "$TESTDIR/home"
	chown 1000:1000 "$TESTDIR"/user-* "$TESTDIR/home"
	as_user=(env HOME="$TESTDIR/home" XDG_RUNTIME_DIR="$TESTDIR/home" setpriv --reuid 1000 --regid 1000 --clear-groups)
	check "h_table natively, as a user" timeout 100 "${as_user[@]}" "$program" "$TESTDIR/user-native" native
	check "h_table remotely, as a user" timeout -k 5 100 "${as_user[@]}" "$FARCALL" run -v "$TESTDIR/user-far:/data:nomap" -- \
		"$program" /data remote
fi
finish
