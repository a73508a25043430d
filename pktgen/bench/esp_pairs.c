#include "pktgen/bench/esp_pairs.h"

#include "dataplane/crypto/engine.h"
#include "dataplane/crypto/esp_codec.h"
#include "dataplane/table/sa_table.h"
#include "dataplane/table/slab.h"

#include "lib/ipc/sa_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV4     20
#define UDP      8
#define NAT_PORT 4500

static struct worker *worker;
static struct crypto_workers *crypto;
static struct crypto_library *far_library; /* of the far ends */
static struct crypto_engine *far_engine;
static struct crypto_key far_key;
static uint32_t *far_numbers; /* [room] last number that each far end used */
static uint32_t room_count;
static const struct suite *pair_suite; /* of all pairs that are made from now on */

uint32_t esp_pairs_home(uint32_t pair)
{
	return 0x0a000000u | ((pair * 2654435761u) & 0x00ffffff);
}

/* SPIs as control chooses them: the slot in the low bits. */
be32 esp_pairs_spi(uint32_t pair)
{
	return rte_cpu_to_be_32(SA_SPI_FIRST | 0x01000000u | pair);
}

uint32_t esp_pairs_node(uint32_t pair)
{
	return 0x0c000000u | ((pair * 2654435761u) & 0x00ffffff);
}

/* Every SA has keys of its own. */
struct raw_keys {
	uint8_t encryption[SA_ENCRYPTION_KEY_MAX], integrity[SA_INTEGRITY_KEY_MAX];
};

static void raw_keys_make(uint32_t pair, enum sa_direction direction, struct raw_keys *keys)
{
	memset(keys, 0x5a, sizeof(*keys));
	memcpy(keys->encryption, &pair, sizeof(pair));
	keys->encryption[4] = (uint8_t)direction;
	if (pair_suite->salt_length > 0)
		keys->encryption[pair_suite->cipher_key_length] = (uint8_t)pair;
	memcpy(keys->integrity, keys->encryption, 5);
}

/* ---- tables ---- */

void esp_pairs_apply(const struct command *command)
{
	static unsigned since_publish;
	int error;

	while ((error = tables_apply(worker->tables, command)) == EAGAIN)
		tables_synced(worker->tables, tables_publish(worker->tables));
	if (error) {
		fprintf(stderr, "bench: command %u refused: %d\n", command->type, error);
		exit(1);
	}
	if (++since_publish % 1024 == 0)
		tables_synced(worker->tables, tables_publish(worker->tables));
}

static struct selector host_selector(uint32_t pair)
{
	struct ip_address remote = path_bench_v4(esp_pairs_home(pair));

	return (struct selector){.local_first = path_bench_v4(0),
		.local_last = path_bench_v4(UINT32_MAX),
		.remote_first = remote,
		.remote_last = remote,
		.local_port_last = UINT16_MAX,
		.remote_port_last = UINT16_MAX};
}

static void sa_key_set(uint32_t pair, enum sa_direction direction)
{
	struct command c = {.type = COMMAND_SA_KEY,
		.sa_key = {.sa_id = pair,
			.direction = (uint8_t)direction,
			.encryption_length = pair_suite->encryption_key_length,
			.integrity_length = pair_suite->integrity_key_length}};
	struct raw_keys keys;

	raw_keys_make(pair, direction, &keys);
	memcpy(c.sa_key.encryption_key, keys.encryption, pair_suite->encryption_key_length);
	memcpy(c.sa_key.integrity_key, keys.integrity, pair_suite->integrity_key_length);
	esp_pairs_apply(&c);
	c = (struct command){.type = COMMAND_SA_SELECTOR,
		.sa_selector = {.sa_id = pair,
			.direction = (uint8_t)direction,
			.selector = host_selector(pair)}};
	esp_pairs_apply(&c);
}

