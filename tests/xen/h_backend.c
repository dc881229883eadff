/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_backend.c NAME MODE - a storage domain that serves nothing, and is hostile in the way MODE says: the other end of the module's
 * protocol (farcall/xen.h), as a process of the primary domain itself, which grants and maps its own pages. It makes the Xenbus
 * nodes of both ends, connects, says "connected", and goes on until SIGTERM or the end of the front end; then it leaves properly,
 * unless it is its mode to do otherwise. Exit status 0 unless it could not connect; without MODE it lists them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/xenbus.h> /* wants the integer types to be there */
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xen/io/ring.h>

#include "common/atomic.h"
#include "farcall/farcall.h"
#include "farcall/xen.h"

#undef xen_mb /* what an old interface version makes of them */
#undef xen_wmb
#define xen_mb() fc_fence()
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
DEFINE_RING_TYPES(fc_xen, struct fc_xen_request, struct fc_xen_response);

#define PIECES (1 + FC_SEGMENTS_MAX) /* areas, then segments */
#define LATER 64

static struct xs_handle *store;
static xengnttab_handle *gnttab;
static xenevtchn_handle *evtchn;
static char front[64], back[64];
static unsigned own;
static struct fc_xen_back_ring ring;
static struct fc_xen_sring *sring;
static struct fc_xen_bells *bells;
static int ring_port = -1, bells_port = -1;
static unsigned long asked; /* requests so far */
static volatile sig_atomic_t stop;

/* What a session has given us. */
static struct piece {
	void *at;
	uint32_t pages;
} piece[FC_XEN_SESSIONS][PIECES];

static struct fc_xen_request later[LATER]; /* taken, but not answered */
static unsigned later_count;

/* ---- answers ---- */

static void answer_raw(const struct fc_xen_response *response)
{
	int notify;

	*RING_GET_RESPONSE(&ring, ring.rsp_prod_pvt) = *response;
	ring.rsp_prod_pvt++;
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&ring, notify);
	(void)notify;
	xenevtchn_notify(evtchn, ring_port);
}

static void answer(const struct fc_xen_request *q, int status, uint64_t value0, uint64_t value1)
{
	struct fc_xen_response response = {
		.id = q->id, .type = q->type, .status = status, .value = { value0, value1 }
	};

	answer_raw(&response);
}

/* ---- as it should be ---- */

static void *map_text(const struct fc_xen_request *q, int prot)
{
	uint32_t pages = (q->text_size + FC_PAGE_SIZE - 1) / FC_PAGE_SIZE, domid[FC_XEN_TEXT_PAGES];

	if (!pages || pages > FC_XEN_TEXT_PAGES)
		return NULL;
	for (unsigned i = 0; i < pages; i++)
		domid[i] = own;
	return xengnttab_map_grant_refs(gnttab, pages, domid, (uint32_t *)(uintptr_t)q->text, prot);
}

static void unmap_text(const struct fc_xen_request *q, void *text)
{
	if (text)
		xengnttab_unmap(gnttab, text, (q->text_size + FC_PAGE_SIZE - 1) / FC_PAGE_SIZE);
}

static void hello(const struct fc_xen_request *q)
{
	char *text = map_text(q, PROT_READ | PROT_WRITE);

	if (text)
		strcpy(text, "rw /evil");
	unmap_text(q, text);
	answer(q, text ? 0 : -EIO, (uint64_t)time(NULL), 1 | (uint64_t)FC_ABI_MINOR << 32);
}

/* Six sessions, of users 1000, 1001, 1001, 1000, 1001, 1000. */
static void stat(const struct fc_xen_request *q)
{
	static const uint32_t uid[] = { 1000, 1001, 1001, 1000, 1001, 1000 };
	struct {
		struct fc_stat_domain d;
		struct fc_stat_session s[6];
	} *text = map_text(q, PROT_READ | PROT_WRITE);

	if (text && q->text_size >= sizeof *text) {
		memset(text, 0, sizeof *text);
		text->d.magic = FC_STAT_MAGIC;
		text->d.size = sizeof text->d;
		text->d.session_size = sizeof text->s[0];
		text->d.sessions = 6;
		for (int i = 0; i < 6; i++)
			text->s[i].uid = uid[i];
	}
	unmap_text(q, text);
	answer(q, text ? 0 : -EIO, sizeof *text, 0);
}

