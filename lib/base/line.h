/* Cache lines that several processors write. */
#ifndef LIB_BASE_LINE_H
#define LIB_BASE_LINE_H

/*
 * Asks for a line that will be written soon: it leaves the other processors' caches now, where a
 * fetch for reading would bring a copy, and the store behind it would wait once more for the right
 * to change it. gcc fetches for reading where it is told of x86-64 without PREFETCHW; processors
 * that do not know the instruction pass over it. Nothing is read: any address may be asked for.
 */
static inline void line_take(const void *address)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

#endif