static void sa_set(
	uint32_t pair, enum sa_direction direction, bool fresh, bool udp, uint32_t generation)
{
	struct command c = {.type = COMMAND_SA_SET,
		.sa = {.local = path_bench_v4(PATH_BENCH_AGENT),
			.remote = path_bench_v4(ESP_PAIRS_PEERS + pair + (generation << 24)),
			.sa_id = pair,
			.spi = esp_pairs_spi(pair),
			.pair_id =
				SA_NONE, /* no pair has to prove the move to UDP first (MOB-12) */
			.encryption = pair_suite->encryption,
			.integrity = pair_suite->integrity,
			.replay_window = direction == SA_INBOUND ? ESP_PAIRS_WINDOW : 0,
			.direction = (uint8_t)direction,
			.tunnel_ttl = 64,
			.dscp = DSCP_COPY}};

	if (udp) {
		c.sa.flags = SA_UDP;
		c.sa.local_port = c.sa.remote_port = rte_cpu_to_be_16(NAT_PORT);
	}
	if (fresh)
		sa_key_set(pair, direction);
	esp_pairs_apply(&c);
}

void esp_pairs_set(uint32_t pair, bool fresh, bool udp, uint32_t generation)
{
	for (unsigned direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++)
		sa_set(pair, (enum sa_direction)direction, fresh, udp, generation);
}

void esp_pairs_remove(uint32_t pair)
{
	for (unsigned direction = SA_INBOUND; direction <= SA_OUTBOUND; direction++)
		esp_pairs_apply(&(struct command){.type = COMMAND_SA_REMOVE,
			.sa = {.sa_id = pair, .direction = (uint8_t)direction}});
}

static void general_policies_set(void)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.order = 10,
			.direction = SA_OUTBOUND,
			.action = POLICY_BYPASS,
			.sa_id = SA_NONE,
			.selector = host_selector(0)}};

	for (uint32_t i = 0; i < ESP_PAIRS_GENERAL; i++) { /* for other networks */
		uint32_t first = 0xc0000000u + (i << 8);
		c.policy.policy_id = i;
		c.policy.selector.remote_first = path_bench_v4(first);
		c.policy.selector.remote_last = path_bench_v4(first + 255);
		esp_pairs_apply(&c);
	}
	esp_pairs_policy_commit();
}

void esp_pairs_policy_set(uint32_t pair)
{
	esp_pairs_apply(&(struct command){.type = COMMAND_POLICY_SET,
		.policy = {.policy_id = ESP_PAIRS_GENERAL + pair,
			.order = 20,
			.direction = SA_OUTBOUND,
			.action = POLICY_PROTECT,
			.sa_id = pair,
			.selector = host_selector(pair)}});
}

void esp_pairs_policy_remove(uint32_t pair)
{
	esp_pairs_apply(&(struct command){
		.type = COMMAND_POLICY_REMOVE, .policy.policy_id = ESP_PAIRS_GENERAL + pair});
}

void esp_pairs_policy_commit(void)
{
	esp_pairs_apply(&(struct command){.type = COMMAND_POLICY_COMMIT});
}

/* The internal side: what comes out of a tunnel goes to 172.16/12 through port 1. */
static void inside_set(void)
{
	struct command route = {.type = COMMAND_ROUTE_SET,
		.route = {.port = ESP_PAIRS_PORT, .next_hop = path_bench_v4(ESP_PAIRS_INSIDE + 1)}};

	route.route.prefix.address = path_bench_v4(ESP_PAIRS_INSIDE & 0xfff00000u);
	route.route.prefix.length = 96 + 12;
	esp_pairs_apply(&route);
	esp_pairs_apply(&(struct command){.type = COMMAND_NEIGHBOR_SET,
		.neighbor = {.address = path_bench_v4(ESP_PAIRS_INSIDE + 1),
			.port = ESP_PAIRS_PORT,
			.mac = {2, 0, 0, 0, 0, 8}}});
}

/* ---- mobile nodes ---- */

void esp_pairs_node_set(uint32_t pair, uint32_t care_of)
{
	struct command c = {.type = COMMAND_BINDING_SET,
		.binding = {.agent_address = path_bench_v4(PATH_BENCH_AGENT),
			.expires_ns = CLOCK_NEVER,
			.home_port = PORT_NONE,
			.binding_id = pair,
			.home_address = path_bench_v4(esp_pairs_node(pair)),
			.flags = BINDING_REVERSE | BINDING_COLOCATED,
			.encapsulation = ENCAPSULATION_IPIP}};

	c.binding.care_of_address = c.binding.care_of_field = path_bench_v4(care_of);
	esp_pairs_apply(&c);
}