/* Who comes, and with which limits: for who looks at our log. */
static void say_who(const struct fc_xen_request *q)
{
	const struct fc_xen_cred *cred = map_text(q, PROT_READ);

	if (cred)
		printf("attach %u nofile %llu nproc %llu\n", cred->ruid, (unsigned long long)q->arg[3],
		       (unsigned long long)q->arg[4]);
	fflush(stdout);
	unmap_text(q, (void *)(uintptr_t)cred);
}

static void let_go(struct piece *p)
{
	if (p->at)
		xengnttab_unmap(gnttab, p->at, p->pages);
	p->at = NULL;
}

static void let_go_of_all(uint32_t session)
{
	for (int i = 0; i < PIECES; i++)
		let_go(&piece[session][i]);
}

/* Map what the text lists as a piece of the session. */
static int take_piece(const struct fc_xen_request *q, unsigned n)
{
	uint32_t pages = q->text_size / 4, *text = map_text(q, PROT_READ);
	struct piece *p = &piece[q->session][n];

	if (!text)
		return -EIO;
	let_go(p);
	p->pages = pages;
	p->at = xengnttab_map_domain_grant_refs(gnttab, pages, own, text, PROT_READ | PROT_WRITE);
	unmap_text(q, text);
	return p->at ? 0 : -EIO;
}

static int shrink(const struct fc_xen_request *q)
{
	for (unsigned n = 1; n < PIECES; n++)
		if (((uint64_t)FC_DATA_MIN << (n - 1)) >= q->arg[0])
			let_go(&piece[q->session][n]);
	return 0;
}

static unsigned segment_of(uint64_t length)
{
	unsigned n = 1;

	while (n < PIECES - 1 && ((uint64_t)FC_DATA_MIN << (n - 1)) < length)
		n++;
	return n;
}

static int obey(const struct fc_xen_request *q)
{
	if (q->session >= FC_XEN_SESSIONS)
		return -EINVAL;
	switch (q->type) {
	case FC_XEN_AREAS:
		let_go_of_all(q->session);
		return take_piece(q, 0);
	case FC_XEN_GROW:
		return take_piece(q, segment_of(q->arg[0]));
	case FC_XEN_SHRINK:
		return shrink(q);
	case FC_XEN_DETACH:
		let_go_of_all(q->session);
		return 0;
	default:
		return 0;
	}
}

static void plain(const struct fc_xen_request *q)
{
	if (q->type == FC_XEN_HELLO) {
		hello(q);
	} else if (q->type == FC_XEN_STAT) {
		stat(q);
	} else {
		if (q->type == FC_XEN_ATTACH && asked < 3000)
			say_who(q);
		answer(q, obey(q), 0, 0);
	}
}

static void nothing(void)
{
}

/* ---- and as it should not ---- */

/* Every so often: what the mode does wrong. */
static bool now(void)
{
	return asked % 20 == 19;
}

static void say_nothing(const struct fc_xen_request *q)
{
	(void)q;
}

static void say_hello_only(const struct fc_xen_request *q)
{
	if (q->type == FC_XEN_HELLO)
		hello(q);
}

static void keep_from_leaving(const struct fc_xen_request *q)
{
	if (q->type != FC_XEN_DETACH)
		plain(q);
}

static void refuse(const struct fc_xen_request *q)
{
	answer(q, -EPROTONOSUPPORT, 0, 0);
}

static void fail(const struct fc_xen_request *q)
{
	int status = obey(q);

	if (q->type == FC_XEN_HELLO)
		hello(q);
	else
		answer(q, q->type == FC_XEN_DETACH || q->type == FC_XEN_PING ? status : -(1 + rand() % 400), 0, 0);
}

static void answer_wrongly(const struct fc_xen_request *q, uint16_t id, uint16_t type, int status)
{
	struct fc_xen_response response = { .id = id, .type = type, .status = status };

	if (!now()) {
		plain(q);
		return;
	}
	obey(q);
	answer_raw(&response);
}

static void wrong_id(const struct fc_xen_request *q)
{
	answer_wrongly(q, (uint16_t)(q->id ^ (rand() & 1 ? 1 : 0x8000)), q->type, 0);
}

static void wrong_type(const struct fc_xen_request *q)
{
	answer_wrongly(q, q->id, (uint16_t)(q->type + 1), 0);
}

