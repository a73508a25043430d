#include "pktgen/generator/profile_check.h"

#include "pktgen/generator/search.h"
#include "pktgen/generator/signature.h"

#include "lib/base/hash.h"

#include <arpa/inet.h>
#include <errno.h>

static int fail(struct loader *loader, const void *object, const char *member, const char *message)
{
	return loader_fail(loader, loader_line(loader, object, member), "%s", message);
}

static int find_port(struct loader *loader, const struct profile *profile, const void *object,
	const char *member, const char *name, uint16_t *index)
{
	for (unsigned i = 0; i < profile->port_count; i++) {
		if (strcmp(profile->ports[i].name, name) == 0) {
			*index = (uint16_t)i;
			return 0;
		}
	}
	return loader_fail(
		loader, loader_line(loader, object, member), "no port is named \"%s\"", name);
}

/* A registration reply names its node by the home address alone. */
static int check_homes(struct loader *loader, const struct profile *profile)
{
	for (unsigned i = 0; i < profile->group_count; i++) {
		const struct profile_group *group = &profile->groups[i];
		uint32_t first = ntohl(group->node.words[3]);
		for (unsigned k = 0; profile_is_mobile_ip(group) && k < i; k++) {
			const struct profile_group *other = &profile->groups[k];
			uint32_t others = ntohl(other->node.words[3]);
			if (profile_is_mobile_ip(other) &&
				first < (uint64_t)others + other->nodes &&
				others < (uint64_t)first + group->nodes)
				return loader_fail(loader, loader_line(loader, group, "node"),
					"nodes have the home addresses of group \"%s\"",
					other->name);
		}
	}
	return 0;
}

static int check_names(struct loader *loader, const struct profile *profile)
{
	for (unsigned i = 0; i < profile->port_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(profile->ports[i].name, profile->ports[k].name) == 0)
				return fail(loader, &profile->ports[i], "name",
					"two ports have this name");
	for (unsigned i = 0; i < profile->group_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(profile->groups[i].name, profile->groups[k].name) == 0)
				return fail(loader, &profile->groups[i], "name",
					"two groups have this name");
	for (unsigned i = 0; i < profile->search_count; i++)
		for (unsigned k = 0; k < i; k++)
			if (strcmp(profile->searches[i].name, profile->searches[k].name) == 0)
				return fail(loader, &profile->searches[i], "name",
					"two searches have this name");
	return 0;
}

/* The low 32 bits count nodes and correspondents: they may not wrap. */
static int check_range(struct loader *loader, const struct profile_group *group, const char *member,
	const struct ip_address *first, uint32_t count)
{
	if (ntohl(first->words[3]) > UINT32_MAX - (count - 1))
		return loader_fail(loader, loader_line(loader, group, member),
			"%s and the %u addresses behind it do not fit below the highest", member,
			count);
	return 0;
}

static bool overlap(uint32_t a, uint32_t b, uint32_t count)
{
	return a < b + (uint64_t)count && b < a + (uint64_t)count;
}

static uint32_t association_count(const struct profile_group *group)
{
	return group->nodes * profile_places(group);
}

static int check_spis(
	struct loader *loader, const struct profile *profile, const struct profile_group *group)
{
	const struct profile_security *security = &group->security;
	uint32_t count = association_count(group);

	if (security->spi_up > UINT32_MAX - count || security->spi_down > UINT32_MAX - count)
		return fail(loader, security, "spi_up", "the SPIs of all nodes do not fit");
	if (overlap(security->spi_up, security->spi_down, count))
		return fail(loader, security, "spi_down",
			"SPIs of the two directions overlap: the generator tells the direction "
			"by them");
	for (const struct profile_group *other = profile->groups; other < group; other++) {
		if (!other->secured)
			continue;
		uint32_t others = association_count(other);
		uint32_t most = others > count ? others : count;
		const uint32_t ours[] = {security->spi_up, security->spi_down};
		const uint32_t theirs[] = {other->security.spi_up, other->security.spi_down};
		for (unsigned i = 0; i < 4; i++)
			if (overlap(ours[i / 2], theirs[i % 2], most))
				return loader_fail(loader, loader_line(loader, security, "spi_up"),
					"SPIs overlap those of group \"%s\"", other->name);
	}
	return 0;
}

