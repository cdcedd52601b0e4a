/* The report, as one pass over what the crashed thread left: each part is bounded in time and in space. */
#include "preload/control/reports/report.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/control/memory/safe_read.h"
#include "preload/control/reports/backtrace.h"
#include "preload/control/reports/elf_names.h"
#include "preload/control/reports/mapped.h"
#include "preload/control/reports/report_file.h"
#include "preload/control/reports/report_text.h"
#include "preload/control/reports/signal_names.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/panic/panic.h"
#include "preload/records/hot.h"

#define BACKTRACE_LIMIT_NS UINT64_C(100000000)
#define NAMES_LIMIT_NS     UINT64_C(200000000)
#define PRUNE_LIMIT_NS     UINT64_C(100000000)
#define SELF               "/proc/self/exe"

enum {
    JSON_BYTES = 1 << 20,
    ACTIVE_BYTES_MAX = JSON_BYTES / 2, /* no more calls in progress are listed when the report has come so far */
    CALLS_MAX = 64,                    /* of one thread */
    LINE_BYTES = 2 * PATH_MAX,
    IMAGE_BYTES = 64, /* of an ELF header */
    NAMES_TRIED = 100,
    NAME_STEP_NS = 1000000,
    NANOSECONDS = 1000000000,
};

/* One frame, once it is known where it is. */
struct place {
    struct mapped mapped; /* start 0: in no object */
    char build_id[MAPPED_BUILD_ID_BYTES];
    struct elf_name name;
    bool is_looked_up;
};

static struct report_config config;

/* Too large for a stack; one thread at a time. */
static struct backtrace backtrace;
static struct place places[BACKTRACE_FRAMES_MAX];
static char json[JSON_BYTES];
static char path[PATH_MAX];

