#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh - builds a hooked uClibc-ng 1.0.35 and the compiler wrapper farcall-uclibc-gcc. No file of uClibc-ng's is kept here: site.s, which the
# assembler reads in front of every file, makes the sites. What Debian's gcc expects of a libc and uClibc-ng does not
# have is added: dl_find_object.c, and a libgcc_s.so.1, which threads that are cancelled or exit load.
set -u -o pipefail
export LC_ALL=C
# shellcheck source=libc-shim/relink.sh
. "$(dirname "$0")/../relink.sh"

# Debian's package installs the tarball here
relink_options "$@"
if [[ -z $source ]]; then
	for source in /usr/src/uClibc-ng-*.tar.xz; do :; done
	[[ -f $source ]] || die "no source: apt-get install uclibc-source, or name one with --source"
fi
relink_begin uclibc-ng
# shellcheck disable=SC2119 # its arguments would name Debian's source package
relink_unpack
cd "$work/source" || exit 1
cp "$here/dl_find_object.c" libc/unistd/

# A thread that was cancelled before it comes to a cancellable call unwinds from assembly that has not aligned its stack, and is
# killed by SIGSEGV in gcc's unwinder.
cancellation=libpthread/nptl/sysdeps/unix/sysv/linux/x86_64/cancellation.S
sed -i 's/^3:\(.*%fs:RESULT\)$/3:\tsubq $8, %rsp\n\t.cfi_adjust_cfa_offset 8\n\1/' "$cancellation"
grep -q 'cfi_adjust_cfa_offset 8' "$cancellation" || die "$cancellation: not the function that was expected"

# the kernel's headers in one directory
mkdir "$work/kernel"
ln -s /usr/include/linux /usr/include/asm-generic "/usr/include/$(gcc -print-multiarch)/asm" "$work/kernel/"

step() # WHAT MAKE'S ARGUMENTS...
{
	local what=$1
	shift
	make ARCH=x86_64 "$@" >"$work/log" 2>&1 || { grep -m 5 -A 5 -i 'error' "$work/log" >&2; tail "$work/log" >&2; die "$what failed"; }
}

step "make defconfig" defconfig
# olddefconfig takes the last of several lines
grep -v '^#' "$here/uclibc-ng/config" >>.config
cat >>.config <<END
KERNEL_HEADERS="$work/kernel"
UCLIBC_EXTRA_CFLAGS="-fasynchronous-unwind-tables $mark"
END
step "make olddefconfig" olddefconfig
for option in UCLIBC_HAS_THREADS_NATIVE LDSO_GNU_HASH_SUPPORT UCLIBC_HAS_XATTR; do
	grep -q "^$option=y" .config || die "uClibc-ng would not take $option"
done
step make -j"$jobs"
step "make install" install PREFIX="$work/root"
cp -a "$work/root/nonexistent/." "$prefix/" || exit 1
# paths of this build, which nobody asks for
sed -i '/__\(KERNEL_HEADERS\|UCLIBC_EXTRA_CFLAGS\)__/d' "$prefix/include/bits/uClibc_config.h"

relink_check "$prefix/lib/libuClibc-1.0.35.so" 400 3
relink_link_shim
relink_link_headers
lib=$prefix/lib
# everything is in libc; what asks for other libraries finds empty ones
for name in m pthread rt dl crypt resolv util nsl; do
	[[ -e $lib/lib$name.a || -e $lib/lib$name.so ]] || ar cr "$lib/lib$name.a" || exit 1
done
# One unwinder per process: libpthread's is libgcc_s.so.1, and so it must be the dynamic program's.
relink_specs uclibc ld64-uClibc.so.1 \
	"%{static-pie:%euClibc-ng 1.0.35 has no static-pie} %{!shared:%{static|no-pie:$(at lib/crt1.o);:$(at lib/Scrt1.o)}} $(at lib/crti.o) %{static:crtbeginT.o%s;:crtbeginS.o%s}" \
	"--start-group -lc -lgcc %{static:-lgcc_eh;:--as-needed $(at lib/libgcc_s.so.1) --no-as-needed} --end-group" "-fno-stack-protector"

# libgcc_eh.a's names are hidden: give them away under new ones.
names=$(nm -g --defined-only "$(gcc -print-file-name=libgcc_eh.a)" | awk '$2 == "T" && $3 ~ /^(_Unwind_|__gcc_personality_v0)/ { print $3 }')
rename=()
for name in $names; do
	rename+=(--redefine-sym "$name=farcall_gcc$name")
	printf '.globl %s\n.type %s, @function\n%s: jmp farcall_gcc%s\n.size %s, . - %s\n' \
		"$name" "$name" "$name" "$name" "$name" "$name"
done >"$work/names.s"
echo '.section .note.GNU-stack, "", @progbits' >>"$work/names.s"
objcopy "${rename[@]}" "$(gcc -print-file-name=libgcc_eh.a)" "$work/eh.a" || die "objcopy failed"
"$prefix/bin/farcall-uclibc-gcc" -shared -fPIC -nodefaultlibs -o "$lib/libgcc_s.so.1" -Wl,-soname,libgcc_s.so.1 "$work/names.s" \
	-Wl,--whole-archive "$work/eh.a" -Wl,--no-whole-archive -lc -lgcc || die "libgcc_s.so.1 cannot be made"
relink_end
