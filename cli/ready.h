/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ready.h - makes the file with a library whose sites are rewritten already, see libc-shim/hook/ready.h. */
#ifndef FC_CLI_READY_H
#define FC_CLI_READY_H

#include "cli/decode.h"

/* Have it made beside the table of the image, `table` in the directory, if it is not there. If it cannot be, programs start without it, a
 * little later: that is no error. */
void fc_ready_ensure(int dir, const char *table, const struct fc_image *image);

#endif