static uint64_t now_ns(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char *base_name(const char *whole)
{
    const char *slash = strrchr(whole, '/');

    return slash ? slash + 1 : whole;
}

/* Names ------------------------------------------------------------------------------------------------------------ */

/* A text of the segment, which lies in memory that a program may have written over. */
static void segment_text(uint64_t offset, char *text, size_t text_bytes)
{
    text[0] = '\0';
    if (offset < config.segment->segment_bytes)
        safe_read_string((uintptr_t)config.segment + offset, text, text_bytes);
}

static bool function_at(uint32_t index, struct segment_function *ret_function)
{
    return index < config.segment->function_count &&
           safe_read((uintptr_t)config.segment + config.segment->functions + index * sizeof(*ret_function),
                     ret_function, sizeof(*ret_function));
}

/* Name and module of a tracked function; "" if the hook cannot be read. */
static void hook_names(const struct hook *hook, char name[ELF_NAME_BYTES], char module[NAME_MAX + 1])
{
    struct segment_function function;
    uint32_t index;

    name[0] = '\0';
    module[0] = '\0';
    if (!hook || !safe_read((uintptr_t)&hook->index, &index, sizeof(index)) || !function_at(index, &function))
        return;
    segment_text(function.name, name, ELF_NAME_BYTES);
    segment_text(function.module, module, NAME_MAX + 1);
}

/* All frames of one object at once: its file is read only once. */
static void look_up_object(size_t first, uint64_t deadline_ns)
{
    struct elf_name *names[BACKTRACE_FRAMES_MAX];
    const struct mapped *mapped = &places[first].mapped;
    uint8_t image[IMAGE_BYTES];
    bool has_image = safe_read(mapped->start, image, sizeof(image));
    size_t count = 0;

    for (size_t i = first; i < backtrace.count; i++) {
        if (places[i].mapped.start != mapped->start)
            continue;
        places[i].is_looked_up = true;
        names[count++] = &places[i].name;
    }
    mapped_path(mapped, SELF, path);
    if (strchr(path, '/'))
        elf_names_find(path, places[first].build_id, has_image ? image : NULL, names, count, deadline_ns);
    if (!mapped->name && !names[0]->is_found) /* there may be no /proc */
        elf_names_find(config.program, places[first].build_id, has_image ? image : NULL, names, count, deadline_ns);
}

/* A return address may be the first one behind its function, where the call never returns. */
static void place_frame(const struct backtrace_frame *frame, struct place *place)
{
    memset(place, 0, sizeof(*place));
    if (!mapped_find(frame->is_exact ? frame->pc : frame->pc - 1, &place->mapped)) {
        place->is_looked_up = true;
        return;
    }
    mapped_build_id(&place->mapped, place->build_id);
    place->name.address = frame->pc - place->mapped.bias - !frame->is_exact;
}

static void place_frames(void)
{
    uint64_t deadline_ns = now_ns() + NAMES_LIMIT_NS;

    for (size_t i = 0; i < backtrace.count; i++)
        place_frame(&backtrace.frames[i], &places[i]);
    for (size_t i = 0; i < backtrace.count; i++)
        if (!places[i].is_looked_up)
            look_up_object(i, deadline_ns);
}

/* JSON ------------------------------------------------------------------------------------------------------------- */

static void put_key(struct report_text *text, const char *key)
{
    report_text_put(text, ",\n  \"");
    report_text_put(text, key);
    report_text_put(text, "\": ");
}

static void put_string(struct report_text *text, const char *key, const char *value)
{
    put_key(text, key);
    report_text_put_json(text, value);
}

static void put_quoted_hexadecimal(struct report_text *text, uint64_t value)
{
    report_text_put(text, "\"");
    report_text_put_hexadecimal(text, value);
    report_text_put(text, "\"");
}

static void put_signal(struct report_text *text, const struct panic_event *event)
{
    const char *signal = signal_name(event->signal);
    const char *code = signal_code_name(event->signal, event->info->si_code);

    put_key(text, "signal");
    if (signal) {
        report_text_put_json(text, signal);
    } else {
        report_text_put(text, "\"");
        report_text_put_decimal(text, event->signal);
        report_text_put(text, "\"");
    }
    put_key(text, "code");
    if (code) {
        report_text_put_json(text, code);
    } else {
        report_text_put(text, "\"");
        report_text_put_decimal(text, event->info->si_code);
        report_text_put(text, "\"");
    }
    put_key(text, "address");
    if (signal_has_address(event->info))
        put_quoted_hexadecimal(text, (uintptr_t)event->info->si_addr);
    else
        report_text_put(text, "\"\"");
}

static void put_registers(struct report_text *text, const ucontext_t *context)
{
    static const struct {
        const char *name;
        int index;
    } registers[] = {{"rip", REG_RIP}, {"rsp", REG_RSP}, {"rbp", REG_RBP},   {"rax", REG_RAX}, {"rbx", REG_RBX},
                     {"rcx", REG_RCX}, {"rdx", REG_RDX}, {"rsi", REG_RSI},   {"rdi", REG_RDI}, {"r8", REG_R8},
                     {"r9", REG_R9},   {"r10", REG_R10}, {"r11", REG_R11},   {"r12", REG_R12}, {"r13", REG_R13},
                     {"r14", REG_R14}, {"r15", REG_R15}, {"eflags", REG_EFL}};

    put_key(text, "registers");
    report_text_put(text, "{");
    for (size_t i = 0; i < sizeof(registers) / sizeof(*registers); i++) {
        report_text_put(text, i ? ", " : "");
        report_text_put_json(text, registers[i].name);
        report_text_put(text, ": ");
        put_quoted_hexadecimal(text, (uint64_t)context->uc_mcontext.gregs[registers[i].index]);
    }
    report_text_put(text, "}");
}

static void put_frame(struct report_text *text, const struct backtrace_frame *frame, const struct place *place)
{
    report_text_put(text, "\n    {\"module\": ");
    if (place->mapped.start)
        mapped_path(&place->mapped, config.program, path);
    report_text_put_json(text, place->mapped.start ? base_name(path) : "");
    report_text_put(text, ", \"build_id\": ");
    report_text_put_json(text, place->build_id);
    report_text_put(text, ", \"offset\": ");
    put_quoted_hexadecimal(text, frame->pc - place->mapped.bias);
    report_text_put(text, ", \"symbol\": ");
    report_text_put_json(text, place->name.text);
    report_text_put(text, "}");
}

static void put_frames(struct report_text *text)
{
    put_key(text, "frames");
    report_text_put(text, "[");
    for (size_t i = 0; i < backtrace.count; i++) {
        report_text_put(text, i ? "," : "");
        put_frame(text, &backtrace.frames[i], &places[i]);
    }
    report_text_put(text, "]");
}

/* A thread's calls, innermost first, from the record on. The thread runs on: a record may be another call's by the time
 * that it is read, and lead anywhere. What is shown is what could be read. */
static void put_calls(struct report_text *text, uintptr_t record_address, const struct hook *first)
{
    char name[ELF_NAME_BYTES], module[NAME_MAX + 1];
    bool is_begun = first == NULL;
    struct record record;
    size_t count = 0;

    for (size_t i = 0; i < CALLS_MAX && safe_read(record_address, &record, sizeof(record)); i++) {
        if (record.sp == UINTPTR_MAX)
            break; /* lane_bottom */
        record_address = (uintptr_t)record.outer;
        is_begun |= record.hook == first; /* what lies further in was left by a jump, unnoticed so far */
        hook_names(record.hook, name, module);
        if (!is_begun || (record.state != RECORD_LIVE && record.state != RECORD_PANICKED) || !name[0])
            continue;
        report_text_put(text, count++ ? ", " : "");
        report_text_put_json(text, name);
    }
}

static void put_active(struct report_text *text, const struct panic_event *event)
{
    int tid = cpu_own_tid();
    const struct lane *lane;
    size_t count = 0;

    put_key(text, "active");
    report_text_put(text, "[");
    for (size_t i = 0; (lane = config.lane_at(i)) != NULL && text->length < ACTIVE_BYTES_MAX; i++) {
        uintptr_t innermost = (uintptr_t)lane->current;
        uintptr_t sp;

        if (atomic_load(&lane->state) != LANE_ATTACHED ||
            !safe_read(innermost + offsetof(struct record, sp), &sp, sizeof(sp)) || sp == UINTPTR_MAX ||
            (lane->tid == tid && !event->hook))
            continue;
        report_text_put(text, count++ ? "," : "");
        report_text_put(text, "\n    {\"tid\": ");
        report_text_put_decimal(text, lane->tid);
        report_text_put(text, ", \"calls\": [");
        put_calls(text, innermost, lane->tid == tid ? event->hook : NULL);
        report_text_put(text, "]}");
    }
    report_text_put(text, "]");
}

static void put_head(struct report_text *text, const struct timespec *now)
{
    char comm[32] = "";

    report_text_put(text, "{\n  \"version\": ");
    report_text_put_decimal(text, REPORT_VERSION);
    put_key(text, "time");
    report_text_put(text, "\"");
    report_text_put_time(text, now->tv_sec, now->tv_nsec, false);
    report_text_put(text, "\"");
    put_key(text, "pid");
    report_text_put_decimal(text, cpu_own_pid());
    put_key(text, "tid");
    report_text_put_decimal(text, cpu_own_tid());
    cpu_syscall(SYS_prctl, PR_GET_NAME, (long)comm, 0, 0, 0, 0);
    put_string(text, "comm", comm);
}

static void put_report(struct report_text *text, const struct panic_event *event, const struct timespec *now)
{
    char name[ELF_NAME_BYTES], module[NAME_MAX + 1];

    put_head(text, now);
    put_signal(text, event);
    hook_names(event->hook, name, module);
    put_string(text, "function", name);
    put_string(text, "module", module);
    put_registers(text, event->context);
    put_frames(text);
    put_active(text, event);
    put_key(text, "recovered");
    if (event->recovered)
        report_text_put_json(text, event->recovered);
    else
        report_text_put(text, "true");
    report_text_put(text, "\n}\n");
}

/* File and line ---------------------------------------------------------------------------------------------------- */

static void make_name(char name[REPORT_NAME_BYTES], const struct timespec *now)
{
    struct report_text text = {.data = name, .capacity = REPORT_NAME_BYTES - 1};

    report_text_put(&text, "panic-");
    report_text_put_time(&text, now->tv_sec, now->tv_nsec, true);
    report_text_put(&text, "-");
    report_text_put_decimal(&text, cpu_own_pid());
    report_text_put(&text, "-");
    report_text_put_decimal(&text, cpu_own_tid());
    report_text_put(&text, ".json");
    name[text.length] = '\0';
}

/* Two panics of one thread may come in the same millisecond: the second gets the name of the next one that is free. */
static int write_named(const struct report_text *text, struct timespec now, char name[REPORT_NAME_BYTES])
{
    int result = -EEXIST;

    for (int i = 0; i < NAMES_TRIED && result == -EEXIST; i++) {
        make_name(name, &now);
        result = report_file_write(config.folder, name, text->data, text->length);
        now.tv_nsec += NAME_STEP_NS;
        now.tv_sec += now.tv_nsec / NANOSECONDS;
        now.tv_nsec %= NANOSECONDS;
    }
    return result;
}

static int write_file(const struct panic_event *event, const struct timespec *now, char name[REPORT_NAME_BYTES])
{
    struct report_text text = {.data = json, .capacity = sizeof(json)};

    backtrace_take(event->context, config.backtrace_depth, BACKTRACE_LIMIT_NS, &backtrace);
    place_frames();
    put_report(&text, event, now);
    return write_named(&text, *now, name);
}

/* Where the report is, or why there is none. */
static void put_outcome(struct report_text *text, int result, const char *name)
{
    const char *reason = strerrordesc_np(-result);

    report_text_put(text, result == 0 ? ", report in " : ", no report in ");
    report_text_put_plain(text, config.folder);
    if (result == 0) {
        report_text_put(text, "/");
        report_text_put(text, name);
    } else {
        report_text_put(text, ": ");
        report_text_put(text, reason ? reason : "unknown error");
    }
}

static void put_what(struct report_text *text, const struct panic_event *event)
{
    const char *signal = signal_name(event->signal);
    const char *code = signal_code_name(event->signal, event->info->si_code);

    if (signal) {
        report_text_put(text, signal);
    } else {
        report_text_put(text, "signal ");
        report_text_put_decimal(text, event->signal);
    }
    report_text_put(text, " (");
    if (code)
        report_text_put(text, code);
    else
        report_text_put_decimal(text, event->info->si_code);
    report_text_put(text, ")");
    if (signal_has_address(event->info)) {
        report_text_put(text, " at ");
        report_text_put_hexadecimal(text, (uintptr_t)event->info->si_addr);
    }
}

static void put_where(struct report_text *text, const struct panic_event *event)
{
    char name[ELF_NAME_BYTES], module[NAME_MAX + 1];

    hook_names(event->hook, name, module);
    if (!name[0]) {
        report_text_put(text, " in no tracked function");
        return;
    }
    report_text_put(text, " in ");
    report_text_put_plain(text, name);
    report_text_put(text, " (");
    report_text_put_plain(text, module);
    report_text_put(text, ")");
}

static void write_line(const struct panic_event *event, int result, const char *name)
{
    static char line[LINE_BYTES];
    struct report_text text = {.data = line, .capacity = sizeof(line) - 1};

    report_text_put(&text, "callmeter[");
    report_text_put_decimal(&text, cpu_own_pid());
    report_text_put(&text, "]: error: ");
    put_what(&text, event);
    put_where(&text, event);
    if (event->is_in_callmeter)
        report_text_put(&text, ", in callmeter's own code");
    if (!event->recovered)
        report_text_put(&text, ", recovered");
    if (config.folder)
        put_outcome(&text, result, name);
    line[text.length] = '\n';
    event->write_line(line, text.length + 1);
}

void report_init(const struct report_config *given)
{
    config = *given;
}

void report_write(const struct panic_event *event)
{
    char name[REPORT_NAME_BYTES] = "";
    struct timespec now = {0};
    int result = 0;

    safe_read_begin();
    clock_gettime(CLOCK_REALTIME, &now);
    if (config.folder) {
        result = write_file(event, &now, name);
    }
    write_line(event, result, name);
    if (config.folder && result == 0)
        report_file_prune(config.folder, name, config.max_reports, now_ns() + PRUNE_LIMIT_NS);
}
