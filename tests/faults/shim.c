/* Preloaded into a daemon and its children: another clock, a slow disk, a disk whose syncs fail, a power cut.
   What is wrong stands in a file that the test maps too; 64-bit numbers. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

void take_note(int descriptor); /* power.c */

/* The last three: seconds by which the monotonic clock of one process is ahead, which process that is, and how often
   its main thread has waited since then with nothing to do. Other threads have loops of their own, and wait while it is
   behind. */
enum { CLOCK_OFF_S, SYNC_US, SYNC_ERRNO, PASSED_S, SYNCS_LIE, AHEAD_S, AHEAD_PID, WAITED, NUMBERS };

static volatile long long *said;
static pid_t self;

__attribute__((constructor)) static void map(void) {
    const char *path = getenv("TELEM_TEST_SHIM");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0) return;
    self = getpid();
    void *found = mmap(0, NUMBERS * sizeof(long long), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found != MAP_FAILED) said = found;
}

static int is_ahead(void) { return said && said[AHEAD_PID] == self; }

static long long ahead_s(clockid_t clock) {
    if (!said) return 0;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return said[CLOCK_OFF_S] + said[PASSED_S];
    case CLOCK_MONOTONIC: return said[PASSED_S] + (is_ahead() ? said[AHEAD_S] : 0);
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

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Of a process whose clock is put forward, waits end when they would by that clock. */
int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    long long end = now_ms() + timeout;
    for (;;) {
        int step = is_ahead() && timeout > 0 ? 1 : timeout;
        if (is_ahead() && timeout > 0 && syscall(SYS_gettid) == self) said[WAITED]++;
        int found = syscall(SYS_epoll_pwait, epoll, events, most, step, 0, 8);
        if (found || step == timeout || now_ms() >= end) return found;
    }
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
