/*
 * Loading the configuration, from the file to a checked struct:
 *
 *   text     reads the file and widens numbers that libconfig 1.5 would cut off          text.c
 *   parse    libconfig makes a tree with the line of every setting
 *   load     walks the schema (schema.c) along the tree: types, ranges, unknown names    load.c
 *   resolve  fills defaults that depend on other settings                                resolve.c
 *   check    refuses contradictions, warns about what is merely unwise                   check.c,
 * check_node.c
 *
 * Printing (print.c), the reload check (reload.c) and docs/settings.md (document.c) walk the same
 * schema. The first error ends the load, with file and line; a half-loaded configuration is never
 * seen outside.
 */
#include "config/config.h"

#include "config/loader.h"

#include <errno.h>
#include <stdlib.h>

static int load_steps(struct loader *loader, const char *text)
{
	int result = loader_parse(loader, text);

	if (!result)
		result = load_root(loader);
	if (result)
		return result;
	loader_index(loader);
	result = resolve_defaults(loader);
	if (!result)
		result = check_config(loader);
	if (!result)
		result = check_nodes(loader);
	if (!result)
		result = check_ipsec(loader);
	return result;
}

int config_load_string(const char *text, const char *name, struct config **out,
	struct config_error *error, FILE *warnings)
{
	struct loader loader = {.name = name, .error = error, .warnings = warnings};

	*out = NULL;
	loader.config = secret_alloc(sizeof(*loader.config));
	if (!loader.config)
		return loader_fail(&loader, 0, "out of memory"), -ENOMEM;
	snprintf(loader.config->file, sizeof(loader.config->file), "%s", name);
	int result = load_steps(&loader, text);
	loader_fini(&loader);
	if (result) {
		config_free(loader.config);
		return result;
	}
	*out = loader.config;
	return 0;
}

int config_load(const char *path, struct config **out, struct config_error *error, FILE *warnings)
{
	char *text = NULL;
	int result = text_read(path, &text, error);

	*out = NULL;
	if (result)
		return result;
	result = config_load_string(text, path, out, error, warnings);
	text_free(text);
	return result;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	load_release(&schema_root, config);
	secret_free(config, sizeof(*config));
}
