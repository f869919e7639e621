/* A disk that fails when it is told to. Loaded with LD_PRELOAD, armed by a call from the test.
 *
 * Counts the calls of this process that change files whose path begins with a given prefix, and lets
 * the N-th one go wrong. Everything else goes to the C library untouched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum mode {
    OFF,
    COUNT,    /* only say what is called */
    KILL,     /* SIGKILL instead of the call */
    TORN,     /* half of the call, then SIGKILL; SIGKILL after a call that has no halves */
    FULL,     /* ENOSPC, once */
    FULL_FOR, /* ENOSPC for everything that grows a file, until so many milliseconds are over */
    BAD,      /* EIO, once */
    BAD_KILL, /* EIO, and SIGKILL instead of the next call */
    SHORT,    /* half of a write, said to be half */
    FULL_WHILE /* ENOSPC for everything that grows a file, while a file is there */
};

#define MANY 4096

static enum mode mode = OFF;
static char prefix[PATH_MAX];
static size_t prefix_length;
static long at, duration_ms, seen;
static int report = -1;
static char full_while[PATH_MAX];
static struct timespec since;
static unsigned char ours[MANY]; /* by file descriptor */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static void tell(const char *what) {
    if (report < 0) return;
    char line[128];
    int length = snprintf(line, sizeof line, "%ld %s\n", seen, what);
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (real(report, line, (size_t)length) != length) abort();
}

static long elapsed_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1000000;
}

/* What to do with this call: OFF for nothing. Says so in the report. */
static enum mode fate(const char *what, int grows) {
    if (mode == OFF) return OFF;
    enum mode now = OFF;
    if (mode == FULL_WHILE) return grows && access(full_while, F_OK) == 0 ? FULL : OFF;
    pthread_mutex_lock(&lock);
    seen++;
    if (mode == COUNT) {
        tell(what);
    } else if (mode == FULL_FOR && seen >= at && grows) {
        if (since.tv_sec == 0) {
            clock_gettime(CLOCK_MONOTONIC, &since);
            tell(what);
        }
        now = elapsed_ms() < duration_ms ? FULL_FOR : OFF;
        if (now == OFF) mode = OFF;
    } else if (mode == BAD_KILL && seen == at + 1) {
        now = KILL;
    } else if (mode != FULL_FOR && seen == at) {
        tell(what);
        now = mode;
    }
    pthread_mutex_unlock(&lock);
    return now;
}

/* FAULTFS_FULL is "PREFIX:FILE": the disk is full for this program while that file is there. */
__attribute__((constructor)) static void begin(void) {
    const char *wish = getenv("FAULTFS_FULL");
    const char *colon = wish ? strrchr(wish, ':') : NULL;
    if (!colon || colon - wish >= PATH_MAX || strlen(colon + 1) >= PATH_MAX) return;
    prefix_length = (size_t)(colon - wish);
    memcpy(prefix, wish, prefix_length);
    strcpy(full_while, colon + 1);
    mode = FULL_WHILE;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Begin to count and to fail. `report_path` gets a line for each call counted, or for the failed one. */
int faultfs_arm(const char *path, int how, long n, long ms, const char *report_path) {
    prefix_length = strlen(path);
    if (prefix_length == 0 || prefix_length >= sizeof prefix) return -1;
    memcpy(prefix, path, prefix_length + 1);
    report = open(report_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (report < 0) return -1;
    at = n;
    duration_ms = ms;
    seen = 0;
    mode = (enum mode)how;
    return 0;
}

static int is_ours(const char *path) {
    return mode != OFF && path && strncmp(path, prefix, prefix_length) == 0;
}

static int known(int fd) { return mode != OFF && fd >= 0 && fd < MANY && ours[fd]; }

static void note(int fd, int yes) {
    if (fd >= 0 && fd < MANY) ours[fd] = (unsigned char)yes;
}

/* Set errno and return 1 when the call must fail without doing anything. */
static int refused(enum mode how) {
    if (how == KILL) die();
    if (how == FULL || how == FULL_FOR) return errno = ENOSPC, 1;
    if (how == BAD || how == BAD_KILL) return errno = EIO, 1;
    return 0;
}

/* Opening: only the creation of a file is a call that changes the disk. */
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t permissions = 0; \
        if (flags & (O_CREAT | __O_TMPFILE)) { \
            va_list more; \
            va_start(more, flags); \
            permissions = (mode_t)va_arg(more, int); \
            va_end(more); \
        } \
        int mine = is_ours(path); \
        enum mode how = OFF; \
        if (mine && (flags & O_CREAT) && access(path, F_OK) != 0) { \
            int kept = errno; \
            how = fate("create", 1); \
            errno = kept; \
            if (refused(how)) return -1; \
        } \
        int fd = real(path, flags, permissions); \
        note(fd, mine); \
        if (how == TORN) die(); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    REAL(close);
    note(fd, 0);
    return real(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    if (!known(fd)) return real(fd, data, size);
    enum mode how = fate("write", 1);
    if (refused(how)) return -1;
    if ((how == TORN || how == SHORT) && size > 1) {
        ssize_t done = real(fd, data, size / 2);
        if (how == TORN) die();
        return done;
    }
    return real(fd, data, size);
}

#define PWRITE(name, offset_t) \
    ssize_t name(int fd, const void *data, size_t size, offset_t offset) { \
        REAL(name); \
        if (!known(fd)) return real(fd, data, size, offset); \
        enum mode how = fate("write", 1); \
        if (refused(how)) return -1; \
        if ((how == TORN || how == SHORT) && size > 1) { \
            ssize_t done = real(fd, data, size / 2, offset); \
            if (how == TORN) die(); \
            return done; \
        } \
        return real(fd, data, size, offset); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        REAL(name); \
        if (!known(fd)) return real(fd); \
        enum mode how = fate("sync", 0); \
        if (refused(how)) return -1; \
        int done = real(fd); \
        if (how == TORN) die(); \
        return done; \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, offset_t) \
    int name(int fd, offset_t size) { \
        REAL(name); \
        if (!known(fd)) return real(fd, size); \
        struct stat64 before; \
        int grows = fstat64(fd, &before) == 0 && before.st_size < size; \
        enum mode how = fate(grows ? "grow" : "truncate", grows); \
        if (refused(how)) return -1; \
        int done = real(fd, size); \
        if (how == TORN) die(); \
        return done; \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    REAL(unlink);
    if (!is_ours(path)) return real(path);
    enum mode how = fate("unlink", 0);
    if (refused(how)) return -1;
    int done = real(path);
    if (how == TORN) die();
    return done;
}

int link(const char *from, const char *to) {
    REAL(link);
    if (!is_ours(to)) return real(from, to);
    enum mode how = fate("link", 0);
    if (refused(how)) return -1;
    int done = real(from, to);
    if (how == TORN) die();
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    if (!is_ours(to)) return real(from, to);
    enum mode how = fate("rename", 0);
    if (refused(how)) return -1;
    int done = real(from, to);
    if (how == TORN) die();
    return done;
}
