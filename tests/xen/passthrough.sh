#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# passthrough.sh - in the lab's primary domain: an NVMe controller is given to the storage domain (xen-pciback); see docs/xen-passthrough.md for
# the lab's options. What is written through farcall is read back by the primary domain from the same disk, once it has its controller again.
. "$FC_SOURCE/tests/xen/checks.sh"

bdf=$(grep -l 0x010802 /sys/bus/pci/devices/*/class | head -n 1)
bdf=${bdf%/class} bdf=${bdf##*/}
[[ $bdf ]] || { fail "no NVMe controller"; exit 1; }
insmod "$FC_BUILD/kmod/farcall.ko" || { fail "the module does not load"; exit 1; }
load xen-pciback nvme
for ((i = 0; i < 50; i++)); do [[ -b /dev/nvme0n1 ]] && break; sleep 0.1; done
mkfs.ext4 -q -F /dev/nvme0n1 || { fail "mkfs"; exit 1; }
xl dmesg | grep -i -E 'iommu|vt-d|DMAR' | head -n 20
xl pci-assignable-add "$bdf" || { fail "xl pci-assignable-add"; dmesg | tail; exit 1; }
xl pci-assignable-list
[[ -b /dev/nvme0n1 ]] && fail "the primary domain still has the disk"
if ! DOMU_HARDWARE="pci = [ '$bdf' ]" DOMU_OPTIONS="farcall.disk=/dev/nvme0n1 iommu=soft" start_domu one /far; then
	fail "a storage domain with the controller"
	xl dmesg | tail -n 30
	dmesg | tail -n 20
	exit 1
fi
pass "the storage domain has the controller"
"$FARCALL" domain attach --timeout 20 one || { fail "attach"; tail "$LAB/guest-one.log"; exit 1; }
dd if=/dev/urandom of=/run/data bs=64k count=100 status=none
if "$FARCALL" run --domain one -- sh -c 'dd if=/run/data of=/far/data bs=64k conv=fsync status=none && cmp /run/data /far/data'; then
	pass "dd writes and reads back through it"
else
	fail "dd"
fi
"$FARCALL" stat --domain one
"$FARCALL" domain detach one
xl destroy one
xl pci-assignable-remove -r "$bdf"
echo "$bdf" >/sys/bus/pci/drivers/nvme/bind 2>/dev/null
for ((i = 0; i < 50; i++)); do [[ -b /dev/nvme0n1 ]] && break; sleep 0.1; done
mkdir -p /run/back
if mount /dev/nvme0n1 /run/back && cmp /run/data /run/back/data; then
	pass "the primary domain finds the same on the disk"
else
	fail "the disk, back in the primary domain"
fi
if kernel_clean; then pass "the kernel log is clean"; else fail "the kernel log"; fi
