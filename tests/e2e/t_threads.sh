#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# many threads, races, cancellation: see h_threads.c
. "$(dirname "$0")/../lib.sh"
need_farcall
far_options=:nomap
both_sides h_threads
finish
