/*
 * What the steps of one load share: the text's name, libconfig's tree, and which group of the tree
 * each loaded struct came from, so that a contradiction found later still names its line. For
 * config/, and for programs with a file and a schema of their own (pktgen/generator/profile.c):
 * text_read, loader_parse, load_section with their root section, loader_index, their own checks
 * with loader_fail, loader_fini; load_release frees what was loaded.
 */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config/fingerprint.h"
#include "config/schema.h"

#include <libconfig.h>

struct loader_place {
	const void *object;
	const config_setting_t *group;
};

struct loader {
	const char *name; /* stands for the file in messages */
	struct config *config;
	struct config_error *error;
	FILE *warnings; /* may be NULL */
	unsigned warning_count;
	config_t tree;
	struct loader_place *places;
	size_t place_count, place_room;
	bool indexed;
};

/* Says "name:line: ..." in loader->error and returns -EINVAL. Line 0 leaves the line out. */
int loader_fail(struct loader *loader, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void loader_warn(struct loader *loader, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Remembers where `object` (a struct of some section) was read. 0 or -ENOMEM. */
int loader_remember(struct loader *loader, const void *object, const config_setting_t *group);
/* After the last loader_remember: makes the lookups below quick. Before it they are quick for the
 * newest object. */
void loader_index(struct loader *loader);
/* The line of `member` in the group of `object`; the group's own when the file does not mention it.
 * 0 when unknown. */
unsigned loader_line(const struct loader *loader, const void *object, const char *member);
/* True when the file mentions it. */
bool loader_mentions(const struct loader *loader, const void *object, const char *member);

/* config/text.c: reads a whole regular file into a NUL-ended buffer (free_text wipes it). 0 or
 * -errno with *error filled. */
int text_read(const char *path, char **text, struct config_error *error);
/*
 * libconfig 1.5 cuts numbers off at 32 bits without a word. Returns a copy in which every larger
 * number carries the suffix that makes it 64 bits wide; refuses what is larger still, @include and
 * other bytes than text. NULL with loader->error.
 */
char *text_prepare(struct loader *loader, const char *text);
void text_free(char *text);

/* The text as a tree: 0, or -EINVAL with loader->error. loader_fini frees it, keys wiped, in either
 * case. */
int loader_parse(struct loader *loader, const char *text);
void loader_fini(struct loader *loader);

/* config/load.c: tree -> loader->config, whose defaults are filled. config/resolve.c: defaults that
 * depend on others. */
int load_root(struct loader *loader);
/* The same by another root section than homeport's, whose rows are neither ports nor instances. */
int load_section(struct loader *loader, const struct section *section, void *object);
/* Frees what the lists of `object` hold, keys wiped; not the object itself. */
void load_release(const struct section *section, void *object);
int resolve_defaults(struct loader *loader);
int resolve_association(struct config_security_association *association);
/* config/check.c, check_node.c, check_ipsec.c: contradictions between settings. 0 or -EINVAL. */
int check_config(struct loader *loader);
int check_nodes(struct loader *loader);
int check_ipsec(struct loader *loader);
/* True when every address of `inner` is one of `outer`. */
static inline bool check_prefix_within(const struct ip_prefix *inner, const struct ip_prefix *outer)
{
	return inner->length >= outer->length && ip_prefix_contains(outer, &inner->address);
}
/*
 * The later (in the file) of two elements that are equal; NULL when none are. `compare` gets
 * pointers to pointers to elements.
 */
const void *check_find_twins(const void *elements, unsigned count, size_t size,
	int (*compare)(const void *, const void *));

/* config/key.c: the key of a context from `key` or `key_file`. */
int key_load(struct loader *loader, struct config_security *security);
/* The same of a pair of security associations. */
int key_load_pair(struct loader *loader, struct config_security_association *association);

#endif