static int check_security(
	struct loader *loader, const struct profile *profile, struct profile_group *group)
{
	struct profile_security *security = &group->security;
	const char *reason;

	if (esp_algorithm_parse(security->algorithm, &security->esp, &reason))
		return loader_fail(loader, loader_line(loader, security, "algorithm"),
			"algorithm \"%s\" %s", security->algorithm, reason);
	if (!security->esn && security->sequence_first > UINT32_MAX)
		return fail(loader, security, "sequence_first",
			"sequence_first is beyond 32 bits and esn is false");
	if (security->mode == ESP_MODE_TRANSPORT && !profile_is_mobile_ip(group))
		return fail(loader, security, "mode",
			"transport mode is around a Mobile IP tunnel: ipip, gre, minimal or "
			"mip-udp");
	if (security->moves && profile_is_mobile_ip(group))
		return fail(loader, security, "moves",
			"Mobile IP nodes move by registering: registration.moves");
	return check_spis(loader, profile, group);
}

/* Without a key of its own a group has one made from the seed. */
static void key_default(const struct profile *profile, struct profile_group *group)
{
	const struct hash_key seed = {{profile->seed, 0x6b6579}};

	if (group->registration.key.length)
		return;
	group->registration.key.length = 16;
	for (uint32_t half = 0; half < 2; half++) {
		const uint32_t what[2] = {(uint32_t)(group - profile->groups), half};
		uint64_t part = hash_bytes(&seed, what, sizeof(what));
		memcpy(&group->registration.key.bytes[half * sizeof(part)], &part, sizeof(part));
	}
}

/* Mode mc. */
static int check_vpn_address(struct loader *loader, struct profile_group *group)
{
	bool mc = profile_is_mc(group);

	if (mc != loader_mentions(loader, group, "vpn_address"))
		return fail(loader, group, "vpn_address",
			mc ? "vpn_address is needed with Mobile IP in tunnel mode ESP: a node's "
			     "care-of address is the one that the VPN gave it"
			   : "only Mobile IP in tunnel mode ESP has addresses inside a VPN");
	if (mc && !ip_address_is_v4(&group->vpn_address))
		return fail(loader, group, "vpn_address", "vpn_address is not an IPv4 address");
	return mc ? check_range(loader, group, "vpn_address", &group->vpn_address,
			    association_count(group))
		  : 0;
}

/* How many nodes share an outer address, and what a NAT does about it. */
static int check_sharing(struct loader *loader, struct profile_group *group)
{
	if (group->care_of_count > group->nodes)
		return fail(loader, group, "care_of_count", "more outer addresses than nodes");
	if (group->care_of_count && profile_is_transport(group)) // TRN-09
		return fail(loader, group, "care_of_count",
			"transport mode finds a node by its outer address alone: nodes cannot "
			"share it");
	if (group->care_of_count && !profile_is_udp(group) &&
		(group->secured || group->encapsulation == PROFILE_PLAIN))
		return fail(loader, group, "care_of_count",
			"nodes share an outer address only behind a NAT (mip-udp, security.encap) "
			"or a foreign agent (ipip, gre, minimal in clear)");
	if (group->care_of_count == 0)
		group->care_of_count = group->nodes;
	uint32_t sharing = (group->nodes + group->care_of_count - 1) / group->care_of_count;
	if (profile_is_udp(group) && sharing > (65536u - group->nat_port) / 2)
		return fail(loader, group, "nat_port",
			"too many nodes share an outer address: twice as many ports from nat_port "
			"on are needed");
	if (group->nat_rebind_ms && !(group->secured && group->security.encap))
		return fail(loader, group, "nat_rebind_ms",
			"only ESP in UDP (security.encap) is rebound: Mobile IP nodes move by "
			"registering");
	return 0;
}

