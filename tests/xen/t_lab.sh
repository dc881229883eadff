#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The end-to-end tests with a real Xen domain to serve the files, the death of that domain under load, abuse by users, and limits: in a Xen
# machine under emulation (lab.sh). FC_LAB_ROUNDS: how often the domain dies (2); FC_LAB_FUZZ: seconds of abuse (30).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/xen/in_lab.sh
. "$(dirname "$0")/in_lab.sh"

in_lab 400 e2e.sh
in_lab 200 kill.sh "${FC_LAB_ROUNDS:-2}"
in_lab $((120 + ${FC_LAB_FUZZ:-30})) fuzz.sh "${FC_LAB_FUZZ:-30}"
lab_options=(--xen gnttab_max_frames=16)
in_lab 200 limits.sh
finish
