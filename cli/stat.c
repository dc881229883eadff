/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stat.c - `farcall stat`: asks domains for their counters and prints them, as tables or JSON. It changes nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/device.h"
#include "cli/domain.h"
#include "cli/runtime.h"
#include "common/control.h"
#include "farcall/farcall.h"

#define FIGURES_MAX (64u << 20)

enum { OPT_DOMAIN = 256, OPT_JSON, OPT_WATCH, OPT_VERSION };

static const struct option options[] = {
	{ "domain", required_argument, NULL, OPT_DOMAIN }, { "json", no_argument, NULL, OPT_JSON },
	{ "watch", optional_argument, NULL, OPT_WATCH },   { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },     { NULL, 0, NULL, 0 },
};

struct output {
	bool json;
	unsigned shown; /* domains so far */
	int status;
};

/* A domain's answer, copied once and checked. */
struct snapshot {
	struct fc_stat_domain domain;
	uint64_t count;                  /* of sessions: domain.sessions, or as many as there was room for */
	struct fc_stat_session *session; /* malloc */
};

/* ---- asking ---- */

/* The structures may be longer than ours (a newer domain of the same major version): what we know stands first. Fewer
 * sessions than there are may have had room. */
static int take_figures(const char *figures, uint64_t bytes, struct snapshot *s)
{
	struct fc_stat_domain *d = &s->domain;

	if (bytes < sizeof(*d))
		return -EPROTO;
	memcpy(d, figures, sizeof(*d));
	if (d->magic != FC_STAT_MAGIC || d->size < sizeof(*d) || d->session_size < sizeof(*s->session) ||
	    d->size > bytes)
		return -EPROTO;
	s->count = (bytes - d->size) / d->session_size;
	if (s->count > d->sessions)
		s->count = d->sessions;
	s->session = calloc(s->count + 1, sizeof(*s->session));
	if (!s->session)
		return -ENOMEM;
	for (uint64_t i = 0; i < s->count; i++) {
		memcpy(&s->session[i], figures + d->size + i * d->session_size, sizeof(*s->session));
		s->session[i].comm[sizeof(s->session[i].comm) - 1] = '\0';
	}
	return 0;
}

static int ask_socket(const char *socket, struct snapshot *s)
{
	struct timeval limit = { .tv_sec = 10 };
	struct fc_packet answer = { .nfds = 0 };
	struct fc_msg request = { .type = FC_MSG_STAT };
	int sock = fc_control_connect(socket), err;
	char *figures = NULL;
	uint64_t bytes;

	if (sock < 0)
		return sock;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	err = fc_control_ask(sock, &request, NULL, NULL, 0, &answer);
	close(sock);
	bytes = answer.head.arg[0];
	if (!err && answer.nfds == 1 && bytes <= FIGURES_MAX)
		figures = malloc(bytes + 1);
	if (!err && (!figures || pread(answer.fd[0], figures, bytes, 0) != (ssize_t)bytes))
		err = -EPROTO;
	if (!err)
		err = take_figures(figures, bytes, s);
	free(figures);
	fc_packet_drop(&answer);
	return err;
}

static int ask_device(const char *name, struct snapshot *s)
{
	void *figures;
	long r = fc_device_stat(name, &figures);

	if (r < 0)
		return (int)r;
	r = take_figures(figures, (uint64_t)r, s);
	free(figures);
	return (int)r;
}

/* ---- printing ---- */

/* 0, 987, 12.3k, 4.56M, ...: at most five characters */
static const char *short_number(uint64_t n, char text[16])
{
	static const char unit[] = " kMGTPE";
	double value = (double)n;
	int u = 0;

	while (value >= 999.5 && unit[u + 1]) {
		value /= 1000;
		u++;
	}
	if (!u)
		snprintf(text, 16, "%" PRIu64, n);
	else
		snprintf(text, 16, "%.*f%c", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit[u]);
	return text;
}

static void print_table_line(const char *id, const char *pid, const char *comm, const char *queued, const char *workers,
			     const struct fc_stat_counters *c)
{
	const uint64_t value[] = { c->calls,  c->errors,  c->bytes_in,   c->bytes_out, c->spin_hits,
				   c->sleeps, c->wakeups, c->interrupts, c->leases,    c->posts };
	char text[16];

	printf("%7s %8s %-15s %6s %7s", id, pid, comm, queued, workers);
	for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++)
		printf(" %7s", short_number(value[i], text));
	putchar('\n');
}

