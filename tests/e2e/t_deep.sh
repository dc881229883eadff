#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Paths beyond PATH_MAX: see h_deep.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_deep
finish
