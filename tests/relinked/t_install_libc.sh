#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# An installation with the relinked libraries: its compilers work without the build tree and know nothing of it; uninstalled, nothing is left.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/relinked/libraries.sh
. "$(dirname "$0")/libraries.sh"
need_farcall
need gcc make readelf
unset FARCALL_STORAGED FARCALL_SHIM
build=$TESTDIR/build prefix=$TESTDIR/prefix dest=$TESTDIR/dest
library musl
library uclibc-ng

# ---- made already, the libraries are not made again ----
mkdir "$build"
cp -a "$(library_dir musl)" "$(library_dir uclibc-ng)" "$build/"
touch "$TESTDIR/now"
make_in_build()
{
	make -s -j2 -C "$build" "$@" >"$TESTDIR/log" 2>&1 && return
	tail "$TESTDIR/log"
	wrong "make $*"
}
(cd "$build" && "$FC_SOURCE/configure" -q --prefix="$prefix" --with-libc=musl,uclibc-ng CFLAGS=-O1 >"$TESTDIR/log" 2>&1) ||
	{ tail "$TESTDIR/log"; wrong configure; finish; }
(umask 077 && make_in_build install DESTDIR="$dest") || finish
make_in_build install || finish
make_in_build install # over itself
check "the libraries have been made again" test -z "$(find "$build"/libc-{musl,uclibc-ng} -name '*.a' -newer "$TESTDIR/now")"

# ---- what is where ----
for file in bin/farcall-musl-gcc bin/farcall-uclibc-gcc share/man/man1/farcall-{musl,uclibc}-gcc.1 \
	lib/farcall/libc-{musl,uclibc-ng}/{lib/libc.so,include/stdio.h}; do
	check "$file is installed" test -f "$prefix/$file"
done
check "DESTDIR makes a difference" diff -r --no-dereference "$dest$prefix" "$prefix"
beside=$(find "$dest" ! -type d ! -path "$dest$prefix/*")
check "installed beside the prefix: $beside" test -z "$beside"
broken=$(find "$prefix" -xtype l)
check "broken links: $broken" test -z "$broken"
check "not for everybody" test -z "$(find "$dest$prefix/lib/farcall"/libc-* ! -type l ! -perm -444 -print -quit)"
grep -rlF -e "$build/" -e "$dest/" -e "$FC_BUILD/libc-" -e "$FC_SOURCE/libc-shim" "$prefix" && wrong "these know where they were made"

# ---- without the build ----
mv "$build" "$TESTDIR/gone"
mkdir "$TESTDIR/d"
echo remote >"$TESTDIR/d/file"
echo local >"$TESTDIR/file"
# try WRAPPER INTERPRETER OPTION...: compiles; INTERPRETER is empty for what has none
try()
{
	local wrapper=$1 interpreter=$2 what=${*:1:1}\ ${*:3}
	shift 2

	"$wrapper" -O2 "$@" -o "$TESTDIR/cat" "$FC_SOURCE/tests/relinked/cat.c" || { wrong "$what: does not compile"; return; }
	check "$what: the interpreter" test "$(readelf -lW "$TESTDIR/cat" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')" = "$interpreter"
	check "$what: local" test "$("$TESTDIR/cat" "$TESTDIR/file")" = local
	check "$what: remote" test "$("$prefix/bin/farcall" run -v "$TESTDIR/d:/data" -- "$TESTDIR/cat" /data/file)" = remote
}
cd "$prefix/bin" || exit 1
musl=lib/farcall/libc-musl uclibc=lib/farcall/libc-uclibc-ng
try ./farcall-musl-gcc "" -static
try ./farcall-musl-gcc "" -static-pie
try ./farcall-musl-gcc "" -static -flto
try ./farcall-musl-gcc "$prefix/$musl/lib/ld-musl-x86_64.so.1"
try ./farcall-uclibc-gcc "" -static
try ./farcall-uclibc-gcc "$prefix/$uclibc/lib/ld64-uClibc.so.1"
PATH=$prefix/bin:$PATH
for wrapper in farcall-musl-gcc farcall-uclibc-gcc; do
	$wrapper --help >"$TESTDIR/help" || wrong "$wrapper --help: status $?"
	check "$wrapper --help: $(head -n 1 "$TESTDIR/help")" grep -q "^$wrapper(1)" "$TESTDIR/help"
done
# the libraries can be put somewhere else, too
mkdir "$TESTDIR/else where"
cp -a "$prefix/lib/farcall" "$TESTDIR/else where/"
try "$TESTDIR/else where/farcall/libc-musl/bin/farcall-musl-gcc" "$TESTDIR/else where/farcall/libc-musl/lib/ld-musl-x86_64.so.1"
try "$TESTDIR/else where/farcall/libc-uclibc-ng/bin/farcall-uclibc-gcc" "$TESTDIR/else where/farcall/libc-uclibc-ng/lib/ld64-uClibc.so.1"

# ---- and gone ----
mv "$TESTDIR/gone" "$build"
make_in_build uninstall
make_in_build uninstall DESTDIR="$dest"
left=$(find "$prefix" "$dest" ! -type d | head -n 3)
check "left by uninstall: $left" test -z "$left"
finish
