#include "tests/unit/operator/fake_provider.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define LOOK 64

static const char text[] =
	"dataplane = { ports = ( { name = \"out\"; device = \"net_null0\"; tap = \"hp-out\"; },"
	" { name = \"in\"; device = \"net_null1\"; zone = \"internal\"; } ); };\n"
	"instances = ( { name = \"lab\"; addresses = [ \"192.0.2.1\" ]; home_networks = ( { prefix "
	"= \"10.0.0.0/8\"; } ); } );\n"
	"mobile_nodes = ( { nai = \"mn1@example.com\"; home_address = \"10.0.0.0/8\";"
	" security = ( { spi = 0x100; key = \"0123456789abcdeffedcba9876543210\"; } ); } );\n";

static const struct config *fake_config(void *context)
{
	return ((struct fake *)context)->config;
}

static void fake_status(void *context, struct provider_status *out)
{
	struct fake *fake = context;

	*out = (struct provider_status){.attached = !fake->detached,
		.synchronised = true,
		.uptime_ms = 61000,
		.dataplane_epoch = fake->epoch,
		.bindings = fake->bindings - fake->gone_below,
		.bindings_max = 2000000};
}

static void make(uint32_t number, struct provider_binding *out)
{
	memset(out, 0, sizeof(*out));
	out->home_address = ip_address_from_v4(htonl(0x0a000000u + number));
	out->care_of_address = ip_address_from_v4(htonl(0xcb007107u));
	out->care_of_field = ip_address_from_v4(htonl(0xc0a80117u));
	out->agent_address = ip_address_from_v4(htonl(0xc0000201u));
	out->source = out->care_of_address;
	out->nai = number % 2 ? "odd\"\x01\xff@Example.com" : "mn1@example.com";
	out->state = "active";
	out->mode = "-";
	out->identification = 0xed00378000000001ull + number;
	out->remaining_ms = number == 7 ? UINT64_MAX : 59001;
	out->binding_id = number;
	out->spi = 0x100;
	out->flags = BINDING_UDP | BINDING_REVERSE;
	out->lifetime_s = 60;
	out->care_of_port = out->source_port = htons(40007);
	out->request_flags = 0x22;
	out->encapsulation = ENCAPSULATION_IPIP;
	out->nat = PROVIDER_NAT_DETECTED;
	out->revocation_negotiated = number == 3;
}

static enum provider_step fake_next(void *context, uint64_t *cursor, struct provider_binding *out)
{
	struct fake *fake = context;

	if (*cursor < fake->gone_below) {
		*cursor = *cursor + LOOK < fake->gone_below ? *cursor + LOOK : fake->gone_below;
		return PROVIDER_AGAIN;
	}
	if (*cursor >= fake->bindings)
		return PROVIDER_END;
	make((uint32_t)(*cursor)++, out);
	return PROVIDER_FOUND;
}

static bool fake_find(void *context, uint16_t instance, const struct ip_address *home,
	unsigned index, struct provider_binding *out)
{
	struct fake *fake = context;
	uint32_t number = ntohl(ip_address_v4(home)) - 0x0a000000u;

	if (index || number < fake->gone_below || number >= fake->bindings ||
		(instance && instance != PROVIDER_INSTANCE_ANY))
		return false;
	make(number, out);
	out->counters = (struct binding_counters){11, 22, 33, 44};
	out->networks[0] = ip_prefix_make(home, 120);
	out->network_count = 1;
	return true;
}

static bool fake_counter(
	void *context, unsigned instance, unsigned index, struct provider_counter *out)
{
	static const char *const names[] = {"rx_request", "reg_accepted", "denied_133"};
	struct fake *fake = context;

	if (instance > 1 || index >= 3)
		return false;
	*out = (struct provider_counter){names[index], "help", fake->control[instance][index]};
	return true;
}

static const struct worker_counters *fake_workers(void *context, unsigned *count)
{
	struct fake *fake = context;

	*count = fake->detached ? 0 : 2;
	return fake->detached ? NULL : fake->workers;
}

static const struct port_counters *fake_ports(void *context, unsigned *count)
{
	struct fake *fake = context;

	*count = fake->detached ? 0 : 2;
	return fake->detached ? NULL : fake->ports;
}

static int fake_clear(void *context, uint32_t binding_id)
{
	struct fake *fake = context;

	fake->cleared++;
	fake->gone_below = binding_id + 1;
	return 0;
}

static unsigned fake_clear_home(void *context, uint16_t instance, const struct ip_address *home)
{
	struct provider_binding binding;

	if (!fake_find(context, instance, home, 0, &binding))
		return 0;
	((struct fake *)context)->cleared++;
	return 1;
}

static unsigned fake_clear_nai(void *context, uint16_t instance, const char *nai)
{
	return strcmp(nai, "mn1@example.com") == 0 ? 5 : 0;
}

static void fake_drain(void *context, bool on)
{
	((struct fake *)context)->drained = on ? 1 : 2;
}

