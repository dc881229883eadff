#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end-to-end tests with a real Xen domain to serve the files, what each call says there and natively (tests/posix), the comparison with native
# calls, the death of that domain under load, abuse by users, limits, and a disk controller of its own: in two Xen machines under emulation
# (lab.sh). FC_LAB_ROUNDS: how often the domain dies (2); FC_LAB_FUZZ: seconds of abuse (40); FC_LAB_COMPARE: seconds of comparison (100). The times
# are for a machine that has other work, too: nothing here is judged by them.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/xen/in_lab.sh
. "$(dirname "$0")/in_lab.sh"

# What tests/run.sh --all has time for. FC_LAB_ALL=1, by hand: everything, about 20 minutes.
if [[ ! ${FC_LAB_ALL:-} ]]; then
	in_lab 500 e2e.sh append limits mmap -- leases.sh -- posix.sh --root t_border t_attr t_map t_open t_read t_splice -- maps.sh -- callers.sh
	finish
fi

# shellcheck source=tests/relinked/libraries.sh
. "$FC_SOURCE/tests/relinked/libraries.sh"

# what runs relinked on the machine's own files runs on the storage domain's, too: not each program in each build, for the emulator is slow
library musl
library uclibc-ng
for build in $builds; do
	[[ $build != glibc ]] || continue
	mkdir -p "$FC_BUILD/relinked/$build"
	case $build in *-static) programs=append ;; *) programs="locks threads" ;; esac
	for program in $programs; do
		compile "$build" "$FC_BUILD/relinked/$build/h_$program" "e2e/h_$program.c"
	done
done

in_lab 1400 e2e.sh -- posix.sh -- leases.sh -- maps.sh -- fuzz.sh "${FC_LAB_FUZZ:-40}" -- kill.sh "${FC_LAB_ROUNDS:-2}" -- compare.sh "${FC_LAB_COMPARE:-100}"
truncate -s 64M "$TESTDIR/nvme.img"
lab_options=(--xen "gnttab_max_frames=16 iommu=verbose"
	--qemu "-device intel-iommu,intremap=on -drive file=$TESTDIR/nvme.img,if=none,id=nv,format=raw -device nvme,drive=nv,serial=farcall")
in_lab 400 limits.sh -- passthrough.sh
finish
