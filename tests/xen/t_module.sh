#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module alone, in a Xen machine under emulation (lab.sh): loaded and unloaded, and between hostile domains and hostile users.
# FC_LAB_TIMES: how often it is loaded (100); FC_LAB_HOSTILE: seconds of each hostile domain (3).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/xen/in_lab.sh
. "$(dirname "$0")/in_lab.sh"

in_lab 200 module.sh "${FC_LAB_TIMES:-100}"
in_lab 150 hang.sh
# freed memory is poisoned: whatever is used after its end is seen
lab_options=(--linux "slub_debug=FZP page_poison=1")
in_lab $((200 + 25 * (5 + ${FC_LAB_HOSTILE:-3}))) hostile.sh "${FC_LAB_HOSTILE:-3}"
finish
