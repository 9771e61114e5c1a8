/*
 * fault - the n-th call of a kind fails, once.
 *
 * libfault.so is preloaded into a program.  It shares one page with whoever drives the test,
 * the file that POINTSMAN_FAULT names, as large as struct fault.  While `armed` it counts the
 * calls of each kind; the call of `kind` that makes its count `at` fails with `error` instead
 * of being made, or does half of what it was asked.  at = 0: only counted.
 *
 * POINTSMAN_FAULT_TRACE names a file to which the stack of the call that failed is appended.
 */
#ifndef POINTSMAN_TESTS_FAULT_H
#define POINTSMAN_TESTS_FAULT_H

#include <stdint.h>

enum fault_kind {               /* page.py has the same names in the same order */
		  FAULT_MEMORY, /* malloc and its family, also from inside libraries; mmap */
		  FAULT_THREAD, /* pthread_create */
		  FAULT_OPEN,   /* open, fopen, opendir, mkdir, rename, unlink, flock */
		  FAULT_READ,   /* of a regular file */
		  FAULT_WRITE,  /* to a regular file; ftruncate, fallocate */
		  FAULT_SYNC,   /* fsync, fdatasync */
		  FAULT_SOCKET, /* what makes a socket, an epoll, an eventfd, a pipe, or changes one
				 */
		  FAULT_RECEIVE, /* reading from a socket */
		  FAULT_SEND,    /* writing to one */
		  FAULT_KINDS
};

struct fault {
	uint64_t at;
	uint32_t kind;
	int32_t error; /* errno; 0: what is usual for the call; -1: half of a read or write */
	uint32_t armed;
	uint32_t failed; /* it came to that */
	uint64_t counted[FAULT_KINDS];
	char call[32]; /* the function that failed */
};

#endif
