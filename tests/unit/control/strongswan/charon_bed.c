#include "tests/unit/control/strongswan/charon_bed.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

char path[64];
// As in charon's program: what the plugin looks for before it takes part.
static const char *const version = HOMEPORT_STRONGSWAN_VERSION;

/* ---- what charon hears ---- */

struct heard heard;

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

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned counted(unsigned *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* ---- what charon calls ---- */

linked_list_t *selectors(const char *text)
{
	linked_list_t *list = linked_list_create();

	list->insert_last(list, traffic_selector_create_from_cidr((char *)text, 0, 0, 65535));
	return list;
}

void sa_init(struct sa *sa, uint32_t spi, bool inbound)
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

void sa_fini(struct sa *sa)
{
	sa->id.src->destroy(sa->id.src);
	sa->id.dst->destroy(sa->id.dst);
	sa->data.src_ts->destroy_offset(sa->data.src_ts, offsetof(traffic_selector_t, destroy));
	sa->data.dst_ts->destroy_offset(sa->data.dst_ts, offsetof(traffic_selector_t, destroy));
}

status_t add_sa(uint32_t spi, bool inbound)
{
	struct sa sa;
	status_t status;

	sa_init(&sa, spi, inbound);
	status = charon->kernel->add_sa(charon->kernel, &sa.id, &sa.data);
	sa_fini(&sa);
	return status;
}

uint32_t get_spi(void)
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

status_t del_sa(uint32_t spi, bool inbound)
{
	struct sa sa;
	kernel_ipsec_del_sa_t data = {0};
	status_t status;

	sa_init(&sa, spi, inbound);
	status = charon->kernel->del_sa(charon->kernel, &sa.id, &data);
	sa_fini(&sa);
	return status;
}

status_t update_sa(uint32_t spi, bool inbound, const char *to, uint16_t port)
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

bool connected(void)
{
	uint32_t spi = get_spi();

	return spi != 0 && del_sa(spi, TRUE) == SUCCESS;
}

status_t policy(enum change change, policy_dir_t direction, policy_type_t type,
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

void until_connected(void)
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

int setup(void **state)
{
	fake_control_mood(FAKE_OK, KEYING_OK);
	fake_control_start(path);
	until_connected();
	fake_control_forget();
	heard.expires = heard.mappings = heard.acquires = heard.migrates = 0;
	return 0;
}

int teardown(void **state)
{
	fake_control_stop();
	fake_control_forget();
	return 0;
}

bool charon_bed_start(const char *plugin)
{
	snprintf(path, sizeof(path), "/tmp/kernel-homeport-test-%d.sock", getpid());
	library_init("/dev/null", "charon");
	libcharon_init();
	lib->settings->set_str(lib->settings, "charon.plugins.kernel-homeport.socket", path);
	lib->settings->set_int(lib->settings, "charon.plugins.kernel-homeport.timeout", TIMEOUT_MS);
	printf("# as strongSwan %s\n", version);
	if (getenv("VERBOSE"))
		lib->settings->set_int(lib->settings, "charon.filelog.stderr.default", 1);
	charon->load_loggers(charon);
	if (!dlopen(plugin, RTLD_NOW | RTLD_GLOBAL) ||
		!charon->initialize(charon,
			"random nonce openssl kernel-homeport! kernel-netlink socket-default")) {
		printf("1..1\nnot ok 1 - the plugin loads\n# %s\n", dlerror());
		return false;
	}
	lib->processor->set_threads(lib->processor, 16);
	listener = (kernel_listener_t){.expire = _on_expire,
		.mapping = _on_mapping,
		.acquire = _on_acquire,
		.migrate = _on_migrate};
	charon->kernel->add_listener(charon->kernel, &listener);
	return true;
}

void charon_bed_stop(void)
{
	charon->kernel->remove_listener(charon->kernel, &listener);
	libcharon_deinit();
	library_deinit();
}
