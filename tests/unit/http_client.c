/* A server in a process of its own and a client on bare sockets. */
#include "tests/unit/http_client.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/http/config.h"
#include "server/http/http.h"
#include "tests/unit/segment_builder.h"

enum {
    DEADLINE_SECONDS = 10
};

#define TICKS_OF_CALL    UINT64_C(1000000000)
#define TICKS_PER_SECOND UINT64_C(1000000000)

bool wait_until(bool (*holds)(void *context), void *context)
{
    time_t deadline = time(NULL) + DEADLINE_SECONDS;

    while (!holds(context)) {
        if (time(NULL) > deadline)
            return false;
        poll(NULL, 0, 5);
    }
    return true;
}

/* The server's process -------------------------------------------------------------------------------------------- */

static void log_to_stderr(int level, const char *text)
{
    dprintf(STDERR_FILENO, "%d %s\n", level, text);
}

static void build_segment(struct segment_builder *builder, uint32_t functions)
{
    static const double bounds[] = {0.001, 0.01, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60};

    segment_builder_init(builder, &(struct segment_builder_options){.functions = functions,
                                                                    .series = functions,
                                                                    .block_bytes = (functions + 16) / 16 * 4096});
    for (uint32_t i = 0; i < functions; i++) {
        char name[32];

        snprintf(name, sizeof(name), "function_%u", i);
        segment_builder_add_function(builder, name, "prog");
        segment_builder_add_series(builder,
                                   &(struct segment_builder_series){
                                       .function = i, .bounds = bounds, .bucket_count = 10, .has_last_start = i == 0});
    }
    segment_builder_cell(builder, 0, 0)[segment_builder_series(builder, 0)->last_start_word] = TICKS_OF_CALL;
}

/* A clock that stands still. */
static uint64_t read_ticks(void)
{
    return TICKS_OF_CALL + SERVER_CALL_AGE_SECONDS * TICKS_PER_SECOND;
}

static atomic_uint periodic_calls;

static const char *count_periodic(void)
{
    atomic_fetch_add(&periodic_calls, 1);
    return NULL;
}

static void wait_for_periodic(void)
{
    unsigned first = atomic_load(&periodic_calls);

    while (atomic_load(&periodic_calls) < first + 3)
        poll(NULL, 0, 1);
}

/* Makes a system call fail, as old kernels and some containers do. */
static void forbid(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(filter) / sizeof(*filter), .filter = filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        abort();
}

static void replace_descriptors(int control)
{
    for (int fd = 3; fd < 1024; fd++)
        if (fd != control)
            close(fd);
    for (int i = 0; i < 20; i++)
        if (open("/dev/null", O_WRONLY | O_CLOEXEC) < 0)
            abort();
}

/* localtime_r reads TZ the first time that anything in the process needs it. */
static void read_local_time(void)
{
    time_t epoch = 0;
    struct tm fields;

    setenv("TZ", "CALL-5", 1);
    if (localtime_r(&epoch, &fields) && fields.tm_hour == 5)
        log_to_stderr(2, "TZ is heeded");
}

static void obey(int control)
{
    char command;

    while (read(control, &command, 1) == 1) {
        if (command == 'c')
            replace_descriptors(control);
        if (command == 't')
            read_local_time();
        if (command == 'p')
            wait_for_periodic();
        if (command == 'f' && fork() == 0) {
            while (read(control, &command, 1) > 0)
                ;
            _exit(0);
        }
        if (write(control, &command, 1) != 1)
            return;
    }
}

__attribute__((noreturn)) static void run_server(const struct server_process *server,
                                                 const struct server_options *options, int control)
{
    struct segment_builder builder;
    struct http_config config = {.listen = options->listen ? options->listen : "127.0.0.1:0",
                                 .version = "1",
                                 .revision = "r",
                                 .start_time = options->is_starting ? 1e11 : 1,
                                 .now_ticks = read_ticks,
                                 .periodic = options->periodic_ms ? count_periodic : NULL,
                                 .periodic_ms = options->periodic_ms,
                                 .log = log_to_stderr};
    char port_file[128];
    char text[512] = "";
    int error;

    for (int fd = 3; fd < 1024; fd++)
        if (fd != control)
            close(fd);
    if (!freopen(server->log, "w", stderr))
        abort();
    snprintf(port_file, sizeof(port_file), "%s/port", server->folder);
    config.port_file = port_file;
    if (options->relative_port_file) {
        if (chdir(server->folder) != 0)
            abort();
        config.port_file = options->relative_port_file;
    }
    if (options->is_table_shared)
        forbid(SYS_close_range);
    if (options->is_getfd_forbidden)
        forbid(SYS_pidfd_getfd);
    build_segment(&builder, options->functions ? options->functions : 1);
    builder.segment->is_tainted = options->is_tainted;
    config.segment = builder.segment;
    config.segment_bytes = builder.segment->segment_bytes;
    error = http_start(&config, text, sizeof(text));
    if (write(control, &error, sizeof(error)) != sizeof(error) || write(control, text, sizeof(text)) != sizeof(text))
        abort();
    obey(control);
    _exit(0);
}

static void set_timeouts(int fd)
{
    const struct timeval time = {.tv_sec = DEADLINE_SECONDS};

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)), 0);
}