void esp_pairs_node_remove(uint32_t pair)
{
	esp_pairs_apply(&(struct command){.type = COMMAND_BINDING_REMOVE,
		.binding = {
			.binding_id = pair, .home_address = path_bench_v4(esp_pairs_node(pair))}});
}

void esp_pairs_nodes_init(void)
{
	struct command c = {.type = COMMAND_POLICY_SET,
		.policy = {.policy_id = 0, /* in place of the first general one */
			.order = 5,
			.direction = SA_OUTBOUND,
			.action = POLICY_BYPASS,
			.sa_id = SA_NONE,
			.selector = host_selector(0)}};

	c.policy.selector.remote_first = path_bench_v4(0x0c000000u);
	c.policy.selector.remote_last = path_bench_v4(0x20ffffffu);
	esp_pairs_apply(&(struct command){.type = COMMAND_HOME_NETWORK_SET,
		.home_network = {.prefix = {path_bench_v4(0x0c000000u), 96 + 8},
			.port = PORT_NONE,
			.flags = HOME_NETWORK_VIRTUAL}});
	esp_pairs_apply(&c);
	esp_pairs_policy_commit();
}

/* ---- packets ---- */

static void clear_packet(uint8_t *ip, uint32_t source, uint32_t destination, uint16_t size)
{
	struct rte_ipv4_hdr *header = (struct rte_ipv4_hdr *)ip;

	path_bench_ipv4(header, source, destination, IPPROTO_UDP, size);
	path_bench_udp(header + 1, 9, 9, (uint16_t)(size - IPV4));
}

struct policy_key esp_pairs_policy_key(uint32_t pair)
{
	return (struct policy_key){.local = path_bench_v4(ESP_PAIRS_INSIDE),
		.remote = path_bench_v4(esp_pairs_home(pair)),
		.local_port = 9,
		.remote_port = 9,
		.protocol = IPPROTO_UDP,
		.direction = SA_OUTBOUND};
}

uint16_t esp_pairs_clear_frame(uint8_t *frame, uint32_t destination, uint16_t size)
{
	path_bench_ethernet(frame);
	clear_packet(frame + ESP_PAIRS_ETHERNET, ESP_PAIRS_INSIDE, destination, size);
	return (uint16_t)(ESP_PAIRS_ETHERNET + size);
}

/* What the far end protects: its user's packet, inside IP-in-IP where it is a mobile node. */
static uint16_t inner_write(uint8_t *text, uint32_t pair, uint16_t size, bool tunnel)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)text;

	if (!tunnel) {
		clear_packet(text, esp_pairs_home(pair), ESP_PAIRS_INSIDE, size);
		return size;
	}
	path_bench_ipv4(
		ip, esp_pairs_home(pair), PATH_BENCH_AGENT, IPPROTO_IPIP, (uint16_t)(IPV4 + size));
	clear_packet(text + IPV4, esp_pairs_node(pair), ESP_PAIRS_INSIDE, size);
	return (uint16_t)(IPV4 + size);
}

uint16_t esp_pairs_sealed_frame(
	uint8_t *frame, uint32_t pair, uint16_t size, enum esp_pairs_inside inside)
{
	const struct suite *suite = pair_suite;
	bool udp = inside & ESP_PAIRS_IN_UDP;
	struct rte_ipv4_hdr *outer = path_bench_ipv4_at(frame, 0);
	uint8_t *esp = (uint8_t *)(outer + 1) + (udp ? UDP : 0);
	uint8_t *text = esp + esp_codec_text_offset(suite);
	uint16_t inner = inner_write(text, pair, size, inside & ESP_PAIRS_TUNNEL);
	uint16_t length =
		(uint16_t)(esp - (uint8_t *)outer + esp_codec_packet_length(suite, inner));
	struct crypto_operation operation = {.suite = suite,
		.key = &far_key,
		.esp = esp,
		.sequence = ++far_numbers[pair],
		.length = esp_codec_text_length(suite, inner)};
	struct raw_keys keys;

	path_bench_ethernet(frame);
	path_bench_ipv4(outer, ESP_PAIRS_PEERS + pair, PATH_BENCH_AGENT,
		udp ? IPPROTO_UDP : IPPROTO_ESP, length);
	if (udp)
		path_bench_udp(outer + 1, NAT_PORT, NAT_PORT, (uint16_t)(length - IPV4));
	esp_codec_header_write(esp, rte_be_to_cpu_32(esp_pairs_spi(pair)), far_numbers[pair]);
	esp_codec_trailer_write(
		text + inner, esp_codec_padding(suite, inner), ESP_NEXT_HEADER_IPV4);
	raw_keys_make(pair, SA_INBOUND, &keys);
	crypto_key_expand(far_library, suite, keys.encryption, keys.integrity, &far_key);
	crypto_engine_encrypt_burst(far_engine, &operation, 1);
	return (uint16_t)(ESP_PAIRS_ETHERNET + length);
}

