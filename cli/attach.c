/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attach.c - xenstore's side of attaching and detaching a Xen domain, see attach.h. */
#define _GNU_SOURCE
#include "cli/attach.h"

#include "cli/cli.h"

#ifndef HAVE_XEN

int fc_attach(const char *domain, int seconds)
{
	(void)seconds;
	fc_say("%s: this farcall was built without the Xen libraries (configure --with-xen)", domain);
	return -1;
}

int fc_detach(const char *name, bool dead, int seconds)
{
	(void)dead;
	return fc_attach(name, seconds);
}

bool fc_xen_exists(const char *domain)
{
	(void)domain;
	return false;
}

#else

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/xenbus.h> /* wants the integer types to be there */
#include <xenstore.h>

#include "cli/runtime.h"
#include "farcall/control.h"
#include "farcall/ioctl.h"
#include "farcall/xen.h"

#define TRIES 5 /* of a transaction that somebody else's gets in the way of */

/* One storage domain: its two directories. */
struct link {
	struct xs_handle *xs;
	unsigned own, domid;
	char name[FC_IOC_NAME_MAX];
	char front[64], back[80];
};

static char *read_node(struct link *l, xs_transaction_t t, const char *directory, const char *node)
{
	char path[200];
	unsigned size;

	snprintf(path, sizeof(path), "%s%s%s", directory, *directory ? "/" : "", node);
	return xs_read(l->xs, t, path, &size);
}

static long read_number(struct link *l, xs_transaction_t t, const char *directory, const char *node)
{
	char *text = read_node(l, t, directory, node);
	long value = text && *text ? strtol(text, NULL, 10) : -1;

	free(text);
	return value;
}

static bool write_node(struct link *l, xs_transaction_t t, const char *directory, const char *node, const char *value)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", directory, node);
	return xs_write(l->xs, t, path, value, (unsigned)strlen(value));
}

static bool write_number(struct link *l, xs_transaction_t t, const char *directory, const char *node, unsigned value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	return write_node(l, t, directory, node, text);
}

/* The number of the domain called that, by its name or already a number. */
static bool find_domain(struct link *l, const char *domain)
{
	unsigned count = 0;
	char **all = xs_directory(l->xs, XBT_NULL, "/local/domain", &count);
	bool found = false;

	for (unsigned i = 0; i < count && !found; i++) {
		char path[64], *name;

		snprintf(path, sizeof(path), "/local/domain/%.20s", all[i]);
		name = read_node(l, XBT_NULL, path, "name");
		found = name && (!strcmp(domain, name) || !strcmp(domain, all[i])) && strlen(name) < sizeof(l->name);
		if (found) {
			l->domid = (unsigned)strtoul(all[i], NULL, 10);
			strcpy(l->name, name);
		}
		free(name);
	}
	free(all);
	return found;
}

static void set_paths(struct link *l)
{
	snprintf(l->front, sizeof(l->front), "/local/domain/%u/device/" FC_XEN_TYPE "/%u", l->own, l->domid);
	snprintf(l->back, sizeof(l->back), "/local/domain/%u/backend/" FC_XEN_TYPE "/%u/%u", l->domid, l->own,
		 l->domid);
}

static bool open_store(struct link *l)
{
	long own;

	l->xs = xs_open(0);
	if (!l->xs) {
		fc_say("cannot talk to xenstore: %s; is this a Xen domain, and are you root?", strerror(errno));
		return false;
	}
	own = read_number(l, XBT_NULL, "", "domid");
	l->own = own < 0 ? 0 : (unsigned)own;
	return true;
}

bool fc_xen_exists(const char *domain)
{
	struct link l = { 0 };
	bool found = open_store(&l) && find_domain(&l, domain);

	if (l.xs)
		xs_close(l.xs);
	return found;
}

static bool make_directory(struct link *l, xs_transaction_t t, const char *path, unsigned owner, unsigned reader)
{
	struct xs_permissions who[2] = { { owner, XS_PERM_NONE }, { reader, XS_PERM_READ } };

	return xs_mkdir(l->xs, t, path) && xs_set_permissions(l->xs, t, path, who, 2);
}

static bool make_nodes(struct link *l, xs_transaction_t t)
{
	xs_rm(l->xs, t, l->front);
	xs_rm(l->xs, t, l->back);
	return make_directory(l, t, l->back, l->domid, l->own) && make_directory(l, t, l->front, l->own, l->domid) &&
	       write_node(l, t, l->back, "frontend", l->front) && write_number(l, t, l->back, "frontend-id", l->own) &&
	       write_node(l, t, l->front, "backend", l->back) && write_number(l, t, l->front, "backend-id", l->domid) &&
	       write_node(l, t, l->front, "name", l->name) &&
	       write_number(l, t, l->back, "state", XenbusStateInitialising) &&
	       write_number(l, t, l->front, "state", XenbusStateInitialising);
}

static bool in_transaction(struct link *l, bool (*change)(struct link *, xs_transaction_t))
{
	for (int i = 0; i < TRIES; i++) {
		xs_transaction_t t = xs_transaction_start(l->xs);

		if (!change(l, t)) {
			int why = errno;

			xs_transaction_end(l->xs, t, true);
			fc_say("%s: cannot write to xenstore: %s", l->name, strerror(why));
			return false;
		}
		if (xs_transaction_end(l->xs, t, false))
			return true;
		if (errno != EAGAIN)
			break;
	}
	fc_say("%s: cannot write to xenstore: %s", l->name, strerror(errno));
	return false;
}

