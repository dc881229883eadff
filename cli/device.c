/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - the ioctls of /dev/syscall that are not about a session, see device.h. */
#define _GNU_SOURCE
#include "cli/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int control(unsigned long request, void *argument)
{
	int fd = open(FC_DEVICE, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	r = ioctl(fd, request, argument) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int fc_device_list(unsigned index, struct fc_ioc_list *entry, char *text)
{
	*entry = (struct fc_ioc_list){ .size = sizeof(*entry), .index = index, .text = (uintptr_t)text };
	int r = control(FC_IOC_LIST, entry);

	entry->name[sizeof(entry->name) - 1] = '\0';
	if (r == 0 && entry->version != FC_IOC_VERSION)
		return -EPROTONOSUPPORT;
	return r == 0 && entry->text_size > FC_IOC_TEXT_MAX ? -EPROTO : r;
}

int fc_device_find(const char *name, struct fc_ioc_list *entry, char *text)
{
	for (unsigned i = 0;; i++) {
		int r = fc_device_list(i, entry, text);

		if (r < 0)
			return r == -ENOENT ? -ESRCH : r;
		if (!strcmp(entry->name, name))
			return 0;
	}
}

long fc_device_stat(const char *name, void **figures)
{
	struct fc_ioc_stat a = { .size = sizeof(a), .length = 20480 };

	*figures = malloc(a.length);
	if (!*figures)
		return -ENOMEM;
	strcpy(a.name, name); /* its length was checked */
	a.buffer = (uintptr_t)*figures;
	int r = control(FC_IOC_STAT, &a);
	if (r == 0)
		return (long)a.length;
	free(*figures);
	return r;
}

long fc_device_cleanup(const char *name)
{
	struct fc_ioc_cleanup a = { .size = sizeof(a) };

	strcpy(a.name, name);
	int r = control(FC_IOC_CLEANUP, &a);
	return r < 0 ? r : (long)a.leaked;
}

bool fc_device_name_ok(const char *text)
{
	return *text && strlen(text) < FC_IOC_NAME_MAX && !strchr(text, '/') && !strchr(text, '\n');
}

const char *fc_device_problem(const char *name, int err)
{
	static char text[300];
	const char *what;

	switch (err) {
	case -ESRCH:
	case -ENOENT:
		what = "no such Xen domain is attached; `farcall domain list` shows those that are";
		break;
	case -ENODEV:
		what = "there is no " FC_DEVICE "; load the module (modprobe farcall), or give the path of a socket";
		break;
	case -EPROTONOSUPPORT:
		what = "the module farcall is of another version; install the one of this release";
		break;
	case -EPERM:
		what = "that takes root";
		break;
	default:
		what = strerror(-err);
	}
	snprintf(text, sizeof(text), "%s: %s", name, what);
	return text;
}