/* ---- beginning and end ---- */

void esp_pairs_suite_set(const struct suite *suite)
{
	pair_suite = suite;
	memset(far_numbers, 0, room_count * sizeof(*far_numbers));
}

const struct suite *esp_pairs_suite(void)
{
	return pair_suite;
}

const char *esp_pairs_crypto_text(void)
{
	return crypto_workers_text(crypto);
}

struct crypto_library *esp_pairs_far_library(void)
{
	return far_library;
}

void esp_pairs_limits(struct region_limits *limits, uint32_t pairs, uint32_t policies)
{
	limits->sas = 1;
	while (limits->sas < pairs)
		limits->sas *= 2;
	limits->policies = policies + ESP_PAIRS_GENERAL;
	limits->replay_window = ESP_PAIRS_WINDOW;
	limits->routes += 16;
}

static void region_make(uint32_t sas, uint32_t policies)
{
	size_t window = sa_window_words(ESP_PAIRS_WINDOW) * sizeof(uint64_t);
	size_t line = sizeof(struct sa_inbound_state) + sizeof(struct sa_outbound_state);
	uint8_t *memory = slab_map(
		sas * (window + line) + policies * (sizeof(uint64_t) + sizeof(struct policy_line)));
	struct sa_region region = {.inbound = (void *)memory};

	if (!memory) {
		fprintf(stderr, "bench: no memory for the state of %u SAs\n", sas);
		exit(1);
	}
	region.outbound = (void *)(region.inbound + sas);
	region.windows = (void *)(region.outbound + sas);
	region.policies = (void *)((uint8_t *)region.windows + sas * window);
	worker->policy_hits = (void *)(region.policies + policies);
	tables_sas_attach(worker->tables, &region, crypto_workers_library(crypto));
}

void esp_pairs_init(struct worker *workers, unsigned count, uint32_t room, enum library_copy copy)
{
	char error[LIBRARY_ERROR_SIZE];
	uint32_t slots = 1;

	worker = workers;
	room_count = room;
	pair_suite = suite_find(SA_ENCRYPTION_AES_GCM_16, 0, 20, 0, NULL);
	while (slots < room)
		slots *= 2;
	crypto = crypto_workers_new(count, copy, error);
	far_library = crypto ? crypto_library_open(LIBRARY_PRIVATE, LIBRARY_BEST, error) : NULL;
	far_engine = far_library ? crypto_engine_new(far_library) : NULL;
	far_numbers = calloc(room, sizeof(*far_numbers));
	if (!far_engine || !far_numbers) {
		fprintf(stderr, "bench: %s\n", crypto ? "no memory" : error);
		exit(1);
	}
	region_make(slots, room + ESP_PAIRS_GENERAL);
	for (unsigned i = 0; i < count; i++) {
		workers[i].crypto = crypto_workers_engine(crypto, i);
		if (i > 0)
			workers[i].policy_hits = slab_map(((size_t)room + ESP_PAIRS_GENERAL) *
							  sizeof(*workers[i].policy_hits));
	}
	inside_set();
	general_policies_set();
}

void esp_pairs_fini(void)
{
	crypto_engine_free(far_engine);
	crypto_library_close(far_library);
	free(far_numbers);
}
