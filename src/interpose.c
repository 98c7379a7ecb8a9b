/* Between a program and the C library (LD_PRELOAD): its wall clock may be off, and its disk full. The file
 * that TIDEWALL_INTERPOSE names holds two numbers of eight bytes, which may change while the program runs:
 * seconds to add to the clock, and whether there is no room for what is written to files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct told {
    int64_t clock_off;
    int64_t disk_full;
};

static const volatile struct told *told(void) {
    static const volatile struct told *seen;
    static const struct told nothing = {0, 0};
    if (!seen) {
        const char *path = getenv("TIDEWALL_INTERPOSE");
        int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *mapped = file < 0 ? MAP_FAILED : mmap(0, sizeof nothing, PROT_READ, MAP_SHARED, file, 0);
        if (file >= 0) close(file);
        seen = mapped == MAP_FAILED ? &nothing : mapped;
    }
    return seen;
}

int clock_gettime(clockid_t which, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, which, now);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += told()->clock_off;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec exact;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    if (now) *now = exact.tv_sec;
    return exact.tv_sec;
}

/* Files have no room; sockets, pipes and terminals need none. */
static int no_room(int file) {
    struct stat about;
    return told()->disk_full && !fstat(file, &about) && S_ISREG(about.st_mode);
}

static ssize_t full(void) {
    errno = ENOSPC;
    return -1;
}

ssize_t write(int file, const void *bytes, size_t count) {
    return no_room(file) ? full() : syscall(SYS_write, file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    return no_room(file) ? full() : syscall(SYS_writev, file, parts, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    return no_room(file) ? full() : syscall(SYS_pwrite64, file, bytes, count, at);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    return pwrite64(file, bytes, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at) {
    /* The offset in a low and a high half, which a machine of 64 bits has in the first. */
    return no_room(file) ? full() : syscall(SYS_pwritev, file, parts, count, at, 0);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at) {
    return pwritev64(file, parts, count, at);
}

int posix_fallocate64(int file, off64_t at, off64_t count) {
    if (no_room(file)) return ENOSPC;
    return syscall(SYS_fallocate, file, 0, at, count) ? errno : 0;
}

int posix_fallocate(int file, off_t at, off_t count) {
    return posix_fallocate64(file, at, count);
}
