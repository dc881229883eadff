#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# splice and tee with remote files: see h_splice.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_splice
if [[ ! ${FC_TEST_XEN:-} ]]; then
	far_options=:nomap
	both_sides h_splice
fi
finish
