#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cancelled threads and jumps out of calls cost the other threads nothing: see h_cancel.c
. "$(dirname "$0")/../lib.sh"
need_farcall
far_options=:nomap
both_sides h_cancel 250
finish
