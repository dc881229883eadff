# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# libraries.sh - what the tests of relinked programs share, besides tests/lib.sh: the libraries, hooked and stock, built from their sources, and
# compiling for them. They are in $FC_BUILD/tests/relinked/ and are built again when anything has changed that they are made of.
[[ -f $FC_BUILD/farcall.o ]] || skip "no build tree at $FC_BUILD"
libraries_dir=$FC_BUILD/tests/relinked
compat=$FC_SOURCE/tests/relinked/compat.h
# shellcheck disable=SC2034 # for who sources this
builds="glibc uclibc-static uclibc-dynamic musl-static musl-dynamic"
# shellcheck source=libc-shim/relink.sh
. "$FC_SOURCE/libc-shim/relink.sh"

# What a library is made of, besides its source: a stamp for it is good as long as this prints the same.
library_key() # NAME
{
	local shim=$FC_SOURCE/libc-shim

	cat "$shim/relink.sh" "$shim/dl_find_object.c" "$shim/hook/site.s" "$shim/$1"/* | sha256sum
	gcc --version | head -n 1
	dpkg-query -W uclibc-source linux-libc-dev
}

# library NAME [stock]: musl or uclibc-ng is in $libraries_dir/[stock-]libc-NAME, with the shim as it is now.
library()
{
	local prefix=$libraries_dir/${2:+stock-}libc-$1 key

	key=$(library_key "$1")
	mkdir -p "$libraries_dir"
	if [[ $(cat "$prefix/stamp" 2>/dev/null) != "$key" ]]; then
		rm -rf "$prefix"
		if ! "$FC_SOURCE/libc-shim/$1/build.sh" ${2:+--stock} --prefix "$prefix" --shim "$FC_BUILD" >"$TESTDIR/build.log" 2>&1; then
			tail -n 20 "$TESTDIR/build.log"
			wrong "$1 ${2:-} cannot be built"
			finish
		fi
		echo "$key" >"$prefix/stamp"
	fi
	cp "$FC_BUILD"/farcall.o "$FC_BUILD"/farcall-program.o "$FC_BUILD"/libfarcall.so "$prefix/lib/"
}

# compiler BUILD [stock]: prints the command that compiles for it. A build is glibc, or a library with -static or -dynamic behind it.
compiler()
{
	case $1 in
	glibc) echo "gcc" ;;
	uclibc-*) echo "$libraries_dir/${2:+stock-}libc-uclibc-ng/bin/farcall-uclibc-gcc -include $compat" ;;
	musl-*) echo "$libraries_dir/${2:+stock-}libc-musl/bin/farcall-musl-gcc -include $compat" ;;
	esac
	[[ $1 != *-static ]] || echo "-static"
}

# compile BUILD [stock] OUT SOURCE|OPTION...: a test program, from tests/
compile()
{
	local build=$1 kind=
	[[ $2 != stock ]] || { kind=stock; shift; }
	local out=$2 word words=()
	shift 2

	for word; do
		case $word in
		hook_libs) words+=("$FC_BUILD"/libc-shim/hook/lib{hook,stubs,hook,stubs}.a) ;;
		*.c) words+=("$FC_SOURCE/tests/$word") ;;
		*) words+=("$word") ;;
		esac
	done
	# shellcheck disable=SC2046 # a list of words
	$(compiler "$build" $kind) -std=gnu11 -O2 -w -pthread -I"$FC_SOURCE" -I"$FC_SOURCE/include" -I"$FC_SOURCE/tests/unit/tsan" \
		-o "$out" "${words[@]}" "$FC_BUILD/common/libcommon.a" >"$TESTDIR/cc.log" 2>&1 ||
		{ head -n 5 "$TESTDIR/cc.log"; wrong "$* for $build: does not compile"; return 1; }
}

# unpacked PACKAGE DIR: the upstream part of a Debian source package, in DIR; the tarball is kept.
unpacked()
{
	local kept=$libraries_dir/sources/$1 tarball

	if ! compgen -G "$kept/$1_*.orig.tar.*[z2]" >/dev/null; then
		mkdir -p "$kept"
		debian_source "$1" "$kept" || { wrong "Debian's source of $1 is not to be had"; return 1; }
	fi
	for tarball in "$kept/$1"_*.orig.tar.*[z2]; do :; done
	mkdir -p "$2"
	tar -xf "$tarball" -C "$2" --strip-components=1 || wrong "cannot unpack $tarball"
}
