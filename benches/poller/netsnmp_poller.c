/* net-snmp's library as a poller: its asynchronous API, one session a target, one request a session at once.
 *
 * usage: netsnmp_poller (epoll | select) PORT REQUESTS (v2c | v3)
 *
 * What is asked, of whom, and what is done with an answer is what src/workload.rs says; the last line of output is
 * the one that it parses. With `select` the waiting is that of the library's manual: all sessions put their
 * descriptors into a set and are read after select(). With `epoll` only those are read that have an answer. */

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* src/limits.rs and src/workload.rs have these too. */
enum { TARGETS = 1000, OUTSTANDING = 500, WARM_UP = 5000, REPETITIONS = 25, RETRIES = 3, MAX_FAILURES = 100 };
enum { TIMEOUT_US = 1000000, RUN_LIMIT_S = 180, TICK_MS = 100 };

static const oid ENTRY[] = {1, 3, 6, 1, 2, 1, 31, 1, 1, 1};
static const oid COLUMN[] = {1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 6};
enum { ENTRY_LENGTH = 10, COLUMN_LENGTH = 11 };

struct target {
    void *session;
    int descriptor;
};

static struct target targets[TARGETS];

/* The targets that are not asked at present, in the order of their turns. */
static int idle[TARGETS], idle_first, idle_count;

static long requests, answers, failures;
static uint64_t sum;
static int done;
static struct rusage usage_start, usage_end;
static struct timespec wall_start, wall_end;

static void fail(const char *what) {
    printf("netsnmp_poller: %s: %s, %s\n", what, strerror(errno), snmp_api_errstring(snmp_errno));
    exit(1);
}

static void clocks(struct rusage *usage, struct timespec *wall) {
    getrusage(RUSAGE_SELF, usage);
    clock_gettime(CLOCK_MONOTONIC, wall);
}

static int next_after(int target) {
    idle[(idle_first + idle_count) % TARGETS] = target;
    int next = idle[idle_first];
    idle_first = (idle_first + 1) % TARGETS;
    return next;
}

static void ask(int target);

static void add_up(const netsnmp_pdu *pdu) {
    for (const netsnmp_variable_list *variable = pdu->variables; variable; variable = variable->next_variable) {
        if (variable->type != ASN_COUNTER64 || variable->name_length != ENTRY_LENGTH + 2 ||
            memcmp(variable->name, ENTRY, sizeof ENTRY) != 0) {
            printf("netsnmp_poller: not a counter\n");
            exit(1);
        }
        const struct counter64 *value = variable->val.counter64;
        sum += ((uint64_t)value->high << 32 | value->low) + variable->name[ENTRY_LENGTH] +
               variable->name[ENTRY_LENGTH + 1];
    }
}

static int on_answer(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *magic) {
    (void)session;
    (void)id;
    if (done) {
        return 1;
    }
    if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu->command == SNMP_MSG_RESPONSE) {
        add_up(pdu);
        answers++;
        if (answers == WARM_UP) {
            clocks(&usage_start, &wall_start);
        }
        if (answers == WARM_UP + requests) {
            clocks(&usage_end, &wall_end);
            done = 1;
            return 1;
        }
    } else if (++failures > MAX_FAILURES) {
        printf("netsnmp_poller: more than %d requests failed\n", MAX_FAILURES);
        exit(1);
    }
    ask(next_after((int)(intptr_t)magic));
    return 1;
}

static void ask(int target) {
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GETBULK);
    if (!pdu) {
        fail("snmp_pdu_create");
    }
    pdu->non_repeaters = 0;
    pdu->max_repetitions = REPETITIONS;
    snmp_add_null_var(pdu, COLUMN, COLUMN_LENGTH);
    if (!snmp_sess_async_send(targets[target].session, pdu, on_answer, (void *)(intptr_t)target)) {
        fail("snmp_sess_async_send");
    }
}