/* Says back what it understood. */
static void fake_rehearse(
	void *context, const struct provider_rehearsal *what, struct provider_rehearsed *out)
{
	(void)context;
	*out = (struct provider_rehearsed){.step = what->port == 1 ? 20 : 13,
		.code = what->port == 1 ? 0 : 129,
		.why = what->nai,
		.lifetime_s = what->lifetime_s,
		.encapsulation = what->flags,
		.udp = what->udp_tunnel && what->udp_forced,
		.home_address = what->home_address,
		.care_of_address = what->source};
	out->discarded = what->lifetime_s == 1;
}

static enum provider_step fake_node_next(void *context, uint64_t *cursor, struct provider_node *out)
{
	(void)context;
	if (*cursor == 3)
		return PROVIDER_END;
	*out = (struct provider_node){.nai = *cursor ? "" : "a@b",
		.home_address = ip_address_from_v4(htonl(0x0a000000u + (uint32_t)*cursor)),
		.accepted = 7,
		.denied = 2,
		.service_ms = 61000,
		.accepted_ago_ms = 5000,
		.denied_ago_ms = *cursor ? 1000 : UINT64_MAX,
		.denied_code = *cursor ? 129 : 0,
		.bindings = 1};
	++*cursor;
	return PROVIDER_FOUND;
}

static int fake_reload(void *context, struct config_error *error)
{
	struct fake *fake = context;

	fake->reloads++;
	if (fake->refuse_reload)
		strcpy(error->text, "homeport.cfg:3: no such thing");
	return fake->refuse_reload ? -EINVAL : 0;
}

static int fake_sa_add(
	void *context, struct config_security_association *pair, struct config_error *error)
{
	struct fake *fake = context;

	fake->pair = *pair;
	fake->ipsec_changes++;
	strcpy(error->text, "the fake says no");
	return fake->ipsec_result;
}

static int fake_sa_update(void *context, const char *name, const struct provider_move *move,
	struct config_error *error)
{
	struct fake *fake = context;

	fake->move = *move;
	fake->move.local = fake->move.remote = NULL;
	fake->ipsec_changes++;
	strcpy(error->text, "the fake says no");
	return fake->ipsec_result;
}

static int fake_sa_dummy(void *context, const char *name, unsigned count, unsigned length,
	struct config_error *error)
{
	struct fake *fake = context;

	fake->dummies = count;
	fake->dummy_length = length;
	strcpy(error->text, "the fake says no");
	return fake->ipsec_result;
}

static int fake_name(void *context, const char *name, struct config_error *error)
{
	strcpy(error->text, "the fake says no");
	return ((struct fake *)context)->ipsec_result;
}

static int fake_policy_add(
	void *context, const struct config_policy *policy, struct config_error *error)
{
	struct fake *fake = context;

	fake->policy = *policy;
	fake->ipsec_changes++;
	strcpy(error->text, "the fake says no");
	return fake->ipsec_result;
}

static bool fake_sa_next(void *context, uint64_t *cursor, struct provider_sa *out)
{
	if (*cursor >= 2500)
		return false;
	*out = (struct provider_sa){.name = "x",
		.state = "live",
		.origin = "operator",
		.algorithm = "null-sha1",
		.inbound = true,
		.spi = (uint32_t)++ * cursor,
		.idle_s = UINT64_MAX,
		.pair_id = UINT32_MAX};
	return true;
}

static bool fake_sa_find(void *context, const char *name, bool inbound, struct provider_sa *out)
{
	uint64_t cursor = 0;

	return inbound && strcmp(name, "x") == 0 && fake_sa_next(context, &cursor, out);
}

void fake_init(struct fake *fake, uint32_t bindings)
{
	struct config_error error;

	memset(fake, 0, sizeof(*fake));
	if (config_load_string(text, "fake", &fake->config, &error, NULL)) {
		fputs(error.text, stderr);
		abort();
	}
	fake->bindings = bindings;
	fake->epoch = 99;
	fake->workers[0].received_port = 100;
	fake->workers[0].sent_port = 80;
	fake->workers[0].drops[DROP_rt_no_binding] = 15;
	fake->workers[0].punted_control = 5;
	fake->workers[1].received_port = 10;
	fake->workers[1].created = 2;
	fake->workers[1].sent_port = 11;
	fake->workers[1].held_neighbor = 1;
	strcpy(fake->ports[0].name, "out");
	fake->ports[0].rx_packets = 110;
	fake->control[0][0] = 9;
	fake->control[0][1] = 7;
	fake->control[0][2] = 2;
	fake->provider = (struct provider){.context = fake,
		.rehearse = fake_rehearse,
		.node_next = fake_node_next,
		.config = fake_config,
		.status = fake_status,
		.binding_next = fake_next,
		.binding_find = fake_find,
		.counter = fake_counter,
		.workers = fake_workers,
		.ports = fake_ports,
		.clear_binding = fake_clear,
		.clear_home = fake_clear_home,
		.clear_nai = fake_clear_nai,
		.drain = fake_drain,
		.reload = fake_reload,
		.sa_next = fake_sa_next,
		.sa_find = fake_sa_find,
		.sa_add = fake_sa_add,
		.sa_update = fake_sa_update,
		.sa_del = fake_name,
		.sa_dummy = fake_sa_dummy,
		.policy_add = fake_policy_add,
		.policy_del = fake_name};
}

void fake_fini(struct fake *fake)
{
	config_free(fake->config);
}
