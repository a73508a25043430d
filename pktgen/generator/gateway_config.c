#include "pktgen/generator/gateway_config.h"

#include "pktgen/generator/security.h"

#include <inttypes.h>

#define ORDER_FIRST 1000
/* A range is at most 62 prefixes; four ranges a group. */
#define ROUTES_MAX (PROFILE_GROUPS_MAX * 4 * 62)

void gateway_config_prefixes(const struct ip_address *first, uint32_t count,
	void (*each)(void *context, const struct ip_prefix *prefix), void *context)
{
	uint64_t at = ntohl(first->words[3]), end = at + count;

	while (at < end) {
		uint8_t bits = 0;
		while (bits < 32 && (at & ((2ull << bits) - 1)) == 0 && at + (2ull << bits) <= end)
			bits++;
		struct ip_address address = *first;
		address.words[3] = htonl((uint32_t)at);
		struct ip_prefix prefix = ip_prefix_make(&address, (uint8_t)(128 - bits));
		each(context, &prefix);
		at += 1ull << bits;
	}
}

struct list { /* rows of a libconfig list */
	FILE *out;
	unsigned count;
	const struct profile_group *group;
	const struct profile_port *port;
	struct ip_prefix routes[ROUTES_MAX];
	unsigned route_count;
};

static void row_begin(struct list *list)
{
	fputs(list->count++ ? ",\n  { " : "  { ", list->out);
}

static void hex_write(FILE *out, const uint8_t *bytes, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		fprintf(out, "%02x", bytes[i]);
}

/* ---- mobile nodes ---- */

static void node_row(void *context, const struct ip_prefix *prefix)
{
	static const char *const algorithms[] = {
		"hmac-md5", "keyed-md5", "hmac-sha1", "hmac-sha256"};
	struct list *list = context;
	const struct profile_registration *registration = &list->group->registration;
	char text[IP_PREFIX_TEXT_SIZE], *length;

	ip_prefix_format(prefix, text);
	if (prefix->length == 128 && (length = strchr(text, '/')))
		*length = '\0';
	row_begin(list);
	fprintf(list->out,
		"home_address = \"%s\"; security = ( { spi = %" PRIu32 "; algorithm = \"%s\"; "
		"key = \"",
		text, registration->spi, algorithms[registration->algorithm]);
	hex_write(list->out, registration->key.bytes, registration->key.length);
	fputs("\"; } ); }", list->out);
}

static void nodes_write(const struct population *population, FILE *out)
{
	struct list list = {.out = out};

	fputs("mobile_nodes = (\n", out);
	for (unsigned i = 0; i < population->group_count; i++) {
		list.group = population->groups[i].settings;
		if (profile_is_mobile_ip(list.group))
			gateway_config_prefixes(
				&list.group->node, list.group->nodes, node_row, &list);
	}
	fputs("\n);\n", out);
}

/* ---- security ---- */

/* The correspondents of a group as one selector; the home agent when it is its tunnels that are
 * protected. */
static void selector_write(const struct profile_group *group, FILE *out)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address last =
		population_offset(&group->correspondent, group->correspondents - 1);

	if (profile_is_sealed(group)) {
		fprintf(out, "\"%s\"", ip_address_format(&group->home_agent, text));
		return;
	}
	fprintf(out, "\"%s", ip_address_format(&group->correspondent, text));
	if (group->correspondents > 1)
		fprintf(out, "-%s", ip_address_format(&last, text));
	fputc('"', out);
}

static struct ip_address selector_remote(const struct population_group *group, uint32_t association)
{
	uint32_t node = association % group->settings->nodes;
	uint8_t place = (uint8_t)(association / group->settings->nodes);

	return profile_is_sealed(group->settings) ? population_tunnel_end(group, node, place)
						  : population_node_address(group, node);
}

static void association_write(
	const struct population_group *group, uint64_t seed, uint32_t association, FILE *out)
{
	const struct profile_group *settings = group->settings;
	const struct profile_security *security = &settings->security;
	uint32_t node = association % settings->nodes;
	struct ip_address care_of =
		population_care_of(group, node, (uint8_t)(association / settings->nodes));
	struct ip_address inner = selector_remote(group, association);
	char agent[IP_ADDRESS_TEXT_SIZE], text[IP_ADDRESS_TEXT_SIZE];
	struct secret key;

	fprintf(out,
		"name = \"%s-%" PRIu32 "\"; %slocal = \"%s\"; remote = \"%s\"; "
		"algorithm = \"%s\"; esn = %s; replay_window = %" PRIu32 "; spi_in = 0x%" PRIx32
		"; spi_out = "
		"0x%" PRIx32 "; ",
		settings->name, association,
		profile_is_transport(settings) ? "mode = \"transport\"; " : "",
		ip_address_format(&settings->agent, agent), ip_address_format(&care_of, text),
		security->algorithm, security->esn ? "true" : "false", security->replay_window,
		security->spi_up + association, security->spi_down + association);
	if (security->esp.counter_mode)
		fputs("unsafe_static_keys = true; ", out);
	if (security->encap)
		fprintf(out, "encap = true; remote_port = %u; %s",
			population_nat_port(group, node, 0),
			settings->nat_rebind_ms || security->moves ? "follow_mapping = true; "
								   : "");
	for (unsigned up = 0; up < 2; up++) {
		security_material(group, seed, association, up, &key);
		fputs(up ? "key_in = \"" : "key_out = \"", out);
		hex_write(out, key.bytes, key.length);
		fputs("\"; ", out);
	}
	secret_wipe(&key, sizeof(key));
	fputs("local_ts = [ ", out);
	selector_write(settings, out);
	fprintf(out, " ]; remote_ts = [ \"%s\" ]; }", ip_address_format(&inner, text));
}

