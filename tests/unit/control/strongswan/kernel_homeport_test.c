/*
 * charon's plugin inside charon's own library, against a control that is played by fake_control:
 * the sequences of calls are those that charon 5.9.8 makes. KIF-53.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <daemon.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/control/strongswan/fake_control.h"

#define OURS       "192.0.2.1"
#define PEER       "203.0.113.7"
#define SPI_PEER   0xc1c2c3c4u
#define TIMEOUT_MS 500 /* longer than a busy machine keeps the fake control from answering */

static char path[64];
// As in charon's program: what the plugin looks for before it takes part.
static const char *const version = HOMEPORT_STRONGSWAN_VERSION;

/* ---- what charon hears ---- */

static struct {
	unsigned expires, mappings, acquires, migrates;
	uint32_t spi, reqid;
	bool hard;
	char dst[64], remote[64], source[64], destination[64];
} heard;

METHOD(kernel_listener_t, on_expire, bool, kernel_listener_t *this, uint8_t protocol, uint32_t spi,
	host_t *dst, bool hard)
{
	assert_int_equal(protocol, IPPROTO_ESP);
	heard.spi = spi;
	heard.hard = hard;
	snprintf(heard.dst, sizeof(heard.dst), "%H", dst);
	__atomic_add_fetch(&heard.expires, 1, __ATOMIC_RELEASE);
	return TRUE;
}

METHOD(kernel_listener_t, on_mapping, bool, kernel_listener_t *this, uint8_t protocol, uint32_t spi,
	host_t *dst, host_t *remote)
{
	heard.spi = spi;
	snprintf(heard.dst, sizeof(heard.dst), "%H", dst);
	snprintf(heard.remote, sizeof(heard.remote), "%#H", remote);
	__atomic_add_fetch(&heard.mappings, 1, __ATOMIC_RELEASE);
	return TRUE;
}

METHOD(kernel_listener_t, on_acquire, bool, kernel_listener_t *this, uint32_t reqid,
	kernel_acquire_data_t *data)
{
	heard.reqid = reqid;
	snprintf(heard.source, sizeof(heard.source), "%R", data->src);
	snprintf(heard.destination, sizeof(heard.destination), "%R", data->dst);
	__atomic_add_fetch(&heard.acquires, 1, __ATOMIC_RELEASE);
	return TRUE;
}

METHOD(kernel_listener_t, on_migrate, bool, kernel_listener_t *this, uint32_t reqid,
	traffic_selector_t *src_ts, traffic_selector_t *dst_ts, policy_dir_t direction,
	host_t *local, host_t *remote)
{
	heard.reqid = reqid; // the objects are the job's of charon's own listener: KIF-44
	__atomic_add_fetch(&heard.migrates, 1, __ATOMIC_RELEASE);
	return TRUE;
}

static kernel_listener_t listener;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#define wait_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t deadline_ = now_ms() + 5000;                                              \
		while (!(condition)) {                                                             \
			assert_true(now_ms() < deadline_);                                         \
			usleep(1000);                                                              \
		}                                                                                  \
	} while (0)

static unsigned counted(unsigned *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* ---- what charon calls ---- */

struct sa { // the arguments of a call
	kernel_ipsec_sa_id_t id;
	kernel_ipsec_add_sa_t data;
	lifetime_cfg_t lifetime;
	uint8_t key[36];
};

static linked_list_t *selectors(const char *text)
{
	linked_list_t *list = linked_list_create();

	list->insert_last(list, traffic_selector_create_from_cidr((char *)text, 0, 0, 65535));
	return list;
}

static void sa_init(struct sa *sa, uint32_t spi, bool inbound)
{
	host_t *ours = host_create_from_string(OURS, 4500);
	host_t *peer = host_create_from_string(PEER, 40001);

	*sa = (struct sa){0};
	memset(sa->key, inbound ? 0x11 : 0x22, sizeof(sa->key));
	sa->id = (kernel_ipsec_sa_id_t){.src = inbound ? peer : ours,
		.dst = inbound ? ours : peer,
		.spi = spi,
		.proto = IPPROTO_ESP};
	sa->lifetime.time.rekey = 3000;
	sa->lifetime.time.life = 3600;
	sa->data = (kernel_ipsec_add_sa_t){
		.reqid = 7,
		.mode = MODE_TUNNEL,
		.src_ts = selectors(inbound ? "10.9.0.1/32" : "10.1.0.0/16"),
		.dst_ts = selectors(inbound ? "10.1.0.0/16" : "10.9.0.1/32"),
		.lifetime = &sa->lifetime,
		.enc_alg = ENCR_AES_GCM_ICV16,
		.int_alg = AUTH_UNDEFINED,
		.enc_key = chunk_create(sa->key, sizeof(sa->key)),
		.replay_window = 32,
		.encap = TRUE,
		.copy_df = TRUE,
		.copy_dscp = DSCP_COPY_NO,
		.inbound = inbound,
		.update = inbound,
	};
}

static void sa_fini(struct sa *sa)
{
	sa->id.src->destroy(sa->id.src);
	sa->id.dst->destroy(sa->id.dst);
	sa->data.src_ts->destroy_offset(sa->data.src_ts, offsetof(traffic_selector_t, destroy));
	sa->data.dst_ts->destroy_offset(sa->data.dst_ts, offsetof(traffic_selector_t, destroy));
}

static status_t add_sa(uint32_t spi, bool inbound)
{
	struct sa sa;
	status_t status;

	sa_init(&sa, spi, inbound);
	status = charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data);
	sa_fini(&sa);
	return status;
}

