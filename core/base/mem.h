/*
 * mem - memory that is there.
 *
 * Running out of memory ends the process with exit status 70 and one sentence on
 * standard error: everything accepted is in the journal, so ending is safe, and going on
 * with half an operation is not.  Callers therefore never see NULL.  What outsiders size
 * (bodies, answers, files) is bounded before it is allocated.
 */
#ifndef POINTSMAN_BASE_MEM_H
#define POINTSMAN_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *mem_zero(size_t size);                      /* zeroed; size 0 is fine */
void *mem_grow(void *old, size_t n, size_t size); /* realloc to n * size, checked */
char *mem_text(const char *text);                 /* a copy; NULL stays NULL */
char *mem_slice(const char *text, size_t len);    /* a NUL-terminated copy of len bytes */
char *mem_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *mem_vformat(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* malloc(), calloc() and realloc() for libraries that can be given their own; what they got goes
 * back by free(). */
void *mem_malloc(size_t size);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *old, size_t size);
/* The end, for memory that was asked for elsewhere. */
_Noreturn void mem_exhausted(void);

#define mem_new(type) ((type *)mem_zero(sizeof(type)))

/* Make room for one more element in a growing array: `ptr`, its length and its
 * capacity are lvalues of the caller. */
#define mem_room(ptr, len, cap)                                                                    \
	do {                                                                                       \
		if ((len) == (cap)) {                                                              \
			(cap) = (cap) ? (cap)*2 : 8;                                               \
			(ptr) = mem_grow((ptr), (cap), sizeof *(ptr));                             \
		}                                                                                  \
	} while (0)

#endif
