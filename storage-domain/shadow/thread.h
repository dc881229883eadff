/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread.h - a thread of a shadow's that is no worker. */
#ifndef FC_DOMAIN_SHADOW_THREAD_H
#define FC_DOMAIN_SHADOW_THREAD_H

#include <pthread.h>

#define FC_THREAD_STACK (64u * 1024u)

/* Start one that nobody joins: in a shadow that was forked, the thread sanitizer takes it for one of the parent's. 0 or an errno. */
static inline int fc_thread_start(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, FC_THREAD_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_create(&thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return r;
}

#endif
