# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# libraries.sh - what the tests of relinked programs share, besides tests/lib.sh: the libraries, built from their sources, and compiling for
# them. The hooked ones are in the build as `make libc-NAME` leaves them, the stock ones and the sources in tests/relinked/ there.
[[ -f $FC_BUILD/farcall.o ]] || skip "no build tree at $FC_BUILD"
libraries_dir=$FC_BUILD/tests/relinked
compat=$FC_SOURCE/tests/relinked/compat.h
# shellcheck disable=SC2034 # for who sources this
builds="glibc uclibc-static uclibc-dynamic musl-static musl-dynamic"
# shellcheck source=libc-shim/relink.sh
. "$FC_SOURCE/libc-shim/relink.sh"

# library_dir NAME [stock]
library_dir()
{
	if [[ ${2:-} ]]; then echo "$libraries_dir/stock-libc-$1"; else echo "$FC_BUILD/libc-$1"; fi
}

# library NAME [stock]: musl or uclibc-ng is there, with the shim as it is now.
library()
{
	local command=(make -s -C "$FC_BUILD" "libc-$1")

	[[ -z ${2:-} ]] || command=("$FC_SOURCE/libc-shim/$1/build.sh" --stock --prefix "$(library_dir "$@")" --shim "$FC_BUILD")
	mkdir -p "$libraries_dir"
	"${command[@]}" >"$TESTDIR/build.log" 2>&1 && return
	tail -n 20 "$TESTDIR/build.log"
	wrong "$1 ${2:-} cannot be built"
	finish
}

# has_stock BUILD: is there a stock library for it, to compare with? uClibc-ng takes longest of all to build: with FC_RELINKED_EVERY=1 alone.
has_stock()
{
	[[ $1 == musl-* || ($1 == uclibc-* && ${FC_RELINKED_EVERY:-}) ]]
}

# libraries: all of these are there
libraries()
{
	library musl
	library musl stock
	library uclibc-ng
	! has_stock uclibc-static || library uclibc-ng stock
}

# compiler BUILD [stock|counting]: prints the command that compiles for it. A build is glibc, or a library with -static or -dynamic behind it.
# `counting` links, in place of the shim, a dispatcher that counts (tests/preload/h_count.c).
compiler()
{
	local kind=${2:-} wrapper=farcall-musl libc=musl dir shim=$FC_BUILD/tests/preload

	[[ $1 != glibc ]] || { echo gcc; return; }
	[[ $1 != uclibc-* ]] || { wrapper=farcall-uclibc libc=uclibc-ng; }
	dir=$(library_dir $libc "${kind#counting}")
	if [[ $kind == counting ]]; then
		sed "s#%:getenv(FARCALL_LIBC /lib/farcall\\.o)#$shim/hook_count.o#; s#%:getenv(FARCALL_LIBC /lib/libfarcall\\.so)#$shim/libhook_count.so#" \
			"$dir/lib/$wrapper.specs" >"$TESTDIR/$wrapper.specs"
		echo "env FARCALL_LIBC=$dir gcc -specs $TESTDIR/$wrapper.specs -include $compat"
	else
		echo "$dir/bin/$wrapper-gcc -include $compat"
	fi
	[[ $1 != *-static ]] || echo "-static"
}

# compile BUILD [stock|counting] OUT SOURCE|OPTION...: a test program, from tests/
compile()
{
	local build=$1 kind=
	[[ $2 != stock && $2 != counting ]] || { kind=$2; shift; }
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
	$(compiler "$build" "$kind") -std=gnu11 -O2 -w -pthread -I"$FC_SOURCE" -I"$FC_SOURCE/include" -I"$FC_SOURCE/tests/unit/tsan" \
		-o "$out" "${words[@]}" "$FC_BUILD/common/libcommon.a" >"$out.cc.log" 2>&1 ||
		{ head -n 5 "$out.cc.log"; wrong "$* for $build: does not compile"; return 1; }
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