static uint32_t get_spi(void)
{
	host_t *ours = host_create_from_string(OURS, 4500),
	       *peer = host_create_from_string(PEER, 0);
	uint32_t spi = 0;

	if (charon->kernel->get_spi(charon->kernel, peer, ours, IPPROTO_ESP, &spi) != SUCCESS)
		spi = 0;
	ours->destroy(ours);
	peer->destroy(peer);
	return spi;
}

static status_t del_sa(uint32_t spi, bool inbound)
{
	struct sa sa;
	kernel_ipsec_del_sa_t data = {0};
	status_t status;

	sa_init(&sa, spi, inbound);
	status = charon->kernel->del_sa(charon->kernel, &sa.id, &data);
	sa_fini(&sa);
	return status;
}

static status_t update_sa(uint32_t spi, bool inbound, const char *to, uint16_t port)
{
	struct sa sa;
	host_t *ours = host_create_from_string(OURS, 4500);
	host_t *peer = host_create_from_string((char *)to, port);
	kernel_ipsec_update_sa_t data = {.new_src = inbound ? peer : ours,
		.new_dst = inbound ? ours : peer,
		.encap = TRUE,
		.new_encap = TRUE};
	status_t status;

	sa_init(&sa, spi, inbound);
	status = charon->kernel->update_sa(charon->kernel, &sa.id, &data);
	sa_fini(&sa);
	ours->destroy(ours);
	peer->destroy(peer);
	return status;
}

// An SPI is to be had; it is given back.
static bool connected(void)
{
	uint32_t spi = get_spi();

	return spi != 0 && del_sa(spi, TRUE) == SUCCESS;
}

enum change { ADD, DELETE };

static status_t policy(enum change change, policy_dir_t direction, policy_type_t type,
	policy_priority_t priority, uint32_t reqid, uint32_t spi, const char *peer_address)
{
	ipsec_sa_cfg_t sa = {.mode = MODE_TUNNEL,
		.reqid = reqid,
		.policy_count = 1,
		.esp = {.use = TRUE, .spi = spi}};
	bool out = direction == POLICY_OUT;
	host_t *ours = host_create_from_string(OURS, 4500);
	host_t *peer = host_create_from_string((char *)peer_address, 40001);
	kernel_ipsec_policy_id_t id = {.dir = direction,
		.src_ts = traffic_selector_create_from_cidr(
			out ? "10.1.0.0/16" : "10.9.0.1/32", 0, 0, 65535),
		.dst_ts = traffic_selector_create_from_cidr(
			out ? "10.9.0.1/32" : "10.1.0.0/16", 0, 0, 65535)};
	kernel_ipsec_manage_policy_t data = {.type = type,
		.prio = priority,
		.sa = &sa,
		.src = out ? ours : peer,
		.dst = out ? peer : ours};
	status_t status = change == ADD ? charon->kernel->add_policy(charon->kernel, &id, &data)
					: charon->kernel->del_policy(charon->kernel, &id, &data);

	ours->destroy(ours);
	peer->destroy(peer);
	id.src_ts->destroy(id.src_ts);
	id.dst_ts->destroy(id.dst_ts);
	return status;
}

/* ---- each test begins with a connected plugin that knows of nothing ---- */