/* Who inside ESP registers elsewhere than where its tunnel ends. */
static int check_home_agent(struct loader *loader, struct profile_group *group)
{
	bool given = loader_mentions(loader, group, "home_agent");

	if (given && !profile_is_mc(group))
		return fail(loader, group, "home_agent",
			"only of Mobile IP in tunnel mode ESP the home agent can be another than "
			"agent");
	if (!given)
		group->home_agent = group->agent;
	if (!profile_is_mobile_ip(group))
		return 0;
	if (!ip_address_is_v4(&group->home_agent) || !ip_address_is_v4(&group->node))
		return fail(loader, group, given ? "home_agent" : "encapsulation",
			"Mobile IPv4 wants IPv4 addresses of nodes and home agent: around it, in "
			"tunnel mode ESP, IPv6 agent and care_of go with an IPv4 home_agent");
	return 0;
}

static int check_outer(struct loader *loader, struct profile_group *group)
{
	bool outer_v4 = ip_address_is_v4(&group->agent);

	if (!loader_mentions(loader, group, "agent") || !loader_mentions(loader, group, "care_of"))
		return fail(loader, group, "encapsulation",
			"agent and care_of are needed for this encapsulation");
	if (outer_v4 != ip_address_is_v4(&group->care_of))
		return fail(loader, group, "agent", "agent and care_of are of different families");
	if (check_home_agent(loader, group) || check_sharing(loader, group) ||
		check_vpn_address(loader, group))
		return -EINVAL;
	/* Moves alternate between two ranges. */
	return check_range(loader, group, "care_of", &group->care_of, 2 * group->care_of_count);
}

static int check_group(
	struct loader *loader, const struct profile *profile, struct profile_group *group)
{
	if (find_port(loader, profile, group, "access", group->access, &group->access_port) ||
		find_port(loader, profile, group, "core", group->core, &group->core_port))
		return -EINVAL;
	if (ip_address_is_v4(&group->node) != ip_address_is_v4(&group->correspondent))
		return fail(loader, group, "correspondent",
			"node and correspondent are of different families");
	if (check_range(loader, group, "node", &group->node, group->nodes) ||
		check_range(loader, group, "correspondent", &group->correspondent,
			group->correspondents))
		return -EINVAL;
	group->secured =
		group->encapsulation == PROFILE_ESP || loader_mentions(loader, group, "security");
	if (group->encapsulation == PROFILE_PLAIN && group->secured)
		return fail(
			loader, group, "security", "encapsulation is \"plain\", which has no ESP");
	if (group->encapsulation != PROFILE_PLAIN && check_outer(loader, group))
		return -EINVAL;
	if (!profile_is_mobile_ip(group) && loader_mentions(loader, group, "registration"))
		return fail(loader, group, "registration", "this encapsulation does not register");
	if (group->secured && check_security(loader, profile, group))
		return -EINVAL;
	if (group->nodes < profile->sending_lcores)
		return loader_fail(loader, loader_line(loader, group, "nodes"),
			"fewer nodes than the %u sending_lcores, each of which wants a share",
			profile->sending_lcores);
	key_default(profile, group);
	return 0;
}

