#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>

static int load_group(struct loader *loader, const struct section *section, void *object,
	const config_setting_t *group);

static void *member_of(const struct setting *setting, void *object)
{
	return (char *)object + setting->offset;
}

static int wrong_type(
	struct loader *loader, const struct setting *setting, unsigned line, const char *wanted)
{
	return loader_fail(loader, line, "%s must be %s", setting->name, wanted);
}

static int store_text(struct loader *loader, const char *name, size_t size, const char *text,
	char *out, unsigned line)
{
	if (strlen(text) >= size)
		return loader_fail(
			loader, line, "%s is longer than %zu characters", name, size - 1);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return loader_fail(loader, line, "%s holds a control character", name);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

/* "accept, log or drop" */
static const char *word_list(const char *const *words, char *out, size_t size)
{
	size_t used = 0;

	for (unsigned i = 0; words[i] && used < size; i++) {
		const char *before = i == 0 ? "" : words[i + 1] ? ", " : " or ";
		used += (size_t)snprintf(out + used, size - used, "%s\"%s\"", before, words[i]);
	}
	return out;
}

static int find_word(struct loader *loader, const struct setting *setting, const char *text,
	unsigned line, unsigned *index)
{
	char known[200];

	for (*index = 0; setting->words[*index]; (*index)++)
		if (strcmp(setting->words[*index], text) == 0)
			return 0;
	return loader_fail(loader, line, "%s is \"%s\", not %s", setting->name, text,
		word_list(setting->words, known, sizeof(known)));
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

static int parse_mac(const char *text, uint8_t mac[6])
{
	if (strlen(text) != 17)
		return -EINVAL;
	for (unsigned i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);
		if (high < 0 || low < 0 || (i < 5 && text[2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int store_mac(struct loader *loader, const struct setting *setting, void *object,
	const char *text, unsigned line)
{
	static const uint8_t zero[6];
	uint8_t *mac = member_of(setting, object);

	if (setting->second != SIZE_MAX)
		*(bool *)((char *)object + setting->second) = text[0] != '\0';
	if (!text[0] && setting->second != SIZE_MAX)
		return 0;
	if (parse_mac(text, mac) || mac[0] & 1 || memcmp(mac, zero, 6) == 0)
		return loader_fail(loader, line,
			"%s \"%s\" is not the Ethernet address of a station", setting->name, text);
	return 0;
}

static int store_home(struct loader *loader, const struct setting *setting, const char *text,
	struct ip_prefix *out, unsigned line)
{
	struct ip_address address;

	if (!text[0])
		return 0;
	if (strchr(text, '/') ? ip_prefix_parse(text, out) : ip_address_parse(text, &address))
		return loader_fail(loader, line,
			"%s \"%s\" is neither an address nor a prefix with its host bits zero",
			setting->name, text);
	if (!strchr(text, '/'))
		*out = ip_prefix_make(&address, 128);
	return 0;
}

static int store_address(struct loader *loader, const char *name, const char *text,
	struct ip_address *out, unsigned line)
{
	if (ip_address_parse(text, out))
		return loader_fail(loader, line, "%s \"%s\" is not an IP address", name, text);
	return 0;
}

static int store_prefix(struct loader *loader, const char *name, const char *text,
	struct ip_prefix *out, unsigned line)
{
	if (ip_prefix_parse(text, out))
		return loader_fail(loader, line,
			"%s \"%s\" is not a prefix with its host bits zero", name, text);
	return 0;
}

static int store_port(struct loader *loader, const struct setting *setting, const char *text,
	uint16_t *out, unsigned line)
{
	const struct config_dataplane *dataplane = &loader->config->dataplane;

	*out = UINT16_MAX;
	if (!text[0] && setting->fallback)
		return 0;
	for (unsigned i = 0; i < dataplane->port_count; i++)
		if (strcmp(dataplane->ports[i].name, text) == 0) {
			*out = (uint16_t)i;
			return 0;
		}
	return loader_fail(loader, line, "no port is named \"%s\"", text);
}

static int store_instance(struct loader *loader, const char *text, uint16_t *out, unsigned line)
{
	const struct config *config = loader->config;

	*out = 0;
	if (!text[0] && config->instance_count == 1)
		return 0;
	if (!text[0])
		return loader_fail(loader, line, "instance must be told: there are %u",
			config->instance_count);
	for (unsigned i = 0; i < config->instance_count; i++)
		if (strcmp(config->instances[i].name, text) == 0) {
			*out = (uint16_t)i;
			return 0;
		}
	return loader_fail(loader, line, "no instance is named \"%s\"", text);
}

/* Kinds that are a string in the file, and every default. */
static int store_string(struct loader *loader, const struct setting *setting, void *object,
	const char *text, unsigned line)
{
	void *member = member_of(setting, object);
	unsigned index;

	switch (setting->kind) {
	case SETTING_WORD:
		if (find_word(loader, setting, text, line, &index))
			return -EINVAL;
		memcpy(member, &index, sizeof(index));
		return 0;
	case SETTING_TEXT:
		if (setting->words && find_word(loader, setting, text, line, &index))
			return -EINVAL;
		if (!setting->fallback && !text[0])
			return loader_fail(loader, line, "%s is empty", setting->name);
		return store_text(loader, setting->name, setting->size, text, member, line);
	case SETTING_ADDRESS:
		return text[0] || !setting->fallback
			       ? store_address(loader, setting->name, text, member, line)
			       : 0;
	case SETTING_PREFIX:
		return store_prefix(loader, setting->name, text, member, line);
	case SETTING_HOME:
		return store_home(loader, setting, text, member, line);
	case SETTING_MAC:
		return store_mac(loader, setting, object, text, line);
	case SETTING_KEY:
		if (secret_from_hex(text, member))
			return loader_fail(loader, line, "%s is not 1 to %d octets in hex%s",
				setting->name, SECRET_SIZE_MAX,
				text[0] ? ""
					: " (empty: a configuration printed without its keys?)");
		return 0;
	case SETTING_PORT:
		return store_port(loader, setting, text, member, line);
	case SETTING_INSTANCE:
		return store_instance(loader, text, member, line);
	default:
		return -EINVAL;
	}
}

static void store_integer(const struct setting *setting, void *object, long long value)
{
	void *member = member_of(setting, object);

	if (setting->size == 2) {
		uint16_t narrow = (uint16_t)value;
		memcpy(member, &narrow, 2);
	} else if (setting->size == 4) {
		uint32_t word = (uint32_t)value;
		memcpy(member, &word, 4);
	} else {
		memcpy(member, &value, 8);
	}
}

static int read_integer(struct loader *loader, const struct setting *setting,
	const config_setting_t *given, long long *value)
{
	unsigned line = config_setting_source_line(given);
	int type = config_setting_type(given);

	if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
		return wrong_type(loader, setting, line, "a number");
	*value = config_setting_get_int64(given);
	if (*value < setting->min || *value > setting->max)
		return loader_fail(loader, line, "%s is %lld, not %lld to %lld", setting->name,
			*value, setting->min, setting->max);
	return 0;
}

static int load_default(
	struct loader *loader, const struct setting *setting, void *object, unsigned line)
{
	if (!setting->fallback)
		return loader_fail(loader, line, "%s is missing", setting->name);
	if (setting->late || schema_is_list(setting) || setting->kind == SETTING_NUMBERS ||
		setting->kind == SETTING_KEY)
		return 0;
	if (setting->kind == SETTING_GROUP)
		return load_group(loader, setting->section, member_of(setting, object), NULL);
	if (setting->kind == SETTING_BOOLEAN) {
		*(bool *)member_of(setting, object) = strcmp(setting->fallback, "true") == 0;
		return 0;
	}
	if (setting->kind == SETTING_INTEGER) {
		store_integer(setting, object, strtoll(setting->fallback, NULL, 10));
		return 0;
	}
	return store_string(loader, setting, object, setting->fallback, line);
}

static int load_element(struct loader *loader, const struct setting *setting, void *element,
	const config_setting_t *given)
{
	unsigned line = config_setting_source_line(given);
	const char *text = config_setting_get_string(given);

	if (setting->kind == SETTING_GROUPS) {
		if (config_setting_type(given) != CONFIG_TYPE_GROUP)
			return wrong_type(
				loader, setting, line, "a list of groups: ( { ... }, ... )");
		return load_group(loader, setting->section, element, given);
	}
	if (!text)
		return wrong_type(loader, setting, line, "an array of strings: [ \"...\", ... ]");
	if (setting->kind == SETTING_ADDRESSES)
		return store_address(loader, setting->name, text, element, line);
	if (setting->kind == SETTING_SELECTORS)
		return traffic_selector_parse(text, element)
			       ? loader_fail(loader, line,
					 "%s \"%s\" is no traffic selector, as "
					 "\"10.1.0.0/16[udp/434]\"",
					 setting->name, text)
			       : 0;
	if (setting->kind == SETTING_PREFIXES)
		return store_prefix(loader, setting->name, text, element, line);
	if (!text[0])
		return loader_fail(loader, line, "%s holds an empty name", setting->name);
	return store_text(loader, setting->name, CONFIG_NAME_SIZE, text, element, line);
}

static int load_list(struct loader *loader, const struct setting *setting, void *object,
	const config_setting_t *given)
{
	unsigned line = config_setting_source_line(given);
	int type = config_setting_type(given);
	size_t element_size = schema_element_size(setting);

	if (type != CONFIG_TYPE_LIST &&
		(type != CONFIG_TYPE_ARRAY || setting->kind == SETTING_GROUPS))
		return wrong_type(loader, setting, line,
			setting->kind == SETTING_GROUPS ? "a list of groups: ( { ... }, ... )"
							: "an array: [ ... ]");
	long long count = config_setting_length(given);
	if (count < setting->min || count > setting->max)
		return loader_fail(loader, line, "%s has %lld entries, not %lld to %lld",
			setting->name, count, setting->min, setting->max);
	if (count == 0)
		return 0;
	char *elements = calloc((size_t)count, element_size);
	if (!elements)
		return loader_fail(loader, line, "out of memory");
	/* Handed over before it is filled, so that a failure half-way frees it with the rest. */
	memcpy(member_of(setting, object), &elements, sizeof(elements));
	*(unsigned *)((char *)object + setting->second) = (unsigned)count;
	for (unsigned i = 0; i < (unsigned)count; i++) {
		int result = load_element(loader, setting, elements + i * element_size,
			config_setting_get_elem(given, i));
		if (result)
			return result;
	}
	return 0;
}

static int load_numbers(struct loader *loader, const struct setting *setting, void *object,
	const config_setting_t *given)
{
	unsigned line = config_setting_source_line(given), room = (unsigned)(setting->size / 2);
	uint16_t *out = member_of(setting, object);
	int type = config_setting_type(given);

	if (type != CONFIG_TYPE_ARRAY && type != CONFIG_TYPE_LIST)
		return wrong_type(loader, setting, line, "an array of numbers: [ 67, ... ]");
	if ((unsigned)config_setting_length(given) > room)
		return loader_fail(
			loader, line, "%s has more than %u entries", setting->name, room);
	for (unsigned i = 0; i < (unsigned)config_setting_length(given); i++) {
		long long value = 0;
		if (read_integer(loader, setting, config_setting_get_elem(given, i), &value))
			return -EINVAL;
		out[i] = (uint16_t)value;
	}
	return 0;
}

static int load_setting(struct loader *loader, const struct setting *setting, void *object,
	const config_setting_t *given)
{
	unsigned line = config_setting_source_line(given);
	long long value = 0;

	if (schema_is_list(setting))
		return load_list(loader, setting, object, given);
	switch (setting->kind) {
	case SETTING_GROUP:
		if (config_setting_type(given) != CONFIG_TYPE_GROUP)
			return wrong_type(loader, setting, line, "a group: { ... }");
		return load_group(loader, setting->section, member_of(setting, object), given);
	case SETTING_NUMBERS:
		return load_numbers(loader, setting, object, given);
	case SETTING_BOOLEAN:
		if (config_setting_type(given) != CONFIG_TYPE_BOOL)
			return wrong_type(loader, setting, line, "true or false");
		*(bool *)member_of(setting, object) = config_setting_get_bool(given);
		return 0;
	case SETTING_INTEGER:
		if (read_integer(loader, setting, given, &value))
			return -EINVAL;
		store_integer(setting, object, value);
		return 0;
	default:
		if (config_setting_type(given) != CONFIG_TYPE_STRING)
			return wrong_type(loader, setting, line, "a string");
		return store_string(
			loader, setting, object, config_setting_get_string(given), line);
	}
}

static int refuse_unknown(
	struct loader *loader, const struct section *section, const config_setting_t *group)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *given = config_setting_get_elem(group, (unsigned)i);
		unsigned known = 0;
		while (known < section->setting_count &&
			strcmp(section->settings[known].name, config_setting_name(given)) != 0)
			known++;
		if (known == section->setting_count)
			return loader_fail(loader, config_setting_source_line(given),
				"%s has no setting \"%s\"", section->name,
				config_setting_name(given));
	}
	return 0;
}

/* `group` NULL: all defaults. Settings are taken in the schema's order, not the file's: names are
 * known before they are used. */
static int load_group(struct loader *loader, const struct section *section, void *object,
	const config_setting_t *group)
{
	int result = group ? refuse_unknown(loader, section, group) : 0;

	if (!result && group && loader_remember(loader, object, group))
		result = loader_fail(loader, 0, "out of memory");
	for (unsigned i = 0; !result && i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		const config_setting_t *given =
			group ? config_setting_get_member(group, setting->name) : NULL;
		result = given ? load_setting(loader, setting, object, given)
			       : load_default(loader, setting, object,
					 group ? config_setting_source_line(group) : 0);
	}
	if (!result && section == &schema_security)
		result = key_load(loader, object);
	if (!result && section == &schema_security_association)
		result = key_load_pair(loader, object);
	return result;
}

int load_section(struct loader *loader, const struct section *section, void *object)
{
	return load_group(loader, section, object, config_root_setting(&loader->tree));
}

int load_root(struct loader *loader)
{
	return load_section(loader, &schema_root, loader->config);
}

void load_release(const struct section *section, void *object)
{
	for (unsigned i = 0; i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		if (setting->kind == SETTING_KEY)
			secret_wipe(member_of(setting, object), setting->size);
		if (setting->kind == SETTING_GROUP)
			load_release(setting->section, member_of(setting, object));
		if (!schema_is_list(setting))
			continue;
		char *elements;
		memcpy(&elements, member_of(setting, object), sizeof(elements));
		unsigned count = *(unsigned *)((char *)object + setting->second);
		for (unsigned k = 0; setting->kind == SETTING_GROUPS && k < count; k++)
			load_release(setting->section, elements + k * setting->section->size);
		free(elements);
	}
}
