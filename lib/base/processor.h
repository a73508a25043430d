/*
 * The processors that this thread may run on: a container's set, taskset or a pinning may leave it
 * only some of the machine's, and number 0 need not be among them. Any thread.
 */
#ifndef LIB_BASE_PROCESSOR_H
#define LIB_BASE_PROCESSOR_H

/* Writes their numbers, lowest first; returns how many, at most `room`. */
unsigned processor_list(int *numbers, unsigned room);
/* The lowest number, 0 when none can be had. */
int processor_first(void);

#endif
