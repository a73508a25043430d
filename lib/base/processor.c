#include "lib/base/processor.h"

#include <sched.h>

unsigned processor_list(int *numbers, unsigned room)
{
	unsigned count = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (unsigned i = 0; i < CPU_SETSIZE && count < room; i++)
		if (CPU_ISSET(i, &set))
			numbers[count++] = (int)i;
	return count;
}

int processor_first(void)
{
	int number = 0;

	(void)processor_list(&number, 1);
	return number;
}
