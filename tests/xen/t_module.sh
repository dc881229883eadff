#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module alone, in a Xen machine under emulation (lab.sh): loaded and unloaded, who may do what with it, and between hostile domains and hostile
# users. Freed memory is poisoned: whatever is used after its end is seen.
# FC_LAB_TIMES: how often it is loaded (100); FC_LAB_HOSTILE: seconds of each hostile domain (3).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/xen/in_lab.sh
. "$(dirname "$0")/in_lab.sh"

lab_options=(--linux "slub_debug=FZP page_poison=1")
in_lab $((600 + 25 * (10 + ${FC_LAB_HOSTILE:-3}))) module.sh "${FC_LAB_TIMES:-100}" -- callers.sh -- hang.sh -- hostile.sh "${FC_LAB_HOSTILE:-3}"
finish
