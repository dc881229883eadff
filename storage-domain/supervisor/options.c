/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.c - the command line of farcall-storaged, see options.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int parse_number(const char *text, int base, unsigned long max, unsigned long *value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	*value = strtoul(text, &end, base);
	return *end || *value > max ? -1 : 0;
}

static int parse_level(const char *text, enum fc_log_level *level)
{
	static const char *const name[] = { "error", "warning", "info", "debug" };

	for (unsigned i = 0; i < sizeof name / sizeof name[0]; i++)
		if (!strcmp(text, name[i])) {
			*level = i;
			return 0;
		}
	return -1;
}

static int add_export(struct fc_options *o, const char *text, char *wrong, size_t room)
{
	const char *problem;

	if (o->exports == FC_EXPORTS_MAX) {
		snprintf(wrong, room, "more than %d exports (-v)", FC_EXPORTS_MAX);
		return -1;
	}
	problem = fc_export_parse(&o->export[o->exports], text);
	if (problem) {
		snprintf(wrong, room, "-v %s: %s", text, problem);
		return -1;
	}
	for (unsigned i = 0; i < o->exports; i++)
		if (!strcmp(o->export[i].prefix, o->export[o->exports].prefix)) {
			snprintf(wrong, room, "-v: two exports at %s", o->export[i].prefix);
			return -1;
		}
	o->exports++;
	return 0;
}

enum {
	OPT_SOCKET = 256,
	OPT_XEN,
	OPT_SPIN,
	OPT_READY,
	OPT_MODE,
	OPT_DIE,
	OPT_LOG,
	OPT_USER,
	OPT_ANY_ROOT,
	OPT_HELP,
	OPT_VERSION
};

static const struct option table[] = {
	{ "volume", required_argument, NULL, 'v' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "xen", no_argument, NULL, OPT_XEN },
	{ "spin", required_argument, NULL, OPT_SPIN },
	{ "ready-fd", required_argument, NULL, OPT_READY },
	{ "mode", required_argument, NULL, OPT_MODE },
	{ "die-with-parent", no_argument, NULL, OPT_DIE },
	{ "user", required_argument, NULL, OPT_USER },
	{ "any-root", no_argument, NULL, OPT_ANY_ROOT },
	{ "log-level", required_argument, NULL, OPT_LOG },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

/* One option. Returns 0, or -1 with `wrong` filled. */
static int take(struct fc_options *o, int option, char **argv, char *wrong, size_t room)
{
	unsigned long number;
	int policy;

	switch (option) {
	case 'v':
		return add_export(o, optarg, wrong, room);
	case OPT_SOCKET:
		o->socket = optarg;
		return 0;
	case OPT_XEN:
		o->xen = true;
		return 0;
	case OPT_SPIN:
		policy = fc_spin_policy_find(optarg);
		if (policy >= 0) {
			o->spin = policy;
			return 0;
		}
		snprintf(wrong, room, "--spin %s: not one of adaptive, always, never", optarg);
		return -1;
	case OPT_READY:
		if (!parse_number(optarg, 10, 1 << 20, &number)) {
			o->ready_fd = (int)number;
			return 0;
		}
		snprintf(wrong, room, "--ready-fd %s: not a descriptor number", optarg);
		return -1;
	case OPT_MODE:
		if (!parse_number(optarg, 8, 0777, &number)) {
			o->mode = number;
			return 0;
		}
		snprintf(wrong, room, "--mode %s: not an octal file mode", optarg);
		return -1;
	case OPT_LOG:
		if (!parse_level(optarg, &o->log))
			return 0;
		snprintf(wrong, room, "--log-level %s: not one of error, warning, info, debug", optarg);
		return -1;
	case OPT_USER:
		o->user = optarg;
		return 0;
	case OPT_ANY_ROOT:
		o->any_root = true;
		return 0;
	case OPT_DIE:
		o->die_with_parent = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	case ':':
		snprintf(wrong, room, "%s needs an argument", argv[optind - 1]);
		return -1;
	default:
		snprintf(wrong, room, "unknown option %s", argv[optind - 1]);
		return -1;
	}
}

int fc_options_parse(struct fc_options *o, int argc, char **argv, char *wrong, size_t room)
{
	int option;

	memset(o, 0, sizeof *o);
	o->ready_fd = -1;
	o->mode = (mode_t)-1;
	o->log = FC_LOG_WARNING;
	optind = 0; /* from the start, whoever has called getopt before */
	while ((option = getopt_long(argc, argv, "+:v:", table, NULL)) != -1)
		if (take(o, option, argv, wrong, room))
			return -1;
	if (o->help || o->version)
		return 0;
	if (optind < argc)
		snprintf(wrong, room, "unexpected argument %s", argv[optind]);
	else if (o->xen && (o->socket || o->mode != (mode_t)-1))
		snprintf(wrong, room, "--xen: there is no socket then; --socket and --mode do not go with it");
	else if (!o->xen && (!o->socket || !*o->socket))
		snprintf(wrong, room, "--socket PATH is missing (or --xen)");
	else if (!o->exports)
		snprintf(wrong, room, "nothing to serve: give at least one -v DIR:PREFIX");
	else
		return 0;
	return -1;
}
