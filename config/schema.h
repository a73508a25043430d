/*
 * The schema: every setting of the configuration file as one row. config/schema.c holds the rows;
 * the loader, the printer, the reload check and docs/settings.md walk them and know no setting by
 * name.
 *
 * A section describes one C struct; a row says where in it the value lives. Read-only data, any
 * thread.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"

enum setting_kind {
	SETTING_BOOLEAN,
	SETTING_INTEGER, /* unsigned when min >= 0; width from `size` */
	SETTING_WORD,    /* an enum: index into words */
	SETTING_TEXT,    /* char[size]; one of words when there are any */
	SETTING_ADDRESS, /* struct ip_address */
	SETTING_PREFIX,  /* struct ip_prefix */
	SETTING_HOME,    /* struct ip_prefix, a bare address is a prefix of one; "" is length 0 */
	SETTING_MAC,     /* uint8_t[6]; `second` is the bool that says whether it was given */
	SETTING_KEY,  /* struct secret, in hex; `second` is the char[] of the file it came from */
	SETTING_PORT, /* uint16_t, index of a port told by name; "" = UINT16_MAX */
	SETTING_INSTANCE,  /* uint16_t, index of an instance told by name */
	SETTING_ADDRESSES, /* pointer to struct ip_address, `second` is the count; as the next three
			    */
	SETTING_PREFIXES,
	SETTING_NAMES,     /* char (*)[CONFIG_NAME_SIZE] */
	SETTING_SELECTORS, /* struct traffic_selector */
	SETTING_GROUPS,    /* a list of groups: pointer to the struct of `section` */
	SETTING_GROUP,     /* one group, in place */
	SETTING_NUMBERS    /* uint16_t[size / 2], zeros behind the last */
};

struct section;

struct setting {
	const char *name;
	enum setting_kind kind;
	bool restart;         /* a reload may not change it */
	size_t offset, size;  /* of the member */
	size_t second;        /* offset of the count or flag */
	long long min, max;   /* INTEGER, NUMBERS; of lists: how many */
	const char *fallback; /* default as text, NULL = required; of `late` ones: how it is found,
				 for the documentation */
	bool late;            /* default depends on other settings: config/resolve.c */
	const char *unit;
	const char *const *words;      /* ends with NULL */
	const struct section *section; /* GROUP, GROUPS */
	const char *help;
};

struct section {
	const char *name; /* what one is called in messages: "port", "home network" */
	size_t size;
	const struct setting *settings;
	unsigned setting_count;
};

extern const struct section schema_root, schema_dataplane, schema_port, schema_control,
	schema_keying, schema_transport_peer, schema_instance, schema_home_network, schema_pool,
	schema_mobile_node, schema_security, schema_foreign_agent, schema_binding,
	schema_security_association, schema_policy, schema_route, schema_neighbor, schema_local;

/* True for the kinds that are a pointer and a count. */
bool schema_is_list(const struct setting *setting);
/* Octets of one element of a list. */
size_t schema_element_size(const struct setting *setting);

/* The settings as a Markdown page. */
void schema_document(FILE *out);
/* The tables alone of another root section, without a word on reloading. */
void schema_document_section(FILE *out, const struct section *section);

#endif
