/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard.c - where whoever guards the shim's own calls is found (rawcall.h). Here, so that the hook can be linked without the shim. */
#include "common/rawcall.h"

const struct fc_guard *fc_guard;
