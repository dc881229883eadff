#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# large transfers: see h_large.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_large
finish
