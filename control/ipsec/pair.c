/*
 * A pair of associations as the configuration writes it, and the two directions that it makes. Both
 * get the same slot where that is free.
 */
#include "control/ipsec/ipsec_state.h"
#include "control/ipsec/sa_identity.h"
#include "control/ipsec/selector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* What SA_SET may change of a live SA (MOB-01). */
#define FIXED_FLAGS (SA_TRANSPORT | SA_ESN | SA_SHARED)

static uint32_t flags_of(const struct config_security_association *pair)
{
	uint32_t flags = 0;

	flags |= pair->mode == ESP_MODE_TRANSPORT ? SA_TRANSPORT : 0u;
	flags |= pair->encap ? SA_UDP : 0u;
	flags |= pair->esn ? SA_ESN : 0u;
	flags |= pair->copy_df == COPY_DF_SET ? SA_DF_SET : 0u;
	flags |= pair->copy_df == COPY_DF_CLEAR ? SA_DF_CLEAR : 0u;
	flags |= pair->copy_ecn ? 0u : SA_ECN_OFF;
	flags |= pair->copy_dscp == COPY_DSCP_IN || pair->copy_dscp == COPY_DSCP_YES
			 ? SA_DSCP_COPY_IN
			 : 0u;
	flags |= pair->fragment_after ? SA_FRAGMENT_AFTER : 0u;
	flags |= pair->udp_zero_checksum ? SA_UDP_ZERO_CHECKSUM : 0u;
	flags |= pair->icmp_inspect ? 0u : SA_ICMP_INSPECT_OFF;
	return flags;
}

static struct sa_command command_of(
	const struct config_security_association *pair, enum sa_direction direction)
{
	bool copies = pair->copy_dscp == COPY_DSCP_OUT || pair->copy_dscp == COPY_DSCP_YES;
	struct sa_command c;

	memset(&c, 0, sizeof(c));
	c.local = pair->local;
	c.remote = pair->remote;
	c.spi = htonl(direction == SA_INBOUND ? pair->spi_in : pair->spi_out);
	c.reqid = pair->reqid;
	c.flags = flags_of(pair);
	c.pair_id = SA_NONE;
	c.local_port = pair->encap ? htons(pair->local_port) : 0;
	c.remote_port = pair->encap ? htons(pair->remote_port) : 0;
	c.encryption = pair->esp.encryption;
	c.integrity = pair->esp.integrity;
	c.replay_window = direction == SA_INBOUND ? (uint16_t)pair->replay_window : 0;
	c.path_mtu = (uint16_t)pair->path_mtu;
	c.vrf = pair->vrf;
	c.tfc = direction == SA_OUTBOUND ? (uint16_t)pair->tfc_padding : 0;
	c.direction = (uint8_t)direction;
	c.tunnel_ttl = (uint8_t)pair->tunnel_ttl;
	c.dscp = copies ? DSCP_COPY : (uint8_t)pair->dscp;
	return c;
}

static void split_key(struct sa_keys *keys, const struct config_security_association *pair,
	const struct secret *key)
{
	memset(keys, 0, sizeof(*keys));
	keys->encryption_length = pair->esp.encryption_key;
	keys->integrity_length = pair->esp.integrity_key;
	memcpy(keys->encryption, key->bytes, keys->encryption_length);
	memcpy(keys->integrity, key->bytes + keys->encryption_length, keys->integrity_length);
}

/* One direction, after its key and the selectors, which both share. */
static void model_direction(struct pair_models *models,
	const struct config_security_association *pair, enum sa_origin origin,
	enum sa_direction direction, unsigned selector_count)
{
	struct sa *sa = direction == SA_INBOUND ? &models->in : &models->out;
	const struct sa_keys *keys = direction == SA_INBOUND ? &models->in_keys : &models->out_keys;

	memset(sa, 0, sizeof(*sa));
	memcpy(sa->name, pair->name, sizeof(sa->name));
	sa->origin = origin;
	sa->state = SA_IS_LIVE;
	sa->follow_mapping = pair->follow_mapping;
	sa->command = command_of(pair, direction);
	sa->lifetime = (struct sa_lifetime){pair->rekey_bytes, pair->life_bytes,
		pair->rekey_packets, pair->life_packets, pair->rekey_time_s, pair->life_time_s};
	sa->selectors = models->selectors;
	sa->selector_count = selector_count;
	sa->wanted = sa_handover_ends(&sa->command);
	sa_identity(&sa->command, keys, sa->identity);
}