static void until_connected(void)
{
	assert_non_null(fake_control_request(KEYING_REPLAY_END, 0));
	assert_non_null(fake_control_request(KEYING_LEASE_SPIS, 0));
	wait_until(get_spi() != 0);
	charon->kernel->flush_sas(charon->kernel);
	charon->kernel->flush_policies(charon->kernel);
	assert_non_null(fake_control_request(KEYING_FLUSH_POLICIES, 0));
	wait_until(get_spi() != 0); // leased again
	charon->kernel->flush_sas(charon->kernel);
	assert_non_null(fake_control_request(KEYING_FLUSH_SAS, 1));
}

static int setup(void **state)
{
	fake_control_mood(FAKE_OK, KEYING_OK);
	fake_control_start(path);
	until_connected();
	fake_control_forget();
	heard.expires = heard.mappings = heard.acquires = heard.migrates = 0;
	return 0;
}

static int teardown(void **state)
{
	fake_control_stop();
	fake_control_forget();
	return 0;
}

static void spis_are_of_the_lease_and_each_is_given_once(void **state) // KIF-07
{
	uint32_t one = get_spi(), other = get_spi();
	uint16_t cpi;

	assert_int_not_equal(one, 0);
	assert_int_not_equal(one, other);
	assert_int_equal(ntohl(one) >> 24, 0x10);
	for (unsigned i = 0; i < 200; i++) // more than a block
		assert_int_not_equal(get_spi(), 0);
	assert_int_equal(charon->kernel->get_cpi(charon->kernel, NULL, NULL, &cpi), NOT_SUPPORTED);
}

static void an_sa_arrives_as_charon_said_it(void **state) // KIF-05, KIF-08, KIF-12..15, ESP-ALG-24
{
	const struct keying_message *in, *out;
	uint32_t spi = get_spi();
	char text[TRAFFIC_SELECTOR_TEXT_SIZE];

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	in = fake_control_request(KEYING_ADD_SA, 0);
	out = fake_control_request(KEYING_ADD_SA, 1);
	assert_non_null(in);
	assert_non_null(out);
	assert_int_not_equal(in->add_sa.handle, 0);
	assert_int_not_equal(in->add_sa.handle, out->add_sa.handle);
	assert_int_equal(in->add_sa.spi, spi);
	assert_int_equal(out->add_sa.spi, SPI_PEER);
	assert_int_equal(in->add_sa.flags,
		KEYING_SA_INBOUND | KEYING_SA_UPDATE | KEYING_SA_ENCAP | KEYING_SA_COPY_DF);
	assert_int_equal(out->add_sa.flags, KEYING_SA_ENCAP | KEYING_SA_COPY_DF);
	assert_int_equal(in->add_sa.mode, KEYING_TUNNEL);
	assert_int_equal(in->add_sa.encryption, 20);
	assert_int_equal(in->add_sa.integrity, 0);
	assert_int_equal(in->add_sa.encryption_length, 36);
	assert_int_equal(in->add_sa.encryption_key[35], 0x11);
	assert_int_equal(out->add_sa.encryption_key[35], 0x22);
	assert_int_equal(in->add_sa.replay_window, 1024); // charon's 32 is too small
	assert_int_equal(in->add_sa.source.port, htons(40001));
	assert_int_equal(in->add_sa.destination.port, htons(4500));
	assert_int_equal(in->add_sa.lifetime.soft_s, 3000);
	assert_int_equal(in->add_sa.lifetime.hard_s, 3600);
	assert_true(in->add_sa.lifetime.soft_bytes == 1ULL << 40);
	assert_true(in->add_sa.lifetime.soft_packets == 1ULL << 33);
	assert_int_equal(in->add_sa.source_ts.count, 1);
	assert_string_equal(traffic_selector_format(&in->add_sa.source_ts.of[0], text), "10.9.0.1");
	assert_string_equal(
		traffic_selector_format(&in->add_sa.destination_ts.of[0], text), "10.1.0.0/16");
}

static void what_homeport_lacks_is_refused_and_never_sent(void **state) // KIF-11
{
	struct sa sa;

	for (unsigned which = 0; which < 7; which++) {
		sa_init(&sa, get_spi(), TRUE);
		switch (which) {
		case 0:
			sa.id.proto = IPPROTO_AH;
			break;
		case 1:
			sa.data.mode = MODE_BEET;
			break;
		case 2:
			sa.data.ipcomp = IPCOMP_DEFLATE;
			break;
		case 3:
			sa.data.hw_offload = HW_OFFLOAD_YES;
			break;
		case 4:
			sa.id.mark.value = 1;
			break;
		case 5:
			sa.id.if_id = 3;
			break;
		default:
			sa.data.interface = "eth0";
			break;
		}
		assert_int_equal(
			charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), NOT_SUPPORTED);
		sa_fini(&sa);
	}
	assert_int_equal(fake_control_count_of(KEYING_ADD_SA), 0);
}