static void associations_write(const struct population *population, FILE *out)
{
	struct list list = {.out = out};

	fputs("security_associations = (\n", out);
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		for (uint32_t k = 0; k < group->associations; k++) {
			row_begin(&list);
			association_write(group, population->profile->seed, k, out);
		}
	}
	fputs("\n);\n", out);
}

static void policies_write(const struct population *population, FILE *out)
{
	struct list list = {.out = out};
	char text[IP_ADDRESS_TEXT_SIZE];

	fputs("policies = (\n", out);
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		const char *name = group->settings->name;
		for (uint32_t k = 0; k < group->associations; k++) {
			struct ip_address inner = selector_remote(group, k);
			row_begin(&list);
			fprintf(out,
				"name = \"%s-%" PRIu32 "\"; order = %u; action = \"protect\"; "
				"security_association = \"%s-%" PRIu32 "\"; local_ts = [ ",
				name, k, ORDER_FIRST + i, name, k);
			selector_write(group->settings, out);
			fprintf(out, " ]; remote_ts = [ \"%s\" ]; }",
				ip_address_format(&inner, text));
		}
	}
	if (list.count) { /* one policy makes all others explicit */
		row_begin(&list);
		fputs("name = \"rest\"; order = 4000000000; action = \"bypass\"; local_ts = [ "
		      "\"any\", \"any6\" ]; remote_ts = [ \"any\", \"any6\" ]; }",
			out);
	}
	fputs("\n);\n", out);
}

/* ---- the way back ---- */

/* Groups may share correspondents: a route is written once. */
static bool route_known(struct list *list, const struct ip_prefix *prefix)
{
	for (unsigned i = 0; i < list->route_count; i++)
		if (ip_prefix_equal(&list->routes[i], prefix))
			return true;
	if (list->route_count < ROUTES_MAX)
		list->routes[list->route_count++] = *prefix;
	return false;
}

static void route_row(void *context, const struct ip_prefix *prefix)
{
	struct list *list = context;
	const struct ip_address *via =
		ip_address_is_v4(&prefix->address) ? &list->port->address : &list->port->address6;
	char text[IP_PREFIX_TEXT_SIZE], next[IP_ADDRESS_TEXT_SIZE];

	if (route_known(list, prefix))
		return;
	row_begin(list);
	fprintf(list->out, "prefix = \"%s\"; ", ip_prefix_format(prefix, text));
	if (!ip_address_is_unspecified(via))
		fprintf(list->out, "via = \"%s\"; ", ip_address_format(via, next));
	fprintf(list->out, "port = \"%s\"; }", list->port->name);
}

static void routes_write(const struct population *population, FILE *out)
{
	const struct profile *profile = population->profile;
	struct list list = {.out = out};

	fputs("routes = (\n", out);
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct profile_group *group = population->groups[i].settings;
		list.port = &profile->ports[group->access_port];
		/* Mobile nodes are found by their bindings; all others need a route, also those
		 * that a policy then protects. */
		if (!profile_is_mobile_ip(group))
			gateway_config_prefixes(&group->node, group->nodes, route_row, &list);
		if (group->encapsulation != PROFILE_PLAIN)
			gateway_config_prefixes(
				&group->care_of, 2 * group->care_of_count, route_row, &list);
		if (profile_is_mc(group))
			gateway_config_prefixes(&group->vpn_address,
				population->groups[i].associations, route_row, &list);
		list.port = &profile->ports[group->core_port];
		gateway_config_prefixes(
			&group->correspondent, group->correspondents, route_row, &list);
	}
	fputs("\n);\n", out);
}

static void neighbor_row(struct list *list, const struct ip_address *address)
{
	const uint8_t *mac = list->port->mac;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (ip_address_is_unspecified(address) || !list->port->has_mac)
		return;
	row_begin(list);
	fprintf(list->out,
		"address = \"%s\"; port = \"%s\"; mac = \"%02x:%02x:%02x:%02x:%02x:%02x\"; }",
		ip_address_format(address, text), list->port->name, mac[0], mac[1], mac[2], mac[3],
		mac[4], mac[5]);
}