static void wrong_status(const struct fc_xen_request *q)
{
	answer_wrongly(q, q->id, q->type, rand() & 1 ? 5 : -512 - rand() % 4000);
}

static void twice(const struct fc_xen_request *q)
{
	plain(q);
	if (now())
		answer(q, 0, 0, 0);
}

static void beyond(const struct fc_xen_request *q)
{
	plain(q);
	if (now()) {
		fc_store_release(&sring->rsp_prod, ring.rsp_prod_pvt + 1000u * (unsigned)(1 + rand() % 1000));
		xenevtchn_notify(evtchn, ring_port);
	}
}

/* As many responses as the ring holds, none of which was written. */
static void unwritten(const struct fc_xen_request *q)
{
	plain(q);
	if (now()) {
		ring.rsp_prod_pvt += RING_SIZE(&ring);
		fc_store_release(&sring->rsp_prod, ring.rsp_prod_pvt);
		xenevtchn_notify(evtchn, ring_port);
	}
}

static void full_text(const struct fc_xen_request *q)
{
	char *text;

	if (q->type != FC_XEN_HELLO) {
		plain(q);
		return;
	}
	text = map_text(q, PROT_READ | PROT_WRITE);
	if (text)
		memset(text, 'x', q->text_size);
	unmap_text(q, text);
	answer(q, 0, UINT64_MAX, UINT64_MAX);
}

static void hoard(const struct fc_xen_request *q)
{
	static uint32_t hoarded; /* pages; what gntdev lets a process have is no part of this */

	if (q->type == FC_XEN_HELLO) {
		hello(q);
		return;
	}
	if ((q->type == FC_XEN_AREAS || q->type == FC_XEN_GROW || q->type == FC_XEN_MAP) &&
	    q->session < FC_XEN_SESSIONS) {
		memset(piece[q->session], 0, sizeof piece[q->session]); /* forget them */
		if (take_piece(q, 0) == 0)
			hoarded += q->text_size / 4;
	}
	answer(q, 0, 0, 0);
}

static void put_off(const struct fc_xen_request *q)
{
	if (later_count < LATER)
		later[later_count++] = *q;
}

static void answer_in_reverse(void)
{
	while (later_count)
		plain(&later[--later_count]);
}

static void answer_late(void)
{
	usleep(150000);
	for (unsigned i = 0; i < later_count; i++)
		plain(&later[i]);
	later_count = 0;
}

static void all_bells(void)
{
	for (int i = 0; i < 200; i++) {
		for (unsigned w = 0; w < FC_XEN_SESSIONS / 64; w++)
			fc_fetch_or(&bells->to_front[w], ~0ull);
		xenevtchn_notify(evtchn, bells_port);
		xenevtchn_notify(evtchn, ring_port);
	}
}

static void some_are_dead(void)
{
	fc_fetch_or(&bells->dead[rand() % (FC_XEN_SESSIONS / 64)], (uint64_t)rand() << 32 | (uint64_t)rand());
	xenevtchn_notify(evtchn, bells_port);
}

static void fill_with_noise(void *page, unsigned size)
{
	volatile uint32_t *word = page;

	for (int i = 0; i < 50; i++)
		word[(unsigned)rand() % (size / 4)] = (uint32_t)rand() * 2u;
}

/* What is in the clients' areas is theirs to check; here it may only not harm the kernel. */
static void scribble_areas(void)
{
	for (unsigned i = 0; i < FC_XEN_SESSIONS; i++)
		for (int n = 0; n < PIECES; n++)
			if (piece[i][n].at)
				fill_with_noise(piece[i][n].at, piece[i][n].pages * FC_PAGE_SIZE);
	memset((void *)bells->to_front, 0xff, sizeof bells->to_front);
	xenevtchn_notify(evtchn, bells_port);
}

static void scribble_shared(void)
{
	if (asked < 20)
		return;
	fill_with_noise(sring, FC_PAGE_SIZE);
	fill_with_noise(bells, offsetof(struct fc_xen_bells, up));
	xenevtchn_notify(evtchn, ring_port);
	xenevtchn_notify(evtchn, bells_port);
}