static void a_refusal_leaves_nothing_but_the_spi(void **state) // KIF-09
{
	const struct keying_message *request;
	uint32_t spi = get_spi();

	// charon adds both directions at once: the answer to the second tells of the first.
	fake_control_mood(FAKE_REFUSES, KEYING_BAD_ALGORITHM);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 0));
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(add_sa(SPI_PEER, FALSE), NOT_SUPPORTED);
	request = fake_control_request(KEYING_DEL_SA, 0); // what was taken of the second
	assert_non_null(request);
	assert_int_equal(request->sa.spi, SPI_PEER);
	assert_int_equal(del_sa(SPI_PEER, FALSE), NOT_FOUND);
	assert_int_equal(del_sa(spi, TRUE), SUCCESS); // the lease goes back
	request = fake_control_request(KEYING_DEL_SA, 1);
	assert_non_null(request);
	assert_int_equal(request->sa.handle, 0);
	assert_int_equal(request->sa.spi, spi);
	assert_int_equal(del_sa(spi, TRUE), NOT_FOUND);

	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(add_sa(SPI_PEER, FALSE), FAILED);
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(del_sa(SPI_PEER, FALSE), NOT_FOUND);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS); // no old refusal is held against it
	assert_int_equal(counted(&heard.expires), 0);
}

static void a_refused_policy_ends_its_sa(void **state)
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	wait_until(counted(&heard.expires) == 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, SPI_PEER);
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		NOT_FOUND);

	// Who sets up a trap is told at once.
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 9, 0, PEER), FAILED);
}

static void a_policy_tells_when_it_was_used(void **state)
{
	kernel_ipsec_query_policy_t query = {};
	kernel_ipsec_policy_id_t id = {.dir = POLICY_OUT,
		.src_ts = traffic_selector_create_from_cidr("10.1.0.0/16", 0, 0, 65535),
		.dst_ts = traffic_selector_create_from_cidr("10.9.0.1/32", 0, 0, 65535)};
	const struct keying_message *request;
	time_t last = 1;

	assert_int_equal(
		charon->kernel->query_policy(charon->kernel, &id, &query, &last), NOT_FOUND);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	fake_control_usage(1000, 10, 77);
	assert_int_equal(charon->kernel->query_policy(charon->kernel, &id, &query, &last), SUCCESS);
	assert_int_equal(last, 77);
	request = fake_control_request(KEYING_QUERY_POLICY, 0);
	assert_int_equal(request->policy.spi, SPI_PEER);
	assert_int_equal(request->policy.direction, KEYING_OUT);
	id.if_id = 3;
	assert_int_equal(
		charon->kernel->query_policy(charon->kernel, &id, &query, &last), NOT_SUPPORTED);
	id.src_ts->destroy(id.src_ts);
	id.dst_ts->destroy(id.dst_ts);
}

static void the_same_sa_twice_has_one_handle(void **state) // KIF-10
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle,
		fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle);
}

static void peers_of_one_nat_may_have_one_spi(void **state) // NAT-15, KIF-25
{
	struct sa one, other;
	kernel_ipsec_del_sa_t nothing = {0};
	uint64_t handle;

	sa_init(&one, SPI_PEER, FALSE);
	sa_init(&other, SPI_PEER, FALSE);
	other.id.dst->set_port(other.id.dst, 40002);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &one.id, &one.data), SUCCESS);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &other.id, &other.data), SUCCESS);
	handle = fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle;
	assert_int_not_equal(handle, fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle);
	assert_int_equal(charon->kernel->del_sa(charon->kernel, &other.id, &nothing), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_DEL_SA, 0)->sa.handle, handle);
	sa_fini(&one);
	sa_fini(&other);
}

