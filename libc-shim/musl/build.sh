#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - builds a hooked musl 1.2.3 and the compiler wrapper farcall-musl-gcc. No file of musl's is kept here: site.s, which the
# assembler reads in front of every file, makes the sites, and one function's entry is marked in a copy of the source.
set -u -o pipefail
export LC_ALL=C
# shellcheck source=libc-shim/relink.sh
. "$(dirname "$0")/../relink.sh"

relink_options "$@"
relink_begin musl
relink_unpack musl 'musl_*.orig.tar.*[z2]'
cd "$work/source" || exit 1

# Cancellable calls: the entry of the function is the site; what follows stays as it is, to be called from there.
cp=src/thread/x86_64/syscall_cp.s
[[ $stock ]] || sed -i '/^__syscall_cp_asm:/a farcall_cancellable' "$cp"
[[ $stock ]] || grep -q '^farcall_cancellable' "$cp" || die "$cp: not the function that was expected"
cp "$here/dl_find_object.c" src/misc/

CC=gcc CFLAGS="-O2 $mark" ./configure --prefix="$prefix" --syslibdir="$prefix/lib" --disable-gcc-wrapper \
	>"$work/log" 2>&1 || { tail "$work/log" >&2; die "configure failed"; }
sed -i 's/ -pipe\>//' config.mak # the assembler must be given files
make -j"$jobs" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; die "make failed"; }
make install >"$work/log" 2>&1 || { tail "$work/log" >&2; die "make install failed"; }

relink_check "$prefix/lib/libc.so" 400 4
ln -sfn libc.so "$prefix/lib/ld-musl-x86_64.so.1"
# libraries are where the program says, not in the directories of the machine's own libc
: >"$prefix/etc/ld-musl-x86_64.path"
relink_link_shim
relink_link_headers
relink_specs musl ld-musl-x86_64.so.1 \
	"%{!shared:%{static-pie:$(at lib/rcrt1.o);static:$(at lib/crt1.o);:$(at lib/Scrt1.o)}} $(at lib/crti.o) %{static:crtbeginT.o%s;:crtbeginS.o%s}" \
	"--start-group -lc -lgcc -lgcc_eh --end-group"
relink_end