static void write_state(unsigned state)
{
	char path[80], text[16];

	snprintf(path, sizeof path, "%s/state", back);
	snprintf(text, sizeof text, "%u", state);
	xs_write(store, XBT_NULL, path, text, (unsigned)strlen(text));
}

/* Before HELLO is answered it is Connected again and again. */
static void odd_states(void)
{
	static const unsigned state[] = { XenbusStateConnected,   XenbusStateInitialising,  XenbusStateInitWait,
					  XenbusStateInitialised, XenbusStateReconfiguring, 77 };

	for (unsigned i = 0; i < 12; i++)
		write_state(state[i & 1 ? 0 : (unsigned)rand() % (sizeof state / sizeof *state)]);
	usleep(20000);
	for (unsigned i = 0; i < later_count; i++)
		plain(&later[i]);
	later_count = 0;
}

static void end_suddenly(const struct fc_xen_request *q)
{
	if (now())
		_exit(0);
	plain(q);
}

static void look_gone(const struct fc_xen_request *q)
{
	plain(q);
	if (now()) {
		fc_store_release(&bells->up, 0);
		xenevtchn_notify(evtchn, bells_port);
	}
}

static void remove_nodes(const struct fc_xen_request *q)
{
	plain(q);
	if (now())
		xs_rm(store, XBT_NULL, back);
}

static void leave(const struct fc_xen_request *q)
{
	if (now())
		write_state(rand() & 1 ? XenbusStateClosing : XenbusStateClosed);
	plain(q);
}

static const struct mode {
	const char *name;
	void (*request)(const struct fc_xen_request *q);
	void (*always)(void); /* every few milliseconds, and after requests */
} modes[] = {
	{ "plain", plain, nothing },
	{ "mute", say_nothing, nothing },
	{ "silent", say_hello_only, nothing },
	{ "keeps", keep_from_leaving, nothing },
	{ "refuses", refuse, nothing },
	{ "fails", fail, nothing },
	{ "id", wrong_id, nothing },
	{ "type", wrong_type, nothing },
	{ "status", wrong_status, nothing },
	{ "twice", twice, nothing },
	{ "beyond", beyond, nothing },
	{ "unwritten", unwritten, nothing },
	{ "text", full_text, nothing },
	{ "hoards", hoard, nothing },
	{ "reverse", put_off, answer_in_reverse },
	{ "late", put_off, answer_late },
	{ "rings", plain, all_bells },
	{ "kills", plain, some_are_dead },
	{ "areas", plain, scribble_areas },
	{ "shared", plain, scribble_shared },
	{ "states", put_off, odd_states },
	{ "ends", end_suddenly, nothing },
	{ "down", look_gone, nothing },
	{ "nodes", remove_nodes, nothing },
	{ "leaves", leave, nothing },
};

/* ---- the way to it ---- */

static long read_number(const char *directory, const char *node)
{
	char path[120], *text;
	unsigned size;
	long n;

	snprintf(path, sizeof path, "%s%s%s", directory, *directory ? "/" : "", node);
	text = xs_read(store, XBT_NULL, path, &size);
	n = text && *text ? strtol(text, NULL, 10) : -1;
	free(text);
	return n;
}

static void write_text(xs_transaction_t t, const char *directory, const char *node, const char *text)
{
	char path[120];

	snprintf(path, sizeof path, "%s/%s", directory, node);
	if (!xs_write(store, t, path, text, (unsigned)strlen(text)))
		fprintf(stderr, "h_backend: %s: %s\n", path, strerror(errno));
}

static bool make_nodes(const char *name)
{
	char number[16];
	xs_transaction_t t = xs_transaction_start(store);

	snprintf(number, sizeof number, "%u", own);
	write_text(t, back, "frontend", front);
	write_text(t, back, "frontend-id", number);
	write_text(t, back, "state", "1");
	write_text(t, front, "backend", back);
	write_text(t, front, "backend-id", number);
	write_text(t, front, "name", name);
	write_text(t, front, "state", "1");
	return xs_transaction_end(store, t, false);
}

/* Returns whether the front end's state became that, within ten seconds. */
static bool await(long state)
{
	for (int i = 0; i < 1000 && !stop; i++) {
		if (read_number(front, "state") == state)
			return true;
		usleep(10000);
	}
	return false;
}