static void a_move_keeps_the_handle_and_is_never_unsupported(void **state) // MOB-09, MOB-10
{
	const struct keying_message *request;
	uint32_t spi = get_spi();

	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4500), NOT_FOUND);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	request = fake_control_request(KEYING_UPDATE_SA, 0);
	assert_non_null(request);
	assert_int_equal(request->update_sa.sa.handle,
		fake_control_request(KEYING_ADD_SA, 0)->add_sa.handle);
	assert_int_equal(request->update_sa.source.port, htons(4501));
	assert_int_equal(request->update_sa.flags, KEYING_SA_ENCAP);

	fake_control_mood(FAKE_REFUSES, KEYING_UNSUPPORTED);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.10", 4500), FAILED);
	wait_until(counted(&heard.expires) == 1); // charon ignores the result: a hard expire
	assert_true(heard.hard);
	assert_int_equal(heard.spi, spi);
}

static void an_sa_of_mobile_ipv6_is_not_moved(void **state) // TRN-12
{
	struct sa sa;
	uint32_t spi = get_spi();

	sa_init(&sa, spi, TRUE);
	sa.data.mode = MODE_TRANSPORT;
	sa.data.encap = FALSE;
	sa.id.src->set_port(sa.id.src, 0);
	sa.id.dst->set_port(sa.id.dst, 0);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	sa_fini(&sa);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4500), SUCCESS);
	assert_int_equal(del_sa(spi, TRUE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_DEL_SA, 0));
	assert_int_equal(fake_control_count_of(KEYING_UPDATE_SA), 0);
}

static void numbers_of_an_sa_never_go_back(void **state) // KIF-23, LIFE-12
{
	kernel_ipsec_query_sa_t query = {0};
	uint64_t bytes, packets;
	struct sa sa;
	time_t last;

	sa_init(&sa, get_spi(), TRUE);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		NOT_FOUND);
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	fake_control_usage(1000, 10, 77);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		SUCCESS);
	assert_int_equal(bytes, 1000);
	assert_int_equal(packets, 10);
	assert_int_equal(last, 77);
	fake_control_usage(0, 0, 0);
	assert_int_equal(
		charon->kernel->query_sa(charon->kernel, &sa.id, &query, &bytes, &packets, &last),
		SUCCESS);
	assert_int_equal(bytes, 1000);
	assert_int_equal(last, 77);
	sa_fini(&sa);
}

static void a_rekey_as_responder(void **state) // KIF-16, KIF-21, LIFE-07
{
	uint32_t old = get_spi(), fresh;
	const struct keying_message *request;
	uint64_t first;

	assert_int_equal(add_sa(old, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	first = fake_control_request(KEYING_ADD_SA, 1)->add_sa.handle;
	request = fake_control_request(KEYING_ADD_POLICY, 0);
	assert_int_equal(request->policy.handle, first);
	assert_int_equal(request->policy.direction, KEYING_OUT);
	assert_int_equal(request->policy.action, KEYING_PROTECT);

	fresh = get_spi();
	assert_int_equal(add_sa(fresh, TRUE), SUCCESS);
	assert_int_equal(add_sa(SPI_PEER + 1, FALSE), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER + 1, PEER),
		SUCCESS);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		SUCCESS);
	assert_int_equal(del_sa(SPI_PEER, FALSE), SUCCESS);
	request = fake_control_request(KEYING_DEL_POLICY, 0);
	assert_non_null(request);
	assert_int_equal(request->policy.spi, SPI_PEER);
	assert_int_equal(fake_control_request(KEYING_DEL_SA, 0)->sa.handle, first);
	assert_int_not_equal(fake_control_request(KEYING_ADD_POLICY, 1)->policy.handle, first);
}

static void a_policy_is_found_after_its_sa_moved(void **state) // MOB-06, KIF-22
{
	const struct keying_message *request;

	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, SPI_PEER, PEER),
		SUCCESS);
	assert_int_equal(update_sa(SPI_PEER, FALSE, "198.51.100.9", 4500), SUCCESS);
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 8,
				 SPI_PEER, "198.51.100.9"),
		NOT_FOUND); // another reqid
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, "198.51.100.9"),
		SUCCESS);
	request = fake_control_request(KEYING_DEL_POLICY, 0);
	assert_non_null(request);
	assert_int_equal( // as it was added
		request->policy.destination.words[3], inet_addr(PEER));
	assert_int_equal(policy(DELETE, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7,
				 SPI_PEER, PEER),
		NOT_FOUND);
}