static int check_traffic(struct loader *loader, struct profile *profile)
{
	struct profile_traffic *traffic = &profile->traffic;
	bool has_v6 = false;

	for (unsigned i = 0; i < profile->group_count; i++)
		has_v6 |= !ip_address_is_v4(&profile->groups[i].node);
	if (traffic->size_mode == PROFILE_SIZES_IMIX && traffic->sizes[0])
		return fail(loader, traffic, "sizes",
			"sizes and size_mode = \"imix\" exclude each "
			"other");
	if (!traffic->sizes[0])
		traffic->sizes[0] = has_v6 ? SIGNATURE_FRAME_MIN_V6 : PROFILE_SIZE_MIN;
	if (has_v6 && traffic->size_max < SIGNATURE_FRAME_MIN_V6)
		return loader_fail(loader, loader_line(loader, traffic, "size_max"),
			"size_max is %u: with IPv6 inside, %u is the smallest frame that holds the "
			"signature",
			traffic->size_max, SIGNATURE_FRAME_MIN_V6);
	bool cut = loader_mentions(loader, traffic, "size_max");
	for (unsigned i = 0; i < PROFILE_SIZES_MAX && traffic->sizes[i]; i++) {
		if (has_v6 && traffic->sizes[i] < SIGNATURE_FRAME_MIN_V6)
			return loader_fail(loader, loader_line(loader, traffic, "sizes"),
				"sizes has %u: with IPv6 inside, %u is the smallest frame that "
				"holds the signature",
				traffic->sizes[i], SIGNATURE_FRAME_MIN_V6);
		if (!cut && traffic->sizes[i] > traffic->size_max)
			return loader_fail(loader, loader_line(loader, traffic, "sizes"),
				"sizes has %u, which would be cut to size_max (%u): set that, too",
				traffic->sizes[i], traffic->size_max);
	}
	if (has_v6 && traffic->size_mode == PROFILE_SIZES_IMIX)
		return fail(loader, traffic, "size_mode",
			"imix has frames of 64 octets, too small for IPv6 inside: use sizes");
	return 0;
}

/* A setting that would do nothing is one that was meant otherwise. */
static int check_replay(struct loader *loader, struct profile *profile)
{
	struct profile_replay *replay = &profile->replay;
	bool timestamps = replay->timing == PROFILE_TIMING_TIMESTAMPS;

	if (!replay->file[0])
		return fail(loader, replay, "file", "file is missing: what is replayed");
	if (profile->group_count || profile->search_count)
		return fail(loader, replay, "file",
			"a replay goes neither with groups nor with searches");
	if (!timestamps && loader_mentions(loader, replay, "speed_percent"))
		return fail(loader, replay, "speed_percent",
			"speed_percent is of timing = \"timestamps\"; traffic.rate is the rate");
	if (timestamps && loader_mentions(loader, &profile->traffic, "rate"))
		return fail(loader, &profile->traffic, "rate",
			"a replay by timestamps has no rate: replay.speed_percent");
	return replay->port[0] ? find_port(loader, profile, replay, "port", replay->port,
					 &replay->port_index)
			       : 0;
}

/* Trials of one load whose losses are kept: its quantile is among the lowest (search.h). */
static bool has_room_for_trials(const struct profile_search *search)
{
	uint64_t good_ms = (uint64_t)search->duration_sum_ms * (1000000 - search->exceed_ppm);

	return good_ms <= (uint64_t)SEARCH_LOSSES_MAX * search->trial_ms * 1000000;
}

static int check_searches(struct loader *loader, const struct profile *profile)
{
	for (unsigned i = 1; i < profile->search_count; i++)
		if (profile->searches[i].trial_ms != profile->searches[0].trial_ms)
			return fail(loader, &profile->searches[i], "trial_ms",
				"searches share their trials: one trial_ms for all");
	for (unsigned i = 0; i < profile->search_count; i++)
		if (!has_room_for_trials(&profile->searches[i]))
			return fail(loader, &profile->searches[i], "duration_sum_ms",
				"too many trials for one load: set trial_ms higher or "
				"duration_sum_ms lower");
	if (profile->search_count && profile->search_min > profile->search_max)
		return fail(loader, profile, "search_min", "search_min is above search_max");
	return 0;
}

int profile_check(struct loader *loader, struct profile *profile)
{
	int result = check_names(loader, profile);

	for (unsigned i = 0; !result && i < profile->group_count; i++)
		result = check_group(loader, profile, &profile->groups[i]);
	if (!result)
		result = check_homes(loader, profile);
	if (!result)
		result = check_traffic(loader, profile);
	if (result)
		return result;
	if (loader_mentions(loader, profile, "replay"))
		result = check_replay(loader, profile);
	else if (!profile->group_count)
		return loader_fail(loader, 0, "neither groups nor replay: nothing to send");
	return result ? result : check_searches(loader, profile);
}
