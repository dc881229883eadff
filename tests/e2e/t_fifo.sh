#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# a FIFO is the kernel's own business: see h_fifo.c
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || skip "on Xen a FIFO is not handed over"
both_sides h_fifo
finish
