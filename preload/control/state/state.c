#include "preload/control/state/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "preload/control/state/fnv.h"
#include "preload/control/state/layout_hash.h"
#include "preload/control/state/restore.h"
#include "preload/shim.h"
#include "symbols/common/diag.h"

enum {
    NAME_SHOWN_MAX = 100, /* of the executable's name */
};

/* The segment that is a file, for the server thread. */
static struct segment_header *live;
static uint64_t (*live_now)(void);
static const struct shim *live_shim;
static bool is_repair_told;

/* Name ------------------------------------------------------------------------------------------------------------- */

static void hash_text(uint64_t *hash, const char *text, size_t length)
{
    fnv_add(hash, text, length);
    fnv_add(hash, "", 1);
}

/* By real paths, so that it does not matter from where the program is started. */
static void hash_manifests(uint64_t *hash, const char *paths)
{
    while (*paths) {
        size_t length = strcspn(paths, ":");
        char *given = strndup(paths, length);
        char *real = given ? realpath(given, NULL) : NULL;

        if (real)
            hash_text(hash, real, strlen(real));
        else
            hash_text(hash, paths, length);
        free(given);
        free(real);
        paths += length + (paths[length] == ':');
    }
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* "NAME-HASH". */
static void make_stem(const char *manifests, char *stem)
{
    char path[PATH_MAX];
    char name[NAME_SHOWN_MAX + 1];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    const char *base;
    uint64_t hash = FNV_BASIS;
    size_t i;

    path[length > 0 ? length : 0] = '\0';
    hash_text(&hash, path, strlen(path));
    hash_manifests(&hash, manifests);
    base = strrchr(path, '/') ? strrchr(path, '/') + 1 : "program";
    for (i = 0; i < NAME_SHOWN_MAX && base[i]; i++)
        name[i] = (char)(is_plain(base[i]) ? base[i] : '_');
    name[i] = '\0';
    snprintf(stem, STATEFILE_STEM_BYTES, "%s-%016llx", name, (unsigned long long)hash);
}

/* Interface -------------------------------------------------------------------------------------------------------- */

static void tell(void *context, enum segment_state_error error, const char *text)
{
    struct state *state = context;

    state->errors[error]++;
    state->shim->log(LOG_LEVEL_WARN, "state: %s", text);
}

void state_begin(struct state *state, const struct shim *shim, const struct clock *clock, const char *directory)
{
    char stem[STATEFILE_STEM_BYTES];

    *state = (struct state){.shim = shim, .clock = clock};
    state->file.fresh = state->file.old = state->file.lock = state->file.directory = -1;
    if (!directory)
        return;
    make_stem(shim->settings.manifests, stem);
    if (statefile_open(&state->file, directory, stem, tell, state) != 0) {
        shim->log(LOG_LEVEL_WARN, "state: the counts will not survive this process");
        statefile_close(&state->file);
    }
}

void state_give_up(struct state *state, int error)
{
    char text[PATH_MAX + 128];

    snprintf(text, sizeof(text), "%s/%s: no room for the counters, which will not survive this process: %s",
             state->file.path, state->file.name, strerror(-error));
    tell(state, STATE_ERROR_IO, text);
    statefile_close(&state->file);
}

static struct segment_moment moment_now(uint64_t (*now)(void))
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (struct segment_moment){now(), (int64_t)time.tv_sec * 1000000000 + time.tv_nsec};
}

/* A process that dies between the two stores leaves the moment before. */
static void note_moment(struct segment_header *segment, const struct segment_moment *moment)
{
    uint32_t next = !(segment->moment & 1);

    segment->moments[next] = *moment;
    __atomic_store_n(&segment->moment, next, __ATOMIC_RELEASE);
}

static void restore(struct state *state, struct segment_header *segment, const struct segment_moment *now)
{
    enum segment_state_error error;
    struct diag diag = {0};

    if (state->file.old < 0)
        return;
    if (restore_counts(segment, state->file.old, now, state->shim->calls->tuples_add, &error, &diag) != 0)
        statefile_set_aside(&state->file, error, diag.text);
    else
        state->shim->log(LOG_LEVEL_INFO, "state: %s/%s: the counts go on", state->file.path, state->file.name);
}

static void publish(struct state *state, struct segment_header *segment)
{
    struct segment_moment now = moment_now(state->clock->now);

    segment->layout = layout_hash(segment);
    note_moment(segment, &now);
    restore(state, segment, &now);
    if (statefile_publish(&state->file) != 0)
        return;
    state->shim->panics->state_watch(segment);
    live = segment;
    live_now = state->clock->now;
    live_shim = state->shim;
}

void state_publish(struct state *state, struct segment_header *segment)
{
    if (state->file.fresh >= 0)
        publish(state, segment);
    for (int i = 0; i < SEGMENT_STATE_ERRORS; i++)
        __atomic_fetch_add(&segment->state_errors[i], state->errors[i], __ATOMIC_RELAXED);
}

void state_finish(struct state *state)
{
    statefile_close(&state->file);
}

void state_refresh(void)
{
    struct segment_moment now;

    if (!live)
        return;
    now = moment_now(live_now);
    note_moment(live, &now);
}

const char *state_trouble(void)
{
    if (!live || is_repair_told || !live_shim->panics->state_repairs())
        return NULL;
    is_repair_told = true;
    return "state: the file was cut short or cannot be written any more: some counts are lost, others are in memory "
           "only";
}