static void traps_shunts_and_forward_policies(void **state) // KIF-16, KIF-19, KIF-20
{
	assert_int_equal(
		policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 9, 0, PEER), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_DROP, POLICY_PRIORITY_FALLBACK, 0, 0, PEER),
		SUCCESS);
	assert_int_equal(policy(ADD, POLICY_FWD, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(
		policy(ADD, POLICY_FWD, POLICY_IPSEC, POLICY_PRIORITY_ROUTED, 0, 5, PEER), SUCCESS);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 0)->policy.handle, 0);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 0)->policy.priority,
		KEYING_PRIORITY_ROUTED);
	assert_int_equal(fake_control_request(KEYING_ADD_POLICY, 1)->policy.action, KEYING_DROP);
	assert_int_equal(
		fake_control_request(KEYING_ADD_POLICY, 2)->policy.direction, KEYING_FORWARD);
	assert_int_equal(
		fake_control_count_of(KEYING_ADD_POLICY), 3); // Linux' outbound FWD is none here
}

static void events_reach_charon(void **state) // KIF-40..42, KIF-44
{
	struct keying_message event = {.header.type = KEYING_EXPIRE};

	event.expire = (struct keying_expire){.sa = {1, SPI_PEER, 0}, .hard = 0, .cause = "bytes"};
	event.expire.destination = ip_address_from_v4(inet_addr(PEER));
	fake_control_send(&event);
	wait_until(counted(&heard.expires) == 1);
	assert_false(heard.hard);
	assert_int_equal(heard.spi, SPI_PEER);
	assert_string_equal(heard.dst, PEER);

	event = (struct keying_message){.header.type = KEYING_MAPPING};
	event.mapping.sa = (struct keying_sa_id){1, 0x1234, KEYING_SA_INBOUND};
	event.mapping.local.address = ip_address_from_v4(inet_addr(OURS));
	event.mapping.local.port = htons(4500);
	event.mapping.remote.address = ip_address_from_v4(inet_addr("198.51.100.9"));
	event.mapping.remote.port = htons(4503);
	fake_control_send(&event);
	wait_until(counted(&heard.mappings) == 1);
	assert_string_equal(heard.dst, OURS);
	assert_string_equal(heard.remote, "198.51.100.9[4503]");

	event = (struct keying_message){.header.type = KEYING_ACQUIRE};
	event.acquire.reqid = 9;
	assert_int_equal(traffic_selector_parse("10.1.0.5[udp/5000]", &event.acquire.source), 0);
	assert_int_equal(traffic_selector_parse("10.9.0.1[udp/53]", &event.acquire.destination), 0);
	fake_control_send(&event);
	wait_until(counted(&heard.acquires) == 1);
	assert_int_equal(heard.reqid, 9);
	assert_string_equal(heard.source, "10.1.0.5/32[udp/5000]");
	assert_string_equal(heard.destination, "10.9.0.1/32[udp/domain]");

	event = (struct keying_message){.header.type = KEYING_MIGRATE};
	event.migrate.reqid = 4;
	event.migrate.direction = KEYING_OUT;
	event.migrate.local = ip_address_from_v4(inet_addr(OURS));
	event.migrate.remote = ip_address_from_v4(inet_addr("198.51.100.77"));
	assert_int_equal(traffic_selector_parse("10.1.0.0/16", &event.migrate.source_ts), 0);
	assert_int_equal(traffic_selector_parse("10.9.0.1", &event.migrate.destination_ts), 0);
	fake_control_send(&event);
	wait_until(counted(&heard.migrates) == 1);
	assert_int_equal(heard.reqid, 4);
}

static void calls_do_not_wait_for_a_control_that_is_stopped(void **state) // KIF-02, KIF-51
{
	uint64_t begin = now_ms(), each;
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	fake_control_mood(FAKE_DEAF, KEYING_OK);
	assert_int_equal(add_sa(spi, TRUE), SUCCESS); // the other direction will tell
	begin = now_ms();
	assert_int_equal(add_sa(htonl(0x22000000), FALSE), FAILED);
	each = now_ms() - begin;
	assert_in_range(each, TIMEOUT_MS - 20, 2 * TIMEOUT_MS);
	begin = now_ms();
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(add_sa(htonl(0x20000000 + i), FALSE), FAILED);
	assert_true(now_ms() - begin < 3000);
	assert_int_equal(del_sa(SPI_PEER, FALSE), SUCCESS); // kept for when it is back

	fake_control_mood(FAKE_OK, KEYING_OK);
	wait_until(add_sa(htonl(0x21000000), FALSE) == SUCCESS);
	assert_non_null(
		fake_control_request(KEYING_DEL_SA, 1)); // what timed out, and the one above
}