void server_start(struct server_process *server, const struct server_options *options)
{
    int ends[2];

    *server = (struct server_process){0};
    snprintf(server->folder, sizeof(server->folder), "/tmp/test_http.XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    snprintf(server->log, sizeof(server->log), "%s/log", server->folder);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        close(ends[0]);
        run_server(server, options, ends[1]);
    }
    close(ends[1]);
    server->control = ends[0];
    set_timeouts(server->control);
    assert_int_equal(read(server->control, &server->error, sizeof(server->error)), sizeof(server->error));
    assert_int_equal(recv(server->control, server->text, sizeof(server->text), MSG_WAITALL), sizeof(server->text));
}

static bool read_address(void *context)
{
    struct server_process *server = context;
    char path[128];
    FILE *file;
    char *end = NULL;

    snprintf(path, sizeof(path), "%s/port", server->folder);
    file = fopen(path, "r");
    if (!file)
        return false;
    if (fgets(server->address, sizeof(server->address), file))
        end = strchr(server->address, '\n');
    assert_non_null(end); /* the file is whole, or not there */
    *end = '\0';
    fclose(file);
    return true;
}

void server_wait_address(struct server_process *server)
{
    assert_true(wait_until(read_address, server));
}

void server_command(struct server_process *server, char command)
{
    char answer;

    assert_int_equal(write(server->control, &command, 1), 1);
    assert_int_equal(read(server->control, &answer, 1), 1);
}

void server_kill(struct server_process *server)
{
    int status;

    assert_int_equal(kill(server->pid, SIGKILL), 0);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    server->pid = -1;
}

bool server_has_logged(const struct server_process *server, const char *text)
{
    char log[8192];
    FILE *file = fopen(server->log, "r");
    size_t count;

    assert_non_null(file);
    count = fread(log, 1, sizeof(log) - 1, file);
    log[count] = '\0';
    fclose(file);
    return strstr(log, text);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    assert_non_null(folder);
    while ((entry = readdir(folder)))
        unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    assert_int_equal(rmdir(path), 0);
}

void server_stop(struct server_process *server)
{
    if (server->pid > 0)
        server_kill(server);
    /* ThreadSanitizer is not listened to: it takes equal numbers in two descriptor tables for one descriptor. */
    assert_false(server_has_logged(server, "AddressSanitizer") || server_has_logged(server, "runtime error"));
    close(server->control);
    remove_folder(server->folder);
}

/* The client ------------------------------------------------------------------------------------------------------- */

static socklen_t parse_address(const char *address, struct sockaddr_storage *storage)
{
    struct sockaddr_un *un = (void *)storage;
    struct sockaddr_in *v4 = (void *)storage;
    struct sockaddr_in6 *v6 = (void *)storage;
    const char *port = strrchr(address, ':') + 1;
    char host[64];

    *storage = (struct sockaddr_storage){0};
    if (strncmp(address, "unix:", 5) == 0) {
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof(un->sun_path), "%s", address + 5);
        return sizeof(*un);
    }
    snprintf(host, sizeof(host), "%.*s", (int)(port - 1 - address), address);
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)atoi(port));
        return sizeof(*v4);
    }
    host[strlen(host) - 1] = '\0';
    assert_int_equal(inet_pton(AF_INET6, host + 1, &v6->sin6_addr), 1);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)atoi(port));
    return sizeof(*v6);
}

int http_connect(const char *address)
{
    struct sockaddr_storage storage;
    socklen_t length = parse_address(address, &storage);
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    set_timeouts(fd);
    if (connect(fd, (const void *)&storage, length) == 0)
        return fd;
    close(fd);
    return -1;
}

void http_send(int fd, const char *text)
{
    size_t length = strlen(text);

    assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
}

void http_read_all(int fd, struct http_answer *ret_answer)
{
    size_t size = 0;
    ssize_t count;

    *ret_answer = (struct http_answer){0};
    do {
        if (size - ret_answer->count < 65536) {
            size = size * 2 + 65536;
            ret_answer->bytes = realloc(ret_answer->bytes, size + 1);
            assert_non_null(ret_answer->bytes);
        }
        count = recv(fd, ret_answer->bytes + ret_answer->count, size - ret_answer->count, 0);
        assert_true(count >= 0 || errno == ECONNRESET);
        ret_answer->count += count > 0 ? (size_t)count : 0;
    } while (count > 0);
    ret_answer->bytes[ret_answer->count] = '\0';
    close(fd);
}

void http_request(const char *address, const char *request, struct http_answer *ret_answer)
{
    char text[512];
    int fd = http_connect(address);

    assert_true(fd >= 0);
    snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request);
    http_send(fd, text);
    http_read_all(fd, ret_answer);
}

int http_status(const struct http_answer *answer)
{
    int status = 0;

    return sscanf(answer->bytes, "HTTP/1.%*1[01] %3d ", &status) == 1 ? status : 0;
}

bool http_header(const struct http_answer *answer, const char *name, char *value, size_t size)
{
    const char *line = strstr(answer->bytes, "\r\n");
    int count = 0;

    for (; line && strncmp(line, "\r\n\r\n", 4) != 0; line = strstr(line + 2, "\r\n")) {
        const char *colon = line + 2 + strlen(name);

        if (strncasecmp(line + 2, name, strlen(name)) != 0 || strncmp(colon, ": ", 2) != 0)
            continue;
        snprintf(value, size, "%.*s", (int)strcspn(colon + 2, "\r"), colon + 2);
        count++;
    }
    return count == 1;
}

const char *http_body(const struct http_answer *answer)
{
    const char *end = strstr(answer->bytes, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}
