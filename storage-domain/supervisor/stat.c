/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stat.c - the figures of FC_MSG_STAT. Counters are in the roster; what only a shadow can see (the depth of its queue) it
 * samples when asked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/atomic.h"
#include "storage-domain/counters.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/supervisor/supervisor.h"

void fc_stat_begin(struct fc_supervisor *v)
{
	struct fc_msg m = { .type = FC_LINK_SAMPLE };

	if (!v->stat_wanted)
		v->sample_deadline_ms = fc_now_ms() + FC_SAMPLE_MS;
	v->stat_wanted = true;
	for (unsigned i = 0; i < v->used; i++) {
		struct fc_session *s = &v->session[i];

		if (s->state != FC_SESSION_LIVE || s->sampling)
			continue;
		s->sampling = fc_control_send(s->link.fd, &m, NULL, NULL, 0, MSG_DONTWAIT) == 0;
		v->sampling += s->sampling;
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void fill_session(const struct fc_roster_slot *slot, uint64_t now, struct fc_stat_session *out)
{
	*out = (struct fc_stat_session){
		.id = slot->id,
		.client_pid = slot->client_pid,
		.shadow_pid = slot->shadow_pid,
		.uid = slot->uid,
		.queue_depth = slot->queue_depth,
		.descriptors = slot->descriptors,
		.workers = slot->workers,
		.awake = slot->awake,
		.data_bytes = slot->data_bytes,
		.age_ns = now - slot->started_ns,
		.count = slot->count,
	};
	memcpy(out->comm, slot->comm, sizeof out->comm - 1);
}

size_t fc_stat_fill(struct fc_supervisor *v, uid_t uid, struct fc_stat_domain *d)
{
	struct fc_stat_session *out = (void *)(d + 1);
	uint64_t now = now_ns();

	*d = (struct fc_stat_domain){
		.magic = FC_STAT_MAGIC,
		.size = sizeof *d,
		.session_size = sizeof *out,
		.generation = v->shared->generation,
		.uptime_ns = now - v->started_ns,
		.pid = getpid(),
		.attached = v->attached,
		.cut_off = fc_load(&v->shared->cut_off),
		.total = v->total,
	};
	for (unsigned i = 0; i < v->used; i++) {
		if (v->session[i].state < FC_SESSION_LIVE || !v->session[i].id || v->session[i].unused)
			continue;
		if (v->privileged && uid != 0 && uid != v->session[i].uid)
			continue;
		fill_session(&v->shared->slot[i], now, &out[d->sessions]);
		fc_counters_add(&d->total, &out[d->sessions].count);
		d->sessions++;
	}
	return sizeof *d + d->sessions * sizeof *out;
}

/* A sealed memfd with the figures. Returns the descriptor or -errno. */
static int make(struct fc_supervisor *v, uid_t uid, uint64_t *bytes)
{
	size_t room = FC_STAT_ROOM;
	int fd = memfd_create("farcall-stat", MFD_CLOEXEC | MFD_ALLOW_SEALING), r;
	void *memory;

	if (fd < 0)
		return -errno;
	memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		goto failed;
	*bytes = fc_stat_fill(v, uid, memory);
	r = write(fd, memory, *bytes) == (ssize_t)*bytes ? 0 : -1;
	munmap(memory, room);
	if (r || fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto failed;
	return fd;
failed:
	r = errno ? -errno : -EIO;
	close(fd);
	return r;
}

int fc_stat_due_ms(const struct fc_supervisor *v)
{
	uint64_t now;

	if (!v->stat_wanted)
		return -1;
	now = fc_now_ms();
	return now >= v->sample_deadline_ms ? 0 : (int)(v->sample_deadline_ms - now);
}

void fc_stat_finish(struct fc_supervisor *v)
{
	struct fc_msg m = { .type = FC_MSG_STAT };

	if (!v->stat_wanted || (v->sampling && fc_stat_due_ms(v) > 0))
		return;
	v->stat_wanted = false;
	if (v->stat_ready)
		v->stat_ready(v);
	for (unsigned i = 0; i < FC_CONNECTIONS_MAX; i++) {
		struct fc_connection *c = &v->connection[i];
		int fd;

		if (c->watch.fd < 0 || c->waiting != FC_WAIT_STAT)
			continue;
		fd = make(v, c->uid, &m.arg[0]);
		m.serial = c->serial;
		m.status = fd < 0 ? fd : 0;
		fc_connection_answer(v, c, &m, NULL, &fd, fd >= 0);
		if (fd >= 0)
			close(fd);
	}
}
