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
#include "cli/runtime.h"
#include "common/control.h"
#include "farcall/farcall.h"

enum { OPT_DOMAIN = 256, OPT_JSON, OPT_WATCH, OPT_VERSION };

static const struct option options[] = {
	{ "domain", required_argument, NULL, OPT_DOMAIN }, { "json", no_argument, NULL, OPT_JSON },
	{ "watch", optional_argument, NULL, OPT_WATCH },   { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },     { NULL, 0, NULL, 0 },
};

struct output {
	bool json;
	bool by_name;   /* the user named the domain: not reaching it is an error */
	unsigned shown; /* domains so far */
	int status;
};

/* A domain's answer, copied once and checked. */
struct snapshot {
	struct fc_stat_domain domain;
	struct fc_stat_session *session; /* domain.sessions of them; malloc */
};

/* ---- asking ---- */

/* The structures may be longer than ours (a newer domain of the same major version): what we know stands first. */
static int read_sessions(int fd, uint64_t bytes, struct snapshot *s)
{
	const struct fc_stat_domain *d = &s->domain;

	if (d->magic != FC_STAT_MAGIC || d->size < sizeof(*d) || d->session_size < sizeof(*s->session) ||
	    d->size > bytes || (bytes - d->size) / d->session_size < d->sessions)
		return -EPROTO;
	s->session = calloc(d->sessions + 1, sizeof(*s->session));
	if (!s->session)
		return -ENOMEM;
	for (uint32_t i = 0; i < d->sessions; i++) {
		off_t at = (off_t)(d->size + (uint64_t)i * d->session_size);

		if (pread(fd, &s->session[i], sizeof(*s->session), at) != sizeof(*s->session)) {
			free(s->session);
			s->session = NULL;
			return -EPROTO;
		}
		s->session[i].comm[sizeof(s->session[i].comm) - 1] = '\0';
	}
	return 0;
}

static int ask(const char *socket, struct snapshot *s)
{
	struct timeval limit = { .tv_sec = 10 };
	struct fc_packet answer = { .nfds = 0 };
	struct fc_msg request = { .type = FC_MSG_STAT };
	int sock = fc_control_connect(socket), err;

	if (sock < 0)
		return sock;
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	err = fc_control_ask(sock, &request, NULL, NULL, 0, &answer);
	close(sock);
	if (!err && (answer.nfds != 1 || pread(answer.fd[0], &s->domain, sizeof(s->domain), 0) != sizeof(s->domain)))
		err = -EPROTO;
	if (!err)
		err = read_sessions(answer.fd[0], answer.head.arg[0], s);
	fc_packet_drop(&answer);
	return err;
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
	const uint64_t value[] = { c->calls,     c->errors, c->bytes_in, c->bytes_out,
				   c->spin_hits, c->sleeps, c->wakeups,  c->interrupts };
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
	printf("%7s %8s %-15s %6s %7s %7s %7s %7s %7s %7s %7s %7s %7s\n", "SESSION", "PID", "COMMAND", "QUEUED",
	       "WORKERS", "CALLS", "ERRORS", "WRITTEN", "READ", "SPIN", "SLEEPS", "WAKEUPS", "INTR");
	for (uint32_t i = 0; i < d->sessions; i++) {
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
	       ",\"spin_hits\":%" PRIu64 ",\"sleeps\":%" PRIu64 ",\"wakeups\":%" PRIu64 ",\"interrupts\":%" PRIu64,
	       c->calls, c->errors, c->bytes_in, c->bytes_out, c->spin_hits, c->sleeps, c->wakeups, c->interrupts);
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
	for (uint32_t i = 0; i < d->sessions; i++) {
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

static void show(const char *socket, void *arg)
{
	struct output *out = arg;
	struct snapshot s = { .session = NULL };
	int err = ask(socket, &s);

	if (err && !out->by_name)
		return; /* a run that has just ended or not quite begun */
	if (err) {
		fc_say("%s: %s; is `farcall serve` running there?", socket, strerror(-err));
		out->status = 1;
		return;
	}
	if (out->shown++)
		fputs(out->json ? "," : "\n", stdout);
	if (out->json)
		print_json(socket, &s);
	else
		print_table(socket, &s);
	free(s.session);
}

/* ---- the subcommand ---- */

static void print_help(void)
{
	printf("Usage: farcall stat [--domain SOCKET ...] [--json] [--watch[=SECONDS]]\n"
	       "Shows sessions, calls, bytes, queues, spinning and sleeping of storage domains.\n\n"
	       "      --domain SOCKET     this domain; repeatable. Without it: the private domains of your own runs\n"
	       "      --json              print an array with one object per domain\n"
	       "      --watch[=SECONDS]   again and again, every SECONDS (1)\n"
	       "      --help, --version\n\n"
	       "QUEUED: requests waiting now. WORKERS: awake/all. SPIN: requests found while spinning. SLEEPS: times "
	       "a\n"
	       "worker went to sleep. WAKEUPS: times the domain woke a sleeping client. INTR: calls that a signal "
	       "ended.\n");
}

static int show_all(char *const *sockets, unsigned nsockets, bool json)
{
	struct output out = { .json = json, .by_name = nsockets > 0 };

	if (json)
		putchar('[');
	for (unsigned i = 0; i < nsockets; i++)
		show(sockets[i], &out);
	if (!nsockets)
		fc_runtime_each(show, &out);
	if (json)
		fputs("]\n", stdout);
	else if (!out.shown && !nsockets)
		printf("no private domain of yours is running; --domain SOCKET asks a shared one\n");
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