void pair_models(struct pair_models *models, const struct config_security_association *pair,
	enum sa_origin origin)
{
	unsigned count = selector_combine(pair->local_ts, pair->local_ts_count, pair->remote_ts,
		pair->remote_ts_count, models->selectors);

	split_key(&models->in_keys, pair, &pair->key_in);
	split_key(&models->out_keys, pair, &pair->key_out);
	model_direction(models, pair, origin, SA_INBOUND, count);
	model_direction(models, pair, origin, SA_OUTBOUND, count);
}

void pair_models_wipe(struct pair_models *models)
{
	secret_wipe(models, sizeof(*models));
}

bool pair_same_sa(const struct sa *live, const struct sa *model)
{
	const struct sa_command *a = &live->command, *b = &model->command;

	return live->identity[0] == model->identity[0] && live->identity[1] == model->identity[1] &&
	       !((a->flags ^ b->flags) & FIXED_FLAGS) && a->replay_window == b->replay_window &&
	       a->vrf == b->vrf && live->selector_count == model->selector_count &&
	       !memcmp(live->selectors, model->selectors,
		       model->selector_count * sizeof(*model->selectors)) &&
	       !memcmp(&live->lifetime, &model->lifetime, sizeof(model->lifetime));
}

bool pair_same_settings(const struct sa *live, const struct sa *model)
{
	struct sa_command a = live->command, b = model->command;

	a.sa_id = b.sa_id;
	a.pair_id = b.pair_id;
	return pair_same_sa(live, model) && !memcmp(&a, &b, sizeof(a)) &&
	       live->follow_mapping == model->follow_mapping;
}

int pair_add(struct ipsec *ipsec, const struct config_security_association *pair,
	enum sa_origin origin, monotonic now)
{
	struct pair_models models;
	int error = 0;

	if (sa_database_named(ipsec->associations, SA_INBOUND, pair->name))
		return -EEXIST;
	pair_models(&models, pair, origin);
	struct sa *in = ipsec_add_sa(ipsec, &models.in, &models.in_keys, now);
	struct sa *out = in ? ipsec_add_sa(ipsec, &models.out, &models.out_keys, now) : NULL;
	if (!out)
		error = -errno;
	if (in && !out)
		ipsec_del_sa(ipsec, in, now);
	if (out)
		ipsec_pair(ipsec, in, out);
	pair_models_wipe(&models);
	return error;
}

static int change(struct ipsec *ipsec, struct sa *sa, const struct sa *model,
	const struct sa_keys *keys, monotonic now)
{
	struct sa followed = *model;
	bool same_ends = sa->wanted == model->wanted && sa->follow_mapping && model->follow_mapping;

	if (same_ends) { /* the configuration says what it said before: the NAT's mapping stays */
		followed.command.remote = sa->command.remote;
		followed.command.remote_port = sa->command.remote_port;
	}
	if (pair_same_settings(sa, &followed))
		return 0;
	if (pair_same_sa(sa, model) && sa->state == SA_IS_LIVE) {
		int error =
			ipsec_update_sa(ipsec, sa, &followed.command, model->follow_mapping, now);
		sa->wanted = model->wanted;
		return error;
	}
	int error = sa_database_replace(ipsec->associations, sa, model, keys, now);
	if (!error)
		ipsec_refer_sa(ipsec, sa);
	return error;
}

int pair_change(struct ipsec *ipsec, const struct config_security_association *pair, monotonic now)
{
	struct sa *in = sa_database_named(ipsec->associations, SA_INBOUND, pair->name);
	struct sa *out = sa_database_named(ipsec->associations, SA_OUTBOUND, pair->name);
	struct pair_models models;
	int error = -ENOENT;

	if (!in || !out) { /* half of it reached its hard limit: begin anew */
		pair_remove(ipsec, pair->name, now);
		return pair_add(ipsec, pair, SA_FROM_CONFIG, now);
	}
	pair_models(&models, pair, in->origin);
	error = change(ipsec, in, &models.in, &models.in_keys, now);
	if (!error)
		error = change(ipsec, out, &models.out, &models.out_keys, now);
	pair_models_wipe(&models);
	return error;
}

void pair_remove(struct ipsec *ipsec, const char *name, monotonic now)
{
	for (unsigned direction = 0; direction < 2; direction++) {
		struct sa *sa =
			sa_database_named(ipsec->associations, (enum sa_direction)direction, name);
		if (sa)
			ipsec_del_sa(ipsec, sa, now);
	}
}