static bool connect_front(void)
{
	sring = xengnttab_map_grant_ref(gnttab, own, (uint32_t)read_number(front, "ring-ref"), PROT_READ | PROT_WRITE);
	ring_port = xenevtchn_bind_interdomain(evtchn, own, (uint32_t)read_number(front, "event-channel"));
	bells_port = xenevtchn_bind_interdomain(evtchn, own, (uint32_t)read_number(front, "bells-channel"));
	if (!sring || ring_port < 0 || bells_port < 0)
		return false;
	bells = xengnttab_map_grant_ref_notify(gnttab, own, (uint32_t)read_number(front, "bells-ref"),
					       PROT_READ | PROT_WRITE, offsetof(struct fc_xen_bells, up),
					       (uint32_t)bells_port);
	if (!bells)
		return false;
	fc_store_release(&bells->up, 1);
	BACK_RING_INIT(&ring, sring, FC_PAGE_SIZE);
	write_state(XenbusStateConnected);
	return true;
}

static void take_requests(const struct mode *mode)
{
	RING_IDX end = fc_load_acquire(&sring->req_prod);

	/* our own bad indices must not run us in circles */
	for (unsigned n = 0; n < RING_SIZE(&ring) && ring.req_cons != end; n++) {
		struct fc_xen_request q;

		RING_COPY_REQUEST(&ring, ring.req_cons, &q);
		ring.req_cons++;
		mode->request(&q);
		asked++;
	}
	sring->req_event = ring.req_cons + 1;
	fc_fence();
}

static void run(const struct mode *mode)
{
	struct pollfd p = { .fd = xenevtchn_fd(evtchn), .events = POLLIN };
	long state = XenbusStateInitialised;

	/* that the front end is Closing, because it has given us up, is none of our business */
	for (unsigned turn = 0; !stop && state != XenbusStateClosed && state >= 0; turn++) {
		if (poll(&p, 1, 5) > 0) {
			xenevtchn_port_or_error_t port = xenevtchn_pending(evtchn);

			if (port >= 0)
				xenevtchn_unmask(evtchn, (evtchn_port_t)port);
		}
		take_requests(mode);
		mode->always();
		if (turn % 32 == 0)
			state = read_number(front, "state");
	}
}

static void part(void)
{
	write_state(XenbusStateClosing);
	await(XenbusStateClosed);
	for (uint32_t i = 0; i < FC_XEN_SESSIONS; i++)
		let_go_of_all(i);
	xengnttab_unmap(gnttab, bells, 1);
	xengnttab_unmap(gnttab, sring, 1);
	xenevtchn_close(evtchn);
	xengnttab_close(gnttab); /* with what was forgotten */
	xs_rm(store, XBT_NULL, front);
	xs_rm(store, XBT_NULL, back);
}

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static const struct mode *find_mode(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
		if (argc == 3 && !strcmp(argv[2], modes[i].name))
			return &modes[i];
		if (argc == 1)
			puts(modes[i].name);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct mode *mode = find_mode(argc, argv);
	struct sigaction action = { .sa_handler = on_term };

	if (!mode)
		return argc == 1 ? 0 : 2;
	sigaction(SIGTERM, &action, NULL);
	srand((unsigned)getpid());
	store = xs_open(0);
	gnttab = xengnttab_open(NULL, 0);
	evtchn = xenevtchn_open(NULL, 0);
	if (!store || !gnttab || !evtchn) {
		perror("h_backend: Xen");
		return 1;
	}
	own = (unsigned)(read_number("", "domid") < 0 ? 0 : read_number("", "domid"));
	snprintf(front, sizeof front, "/local/domain/%u/device/" FC_XEN_TYPE "/%u", own,
		 50000u + (unsigned)getpid() % 10000u);
	snprintf(back, sizeof back, "/local/domain/%u/backend/" FC_XEN_TYPE "/%u/%u", own, own,
		 50000u + (unsigned)getpid() % 10000u);
	if (!make_nodes(argv[1]) || !await(XenbusStateInitialised) || !connect_front()) {
		fprintf(stderr, "h_backend: cannot connect (the front end is in state %ld): %s\n",
			read_number(front, "state"), strerror(errno));
		xs_rm(store, XBT_NULL, front);
		xs_rm(store, XBT_NULL, back);
		return 1;
	}
	puts("connected");
	fflush(stdout);
	run(mode);
	part();
	printf("%lu requests\n", asked);
	return 0;
}
