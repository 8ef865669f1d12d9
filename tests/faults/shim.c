/* Preloaded into a daemon and its children: another clock, a slow disk, a disk whose syncs fail, a power cut.
   What is wrong stands in a file that the test maps too; five 64-bit numbers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void take_note(int descriptor); /* power.c */

enum { CLOCK_OFF_S, SYNC_US, SYNC_ERRNO, PASSED_S, SYNCS_LIE, NUMBERS };

static volatile const long long *said;

__attribute__((constructor)) static void map(void) {
    const char *path = getenv("TELEM_TEST_SHIM");
    int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0) return;
    void *found = mmap(0, NUMBERS * sizeof(long long), PROT_READ, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found != MAP_FAILED) said = found;
}

static long long ahead_s(clockid_t clock) {
    if (!said) return 0;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return said[CLOCK_OFF_S] + said[PASSED_S];
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME: return said[PASSED_S];
    default: return 0;
    }
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed) now->tv_sec += ahead_s(clock);
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec found;
    int failed = clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *where) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (where) *where = found.tv_sec;
    return found.tv_sec;
}

/* Whoever waits until some moment reckons it by our clock; the kernel goes by its own. */
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    static int (*real)(sem_t *, clockid_t, const struct timespec *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "sem_clockwait");
    struct timespec moved = *until;
    moved.tv_sec -= ahead_s(clock);
    return real(semaphore, clock, &moved);
}

static int sync_with(long number, int descriptor) {
    if (said && said[SYNC_US]) usleep(said[SYNC_US]);
    if (said && said[SYNC_ERRNO]) {
        errno = (int)said[SYNC_ERRNO];
        return -1;
    }
    int failed = syscall(number, descriptor);
    if (!failed && !(said && said[SYNCS_LIE])) take_note(descriptor);
    return failed;
}

int fsync(int descriptor) { return sync_with(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return sync_with(SYS_fdatasync, descriptor); }
