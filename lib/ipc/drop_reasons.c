#include "lib/ipc/drop_reasons.h"

#include <string.h>

struct reason {
	const char *name, *step, *text;
};

static const struct reason reasons[DROP_REASON_COUNT] = {[DROP_NONE] = {"none", "", "not dropped"},
#define X(name, step, text) [DROP_##name] = {#name, #step, text},
	DROP_REASONS(X)
#undef X
};

static const struct reason *reason_get(unsigned reason)
{
	return &reasons[reason < DROP_REASON_COUNT ? reason : DROP_NONE];
}

const char *drop_reason_name(unsigned reason)
{
	return reason_get(reason)->name;
}

const char *drop_reason_step(unsigned reason)
{
	return reason_get(reason)->step;
}

const char *drop_reason_text(unsigned reason)
{
	return reason_get(reason)->text;
}

unsigned drop_reason_by_name(const char *name)
{
	unsigned reason = DROP_REASON_COUNT;

	while (--reason != DROP_NONE && strcmp(reasons[reason].name, name) != 0)
		;
	return reason;
}