static void ten_thousand_sas_for_a_dataplane_that_is_stopped(void **state) // KIF-02
{
	uint64_t begin;

	fake_control_mood(FAKE_ACCEPTED, KEYING_OK);
	assert_int_equal(add_sa(SPI_PEER, FALSE), SUCCESS);
	begin = now_ms();
	for (uint32_t i = 0; i < 10000; i++)
		assert_int_equal(add_sa(htonl(0x20000000 + i), FALSE), SUCCESS);
	assert_true(now_ms() - begin < 5000);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 10000));

	// One that control refuses after all ends by a hard expire.
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	assert_int_equal(add_sa(htonl(0x30000000), FALSE), SUCCESS);
	wait_until(counted(&heard.expires) >= 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, htonl(0x30000000));
	assert_string_equal(heard.dst, PEER);

	// Once the dataplane is back, answers are waited for again.
	fake_control_mood(FAKE_OK, KEYING_OK);
	assert_int_equal(add_sa(htonl(0x30000001), FALSE), SUCCESS);
	assert_non_null(fake_control_request(KEYING_ADD_SA, 10002));
	fake_control_mood(FAKE_REFUSES, KEYING_NO_ROOM);
	wait_until(add_sa(htonl(0x30000002), FALSE) == FAILED);
}

static void selectors_that_follow_are_replayed_from_their_start(void **state) // TRN-13
{
	const struct keying_message *add, *rule, *move, *end;
	struct sa sa;
	uint32_t spi = get_spi();

	sa_init(&sa, spi, TRUE);
	sa.data.mode = MODE_TRANSPORT;
	sa.data.src_ts->destroy_offset(sa.data.src_ts, offsetof(traffic_selector_t, destroy));
	sa.data.src_ts = selectors(PEER "/32");
	assert_int_equal(charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data), SUCCESS);
	sa_fini(&sa);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.10", 4502), SUCCESS);
	fake_control_stop();
	wait_until(!connected());
	fake_control_forget();
	fake_control_start(path);

	end = fake_control_request(KEYING_REPLAY_END, 0);
	add = fake_control_request(KEYING_ADD_SA, 0);
	rule = fake_control_request(KEYING_ADD_POLICY, 0);
	move = fake_control_request(KEYING_UPDATE_SA, 0);
	assert_true(end && add && rule && move);
	assert_int_equal(add->add_sa.source.address.words[3], inet_addr(PEER));
	assert_int_equal(add->add_sa.source.port, htons(40001));
	assert_int_equal(move->update_sa.source.address.words[3], inet_addr("198.51.100.10"));
	assert_int_equal(move->update_sa.source.port, htons(4502));
	assert_int_equal(fake_control_count_of(KEYING_UPDATE_SA), 1);
	assert_true(fake_control_place(add) < fake_control_place(rule));
	assert_true(fake_control_place(rule) < fake_control_place(move));
	assert_true(fake_control_place(move) < fake_control_place(end));
}

static void a_control_that_comes_back_is_told_everything(void **state) // KIF-51, HA-07
{
	const struct keying_message *begin, *sa, *claim, *one, *two, *end;
	uint32_t spi = get_spi(), larval = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	assert_int_equal(update_sa(spi, TRUE, "198.51.100.9", 4501), SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 5, PEER),
		SUCCESS);
	assert_int_equal(policy(ADD, POLICY_OUT, POLICY_IPSEC, POLICY_PRIORITY_DEFAULT, 7, 6, PEER),
		SUCCESS);
	assert_true(charon->kernel->enable_udp_decap(charon->kernel, 0, AF_INET, 4500));
	fake_control_stop();
	wait_until(!connected());
	assert_int_equal(add_sa(SPI_PEER, FALSE), FAILED); // at once
	fake_control_forget();
	fake_control_start(path);

	end = fake_control_request(KEYING_REPLAY_END, 0);
	begin = fake_control_request(KEYING_REPLAY_BEGIN, 0);
	sa = fake_control_request(KEYING_ADD_SA, 0);
	claim = fake_control_request(KEYING_CLAIM_SPI, 0);
	one = fake_control_request(KEYING_ADD_POLICY, 0);
	two = fake_control_request(KEYING_ADD_POLICY, 1);
	assert_true(end && begin && sa && claim && one && two);
	assert_int_equal(sa->add_sa.spi, spi);
	assert_int_equal(sa->add_sa.flags & KEYING_SA_RESUME, KEYING_SA_RESUME);
	assert_int_equal(sa->add_sa.source.port, htons(4501)); // where it is now
	assert_int_equal(sa->add_sa.encryption_key[0], 0x11);
	assert_int_equal(claim->claim_spi.spi, larval);
	assert_int_equal(one->policy.spi, 5);
	assert_int_equal(two->policy.spi, 6);
	assert_true(fake_control_place(begin) < fake_control_place(sa));
	assert_true(fake_control_place(sa) < fake_control_place(one));
	assert_true(fake_control_place(one) < fake_control_place(two));
	assert_true(fake_control_place(two) < fake_control_place(end));
	assert_int_equal(fake_control_count_of(KEYING_ADD_SA), 1);
	assert_int_equal(fake_control_count_of(KEYING_CLAIM_SPI), 1);
	assert_int_equal(fake_control_request(KEYING_UDP_PORT, 0)->udp_port.port, htons(4500));
}

