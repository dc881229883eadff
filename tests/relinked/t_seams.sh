#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What lies between relinked programs and the rest: exec from any build to any other, what a system call costs without domain, calls that
# would go past the hook, and the configuration that programs find by themselves.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc objdump readelf
here=$FC_SOURCE/tests/relinked

libraries

# ---- from any build to any other by exec, with a remote descriptor on standard input ----
for build in $builds; do
	mkdir -p "$TESTDIR/bin/$build"
	compile "$build" "$TESTDIR/bin/$build/cat" relinked/cat.c
done
d=$TESTDIR/exec
mkdir "$d"
echo remote >"$d/file"
for from in $builds; do
	for to in $builds; do
		got=$("$FARCALL" run -v "$d:/data" -- "$TESTDIR/bin/$from/cat" /data/file -- "$TESTDIR/bin/$to/cat" - 2>&1)
		check "exec from $from to $to: $got" test "$got" = remote
	done
done

# ---- libraries on an export, loaded by a program that runs: by their paths, and found ----
for build in $builds; do
	[[ $build != *-static ]] || continue
	mkdir "$TESTDIR/libraries-$build"
	compile "$build" "$TESTDIR/bin/$build/dlopen" relinked/dlopen.c -ldl
	compile "$build" "$TESTDIR/libraries-$build/one.so" relinked/dlopen.c -DLIBRARY=1 -shared -fPIC
	compile "$build" "$TESTDIR/libraries-$build/two.so" relinked/dlopen.c -DLIBRARY=2 -shared -fPIC
	# shellcheck disable=SC2016
	got=$("$FARCALL" run -v "$TESTDIR/libraries-$build:/data" -- \
		sh -c 'cd /data && LD_LIBRARY_PATH=/data exec "$0" ./one.so two.so /data/none.so' "$TESTDIR/bin/$build/dlopen" 2>&1)
	check "dlopen in $build: $got" test "${got%%/*}" = $'1\n2\n'
done

# ---- without domain it is an ordinary program, and costs nothing ----
for build in uclibc-static musl-static; do
	has_stock $build || continue
	for kind in stock hooked; do
		# shellcheck disable=SC2046
		$(compiler $build ${kind#hooked}) -O2 -o "$TESTDIR/getppid-$kind" "$here/getppid.c" || wrong "getppid.c for $build, $kind"
	done
	stock=$("$TESTDIR/getppid-stock") hooked=$("$TESTDIR/getppid-hooked")
	note "$build: getppid takes $stock instructions in the stock library, $hooked in the hooked one"
	check "$build: a system call without domain takes more than 15 instructions more" \
		awk -v s="$stock" -v h="$hooked" 'BEGIN { exit !(s > 0 && h > 0 && h - s <= 15) }'
done

# ---- no storage call goes past the hook: a dispatcher that counts in place of the shim, and strace ----
if strace -f -i -o "$TESTDIR/trace" true 2>/dev/null; then
	sed -n -e 's/^\(SYSCALL\|LEGACY\|TRANSLATED\)(\([a-z0-9_]*\).*/\2/p' \
		-e 's/^LOCAL([0-9]*, \([a-z0-9_]*\), \(HOOKED\|SPECIAL\).*/\1/p' "$FC_SOURCE"/include/farcall/{syscalls,local}.def >"$TESTDIR/names"
	for build in $builds; do
		[[ $build != glibc ]] || continue # tests/preload/t_hook.sh
		rm -rf "$TESTDIR/wide" "$TESTDIR/counts"
		mkdir "$TESTDIR/wide"
		compile "$build" counting "$TESTDIR/h_wide" preload/h_wide.c || continue
		FC_TEST_COUNTS=$TESTDIR/counts strace -f -i -o "$TESTDIR/trace" "$TESTDIR/h_wide" "$TESTDIR/wide" >"$TESTDIR/wide.log" 2>&1 ||
			{ head -n 5 "$TESTDIR/wide.log"; wrong "h_wide failed in $build"; }
		awk -v least=250 -f "$FC_SOURCE/tests/preload/bypass.awk" "$TESTDIR/names" "$TESTDIR/counts" "$TESTDIR/trace" >"$TESTDIR/report" ||
			wrong "$build: calls went past the hook"
		sed "s/^/# $build: /" "$TESTDIR/report"
	done
else
	wrong "strace cannot trace here: calls past the hook cannot be looked for"
fi

# ---- programs that find their domain by themselves: FARCALL_DIR, else /etc/farcall.conf ----
mkdir "$TESTDIR/shared" "$TESTDIR/etc"
DOMAIN_ANY_ROOT=1 # natively() is another mount namespace
start_domain shared "$TESTDIR/shared:/data"
"$FARCALL" config --domain "$TESTDIR/shared.sock" "$TESTDIR/runtime" || wrong "farcall config"
echo shared >"$TESTDIR/shared/file"
echo "$TESTDIR/runtime" >"$TESTDIR/etc/farcall.conf"
for build in $builds; do
	[[ $build != glibc ]] || continue
	cat=$TESTDIR/bin/$build/cat
	check "$build: a runtime directory of farcall config" test "$(FARCALL_DIR=$TESTDIR/runtime "$cat" /data/file)" = shared
	check "$build: /etc/farcall.conf" test "$(natively "$TESTDIR/etc" /etc "$cat" /data/file)" = shared
	check "$build: neither" test "$(natively "$TESTDIR/etc" /etc env FARCALL_DIR='' "$cat" /data/file 2>&1)" = "/data/file: No such file or directory"
done
finish
