/* Frames between a worker and TAPs; a datagram socket stands for the TAP: one read or write a
 * frame. */
#include "dataplane/link/exception.h"

#include "dataplane/packet.h"
#include "tests/walk/world.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

#define SLOTS 64 /* a ring holds one less */

struct fixture {
	struct world *world;
	struct worker *worker;
	int tap, kernel;
	struct port_counters ports[WORLD_PORTS];
};

static uint8_t octets[9000];

static void open_fixture(struct fixture *f)
{
	int ends[2];

	memset(f, 0, sizeof(*f));
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
	f->tap = ends[0];
	f->kernel = ends[1];
	f->world = world_new();
	f->worker = &f->world->worker;
	f->worker->exception_in = rte_ring_create(
		"test_exception_in", SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(f->worker->exception_in);
	for (unsigned i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 11);
}

static void close_fixture(struct fixture *f)
{
	rte_ring_free(f->worker->exception_in);
	f->worker->exception_in = NULL;
	close(f->tap);
	close(f->kernel);
	assert_true(world_free(f->world)); /* every buffer is back */
}

static struct rte_mbuf *taken(struct fixture *f)
{
	struct rte_mbuf *frame = NULL;
	return rte_ring_sc_dequeue(f->worker->exception_in, (void **)&frame) == 0 ? frame : NULL;
}

static void read_brings_the_kernels_frames(void **state)
{
	struct fixture f;
	struct rte_mbuf *frame;

	(void)state;
	open_fixture(&f);
	assert_int_equal(send(f.kernel, octets, 60, 0), 60);
	assert_int_equal(send(f.kernel, octets + 1, 1514, 0), 1514);
	assert_int_equal(exception_read(f.worker, f.tap, 2, &f.ports[2]), 2);
	for (unsigned i = 0; i < 2; i++) {
		frame = taken(&f);
		assert_non_null(frame);
		assert_int_equal(frame->port, 2);
		assert_int_equal(rte_pktmbuf_pkt_len(frame), i == 0 ? 60 : 1514);
		assert_memory_equal(
			rte_pktmbuf_mtod(frame, void *), octets + i, rte_pktmbuf_pkt_len(frame));
		rte_pktmbuf_free(frame);
	}
	assert_int_equal(exception_read(f.worker, f.tap, 2, &f.ports[2]), 0);
	close_fixture(&f);
}

/* A port of 9000 octets: the TAP gives frames that no single buffer holds. */
static void read_chains_a_large_frame(void **state)
{
	struct fixture f;
	struct rte_mbuf *frame;
	uint8_t copy[sizeof(octets)];

	(void)state;
	open_fixture(&f);
	assert_int_equal(send(f.kernel, octets, sizeof(octets), 0), sizeof(octets));
	assert_int_equal(exception_read(f.worker, f.tap, 0, &f.ports[0]), 1);
	frame = taken(&f);
	assert_non_null(frame);
	assert_int_equal(rte_pktmbuf_pkt_len(frame), sizeof(octets));
	assert_true(frame->nb_segs > 1);
	assert_memory_equal(
		rte_pktmbuf_read(frame, 0, sizeof(octets), copy), octets, sizeof(octets));
	rte_pktmbuf_free(frame);
	assert_int_equal(f.ports[0].exception_refused, 0);
	close_fixture(&f);
}

/* What the worker has no room for stays with the kernel and comes later: nothing is lost uncounted.
 */
static void read_leaves_what_has_no_room(void **state)
{
	struct fixture f;
	struct rte_mbuf *frame;
	unsigned sent = 0, came = 0;

	(void)state;
	open_fixture(&f);
	for (uint32_t n = 0; n < 3; n++) {
		while (rte_ring_free_count(f.worker->exception_in) > 0) {
			assert_int_equal(send(f.kernel, &sent, sizeof(sent), 0), sizeof(sent));
			sent++;
			assert_int_equal(exception_read(f.worker, f.tap, 0, &f.ports[0]), 1);
		}
		assert_int_equal(send(f.kernel, &sent, sizeof(sent), 0), sizeof(sent));
		sent++;
		assert_int_equal(exception_read(f.worker, f.tap, 0, &f.ports[0]), 0);
		for (; (frame = taken(&f)) != NULL; came++) {
			assert_int_equal(*rte_pktmbuf_mtod(frame, unsigned *), came);
			rte_pktmbuf_free(frame);
		}
		assert_int_equal(exception_read(f.worker, f.tap, 0, &f.ports[0]), 1);
	}
	while ((frame = taken(&f)) != NULL) {
		assert_int_equal(*rte_pktmbuf_mtod(frame, unsigned *), came++);
		rte_pktmbuf_free(frame);
	}
	assert_int_equal(came, sent);
	assert_int_equal(f.ports[0].exception_refused, 0);
	close_fixture(&f);
}

/* No buffer for the rest of a large frame: counted, and its first buffer comes back. */
static void read_counts_what_finds_no_buffer(void **state)
{
	struct fixture f;
	struct rte_mempool *small = rte_pktmbuf_pool_create(
		"small", 3, 0, PACKET_PRIVATE_SIZE, 2048 + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	struct rte_mempool *pool;

	(void)state;
	assert_non_null(small);
	open_fixture(&f);
	pool = f.worker->pool;
	f.worker->pool = small;
	assert_int_equal(send(f.kernel, octets, sizeof(octets), 0), sizeof(octets));
	assert_int_equal(exception_read(f.worker, f.tap, 1, &f.ports[1]), 1);
	assert_null(taken(&f));
	assert_int_equal(f.ports[1].exception_refused, 1);
	assert_int_equal(rte_mempool_avail_count(small), 3);
	f.worker->pool = pool;
	rte_mempool_free(small);
	close_fixture(&f);
}

static struct rte_mbuf *frame_of(
	struct fixture *f, uint32_t length, unsigned segments, uint16_t port)
{
	struct rte_mbuf *frame = world_packet(f->world, octets, length, segments);

	packet_init(frame, &f->world->ports[port]);
	frame->port = port;
	f->world->counters.received_port++;
	assert_int_equal(exception_packet(f->worker, frame), DROP_NONE);
	return frame;
}

static void write_gives_whole_frames(void **state)
{
	struct fixture f;
	int taps[WORLD_PORTS] = {-1, -1, -1};
	uint8_t copy[sizeof(octets)];

	(void)state;
	open_fixture(&f);
	taps[1] = f.tap;
	frame_of(&f, 100, 1, 1);
	frame_of(&f, 1300, 40, 1); /* a joined datagram may have as many segments as fragments */
	assert_int_equal(exception_write(f.worker, taps, f.ports, WORLD_PORTS), 2);
	assert_int_equal(recv(f.kernel, copy, sizeof(copy), 0), 100);
	assert_int_equal(recv(f.kernel, copy, sizeof(copy), 0), 1300);
	assert_memory_equal(copy, octets, 1300);
	assert_int_equal(f.ports[1].exception_lost, 0);
	assert_int_equal(exception_write(f.worker, taps, f.ports, WORLD_PORTS), 0);
	close_fixture(&f);
}

static void write_counts_what_the_kernel_refuses(void **state)
{
	struct fixture f;
	int taps[WORLD_PORTS] = {-1, -1, -1};
	unsigned given = 0;
	uint8_t copy[100];

	(void)state;
	open_fixture(&f);
	taps[1] = f.tap;
	while (f.ports[1].exception_lost == 0 && given < 5000) { /* until its queue is full */
		frame_of(&f, 100, 1, 1);
		assert_int_equal(exception_write(f.worker, taps, f.ports, WORLD_PORTS), 1);
		given++;
	}
	assert_int_equal(f.ports[1].exception_lost, 1);
	while (recv(f.kernel, copy, sizeof(copy), 0) == 100)
		given--;
	assert_int_equal(given, 1); /* all others came */
	frame_of(&f, 100, 1, 2);    /* the TAP is gone meanwhile */
	assert_int_equal(exception_write(f.worker, taps, f.ports, WORLD_PORTS), 1);
	assert_int_equal(f.ports[2].exception_lost, 1);
	close_fixture(&f);
}

static void worker_keeps_what_is_not_taken(void **state)
{
	struct fixture f;
	struct rte_mbuf *frame;

	(void)state;
	open_fixture(&f);
	f.world->ports[2].has_exception = false;
	frame = world_packet(f.world, octets, 60, 1);
	frame->port = 2;
	assert_int_equal(exception_packet(f.worker, frame), DROP_exception_none);
	frame->port = 0;
	struct rte_ring *out = f.worker->exception_out;
	f.worker->exception_out = rte_ring_create(
		"test_exception_out", 2, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	assert_non_null(f.worker->exception_out);
	assert_int_equal(exception_packet(f.worker, frame), DROP_NONE);
	assert_int_equal(exception_packet(f.worker, frame), DROP_exception_full);
	assert_int_equal(f.world->counters.punted_exception, 1);
	f.world->counters.received_port++;
	rte_ring_free(f.worker->exception_out);
	f.worker->exception_out = out;
	rte_pktmbuf_free(frame);
	close_fixture(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_brings_the_kernels_frames),
		cmocka_unit_test(read_chains_a_large_frame),
		cmocka_unit_test(read_leaves_what_has_no_room),
		cmocka_unit_test(read_counts_what_finds_no_buffer),
		cmocka_unit_test(write_gives_whole_frames),
		cmocka_unit_test(write_counts_what_the_kernel_refuses),
		cmocka_unit_test(worker_keeps_what_is_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