static void an_sa_whose_numbers_are_lost_ends(void **state) // ESP-ALG-20
{
	uint32_t spi = get_spi();

	assert_int_equal(add_sa(spi, TRUE), SUCCESS);
	fake_control_stop();
	fake_control_forget();
	fake_control_mood(FAKE_REFUSES, KEYING_STALE);
	fake_control_start(path);
	wait_until(counted(&heard.expires) == 1);
	assert_true(heard.hard);
	assert_int_equal(heard.spi, spi);
	assert_string_equal(heard.dst, OURS);
}

static void a_message_that_is_none_ends_the_connection(void **state) // KIF-52
{
	fake_control_send_garbage();
	assert_non_null(fake_control_request(KEYING_HELLO, 0));
	assert_non_null(fake_control_request(KEYING_REPLAY_END, 0));
	wait_until(connected());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		test(spis_are_of_the_lease_and_each_is_given_once),
		test(an_sa_arrives_as_charon_said_it),
		test(what_homeport_lacks_is_refused_and_never_sent),
		test(a_refusal_leaves_nothing_but_the_spi),
		test(a_refused_policy_ends_its_sa),
		test(a_policy_tells_when_it_was_used),
		test(the_same_sa_twice_has_one_handle),
		test(peers_of_one_nat_may_have_one_spi),
		test(a_move_keeps_the_handle_and_is_never_unsupported),
		test(an_sa_of_mobile_ipv6_is_not_moved),
		test(numbers_of_an_sa_never_go_back),
		test(a_rekey_as_responder),
		test(a_policy_is_found_after_its_sa_moved),
		test(traps_shunts_and_forward_policies),
		test(events_reach_charon),
		test(calls_do_not_wait_for_a_control_that_is_stopped),
		test(ten_thousand_sas_for_a_dataplane_that_is_stopped),
		test(a_control_that_comes_back_is_told_everything),
		test(selectors_that_follow_are_replayed_from_their_start),
		test(an_sa_whose_numbers_are_lost_ends),
		test(a_message_that_is_none_ends_the_connection),
	};
	int failed;

	snprintf(path, sizeof(path), "/tmp/kernel-homeport-test-%d.sock", getpid());
	library_init("/dev/null", "charon");
	libcharon_init();
	lib->settings->set_str(lib->settings, "charon.plugins.kernel-homeport.socket", path);
	lib->settings->set_int(lib->settings, "charon.plugins.kernel-homeport.timeout", TIMEOUT_MS);
	printf("# as strongSwan %s\n", version);
	if (getenv("VERBOSE"))
		lib->settings->set_int(lib->settings, "charon.filelog.stderr.default", 1);
	charon->load_loggers(charon);
	if (!dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) ||
		!charon->initialize(charon,
			"random nonce openssl kernel-homeport! kernel-netlink socket-default")) {
		printf("1..1\nnot ok 1 - the plugin loads\n# %s\n", dlerror());
		return 1;
	}
	lib->processor->set_threads(lib->processor, 16);
	listener = (kernel_listener_t){.expire = _on_expire,
		.mapping = _on_mapping,
		.acquire = _on_acquire,
		.migrate = _on_migrate};
	charon->kernel->add_listener(charon->kernel, &listener);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	charon->kernel->remove_listener(charon->kernel, &listener);
	libcharon_deinit();
	library_deinit();
	return failed;
}
