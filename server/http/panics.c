#include "server/http/panics.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REPORT_BYTES_MAX = 2 << 20,
    TOTAL_BYTES_MAX = 16 << 20,
};

#define PREFIX "panic-"
#define SUFFIX ".json"

static int is_report(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > sizeof(PREFIX) + sizeof(SUFFIX) && strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
           strcmp(entry->d_name + length - (sizeof(SUFFIX) - 1), SUFFIX) == 0;
}

/* Their names begin with the time. */
static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

static bool is_wanted(int fd, bool is_own_only, size_t *ret_bytes)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > REPORT_BYTES_MAX)
        return false;
    *ret_bytes = (size_t)status.st_size;
    return !is_own_only || status.st_uid == geteuid() || status.st_uid == 0;
}

static bool has_strings(const json_t *object, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!json_is_string(json_object_get(object, keys[i])))
            return false;
    return true;
}

#define HAS_STRINGS(object, ...)                                                                                       \
    has_strings(object, (const char *const[]){__VA_ARGS__},                                                            \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool are_frames(const json_t *frames)
{
    size_t i;
    json_t *frame;

    if (!json_is_array(frames))
        return false;
    json_array_foreach(frames, i,
                       frame) if (!HAS_STRINGS(frame, "module", "build_id", "offset", "symbol")) return false;
    return true;
}

static bool are_active(const json_t *active)
{
    size_t i, j;
    json_t *thread, *call;

    if (!json_is_array(active))
        return false;
    json_array_foreach(active, i, thread)
    {
        if (!json_is_integer(json_object_get(thread, "tid")) || !json_is_array(json_object_get(thread, "calls")))
            return false;
        json_array_foreach(json_object_get(thread, "calls"), j, call) if (!json_is_string(call)) return false;
    }
    return true;
}

/* Both are there, or were left out (panics_text). */
static bool are_registers(const json_t *report)
{
    const json_t *registers = json_object_get(report, "registers");
    const json_t *address = json_object_get(report, "address");

    return (!registers && !address) || (json_is_object(registers) && json_is_string(address));
}

static bool is_valid(const json_t *report)
{
    const json_t *recovered = json_object_get(report, "recovered");

    return HAS_STRINGS(report, "time", "comm", "signal", "code", "function", "module") &&
           json_is_integer(json_object_get(report, "version")) && json_is_integer(json_object_get(report, "pid")) &&
           json_is_integer(json_object_get(report, "tid")) && are_registers(report) &&
           are_frames(json_object_get(report, "frames")) && are_active(json_object_get(report, "active")) &&
           (json_is_true(recovered) || json_is_string(recovered));
}

bool panics_are_valid(const json_t *panics)
{
    const json_t *reports = json_object_get(panics, "panics");
    size_t i;
    json_t *report;

    if (!json_is_array(reports))
        return false;
    json_array_foreach(reports, i, report) if (!is_valid(report)) return false;
    return true;
}

/* In place. A name that cannot be made readable stays as it is. */
static void demangle_frames(json_t *report, panics_demangle demangle)
{
    size_t i;
    json_t *frame;

    json_array_foreach(json_object_get(report, "frames"), i, frame)
    {
        const json_t *symbol = json_object_get(frame, "symbol");
        char *name = demangle(json_string_value(symbol), json_string_length(symbol));

        if (name)
            json_object_set_new(frame, "symbol", json_string(name));
        free(name);
    }
}

/* NULL: not a report. `total_bytes` counts those that were. */
static json_t *read_report(int folder, const char *name, bool is_own_only, panics_demangle demangle,
                           size_t *total_bytes)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    json_t *report = NULL;
    size_t bytes;

    if (fd < 0)
        return NULL;
    if (is_wanted(fd, is_own_only, &bytes) && *total_bytes + bytes <= TOTAL_BYTES_MAX) {
        report = json_loadfd(fd, 0, NULL);
        *total_bytes += bytes;
    }
    close(fd);
    if (report && !is_valid(report)) {
        json_decref(report);
        return NULL;
    }
    if (report && demangle)
        demangle_frames(report, demangle);
    return report;
}

/* Takes the names. */
static json_t *read_reports(int folder, struct dirent **names, int count, bool is_own_only, panics_demangle demangle)
{
    json_t *reports = json_array();
    json_t *panics = json_pack("{s:o}", "panics", reports);
    size_t total_bytes = 0;

    for (int i = 0; i < count; i++) {
        json_t *report = panics ? read_report(folder, names[i]->d_name, is_own_only, demangle, &total_bytes) : NULL;

        if (report)
            json_array_append_new(reports, report);
        free(names[i]);
    }
    free(names);
    return panics;
}

int panics_read(const char *folder, bool is_own_only, panics_demangle demangle, json_t **ret_panics)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent **names;
    int count, error;
    json_t *panics;

    if (fd < 0)
        return -errno;
    count = scandirat(fd, ".", &names, is_report, newest_first);
    error = errno;
    panics = count < 0 ? NULL : read_reports(fd, names, count, is_own_only, demangle);
    close(fd);
    if (count < 0)
        return -error;
    if (!panics)
        return -ENOMEM;
    *ret_panics = panics;
    return 0;
}

static void leave_out_registers(json_t *panics)
{
    size_t i;
    json_t *report;

    json_array_foreach(json_object_get(panics, "panics"), i, report)
    {
        json_object_del(report, "registers");
        json_object_del(report, "address");
    }
}

char *panics_text(const char *folder, panics_demangle demangle, bool has_registers)
{
    json_t *panics = NULL;
    char *text;
    int result = folder ? panics_read(folder, true, demangle, &panics) : -ENOENT;

    if (result == -ENOENT)
        panics = json_pack("{s:[]}", "panics");
    if (!panics)
        return NULL;
    if (!has_registers)
        leave_out_registers(panics);
    text = json_dumps(panics, JSON_COMPACT);
    json_decref(panics);
    return text;
}
