/* Somebody writes the segment while it is read: for each word of its tables, a value that is changed right after it was
 * read for the first time. Nothing may be read or written outside then. The pages of the tables are out of bounds, so
 * each look at them is a fault; the handler lets one instruction through at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/common/buffer.h"
#include "server/common/pages.h"
#include "server/formats/text.h"
#include "server/snapshot/snapshot.h"
#include "tests/unit/segment_builder.h"

enum {
    PAGE_BYTES = 4096,
    TRAP_FLAG = 0x100,
    VECTOR_BYTES = 32, /* that one look at a text takes, at most */
    OUTPUT_BYTES_MAX = 1 << 20,
    DEADLINE_SECONDS = 60, /* of a child */
};

static struct segment_builder sound;
static char *segment; /* a copy, of which the next page is out of bounds */
static size_t segment_bytes;
static uint64_t guarded_from; /* the pages with the word */
static uint64_t guarded_to;

static struct change {
    uint64_t offset; /* of the word that is to be changed */
    uint64_t value;
    uint64_t look;  /* the offset that is read when it is due */
    uint64_t width; /* bytes that one instruction may read from there on */
    bool is_armed;
    bool is_due; /* the instruction under way reads it */
} * change;      /* shared with the child that reads */

/* Pages with one out of bounds behind them ------------------------------------------------------------------------- */