static void print_table(const char *socket, const struct snapshot *s)
{
	const struct fc_stat_domain *d = &s->domain;

	printf("domain %s  pid %" PRIu32 "  up %" PRIu64 " s  sessions %" PRIu32 " now, %" PRIu64 " ever, %" PRIu64
	       " cut off\n",
	       socket, d->pid, d->uptime_ns / 1000000000, d->sessions, d->attached, d->cut_off);
	printf("%7s %8s %-15s %6s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s %7s\n", "SESSION", "PID", "COMMAND", "QUEUED",
	       "WORKERS", "CALLS", "ERRORS", "WRITTEN", "READ", "SPIN", "SLEEPS", "WAKEUPS", "INTR", "LEASES", "POSTS");
	for (uint64_t i = 0; i < s->count; i++) {
		const struct fc_stat_session *e = &s->session[i];
		char id[16], pid[16], queued[16], workers[32];

		snprintf(id, sizeof(id), "%" PRIu32, e->id);
		snprintf(pid, sizeof(pid), "%" PRIu32, e->client_pid);
		snprintf(queued, sizeof(queued), "%" PRIu32, e->queue_depth);
		snprintf(workers, sizeof(workers), "%" PRIu32 "/%" PRIu32, e->awake, e->workers);
		print_table_line(id, pid, e->comm, queued, workers, &e->count);
	}
	print_table_line("total", "", "", "", "", &d->total);
}

static void print_json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 ||
			 c >= 0x7f) /* paths are bytes: shown as Latin-1, so that the output is always valid */
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_json_counters(const struct fc_stat_counters *c)
{
	printf("\"calls\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"bytes_written\":%" PRIu64 ",\"bytes_read\":%" PRIu64
	       ",\"spin_hits\":%" PRIu64 ",\"sleeps\":%" PRIu64 ",\"wakeups\":%" PRIu64 ",\"interrupts\":%" PRIu64
	       ",\"leases\":%" PRIu64 ",\"leases_broken\":%" PRIu64 ",\"posts\":%" PRIu64,
	       c->calls, c->errors, c->bytes_in, c->bytes_out, c->spin_hits, c->sleeps, c->wakeups, c->interrupts,
	       c->leases, c->leases_broken, c->posts);
}

static void print_json(const char *socket, const struct snapshot *s)
{
	const struct fc_stat_domain *d = &s->domain;

	printf("{\"socket\":");
	print_json_string(socket);
	printf(",\"pid\":%" PRIu32 ",\"generation\":%" PRIu64 ",\"uptime_ns\":%" PRIu64 ",\"attached\":%" PRIu64
	       ",\"cut_off\":%" PRIu64 ",\"total\":{",
	       d->pid, d->generation, d->uptime_ns, d->attached, d->cut_off);
	print_json_counters(&d->total);
	printf("},\"sessions\":[");
	for (uint64_t i = 0; i < s->count; i++) {
		const struct fc_stat_session *e = &s->session[i];

		printf("%s{\"id\":%" PRIu32 ",\"pid\":%" PRIu32 ",\"shadow_pid\":%" PRIu32 ",\"uid\":%" PRIu32
		       ",\"command\":",
		       i ? "," : "", e->id, e->client_pid, e->shadow_pid, e->uid);
		print_json_string(e->comm);
		printf(",\"queue_depth\":%" PRIu32 ",\"workers\":%" PRIu32 ",\"awake\":%" PRIu32
		       ",\"descriptors\":%" PRIu32 ",\"data_bytes\":%" PRIu64 ",\"age_ns\":%" PRIu64 ",",
		       e->queue_depth, e->workers, e->awake, e->descriptors, e->data_bytes, e->age_ns);
		print_json_counters(&e->count);
		putchar('}');
	}
	printf("]}");
}

static void print(const char *name, const struct snapshot *s, struct output *out)
{
	if (out->shown++)
		fputs(out->json ? "," : "\n", stdout);
	if (out->json)
		print_json(name, s);
	else
		print_table(name, s);
	free(s->session);
}

/* A private domain: a run may have just ended or not quite begun. */
static void show_private(const char *socket, void *arg)
{
	struct snapshot s = { .session = NULL };

	if (ask_socket(socket, &s) == 0)
		print(socket, &s, arg);
}

