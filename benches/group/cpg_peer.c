/* A member of a closed process group as C programs are: what our layer is compared with.
 *
 * usage: cpg_peer GROUP MESSAGES
 *
 * It understands the lines, and prints those, that src/protocol.rs tells of. It takes all that the daemon has for it, sends
 * until the daemon says TRY_AGAIN or so many messages of its own have not come back, and sleeps in poll. Without that bound
 * the daemon's queues fill up, and then it takes twice its time for a message and more.
 *
 * A program that is told TRY_AGAIN gets no sign when to go on, so it tries again after whatever came next, and after a
 * millisecond at the latest: the daemon looks at its own queues as often. */

#define _GNU_SOURCE
#include <corosync/cpg.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* src/limits.rs has these too. */
enum { MAX_OCTETS = 1000000, MAX_LATENCIES = 1 << 20 };

/* Of own messages that have not come back. */
enum { OUTSTANDING_OCTETS = 2 << 20 };

static const uint64_t NANOSECOND = 1, MILLISECOND = 1000000, SECOND = 1000000000, NEVER = UINT64_MAX;

static cpg_handle_t handle;
static char payload[MAX_OCTETS];

/* The run, in nanoseconds of CLOCK_MONOTONIC; a period of 0 is as fast as it goes. */
static uint64_t start = UINT64_MAX, window, end, period;
static size_t octets;
static uint64_t next_send, cpu_at_window, sent, received, delivered;
static int is_window_open, is_window_closed, is_told = 1, is_refused;
static uint64_t returned, outstanding_messages;
static uint32_t own_node;
static pid_t own_process;
static uint64_t latencies[MAX_LATENCIES];
static size_t latency_count;

static void fail(const char *what, int code) {
    printf("failed %s %d\n", what, code);
    exit(1);
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec * NANOSECOND;
}

static void on_message(cpg_handle_t of, const struct cpg_name *group, uint32_t node, uint32_t process, void *message,
                       size_t length) {
    (void)of, (void)group;
    if (length != octets) {
        fail("length", (int)length);
    }
    received++;
    if (node == own_node && process == (uint32_t)own_process) {
        returned++;
    }
    if (!is_window_open || is_window_closed) {
        return;
    }
    delivered++;
    uint64_t sent_at;
    memcpy(&sent_at, message, sizeof sent_at);
    if (latency_count < MAX_LATENCIES) {
        latencies[latency_count++] = clock_ns(CLOCK_MONOTONIC) - sent_at;
    }
}

static void on_members(cpg_handle_t of, const struct cpg_name *group, const struct cpg_address *members, size_t count,
                       const struct cpg_address *left, size_t left_count, const struct cpg_address *joined,
                       size_t joined_count) {
    (void)of, (void)group, (void)left, (void)left_count, (void)joined, (void)joined_count;
    printf("view %llu ", (unsigned long long)clock_ns(CLOCK_MONOTONIC));
    for (size_t index = 0; index < count; index++) {
        printf("%s%u", index ? "," : "", members[index].nodeid);
    }
    printf("\n");
}

static int ascending(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static uint64_t percentile(size_t percent) {
    return latency_count ? latencies[(latency_count - 1) * percent / 100] : 0;
}

static void obey(const char *line) {
    unsigned long long at, warm_up, measured, length, pause;
    if (strcmp(line, "totals\n") == 0) {
        printf("totals %llu %llu\n", (unsigned long long)sent, (unsigned long long)received);
    } else if (sscanf(line, "run %llu %llu %llu %llu %llu", &at, &warm_up, &measured, &length, &pause) == 5 &&
               length >= sizeof(uint64_t) && length <= MAX_OCTETS) {
        start = next_send = at;
        window = at + warm_up;
        end = window + measured;
        octets = length;
        period = pause;
        sent = received = returned = delivered = latency_count = 0;
        is_window_open = is_window_closed = is_told = is_refused = 0;
    } else {
        fail("command", 0);
    }
}

/* Opens and closes the window in which everything counts. */
static void turn(uint64_t now) {
    if (!is_window_open && now >= window && !is_told) {
        is_window_open = 1;
        cpu_at_window = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    }
    if (is_window_open && !is_window_closed && now >= end) {
        is_window_closed = is_told = 1;
        uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_at_window;
        qsort(latencies, latency_count, sizeof latencies[0], ascending);
        printf("window %llu %llu %llu %llu\n", (unsigned long long)delivered, (unsigned long long)cpu,
               (unsigned long long)percentile(50), (unsigned long long)percentile(99));
    }
}

static void send_all(uint64_t now) {
    while (now >= start && now < end && (period == 0 || next_send <= now) &&
           sent - returned < outstanding_messages && (sent - returned) * octets < OUTSTANDING_OCTETS) {
        /* A message that was refused keeps the time at which it should have gone. */
        if (!is_refused) {
            now = clock_ns(CLOCK_MONOTONIC);
            memcpy(payload, &now, sizeof now);
        }
        struct iovec part = {payload, octets};
        cs_error_t code = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
        is_refused = code == CS_ERR_TRY_AGAIN;
        if (is_refused) {
            return;
        }
        if (code != CS_OK) {
            fail("cpg_mcast_joined", code);
        }
        sent++;
        next_send += period;
    }
}

static uint64_t wake_at(uint64_t now) {
    if (is_told) {
        return NEVER;
    }
    if (now < start) {
        return start;
    }
    uint64_t turn_at = is_window_open ? end : window;
    uint64_t send_at = is_refused || period == 0 ? now + MILLISECOND : next_send;
    return turn_at < send_at ? turn_at : send_at;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fail("usage", count);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    cpg_model_v1_data_t model = {CPG_MODEL_V1, on_message, on_members, NULL, 0};
    cs_error_t code = cpg_model_initialize(&handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);
    if (code != CS_OK) {
        fail("cpg_model_initialize", code);
    }
    struct cpg_name group = {.length = (uint32_t)strnlen(arguments[1], CPG_MAX_NAME_LENGTH - 1)};
    memcpy(group.value, arguments[1], group.length);
    for (int tries = 0; (code = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN && tries < 600; tries++) {
        usleep(50000);
    }
    if (code != CS_OK) {
        fail("cpg_join", code);
    }
    struct pollfd watched[2] = {{.fd = -1, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    own_process = getpid();
    cpg_local_get(handle, &own_node);
    outstanding_messages = strtoull(arguments[2], NULL, 10);
    cpg_fd_get(handle, &watched[0].fd);
    char line[128];
    for (;;) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        turn(now);
        send_all(now);
        now = clock_ns(CLOCK_MONOTONIC);
        uint64_t at = wake_at(now);
        uint64_t pause = at <= now ? 0 : at - now;
        struct timespec timeout = {(time_t)(pause / SECOND), (long)(pause % SECOND)};
        if (ppoll(watched, 2, at == NEVER ? NULL : &timeout, NULL) < 0 && errno != EINTR) {
            fail("ppoll", errno);
        }
        if (watched[0].revents && (code = cpg_dispatch(handle, CS_DISPATCH_ALL)) != CS_OK && code != CS_ERR_TRY_AGAIN) {
            fail("cpg_dispatch", code);
        }
        if (watched[1].revents) {
            /* Lines are short and come one at a time: a pipe gives each whole. */
            ssize_t length = read(STDIN_FILENO, line, sizeof line - 1);
            if (length <= 0) {
                return 0;
            }
            line[length] = 0;
            obey(line);
        }
    }
}
