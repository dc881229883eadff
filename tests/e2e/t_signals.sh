#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# signals meet remote calls: EINTR, SA_RESTART, calls in handlers, siglongjmp: see h_signals.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_signals
far_options=:nomap
both_sides h_signals
finish
