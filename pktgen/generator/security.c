#include "pktgen/generator/security.h"

#include "dataplane/crypto/esp_codec.h"
#include "dataplane/crypto/known_answer.h"
#include "lib/base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct security_engine {
	struct crypto_library *library;
	struct crypto_engine *engine;
};

void security_material(const struct population_group *group, uint64_t seed, uint32_t association,
	bool up, struct secret *out)
{
	const struct profile_security *security = &group->settings->security;
	const struct hash_key key = {{seed, 0x657370206b6579}};
	unsigned length = security->esp.encryption_key + security->esp.integrity_key;

	out->length = (uint16_t)length;
	for (unsigned at = 0; at < length; at += 8) {
		const uint32_t what[3] = {
			(up ? security->spi_up : security->spi_down) + association, up, at};
		uint64_t part = hash_bytes(&key, what, sizeof(what));
		memcpy(out->bytes + at, &part, length - at < 8 ? length - at : 8);
	}
}

static struct crypto_key *keys_new(
	struct security *security, const struct population_group *group, uint64_t seed, bool up)
{
	const struct suite *suite = security->groups[group->index].suite;
	uint32_t count = group->associations;
	struct crypto_key *keys =
		aligned_alloc(_Alignof(struct crypto_key), count * sizeof(struct crypto_key));
	struct secret raw;

	for (uint32_t i = 0; keys && i < count; i++) {
		security_material(group, seed, i, up, &raw);
		crypto_key_expand(security->library, suite, raw.bytes,
			raw.bytes + suite->encryption_key_length, &keys[i]);
	}
	secret_wipe(&raw, sizeof(raw));
	return keys;
}

static int group_init(struct security *security, const struct population *population,
	const struct population_group *group, char *error)
{
	const struct profile *profile = population->profile;
	const struct profile_security *settings = &group->settings->security;
	struct security_group *own = &security->groups[group->index];
	enum suite_error why;
	uint32_t count = group->associations;

	own->esn = settings->esn;
	own->suite = suite_find(settings->esp.encryption, settings->esp.integrity,
		settings->esp.encryption_key, settings->esp.integrity_key, &why);
	if (!own->suite) {
		snprintf(error, LIBRARY_ERROR_SIZE, "algorithm \"%s\" of group \"%s\": %s",
			settings->algorithm, group->settings->name, suite_error_text(why));
		return -ENOTSUP;
	}
	/* Correspondents send in clear: only in loopback does "up" come back. */
	bool receives_up = profile->loopback && group->up;
	bool receives_down =
		!profile->loopback && (group->down || profile_is_sealed(group->settings));
	bool failed = false;
	if (group->up || profile_is_sealed(group->settings)) {
		own->keys[0] = keys_new(security, group, profile->seed, true);
		own->sent = calloc(count, sizeof(*own->sent));
		failed = !own->keys[0] || !own->sent;
		for (uint32_t i = 0; !failed && i < count; i++)
			own->sent[i] = settings->sequence_first;
	}
	if (receives_down) {
		own->keys[1] = keys_new(security, group, profile->seed, false);
		failed |= !own->keys[1];
	}
	if (receives_up || receives_down) {
		own->numbers[!receives_up] = window_array_new(count);
		failed |= !own->numbers[!receives_up];
	}
	for (uint32_t i = 0; !failed && receives_up && i < count; i++)
		own->numbers[0][i].highest = settings->sequence_first;
	if (failed)
		snprintf(error, LIBRARY_ERROR_SIZE, "no memory for the keys of group \"%s\"",
			group->settings->name);
	return failed ? -ENOMEM : 0;
}

int security_init(struct security *security, const struct population *population, char *error)
{
	int result = 0;

	*security = (struct security){0};
	for (unsigned i = 0; !result && i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		if (!group->settings->secured)
			continue;
		if (!security->library) {
			security->library =
				crypto_library_open(LIBRARY_SHARED, LIBRARY_BEST, error);
			if (!security->library)
				return -ENOTSUP;
		}
		result = group_init(security, population, group, error);
	}
	return result;
}

void security_fini(struct security *security, const struct population *population)
{
	for (unsigned i = 0; i < population->group_count; i++) {
		struct security_group *group = &security->groups[i];
		uint32_t count = population->groups[i].associations;
		for (unsigned k = 0; k < 2; k++) {
			if (group->keys[k])
				secret_wipe(group->keys[k], count * sizeof(struct crypto_key));
			free(group->keys[k]);
			free(group->numbers[k]);
		}
		free(group->sent);
	}
	if (security->library)
		crypto_library_close(security->library);
	*security = (struct security){0};
}

struct security_engine *security_engine_new(const struct security *security, char *error)
{
	const char *first = NULL;

	error[0] = '\0';
	if (!security->library)
		return NULL;
	struct security_engine *engine = calloc(1, sizeof(*engine));
	if (!engine) {
		snprintf(error, LIBRARY_ERROR_SIZE, "no memory for the crypto engine");
		return NULL;
	}
	engine->library = crypto_library_open(LIBRARY_PRIVATE, LIBRARY_BEST, error);
	if (engine->library)
		engine->engine = crypto_engine_new(engine->library);
	if (engine->engine && known_answer_check(engine->library, engine->engine, &first) == 0)
		return engine;
	if (engine->library)
		snprintf(error, LIBRARY_ERROR_SIZE, "the crypto engine does not start: %s",
			first ? first : "no memory or no randomness");
	security_engine_free(engine);
	return NULL;
}

void security_engine_free(struct security_engine *engine)
{
	if (!engine)
		return;
	if (engine->engine)
		crypto_engine_free(engine->engine);
	if (engine->library)
		crypto_library_close(engine->library);
	free(engine);
}

struct crypto_engine *security_engine_get(struct security_engine *engine)
{
	return engine ? engine->engine : NULL;
}

bool security_number_take(
	struct security_group *group, const struct security_peer *peer, uint64_t number)
{
	struct window *window = &group->numbers[!peer->up][peer->association];
	/* As far back as nothing is under way: a gateway that does not stop (RFC 4303 3.3.3). */
	bool anew = !group->esn && window->highest > number &&
		    window->highest - number > UINT32_MAX / 2;

	return number != 0 && !anew && window_put(window, number) != WINDOW_DUPLICATE;
}

bool security_find(const struct security *security, const struct population *population,
	uint32_t spi, struct security_peer *out)
{
	for (unsigned i = 0; i < population->group_count; i++) {
		const struct population_group *group = &population->groups[i];
		const struct profile_security *settings = &group->settings->security;
		if (!security->groups[i].suite)
			continue;
		for (unsigned down = 0; down < 2; down++) {
			uint32_t at = spi - (down ? settings->spi_down : settings->spi_up);
			uint32_t nodes = group->settings->nodes;
			if (at >= group->associations || !security->groups[i].numbers[down])
				continue;
			*out = (struct security_peer){
				group, at, at % nodes, (uint8_t)(at / nodes), !down};
			return true;
		}
	}
	return false;
}
