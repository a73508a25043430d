#include "config/loader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define WARNINGS_MAX 100 /* a million nodes with the same slip are not a million lines */

static int place(char *out, size_t size, const struct loader *loader, unsigned line)
{
	return line ? snprintf(out, size, "%s:%u: ", loader->name, line)
		    : snprintf(out, size, "%s: ", loader->name);
}

/* The file's own text is quoted in messages: it shall not end their line or steer a terminal. */
static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

int loader_fail(struct loader *loader, unsigned line, const char *format, ...)
{
	char *text = loader->error->text;
	size_t size = sizeof(loader->error->text);
	int used = place(text, size, loader, line);
	va_list arguments;

	va_start(arguments, format);
	if (used >= 0 && (size_t)used < size)
		vsnprintf(text + used, size - (size_t)used, format, arguments);
	va_end(arguments);
	one_line(text);
	return -EINVAL;
}

void loader_warn(struct loader *loader, unsigned line, const char *format, ...)
{
	char text[sizeof(loader->error->text)];
	int used = place(text, sizeof(text), loader, line);
	va_list arguments;

	if (!loader->warnings || loader->warning_count++ > WARNINGS_MAX)
		return;
	if (loader->warning_count > WARNINGS_MAX) {
		fprintf(loader->warnings, "%s: more warnings are not shown\n", loader->name);
		return;
	}
	va_start(arguments, format);
	if (used >= 0 && (size_t)used < sizeof(text))
		vsnprintf(text + used, sizeof(text) - (size_t)used, format, arguments);
	va_end(arguments);
	one_line(text);
	fprintf(loader->warnings, "%s\n", text);
}

int loader_remember(struct loader *loader, const void *object, const config_setting_t *group)
{
	if (loader->place_count == loader->place_room) {
		size_t room = loader->place_room ? 2 * loader->place_room : 64;
		struct loader_place *grown = realloc(loader->places, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		loader->places = grown;
		loader->place_room = room;
	}
	loader->places[loader->place_count++] = (struct loader_place){object, group};
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct loader_place *x = a, *y = b;

	return x->object < y->object ? -1 : x->object > y->object;
}

void loader_index(struct loader *loader)
{
	if (loader->place_count)
		qsort(loader->places, loader->place_count, sizeof(*loader->places), compare_places);
	loader->indexed = true;
}

static const config_setting_t *group_of(const struct loader *loader, const void *object)
{
	struct loader_place wanted = {.object = object};
	const struct loader_place *found = NULL;

	if (loader->indexed && loader->place_count)
		found = bsearch(&wanted, loader->places, loader->place_count, sizeof(wanted),
			compare_places);
	for (size_t i = loader->place_count; !loader->indexed && !found && i-- > 0;)
		if (loader->places[i].object == object)
			found = &loader->places[i];
	return found ? found->group : NULL;
}

unsigned loader_line(const struct loader *loader, const void *object, const char *member)
{
	const config_setting_t *group = group_of(loader, object);
	const config_setting_t *setting = group ? config_setting_get_member(group, member) : NULL;

	if (setting)
		return config_setting_source_line(setting);
	return group ? config_setting_source_line(group) : 0;
}

bool loader_mentions(const struct loader *loader, const void *object, const char *member)
{
	const config_setting_t *group = group_of(loader, object);

	return group && config_setting_get_member(group, member);
}

/* libconfig frees strings without wiping them. */
static void wipe_keys(config_setting_t *setting)
{
	const char *name = config_setting_name(setting);

	if (config_setting_type(setting) == CONFIG_TYPE_STRING && name &&
		strncmp(name, "key", 3) == 0) {
		char *text = (char *)(uintptr_t)config_setting_get_string(setting);
		secret_wipe(text, strlen(text));
	}
	for (int i = 0; i < config_setting_length(setting); i++)
		if (config_setting_is_aggregate(setting))
			wipe_keys(config_setting_get_elem(setting, (unsigned)i));
}

int loader_parse(struct loader *loader, const char *text)
{
	config_init(&loader->tree);
	char *prepared = text_prepare(loader, text);
	if (!prepared)
		return -EINVAL;
	int read = config_read_string(&loader->tree, prepared);
	text_free(prepared);
	if (read != CONFIG_TRUE) {
		int line = config_error_line(&loader->tree);
		return loader_fail(loader, line > 0 ? (unsigned)line : 0, "%s",
			config_error_text(&loader->tree));
	}
	return 0;
}

void loader_fini(struct loader *loader)
{
	if (config_root_setting(&loader->tree))
		wipe_keys(config_root_setting(&loader->tree));
	config_destroy(&loader->tree);
	free(loader->places);
}
