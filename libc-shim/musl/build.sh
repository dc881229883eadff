#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - builds a hooked musl 1.2.3 and the compiler wrapper farcall-musl-gcc. No file of musl's is kept here: site.s, which the
# assembler reads in front of every file, makes the sites, and in a copy of the source one function's entry is marked, and the dynamic linker
# loads the shim first, and tells it how far it is.
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

# told LINE CALL: in the dynamic linker, CALL in front of that line.
told()
{
	[[ $(grep -cxF "$1" ldso/dynlink.c) == 1 ]] || die "ldso/dynlink.c: not the linker that was expected"
	line=$1 call=$2 awk '$0 == ENVIRON["line"] { print "\t" ENVIRON["call"] } { print }' ldso/dynlink.c >ldso/told && mv ldso/told ldso/dynlink.c || exit 1
}
if [[ ! $stock ]]; then
	cp "$here/musl/early.c" ldso/
	told $'\tif (ldd_mode) dprintf(1, "\\t%s => %s (%p)\\n", name, pathname, p->base);' 'if (!runtime) farcall_loaded(p->name, p->map);'
	# what is preloaded comes before what is needed, but the shim before either
	told $'\tif (env_preload) load_preload(env_preload);' 'for (size_t *d = app.dynv; env_preload && *d; d += 2) if (*d == DT_NEEDED && !strcmp(app.strings + d[1], "libfarcall.so")) load_library("libfarcall.so", &app);'
	told $'\tvoid *initial_tls = builtin_tls;' 'farcall_pause();'
	sed -i '1i void farcall_loaded(const char *, const void *), farcall_pause(void);' ldso/dynlink.c
fi

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
