/* What a snapshot says of fatal signals. */
#include "server/snapshot/faults.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "server/common/keyset.h"
#include "server/segment/view.h"
#include "server/snapshot/arena.h"
#include "server/snapshot/snapshot.h"

/* Panics while they are sorted: rows by function's name and module. */
struct faults {
    const struct view *view;
    struct snapshot *snapshot;
    struct keyset rows;
    struct keyset cells; /* of series that came before */
    size_t cell_count;
};

/* NULL: no signal of x86-64 Linux that has a name. */
static const char *signal_name(uint32_t number)
{
    static const char *const names[] = {
        [SIGHUP] = "SIGHUP",   [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
        [SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT",     [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
        [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2", [SIGPIPE] = "SIGPIPE",
        [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM",     [SIGXCPU] = "SIGXCPU", [SIGSTKFLT] = "SIGSTKFLT",
        [SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGIO] = "SIGIO",
        [SIGPWR] = "SIGPWR",   [SIGSYS] = "SIGSYS",
    };

    return number < sizeof(names) / sizeof(*names) ? names[number] : NULL;
}

static bool has_signal(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->signal_count; i++)
        if (strcmp(snapshot->signals[i].name, name) == 0)
            return true;
    return false;
}

static void read_signals(const struct view *view, struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < view->header.signal_count && i < SEGMENT_SIGNALS_MAX; i++) {
        const char *name = signal_name(view->header.signals[i]);

        if (name && !has_signal(snapshot, name))
            snapshot->signals[snapshot->signal_count++] = (struct snapshot_signal){
                .name = name,
                .position = i,
                .count = __atomic_load_n(&view->segment->fatal_signals[i], __ATOMIC_RELAXED),
            };
    }
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

/* As many rows as there are functions, and one; as many cells as there are series. One key more: that of a row which is
 * looked for. */
static int make_rows(struct faults *faults, size_t series_count)
{
    size_t row_count = (size_t)faults->view->function_count + 1;

    faults->snapshot->panics = arena_alloc(faults->snapshot, row_count * sizeof(struct snapshot_panics));
    if (!faults->snapshot->panics || keyset_init(&faults->rows, row_count + 1) != 0 ||
        keyset_init(&faults->cells, series_count) != 0)
        return -ENOMEM;
    return 0;
}

static struct snapshot_panics *find_row(struct faults *faults, const char *function, const char *module)
{
    struct snapshot *snapshot = faults->snapshot;
    struct key *key = &faults->rows.keys[snapshot->panics_count];
    uint32_t row;

    key_set(key, 0, function);
    key_set(key, 1, module);
    key_end(key, 2);
    row = keyset_insert(&faults->rows, (uint32_t)snapshot->panics_count);
    if (row == snapshot->panics_count)
        snapshot->panics[snapshot->panics_count++] = (struct snapshot_panics){.function = function, .module = module};
    return &snapshot->panics[row];
}

/* The calls of two names of one place are one hook's, which has the first one's row. */
static bool is_first_of_cell(struct faults *faults, const struct segment_series *series)
{
    uint32_t next = (uint32_t)faults->cell_count++;
    struct key *key = &faults->cells.keys[next];

    key->parts[0] = (const char *)&series->cell;
    key->lengths[0] = sizeof(series->cell);
    key_end(key, 1);
    return keyset_insert(&faults->cells, next) == next;
}

static struct snapshot_panics *row_of(struct faults *faults, uint32_t function)
{
    const struct segment_function *source = &faults->view->functions[function];

    return find_row(faults, view_text(faults->view, source->name), view_text(faults->view, source->module));
}

/* Functions that can have panics, named one by one in the manifest. */
static void add_named(struct faults *faults, const struct view_series *series)
{
    const struct segment_series *source = &series->source;

    if (source->is_from_glob || source->has_no_duration || !is_first_of_cell(faults, source))
        return;
    row_of(faults, source->function)->is_shown = true;
    if (faults->view->functions[source->function].has_recover)
        row_of(faults, source->function)->has_recover = true;
}

static void add_counts(const uint64_t *counts, struct snapshot_panics *row)
{
    for (int i = 0; i < SEGMENT_SIGNALS_MAX; i++)
        row->counts[i] += __atomic_load_n(&counts[i], __ATOMIC_RELAXED);
    row->is_shown = true;
}

static bool has_counts(const uint64_t *counts)
{
    for (int i = 0; i < SEGMENT_SIGNALS_MAX; i++)
        if (__atomic_load_n(&counts[i], __ATOMIC_RELAXED))
            return true;
    return false;
}

static void add_function(struct faults *faults, uint32_t function, const uint64_t *counts, uint64_t recovered)
{
    if (has_counts(counts))
        add_counts(counts, row_of(faults, function));
    if (recovered) {
        struct snapshot_panics *row = row_of(faults, function);

        row->recovered += recovered;
        row->has_recover = true;
    }
}

int faults_read(const struct view *view, const struct view_series *series, size_t series_count,
                struct snapshot *snapshot)
{
    struct faults faults = {.view = view, .snapshot = snapshot};
    const uint64_t *none = view_panics(view, view->header.function_capacity);
    int error;

    read_signals(view, snapshot);
    if (!none || !snapshot->signal_count)
        return 0;
    error = make_rows(&faults, series_count);
    if (!error) {
        add_counts(none, find_row(&faults, "", ""));
        for (size_t i = 0; i < series_count; i++)
            add_named(&faults, &series[i]);
        for (uint32_t i = 0; i < view->function_count; i++)
            add_function(&faults, i, view_panics(view, i), view_recovered(view, i));
    }
    keyset_finish(&faults.rows);
    keyset_finish(&faults.cells);
    return error;
}
