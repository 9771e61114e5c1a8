/* open() and open64() are two names of one function; both must be ours. */
#undef _FILE_OFFSET_BITS

#include "fault.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static struct fault *fault;
static int trace = -1;

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("POINTSMAN_FAULT"), *where = getenv("POINTSMAN_FAULT_TRACE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page, *warm[1];

	if (where) {
		trace = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
		backtrace(warm, 1); /* loads what it needs now, not while something fails */
	}
	if (fd < 0)
		return;
	page = mmap(NULL, sizeof *fault, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	fault = page == MAP_FAILED ? NULL : page;
}

static void show_stack(const char *call)
{
	void *frames[32];
	int n;

	if (trace < 0)
		return;
	dprintf(trace, "%s number %llu\n", call, (unsigned long long)fault->at);
	n = backtrace(frames, 32);
	backtrace_symbols_fd(frames, n, trace);
}

/* Counts the call; true if it is the one, with errno set. */
static bool fails(enum fault_kind kind, const char *call, int usual)
{
	uint64_t n;

	if (!fault || !__atomic_load_n(&fault->armed, __ATOMIC_ACQUIRE))
		return false;
	n = __atomic_add_fetch(&fault->counted[kind], 1, __ATOMIC_RELAXED);
	if (kind != fault->kind || n != fault->at)
		return false;
	strncpy(fault->call, call, sizeof fault->call - 1);
	show_stack(call);
	__atomic_store_n(&fault->failed, 1, __ATOMIC_RELEASE);
	errno = fault->error > 0 ? fault->error : usual;
	return true;
}

static void find(void *function, const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	memcpy(function, &found, sizeof found);
}

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
	find(&real, #name)

/* A sanitizer has an allocator of its own. */
#ifndef SANITIZED

/* dlsym() may allocate: the allocator itself is reached by the names it has inside glibc. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	return fails(FAULT_MEMORY, "malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(FAULT_MEMORY, "calloc", ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
	return fails(FAULT_MEMORY, "realloc", ENOMEM) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails(FAULT_MEMORY, "aligned_alloc", ENOMEM) ? NULL
							    : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (fails(FAULT_MEMORY, "posix_memalign", ENOMEM))
		return ENOMEM;
	*out = __libc_memalign(alignment, size);
	return *out ? 0 : ENOMEM;
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
	REAL(mmap64);
	return fails(FAULT_MEMORY, "mmap", ENOMEM) ? MAP_FAILED
						   : real(at, len, protection, flags, fd, offset);
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
	__attribute__((alias("mmap64")));

#endif

int pthread_create(pthread_t *id, const pthread_attr_t *how, void *(*work)(void *), void *arg)
{
	REAL(pthread_create);
	return fails(FAULT_THREAD, "pthread_create", EAGAIN) ? errno : real(id, how, work, arg);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open64(const char *path, int flags, ...)
{
	REAL(open64);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FAULT_OPEN, "open", EMFILE) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) __attribute__((alias("open64")));

int openat64(int at, const char *path, int flags, ...)
{
	REAL(openat64);
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FAULT_OPEN, "openat", EMFILE) ? -1 : real(at, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) __attribute__((alias("openat64")));

FILE *fopen64(const char *path, const char *how)
{
	REAL(fopen64);
	return fails(FAULT_OPEN, "fopen", EMFILE) ? NULL : real(path, how);
}

FILE *fopen(const char *path, const char *how) __attribute__((alias("fopen64")));

DIR *opendir(const char *path)
{
	REAL(opendir);
	return fails(FAULT_OPEN, "opendir", EMFILE) ? NULL : real(path);
}

int mkdir(const char *path, mode_t mode)
{
	REAL(mkdir);
	return fails(FAULT_OPEN, "mkdir", EACCES) ? -1 : real(path, mode);
}

int rename(const char *from, const char *to)
{
	REAL(rename);
	return fails(FAULT_OPEN, "rename", EACCES) ? -1 : real(from, to);
}

int unlink(const char *path)
{
	REAL(unlink);
	return fails(FAULT_OPEN, "unlink", EACCES) ? -1 : real(path);
}

int flock(int fd, int how)
{
	REAL(flock);
	return fails(FAULT_OPEN, "flock", ENOLCK) ? -1 : real(fd, how);
}

/* A regular file and a socket fail in their own ways. */

static mode_t kind_of(int fd)
{
	struct stat st;
	int before = errno;
	mode_t kind = fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;

	errno = before;
	return kind;
}

enum outcome { MADE, FAILED, HALVED };

static enum outcome transfer(int fd, const char *call, bool out)
{
	mode_t kind = kind_of(fd);
	bool hit = false;

	if (S_ISREG(kind))
		hit = fails(out ? FAULT_WRITE : FAULT_READ, call, EIO);
	else if (S_ISSOCK(kind))
		hit = fails(out ? FAULT_SEND : FAULT_RECEIVE, call, ECONNRESET);
	return !hit ? MADE : fault->error == -1 ? HALVED : FAILED;
}

#define TRANSFER(name, out, len, plain, halved)                                                    \
	do {                                                                                       \
		REAL(name);                                                                        \
		enum outcome outcome = transfer(fd, #name, out);                                   \
		size_t half = (len) / 2 + ((len) == 1);                                            \
		(void)half;                                                                        \
		return outcome == FAILED ? -1 : outcome == HALVED ? (halved) : (plain);            \
	} while (0)

ssize_t read(int fd, void *to, size_t len)
{
	TRANSFER(read, false, len, real(fd, to, len), real(fd, to, half));
}

ssize_t pread64(int fd, void *to, size_t len, off64_t at)
{
	TRANSFER(pread64, false, len, real(fd, to, len, at), real(fd, to, half, at));
}

ssize_t readv(int fd, const struct iovec *to, int n)
{
	TRANSFER(readv, false, 0, real(fd, to, n), real(fd, to, 1));
}

ssize_t recv(int fd, void *to, size_t len, int flags)
{
	TRANSFER(recv, false, len, real(fd, to, len, flags), real(fd, to, half, flags));
}

ssize_t recvfrom(int fd, void *restrict to, size_t len, int flags, __SOCKADDR_ARG from,
		 socklen_t *restrict from_len)
{
	TRANSFER(recvfrom, false, len, real(fd, to, len, flags, from, from_len),
		 real(fd, to, half, flags, from, from_len));
}

ssize_t recvmsg(int fd, struct msghdr *to, int flags)
{
	TRANSFER(recvmsg, false, 0, real(fd, to, flags), real(fd, to, flags));
}

ssize_t write(int fd, const void *from, size_t len)
{
	TRANSFER(write, true, len, real(fd, from, len), real(fd, from, half));
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at)
{
	TRANSFER(pwrite64, true, len, real(fd, from, len, at), real(fd, from, half, at));
}

ssize_t writev(int fd, const struct iovec *from, int n)
{
	TRANSFER(writev, true, 0, real(fd, from, n), real(fd, from, 1));
}

ssize_t send(int fd, const void *from, size_t len, int flags)
{
	TRANSFER(send, true, len, real(fd, from, len, flags), real(fd, from, half, flags));
}

ssize_t sendto(int fd, const void *from, size_t len, int flags, __CONST_SOCKADDR_ARG to,
	       socklen_t to_len)
{
	TRANSFER(sendto, true, len, real(fd, from, len, flags, to, to_len),
		 real(fd, from, half, flags, to, to_len));
}

ssize_t sendmsg(int fd, const struct msghdr *from, int flags)
{
	TRANSFER(sendmsg, true, 0, real(fd, from, flags), real(fd, from, flags));
}

int ftruncate64(int fd, off64_t len)
{
	REAL(ftruncate64);
	return fails(FAULT_WRITE, "ftruncate", EIO) ? -1 : real(fd, len);
}

int posix_fallocate64(int fd, off64_t at, off64_t len)
{
	REAL(posix_fallocate64);
	return fails(FAULT_WRITE, "posix_fallocate", ENOSPC) ? errno : real(fd, at, len);
}

int fsync(int fd)
{
	REAL(fsync);
	return fails(FAULT_SYNC, "fsync", EIO) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	REAL(fdatasync);
	return fails(FAULT_SYNC, "fdatasync", EIO) ? -1 : real(fd);
}

int socket(int domain, int type, int protocol)
{
	REAL(socket);
	return fails(FAULT_SOCKET, "socket", EMFILE) ? -1 : real(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int pair[2])
{
	REAL(socketpair);
	return fails(FAULT_SOCKET, "socketpair", EMFILE) ? -1 : real(domain, type, protocol, pair);
}

int pipe(int pair[2])
{
	REAL(pipe);
	return fails(FAULT_SOCKET, "pipe", EMFILE) ? -1 : real(pair);
}

int pipe2(int pair[2], int flags)
{
	REAL(pipe2);
	return fails(FAULT_SOCKET, "pipe2", EMFILE) ? -1 : real(pair, flags);
}

int eventfd(unsigned count, int flags)
{
	REAL(eventfd);
	return fails(FAULT_SOCKET, "eventfd", EMFILE) ? -1 : real(count, flags);
}

int epoll_create1(int flags)
{
	REAL(epoll_create1);
	return fails(FAULT_SOCKET, "epoll_create1", EMFILE) ? -1 : real(flags);
}

int epoll_create(int size)
{
	REAL(epoll_create);
	return fails(FAULT_SOCKET, "epoll_create", EMFILE) ? -1 : real(size);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	REAL(epoll_ctl);
	return fails(FAULT_SOCKET, "epoll_ctl", ENOSPC) ? -1 : real(epoll, what, fd, event);
}

int connect(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	REAL(connect);
	return fails(FAULT_SOCKET, "connect", ECONNREFUSED) ? -1 : real(fd, to, len);
}

int bind(int fd, __CONST_SOCKADDR_ARG to, socklen_t len)
{
	REAL(bind);
	return fails(FAULT_SOCKET, "bind", EADDRINUSE) ? -1 : real(fd, to, len);
}

int listen(int fd, int backlog)
{
	REAL(listen);
	return fails(FAULT_SOCKET, "listen", EADDRINUSE) ? -1 : real(fd, backlog);
}

int accept(int fd, __SOCKADDR_ARG from, socklen_t *len)
{
	REAL(accept);
	return fails(FAULT_SOCKET, "accept", EMFILE) ? -1 : real(fd, from, len);
}

int accept4(int fd, __SOCKADDR_ARG from, socklen_t *len, int flags)
{
	REAL(accept4);
	return fails(FAULT_SOCKET, "accept4", EMFILE) ? -1 : real(fd, from, len, flags);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	REAL(setsockopt);
	return fails(FAULT_SOCKET, "setsockopt", ENOBUFS) ? -1 : real(fd, level, name, value, len);
}

int getsockname(int fd, __SOCKADDR_ARG name, socklen_t *len)
{
	REAL(getsockname);
	return fails(FAULT_SOCKET, "getsockname", ENOBUFS) ? -1 : real(fd, name, len);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	REAL(getaddrinfo);
	return fails(FAULT_SOCKET, "getaddrinfo", EAGAIN) ? EAI_AGAIN
							  : real(host, service, hints, found);
}
