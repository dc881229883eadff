#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end-to-end tests with a real Xen domain to serve the files, the comparison with native calls, the death of that domain under load, abuse by
# users, limits, and a disk controller of its own: in a Xen machine under emulation (lab.sh). FC_LAB_ROUNDS: how often the domain dies (2);
# FC_LAB_FUZZ: seconds of abuse (120); FC_LAB_EVERY: one of how many vectors is compared (60).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/xen/in_lab.sh
. "$(dirname "$0")/in_lab.sh"

# what runs relinked, statically, on the machine's own files runs on the storage domain's, too
check "a relinked libc" make -s -C "$FC_BUILD" libc-musl >"$TESTDIR/musl.out" 2>&1 || tail "$TESTDIR/musl.out"
mkdir -p "$FC_BUILD/relinked"
for program in append locks threads; do
	check "$program, relinked" "$FC_BUILD/libc-musl/bin/farcall-musl-gcc" -static -std=gnu11 -O2 -w -pthread -I"$FC_SOURCE" -I"$FC_SOURCE/include" \
		-include "$FC_SOURCE/tests/relinked/compat.h" -o "$FC_BUILD/relinked/h_$program" "$FC_SOURCE/tests/e2e/h_$program.c"
done

in_lab 400 e2e.sh
in_lab 300 compare.sh "${FC_LAB_EVERY:-60}"
in_lab 200 kill.sh "${FC_LAB_ROUNDS:-2}"
in_lab $((120 + ${FC_LAB_FUZZ:-120})) fuzz.sh "${FC_LAB_FUZZ:-120}"
lab_options=(--xen gnttab_max_frames=16)
in_lab 200 limits.sh
truncate -s 64M "$TESTDIR/nvme.img"
lab_options=(--xen iommu=verbose
	--qemu "-device intel-iommu,intremap=on -drive file=$TESTDIR/nvme.img,if=none,id=nv,format=raw -device nvme,drive=nv,serial=farcall")
in_lab 200 passthrough.sh
finish