static void local_row(struct list *list, const struct ip_address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	if (ip_address_is_unspecified(address))
		return;
	row_begin(list);
	fprintf(list->out, "address = \"%s\"; port = \"%s\"; }", ip_address_format(address, text),
		list->port->name);
}

static void neighbors_write(const struct profile *profile, FILE *out)
{
	struct list list = {.out = out};

	fputs("neighbors = (\n", out);
	for (unsigned i = 0; i < profile->port_count; i++) {
		list.port = &profile->ports[i];
		neighbor_row(&list, &list.port->address);
		neighbor_row(&list, &list.port->address6);
	}
	list.count = 0;
	fputs("\n);\nlocals = (\n", out);
	for (unsigned i = 0; i < profile->port_count; i++) {
		list.port = &profile->ports[i];
		local_row(&list, &list.port->gateway);
		local_row(&list, &list.port->gateway6);
	}
	fputs("\n);\n", out);
}

void gateway_config_write(const struct population *population, FILE *out)
{
	fputs("# The gateway's side of a profile of homeport-pktgen, made by --gateway-config. It "
	      "holds keys.\n",
		out);
	nodes_write(population, out);
	associations_write(population, out);
	policies_write(population, out);
	routes_write(population, out);
	neighbors_write(population->profile, out);
}

/* ---- Wireshark ---- */

static const struct {
	uint16_t encryption;
	const char *name;
} ciphers[] = {
	{SA_ENCRYPTION_NULL, "NULL"},
	{SA_ENCRYPTION_AES_CBC, "AES-CBC [RFC3602]"},
	{SA_ENCRYPTION_AES_CTR, "AES-CTR [RFC3686]"},
	{SA_ENCRYPTION_AES_GCM_8, "AES-GCM with 8 octet ICV [RFC4106]"},
	{SA_ENCRYPTION_AES_GCM_12, "AES-GCM with 12 octet ICV [RFC4106]"},
	{SA_ENCRYPTION_AES_GCM_16, "AES-GCM with 16 octet ICV [RFC4106]"},
};
static const struct {
	uint16_t integrity;
	const char *name;
} hashes[] = {
	{SA_INTEGRITY_NONE, "NULL"},
	{SA_INTEGRITY_HMAC_SHA1_96, "HMAC-SHA-1-96 [RFC2404]"},
	{SA_INTEGRITY_HMAC_SHA2_256_128, "HMAC-SHA-256-128 [RFC4868]"},
	{SA_INTEGRITY_HMAC_SHA2_384_192, "HMAC-SHA-384-192 [RFC4868]"},
	{SA_INTEGRITY_HMAC_SHA2_512_256, "HMAC-SHA-512-256 [RFC4868]"},
};

static bool wireshark_names(const struct esp_algorithm *esp, const char **cipher, const char **hash)
{
	*cipher = *hash = NULL;
	for (unsigned i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (ciphers[i].encryption == esp->encryption)
			*cipher = ciphers[i].name;
	for (unsigned i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (hashes[i].integrity == esp->integrity)
			*hash = hashes[i].name;
	return *cipher && *hash;
}

bool gateway_config_keys_has(const struct profile_group *group)
{
	const char *cipher, *hash;

	return !group->secured ||
	       (!group->security.esn && wireshark_names(&group->security.esp, &cipher, &hash));
}

static void key_write(FILE *out, const uint8_t *bytes, unsigned length)
{
	fputs(length ? "\"0x" : "\"", out);
	hex_write(out, bytes, length);
	fputc('"', out);
}

void gateway_config_keys_write(const struct population *population, FILE *out)
{
	struct secret key;

	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		const struct profile_security *security = &group->settings->security;
		const char *cipher, *hash;
		const char *family = ip_address_is_v4(&group->settings->agent) ? "IPv4" : "IPv6";
		if (security->esn || !wireshark_names(&security->esp, &cipher, &hash))
			continue;
		for (uint32_t k = 0; k < 2 * group->associations; k++) {
			bool up = k % 2 == 0;
			uint32_t spi = (up ? security->spi_up : security->spi_down) + k / 2;
			security_material(group, population->profile->seed, k / 2, up, &key);
			fprintf(out, "\"%s\",\"*\",\"*\",\"0x%08" PRIx32 "\",\"%s\",", family, spi,
				cipher);
			key_write(out, key.bytes, security->esp.encryption_key);
			fprintf(out, ",\"%s\",", hash);
			key_write(out, key.bytes + security->esp.encryption_key,
				security->esp.integrity_key);
			fputc('\n', out);
		}
	}
	secret_wipe(&key, sizeof(key));
}