static void show_attached(struct output *out)
{
	struct fc_ioc_list entry;

	for (unsigned i = 0; fc_device_list(i, &entry, NULL) == 0; i++) {
		struct snapshot s = { .session = NULL };

		if (ask_device(entry.name, &s) == 0)
			print(entry.name, &s, out);
	}
}

/* A domain that the user has named: not reaching it is an error. */
static void show_named(const char *name, struct output *out)
{
	struct snapshot s = { .session = NULL };
	struct fc_domain domain;
	const char *wrong = fc_domain_address(&domain, name);
	int err = 0;

	if (!wrong) {
		err = domain.xen ? ask_device(domain.address, &s) : ask_socket(domain.address, &s);
		if (!err) {
			print(domain.address, &s, out);
			return;
		}
		if (domain.xen)
			wrong = fc_device_problem(domain.address, err);
	}
	if (wrong)
		fc_say("%s", wrong);
	else
		fc_say("%s: %s; is `farcall serve` running there?", name, strerror(-err));
	out->status = 1;
}

/* ---- the subcommand ---- */

static void print_help(void)
{
	printf("Usage: farcall stat [--domain DOMAIN ...] [--json] [--watch[=SECONDS]]\n"
	       "Shows sessions, calls, bytes, queues, spinning and sleeping of storage domains.\n\n"
	       "      --domain DOMAIN     this one (a socket, or the name of a Xen domain); repeatable. Without it: "
	       "the private\n"
	       "                          domains of your own runs, and the Xen domains that are attached\n"
	       "      --json              print an array with one object per domain\n"
	       "      --watch[=SECONDS]   again and again, every SECONDS (1)\n"
	       "      --help, --version\n\n"
	       "QUEUED: requests waiting now. WORKERS: awake/all. SPIN: requests found while spinning. SLEEPS: times "
	       "a\n"
	       "worker went to sleep. WAKEUPS: times the domain woke a sleeping client. INTR: calls that a signal "
	       "ended.\n"
	       "LEASES: files delegated to the client. POSTS: writes that nobody waited for.\n");
}

static int show_all(char *const *sockets, unsigned nsockets, bool json)
{
	struct output out = { .json = json };

	if (json)
		putchar('[');
	for (unsigned i = 0; i < nsockets; i++)
		show_named(sockets[i], &out);
	if (!nsockets) {
		fc_runtime_each(show_private, &out);
		show_attached(&out);
	}
	if (json)
		fputs("]\n", stdout);
	else if (!out.shown && !nsockets)
		printf("no private domain of yours is running; --domain asks a shared one\n");
	if (fflush(stdout)) {
		fc_say("standard output: %s", strerror(errno));
		out.status = 1;
	}
	return out.status;
}

static double parse_interval(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);

	if (!*text || *end || !(seconds >= 0.05 && seconds <= 86400))
		fc_die_usage("stat", "--watch %s: expected seconds, 0.05 to 86400", text);
	return seconds;
}

int fc_cmd_stat(int argc, char **argv)
{
	char **sockets = calloc((size_t)argc, sizeof(*sockets));
	unsigned nsockets = 0;
	bool json = false;
	double interval = 0;
	int got, status;

	if (!sockets)
		fc_die(FC_EXIT_OWN, "out of memory");
	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (got) {
		case OPT_DOMAIN:
			sockets[nsockets++] = optarg;
			break;
		case OPT_JSON:
			json = true;
			break;
		case OPT_WATCH: /* --watch, --watch=2 or --watch 2 */
			if (!optarg && optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9')
				optarg = argv[optind++];
			interval = optarg ? parse_interval(optarg) : 1;
			break;
		case 'h':
			print_help();
			return 0;
		case OPT_VERSION:
			fc_print_version();
			return 0;
		default:
			fc_die_option("stat", got, argv);
		}
	}
	if (optind < argc)
		fc_die_usage("stat", "unexpected argument %s", argv[optind]);
	while (1) {
		bool clear = interval > 0 && !json && isatty(1);

		if (clear)
			fputs("\033[H\033[2J", stdout);
		status = show_all(sockets, nsockets, json);
		if (interval <= 0 || status)
			break;
		usleep((useconds_t)(interval * 1e6));
		if (!clear && !json)
			putchar('\n');
	}
	free(sockets);
	return status;
}
