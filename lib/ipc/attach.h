/*
 * How control gets the region: connect to the dataplane's UNIX seqpacket socket, prove who you are
 * (SO_PEERCRED: root, the dataplane's own uid, or the configured control uid), receive one hello
 * with three descriptors. One client at a time: a new accepted one replaces a dead one, and is
 * refused while the old one lives. Closing the socket detaches.
 */
#ifndef LIB_IPC_ATTACH_H
#define LIB_IPC_ATTACH_H

#include "lib/ipc/policy_line.h"
#include "lib/ipc/region.h"
#include "lib/ipc/ring.h"
#include "lib/ipc/sa_state.h"

#include <sys/types.h>
#include <unistd.h>

struct attach_hello {
	uint64_t magic;          /* REGION_MAGIC */
	uint32_t layout_version; /* REGION_LAYOUT_VERSION */
	uint32_t error;          /* 0, or positive errno: refused, no descriptors follow */
	uint64_t epoch;
	uint64_t session;
	uint64_t region_size;
	uint8_t reserved[24];
};

/* ---- the dataplane's side: main lcore alone ---- */
struct region { /* the owner's view */
	int fd;
	struct region_header *header; /* mapping, header->size octets */
	struct region_limits limits;  /* own copy */
	int command_doorbell;         /* eventfd: control rings when it put commands or injects */
	int event_doorbell; /* eventfd: dataplane rings when there are events, punts or applied
			       moved */
	struct ring command, event, inject;        /* consumer, producer, consumer */
	struct ring punt[REGION_WORKERS_MAX];      /* producer, one worker each */
	struct worker_counters *worker_counters;   /* [workers] */
	struct drop_trace *drop_traces;            /* [workers] */
	struct port_counters *port_counters;       /* [ports] */
	struct binding_counters *binding_counters; /* [workers][bindings], worker-major */
	struct sa_inbound_state *sa_inbound;       /* [sas] */
	struct sa_outbound_state *sa_outbound;     /* [sas] */
	struct sa_note *sa_notes;                  /* [2][sas], control's own */
	_Atomic uint64_t *sa_windows;     /* [sas][sa_window_words(limits.replay_window)] */
	uint64_t *policy_hits;            /* [workers][policies]: packets; SPD-24 */
	struct policy_line *policy_lines; /* [policies]: and those that are counted elsewhere */
	uint64_t epoch, session, size;
};

/* Creates, sizes, seals and lays out the region. `huge` asks for 2 MiB pages and falls back. 0 or
 * -errno. */
int region_create(struct region *region, const struct region_limits *limits, bool huge);
void region_destroy(struct region *region);

/*
 * Listens at path (mode 0660; the caller gives the file to control's user). 0 and *fd, or -errno; a
 * live server there is -EADDRINUSE, a stale socket is replaced, anything else than a socket is
 * -EEXIST.
 */
int attach_listen(const char *path, int *fd);
/*
 * Accepts one client on the listening socket (non-blocking): checks its credentials, starts a new
 * session (resets the command, event and inject rings and applied_sequence), sends hello; it never
 * waits for the client. The punt rings belong to the workers and keep running: the new consumer
 * finds what is still in them. Events of the session before must not be put any more. Returns the
 * connected descriptor (watch it for hang-up), -EAGAIN nobody waits, -EPERM for a wrong uid, -EBUSY
 * while `busy`, or another -errno when this client was lost; the listening socket stays good.
 */
int attach_accept(int listen_fd, struct region *region, uid_t control_uid, bool busy);

/* ---- control's side: loop thread alone ---- */
struct attachment {
	int socket;           /* hang-up = dataplane gone */
	int command_doorbell; /* ring after ring_commit */
	int event_doorbell;   /* readable: look at events, punts, applied_sequence */
	struct region_header *header;
	struct region_limits limits; /* checked copy */
	size_t size;
	uint64_t epoch, session;
	struct ring command, event, inject;   /* producer, consumer, producer */
	struct ring punt[REGION_WORKERS_MAX]; /* consumer */
	const struct worker_counters *worker_counters;
	const struct drop_trace *drop_traces; /* [workers] */
	const struct port_counters *port_counters;
	const struct binding_counters *binding_counters;
	/* Control writes them only to hand over the state of an older region (sa_state.h). */
	struct sa_inbound_state *sa_inbound;
	struct sa_outbound_state *sa_outbound;
	_Atomic uint64_t *sa_windows;
	struct sa_note *sa_notes;
	const uint64_t *policy_hits;
	const struct policy_line *policy_lines;
};

/*
 * Connects and maps. 0; -ECONNREFUSED or -ENOENT no dataplane; -EPROTO wrong magic, layout version,
 * unsealed or inconsistent region; -EPERM, -EBUSY as told by the dataplane; -EACCES the server is
 * neither root, nor our own user, nor the owner of the socket's directory; -ETIMEDOUT after
 * timeout_ms. On error nothing stays open.
 */
int attach_connect(struct attachment *attachment, const char *path, int timeout_ms);
/*
 * The second half of attach_connect: hello and region from a connected socket, which it owns from
 * now on. For a peer that was connected some other way: tests and fuzzers.
 */
int attach_receive(struct attachment *attachment, int connected_socket, int timeout_ms);
void attach_close(struct attachment *attachment);
/* Closes the descriptors and keeps the mapping, to be copied from until attach_close. */
void attach_disconnect(struct attachment *attachment);
/* Sums over workers for one binding id; zeros when out of range. */
struct binding_counters attach_binding_counters(
	const struct attachment *attachment, uint32_t binding_id);
/* The same of a policy's hits. */
uint64_t attach_policy_hits(const struct attachment *attachment, uint32_t policy_id);

/* Reads a doorbell empty; call before looking at what it announces. */
static inline void doorbell_clear(int event_fd)
{
	uint64_t count;
	ssize_t ignored = read(event_fd, &count, sizeof(count)); /* not rung: EAGAIN */
	(void)ignored;
}

static inline void doorbell_ring(int event_fd)
{
	uint64_t one = 1;
	ssize_t ignored = write(event_fd, &one, sizeof(one)); /* full counter = already rung */
	(void)ignored;
}

#endif