static bool remove_nodes(struct link *l, xs_transaction_t t)
{
	return (xs_rm(l->xs, t, l->front) || errno == ENOENT) && (xs_rm(l->xs, t, l->back) || errno == ENOENT);
}

/* The nodes of an earlier life: the kernel must have seen that they go, or it does not see that new ones come. */
static bool clear_away(struct link *l)
{
	char device[80];

	if (read_number(l, XBT_NULL, l->front, "state") < 0)
		return true;
	if (!in_transaction(l, remove_nodes))
		return false;
	snprintf(device, sizeof(device), "/sys/bus/xen/devices/" FC_XEN_TYPE "-%u", l->domid);
	for (int i = 0; i < 250 && access(device, F_OK) == 0; i++)
		usleep(20000);
	return true;
}

/* Wait until the front end's state is `wanted` (or, for Closed, its nodes are gone). Returns the last state. */
static long await(struct link *l, long wanted, int seconds)
{
	time_t end = time(NULL) + seconds, told = time(NULL);
	long state;

	while ((state = read_number(l, XBT_NULL, l->front, "state")) != wanted && time(NULL) < end) {
		if (wanted == XenbusStateClosed && state < 0)
			return wanted;
		if (time(NULL) >= told + 5) {
			told = time(NULL);
			fc_say("%s: waiting (our end is in state %ld, the domain's in %ld; 4 is connected)", l->name,
			       state, read_number(l, XBT_NULL, l->back, "state"));
		}
		usleep(20000);
	}
	return state;
}

static const char *whose_fault(struct link *l, long front)
{
	if (front == XenbusStateInitialising)
		return "the module farcall does not take it up; is it loaded (modprobe farcall)?";
	if (read_number(l, XBT_NULL, l->back, "state") <= XenbusStateInitialising)
		return "the domain does not take it up; does farcall-storaged --xen run there? (xl console)";
	return "both ends have begun but do not get through; see dmesg here and the domain's console";
}

/* Those of an earlier life of the domain nobody can reach any more. */
static void make_sockets(const char *name)
{
	int err;

	fc_runtime_sockets_remove(name);
	err = fc_runtime_sockets_make(name);
	if (err)
		fc_say("%s: there will be no Unix sockets on its exports: " FC_SOCKETS_XEN "%s: %s", name, name,
		       strerror(-err));
}

int fc_attach(const char *domain, int seconds)
{
	struct link l = { 0 };
	int r = -1;
	long state;

	if (!open_store(&l))
		return -1;
	if (!find_domain(&l, domain)) {
		fc_say("%s: there is no running domain of this name (at most %d characters) or number; see `xl list`",
		       domain, FC_IOC_NAME_MAX - 1);
		goto out;
	}
	set_paths(&l);
	if (l.domid == l.own) {
		fc_say("%s: that is this very domain", domain);
		goto out;
	}
	if (read_number(&l, XBT_NULL, l.front, "state") == XenbusStateConnected) {
		fc_say("%s is attached already", l.name);
		r = 0;
		goto out;
	}
	if (!clear_away(&l) || !in_transaction(&l, make_nodes))
		goto out;
	make_sockets(l.name);
	state = await(&l, XenbusStateConnected, seconds);
	if (state == XenbusStateConnected) {
		r = 0;
	} else {
		fc_say("%s: not connected after %d s: %s", l.name, seconds, whose_fault(&l, state));
		in_transaction(&l, remove_nodes);
	}
out:
	xs_close(l.xs);
	return r;
}

/* The front end that carries this name, whether its domain still runs or not. */
static bool find_front(struct link *l, const char *name)
{
	char base[64];
	unsigned count = 0;
	bool found = false;
	char **all;

	snprintf(base, sizeof(base), "/local/domain/%u/device/" FC_XEN_TYPE, l->own);
	all = xs_directory(l->xs, XBT_NULL, base, &count);
	for (unsigned i = 0; i < count && !found; i++) {
		char path[100], *is;

		snprintf(path, sizeof(path), "%s/%.20s", base, all[i]);
		is = read_node(l, XBT_NULL, path, "name");
		found = is && !strcmp(is, name) && strlen(is) < sizeof(l->name);
		free(is);
		if (found) {
			l->domid = (unsigned)strtoul(all[i], NULL, 10);
			strcpy(l->name, name);
		}
	}
	free(all);
	return found;
}

static bool close_back(struct link *l, xs_transaction_t t)
{
	return write_number(l, t, l->back, "state", XenbusStateClosing);
}

int fc_detach(const char *name, bool dead, int seconds)
{
	struct link l = { 0 };
	int r = -1;

	if (!open_store(&l))
		return -1;
	if (!find_front(&l, name)) {
		fc_say("%s: not attached; `farcall domain list` shows what is", name);
		goto out;
	}
	set_paths(&l);
	if (!dead && !in_transaction(&l, close_back))
		goto out;
	if (!dead && await(&l, XenbusStateClosed, seconds) != XenbusStateClosed)
		fc_say("%s: the module still holds on to it after %d s; removing its nodes all the same", l.name,
		       seconds);
	if (in_transaction(&l, remove_nodes))
		r = 0;
	fc_runtime_sockets_remove(l.name);
out:
	xs_close(l.xs);
	return r;
}

#endif
