#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# t_intruders.sh - t_intruders.c with the daemon that was built.
exec "$FC_BUILD/tests/domain/t_intruders" "$FC_BUILD/farcall-storaged"