static void open_targets(const char *port, int is_v3) {
    static char user[] = "measured";
    static u_char community[] = "public";
    static const char auth_password[] = "authentication password";
    static const char privacy_password[] = "privacy password";
    u_char auth_key[USM_AUTH_KU_LEN], privacy_key[USM_PRIV_KU_LEN];
    size_t auth_length = sizeof auth_key, privacy_length = sizeof privacy_key;
    const oid *sha256 = sc_get_auth_oid(NETSNMP_USMAUTH_HMAC192SHA256, NULL);
    size_t sha256_length = 0;
    sc_get_auth_oid(NETSNMP_USMAUTH_HMAC192SHA256, &sha256_length);
    if (is_v3 && (generate_Ku(sha256, sha256_length, (const u_char *)auth_password, strlen(auth_password), auth_key,
                              &auth_length) != SNMPERR_SUCCESS ||
                  generate_Ku(sha256, sha256_length, (const u_char *)privacy_password, strlen(privacy_password),
                              privacy_key, &privacy_length) != SNMPERR_SUCCESS)) {
        fail("generate_Ku");
    }
    for (int target = 0; target < TARGETS; target++) {
        char peer[64];
        snprintf(peer, sizeof peer, "udp:127.1.%d.%d:%s", (target + 1) >> 8, (target + 1) & 255, port);
        netsnmp_session session;
        snmp_sess_init(&session);
        session.peername = peer;
        session.timeout = TIMEOUT_US;
        session.retries = RETRIES;
        if (is_v3) {
            session.version = SNMP_VERSION_3;
            session.securityName = user;
            session.securityNameLen = strlen(user);
            session.securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
            session.securityAuthProto = snmp_duplicate_objid(sha256, sha256_length);
            session.securityAuthProtoLen = sha256_length;
            memcpy(session.securityAuthKey, auth_key, auth_length);
            session.securityAuthKeyLen = auth_length;
            session.securityPrivProto = snmp_duplicate_objid(usmAESPrivProtocol, OID_LENGTH(usmAESPrivProtocol));
            session.securityPrivProtoLen = OID_LENGTH(usmAESPrivProtocol);
            memcpy(session.securityPrivKey, privacy_key, privacy_length);
            session.securityPrivKeyLen = privacy_length;
        } else {
            session.version = SNMP_VERSION_2c;
            session.community = community;
            session.community_len = strlen((char *)community);
        }
        /* SNMPv3 discovers the engine here, and waits for it. */
        targets[target].session = snmp_sess_open(&session);
        if (!targets[target].session) {
            fail(peer);
        }
        targets[target].descriptor = snmp_sess_transport(targets[target].session)->sock;
    }
}

static void wait_by_select(netsnmp_large_fd_set *readable) {
    int count = 0, block = 0;
    struct timeval timeout = {0, TICK_MS * 1000};
    NETSNMP_LARGE_FD_ZERO(readable);
    for (int target = 0; target < TARGETS; target++) {
        snmp_sess_select_info2_flags(targets[target].session, &count, readable, &timeout, &block,
                                     NETSNMP_SELECT_NOALARMS);
    }
    int ready = netsnmp_large_fd_set_select(count, readable, NULL, NULL, &timeout);
    if (ready < 0 && errno != EINTR) {
        fail("select");
    }
    for (int target = 0; target < TARGETS; target++) {
        if (ready > 0) {
            snmp_sess_read2(targets[target].session, readable);
        } else {
            snmp_sess_timeout(targets[target].session);
        }
    }
}

static void wait_by_epoll(int epoll, netsnmp_large_fd_set *readable) {
    static struct timespec last;
    struct epoll_event events[64];
    int ready = epoll_wait(epoll, events, 64, TICK_MS);
    if (ready < 0 && errno != EINTR) {
        fail("epoll_wait");
    }
    for (int i = 0; i < ready; i++) {
        const struct target *target = &targets[events[i].data.u32];
        NETSNMP_LARGE_FD_SET(target->descriptor, readable);
        snmp_sess_read2(target->session, readable);
        NETSNMP_LARGE_FD_CLR(target->descriptor, readable);
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000 >= TICK_MS) {
        last = now;
        for (int target = 0; target < TARGETS; target++) {
            snmp_sess_timeout(targets[target].session);
        }
    }
}

static double microseconds(const struct rusage *usage) {
    return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e6 + usage->ru_utime.tv_usec +
           usage->ru_stime.tv_usec;
}

int main(int count, char **arguments) {
    if (count != 5) {
        printf("usage: netsnmp_poller (epoll | select) PORT REQUESTS (v2c | v3)\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(RUN_LIMIT_S);
    int by_epoll = strcmp(arguments[1], "epoll") == 0;
    requests = atol(arguments[3]);
    snmp_disable_log();
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    init_snmp("netsnmp_poller");
    open_targets(arguments[2], strcmp(arguments[4], "v3") == 0);

    netsnmp_large_fd_set readable;
    netsnmp_large_fd_set_init(&readable, FD_SETSIZE);
    NETSNMP_LARGE_FD_ZERO(&readable);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int target = 0; by_epoll && target < TARGETS; target++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = target};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, targets[target].descriptor, &event) < 0) {
            fail("epoll_ctl");
        }
    }
    for (int target = OUTSTANDING; target < TARGETS; target++) {
        idle[idle_count++] = target;
    }
    for (int target = 0; target < OUTSTANDING; target++) {
        ask(target);
    }
    while (!done) {
        if (by_epoll) {
            wait_by_epoll(epoll, &readable);
        } else {
            wait_by_select(&readable);
        }
    }
    double cpu_us = microseconds(&usage_end) - microseconds(&usage_start);
    double wall_ns = (wall_end.tv_sec - wall_start.tv_sec) * 1e9 + (wall_end.tv_nsec - wall_start.tv_nsec);
    printf("TAKEN %ld %llu %ld %.3f %.3f\n", answers, (unsigned long long)sum, failures, cpu_us * 1e3 / requests,
           wall_ns / requests);
    return 0;
}