static size_t guard_at(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static size_t slack_of(size_t bytes)
{
    return (guard_at(bytes) - bytes) & ~(size_t)15;
}

void *__wrap_pages_alloc(size_t bytes);
void __wrap_pages_free(void *pages, size_t bytes);

/* The server's own memory too: what is written there is measured before. Such pages cannot grow. */
void *__wrap_pages_alloc(size_t bytes)
{
    char *pages = mmap(NULL, guard_at(bytes) + PAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED)
        return NULL;
    mprotect(pages + guard_at(bytes), PAGE_BYTES, PROT_NONE);
    return pages + slack_of(bytes);
}

void __wrap_pages_free(void *pages, size_t bytes)
{
    if (pages)
        munmap((char *)pages - slack_of(bytes), guard_at(bytes) + PAGE_BYTES);
}

/* The other writer ------------------------------------------------------------------------------------------------- */

static void guard(int protection)
{
    mprotect(segment + guarded_from, guarded_to - guarded_from, protection);
}

static bool reads_it(uint64_t offset)
{
    return offset <= change->look && change->look - offset < change->width;
}

static void let_through(uint64_t offset, ucontext_t *context)
{
    guard(PROT_READ | PROT_WRITE);
    change->is_due = reads_it(offset);
    context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_look(int signal, siginfo_t *info, void *context)
{
    uint64_t offset = (uint64_t)((char *)info->si_addr - segment);

    if (signal == SIGSEGV && change->is_armed && offset >= guarded_from && offset < guarded_to)
        let_through(offset, context);
    else
        sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* the next time it ends this child */
}

static void on_step(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    if (!change->is_due) {
        guard(PROT_NONE);
        return;
    }
    change->is_armed = false;
    memcpy(segment + change->offset, &change->value, sizeof(change->value));
}

static void take_signals(void)
{
    struct sigaction look = {.sa_sigaction = on_look, .sa_flags = SA_SIGINFO};
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &look, NULL);
    sigaction(SIGBUS, &look, NULL);
    sigaction(SIGTRAP, &step, NULL);
}

/* A segment with everything ---------------------------------------------------------------------------------------- */

static void add_all_series(struct segment_builder *builder)
{
    static const double bounds[] = {0.001, 0.1};
    static const struct segment_builder_label labels[] = {{"peer", SEGMENT_VALUE_POINTER, "null\0nobody\0"},
                                                          {"table", SEGMENT_VALUE_STRING, NULL}};
    const struct segment_builder_value tuple[] = {{.word = 0}, {.text = "users"}};
    struct segment_builder_series series = {.labels = "a\0b\0c\0d\0",
                                            .bounds = bounds,
                                            .bucket_count = 2,
                                            .has_skipped = true,
                                            .has_items = true,
                                            .has_interval = true,
                                            .has_last_start = true,
                                            .has_last_success = true,
                                            .is_health_check = true,
                                            .has_errors = true,
                                            .sample_interval = 3};

    segment_builder_add_series(builder, &series);
    series.function = 1;
    series.has_entry = true;
    series.values = segment_builder_add_values(builder, labels, 2, 2);
    series.entry_values = segment_builder_add_values(builder, labels, 1, 2);
    series.error_values = segment_builder_add_values(builder, labels + 1, 1, 2);
    segment_builder_add_tuple(builder, series.values, tuple);
    segment_builder_add_tuple(builder, series.entry_values, tuple);
    segment_builder_add_tuple(builder, series.error_values, tuple + 1);
    segment_builder_add_series(builder, &series);
}

static int build(void **state)
{
    (void)state;
    segment_builder_init(&sound, &(struct segment_builder_options){.constant_labels = "team\0db\0",
                                                                   .functions = 2,
                                                                   .series = 2,
                                                                   .blocks = 2,
                                                                   .block_bytes = 16384,
                                                                   .resources = 1,
                                                                   .signals = (const int[]){11, 7, 0}});
    segment_builder_add_function(&sound, "one", "prog");
    segment_builder_add_function(&sound, "two", "prog");
    segment_builder_function(&sound, 0)->has_recover = 1;
    segment_builder_panics(&sound, 1)[0] = 3;
    add_all_series(&sound);
    for (uint64_t i = SEGMENT_BLOCK_HEADER_BYTES / 8; i < sound.next_cell / 8; i++)
        ((uint64_t *)(void *)((char *)sound.segment + sound.segment->blocks))[i] = i % 5;
    segment_builder_resource(&sound, 0)->in_use.is_known = 1;
    segment_bytes = sound.segment->segment_bytes;
    segment = mmap(NULL, segment_bytes + PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(segment != MAP_FAILED);
    mprotect(segment + segment_bytes, PAGE_BYTES, PROT_NONE);
    change = mmap(NULL, sizeof(*change), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(change != MAP_FAILED);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    munmap(segment, segment_bytes + PAGE_BYTES);
    munmap(change, sizeof(*change));
    segment_builder_finish(&sound);
    return 0;
}

/* The tests -------------------------------------------------------------------------------------------------------- */

static void render(void)
{
    static const struct snapshot_clock clock = {.ticks = 12345, .unix_seconds = 1.7e9};
    static const struct text_endpoint endpoint = {.version = "1", .revision = "r"};
    struct buffer buffer = {.limit_bytes = OUTPUT_BYTES_MAX};
    struct snapshot snapshot;

    if (snapshot_take((const void *)segment, segment_bytes, &clock, &snapshot) != 0)
        return;
    text_render(&snapshot, &endpoint, &buffer);
    buffer_finish(&buffer);
    snapshot_finish(&snapshot);
}

static void render_changed(const struct change *next)
{
    memcpy(segment, sound.segment, segment_bytes);
    *change = *next;
    change->is_armed = true;
    guard(PROT_NONE);
    render();
    change->is_armed = false;
    guard(PROT_READ | PROT_WRITE);
}

/* In a child: the word becomes each of several others, when its first or its second half is read, or, of a text, what
 * may be read with it. */
static void change_word(uint64_t offset)
{
    uint64_t word = *(const uint64_t *)(const void *)((const char *)sound.segment + offset);
    const uint64_t high_ones = word | UINT64_C(0xFFFFFFFF00000000);
    const struct change changes[] = {
        {.offset = offset, .value = UINT64_MAX, .look = offset, .width = 1},
        {.offset = offset, .value = word | UINT32_MAX, .look = offset, .width = 1},
        {.offset = offset, .value = high_ones, .look = offset, .width = 1},
        {.offset = offset, .value = word + 8, .look = offset, .width = 1},
        {.offset = offset, .value = UINT64_MAX, .look = offset + 4, .width = 1},
        {.offset = offset, .value = high_ones, .look = offset + 4, .width = 1},
        {.offset = offset, .value = UINT64_C(0x4141414141414141), .look = offset + 7, .width = 8 + VECTOR_BYTES},
        {.offset = offset, .value = UINT64_C(0x0041004100410041), .look = offset + 7, .width = 8 + VECTOR_BYTES},
    };
    size_t count = sizeof(changes) / sizeof(*changes) - (offset < sound.segment->text ? 2 : 0);

    guarded_from = (offset - (offset >= VECTOR_BYTES ? VECTOR_BYTES : 0)) / PAGE_BYTES * PAGE_BYTES;
    guarded_to = (offset / PAGE_BYTES + 1) * PAGE_BYTES;
    take_signals();
    alarm(DEADLINE_SECONDS);
    for (size_t i = 0; i < count; i++)
        render_changed(&changes[i]);
}

/* False if something outside was read or written. */
static bool holds(uint64_t offset)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        change_word(offset);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        print_error("offset %llu, changed to %#llx: status %#x\n", (unsigned long long)offset,
                    (unsigned long long)change->value, (unsigned)status);
    return status == 0;
}

/* Each word from one offset to another. */
static void change_all(uint64_t from, uint64_t to)
{
    int broken = 0;

    for (uint64_t offset = from; offset < to; offset += 8)
        broken += !holds(offset);
    assert_int_equal(broken, 0);
}

static void a_header_that_changes_is_not_followed(void **state)
{
    (void)state;
    change_all(0, sizeof(struct segment_header));
}

static void functions_that_change_are_not_followed(void **state)
{
    (void)state;
    change_all(sound.segment->functions, sound.segment->series);
}

static void series_that_change_are_not_followed(void **state)
{
    (void)state;
    change_all(sound.segment->series, sound.segment->resources);
}

static void resources_and_panics_that_change_are_not_followed(void **state)
{
    (void)state;
    change_all(sound.segment->resources, sound.segment->text);
}

static void texts_and_tables_that_change_are_not_followed(void **state)
{
    (void)state;
    change_all(sound.segment->text, sound.segment->text + sound.segment->text_used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_that_changes_is_not_followed),
        cmocka_unit_test(functions_that_change_are_not_followed),
        cmocka_unit_test(series_that_change_are_not_followed),
        cmocka_unit_test(resources_and_panics_that_change_are_not_followed),
        cmocka_unit_test(texts_and_tables_that_change_are_not_followed),
    };

    return cmocka_run_group_tests(tests, build, tear_down);
}
