#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make install into a DESTDIR has everything in its place, and an installation under a prefix of its own works (the latter only with FC_TEST_LONG: it builds once more).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ -f $FC_BUILD/Makefile ]] || skip "no Makefile in $FC_BUILD"
unset FARCALL_STORAGED FARCALL_SHIM

check "make install DESTDIR=..." make -s -C "$FC_BUILD" install DESTDIR="$TESTDIR/dest" >"$TESTDIR/log" 2>&1 || tail "$TESTDIR/log"
for file in bin/farcall farcall-storaged libfarcall.so farcall.pc farcall-run.1 include/farcall/abi.h syscalls.def; do
	check "$file is installed" test -n "$(find "$TESTDIR/dest" -path "*/$file*" | head -n 1)"
done
IFS=/ read -r _ top _ < <(sed -n 's/^prefix = //p' "$FC_BUILD/Makefile")
check "nothing is installed outside" test -z "$(find "$TESTDIR/dest" -mindepth 1 -maxdepth 1 ! -name usr ! -name etc ! -name "$top")"

[[ ${FC_TEST_LONG:-} ]] || finish

# a configuration of its own: installed elsewhere, it runs from there, without the build tree
mkdir -p "$TESTDIR/build" "$TESTDIR/d"
if (cd "$TESTDIR/build" && "$FC_SOURCE/configure" -q --prefix="$TESTDIR/prefix" CFLAGS=-O1 >"$TESTDIR/log" 2>&1 &&
	make -s -j2 install >>"$TESTDIR/log" 2>&1); then
	mv "$TESTDIR/build" "$TESTDIR/gone"
	farcall=$TESTDIR/prefix/bin/farcall
	check "the installed command" "$farcall" run -v "$TESTDIR/d:/data" -- sh -c 'echo installed > /data/f; cat /data/f' >"$TESTDIR/out"
	check "its output" test "$(cat "$TESTDIR/out")" = installed
	check "--version" "$farcall" --version >/dev/null
	check "pkg-config" env PKG_CONFIG_PATH="$TESTDIR/prefix/lib/pkgconfig" pkg-config --exists farcall
	check "it uses the installed shim" sh -c "'$farcall' run -v '$TESTDIR/d:/data' -- sh -c 'echo \$LD_PRELOAD' | grep -q '$TESTDIR/prefix/'"
else
	tail "$TESTDIR/log"
	wrong "configure and make with a prefix"
fi
finish
