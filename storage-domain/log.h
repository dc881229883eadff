/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - the domain's log: one line per event on stderr, by any of its processes. It decides on no policy. */
#ifndef FC_DOMAIN_LOG_H
#define FC_DOMAIN_LOG_H

enum fc_log_level { FC_LOG_ERROR, FC_LOG_WARNING, FC_LOG_INFO, FC_LOG_DEBUG };

/* Lines above this level are not written (default: FC_LOG_WARNING). Before any thread or process is made. */
void fc_log_limit(enum fc_log_level level);

/* Write "farcall-storaged: text" with one write(2). Any thread; not async-signal-safe. Keeps errno. */
void fc_log(enum fc_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A process of the domain has ended, with this status from wait(2): say so if it is nobody's doing. */
void fc_log_death(int pid, int status);

#endif
