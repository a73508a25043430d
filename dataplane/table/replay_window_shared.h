/*
 * Commits to a window that several workers use at once (window->shared), which
 * replay_window_commit leads to. The rules are those of replay_window.h.
 */
#ifndef DATAPLANE_TABLE_REPLAY_WINDOW_SHARED_H
#define DATAPLANE_TABLE_REPLAY_WINDOW_SHARED_H

#include "dataplane/table/replay_window.h"

/* As replay_window_commit. Worker. */
enum replay_verdict replay_window_shared_commit(
	const struct replay_window *window, uint64_t number, bool *newest);
/*
 * The same for `count` (> 0) numbers, one after another, by one change of the memory for those
 * that follow each other in one stretch; verdicts[count]. Worker.
 */
void replay_window_shared_commit_run(const struct replay_window *window, const uint64_t *numbers,
	unsigned count, enum replay_verdict *verdicts);

#endif
