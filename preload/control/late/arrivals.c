#include "preload/control/late/arrivals.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/control/late/late.h"
#include "preload/control/late/loader_watch.h"
#include "preload/control/objects/objects.h"
#include "preload/control/objects/span.h"
#include "preload/machine/x86_64/cpu.h"
#include "preload/shim.h"
#include "symbols/manifest/manifest.h"
#include "symbols/resolve/resolution.h"

enum {
    VISITS = 2,            /* of one object: all but its IFUNCs, and these */
    STACK_BYTES = 1 << 18, /* threads may have 16 KiB */
    PAGE = 4096,
};

/* An object that is loaded. */
struct known {
    uintptr_t load_bias;
    const Elf64_Dyn *dynamic;
    char *path;
    bool is_ours;      /* it came with a module of callmeter */
    bool is_elsewhere; /* in a namespace of its own, with a libc of its own */
    bool is_new;
    bool is_relocated;
    bool is_put_off; /* until it is relocated: ld.so writes to its text */
    bool has_ifuncs; /* that are not tracked yet */
    struct late_visit *visits[VISITS];
};

static const struct shim *shim;
static struct lane *ours;
static struct known *objects; /* in the loader's order */
static size_t object_count;
static bool is_polling; /* ld.so does not tell of changes */
static char *stack;     /* its top, for who is at work; NULL: the thread's own */
static _Atomic uint64_t worker_of_start;
static _Atomic uint64_t *worker = &worker_of_start; /* pid << 32 | tid of who is at work */

/* The loader's objects --------------------------------------------------------------------------------------------- */

static const char *soname_of(const struct known *object)
{
    return objects_soname(object->dynamic, object->load_bias);
}

static bool is_called(const struct known *object, const char *name)
{
    const char *soname = soname_of(object);
    const char *slash = strrchr(object->path, '/');

    return (soname && strcmp(soname, name) == 0) || strcmp(object->path, name) == 0 ||
           strcmp(slash ? slash + 1 : object->path, name) == 0;
}

/* Where ld.so does not tell of changes, a library may have gone and come back to the same place meanwhile. */
static bool is_in_place(const struct known *object)
{
    for (unsigned i = 0; is_polling && i < VISITS; i++)
        if (!late_is_in_place(object->visits[i]))
            return false;
    return true;
}

static bool is_same(const struct known *object, const struct objects_entry *entry)
{
    return object->path && object->load_bias == entry->load_bias && object->dynamic == entry->dynamic &&
           object->is_elsewhere == entry->is_elsewhere && strcmp(object->path, entry->path) == 0 && is_in_place(object);
}

/* Both lists are in one order: what was known before *next is not met again. */
static struct known *find_known(const struct objects_entry *entry, size_t *next)
{
    for (size_t i = *next; i < object_count; i++) {
        if (!is_same(&objects[i], entry))
            continue;
        *next = i + 1;
        return &objects[i];
    }
    return NULL;
}

/* What is known moves on. False: no memory for the name of a new one. */
static bool fill_in(const struct objects_entry *entry, size_t *next, struct known *ret_object)
{
    struct known *before = find_known(entry, next);

    if (before) {
        *ret_object = *before;
        before->path = NULL;
        return true;
    }
    *ret_object = (struct known){
        .load_bias = entry->load_bias,
        .dynamic = entry->dynamic,
        .path = strdup(entry->path),
        .is_elsewhere = entry->is_elsewhere,
        .is_new = true,
    };
    return ret_object->path != NULL;
}

/* Those that were not met are gone. */
static void forget(struct known *gone, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!gone[i].path)
            continue;
        for (unsigned n = 0; n < VISITS; n++)
            late_leave(gone[i].visits[n]);
        shim->calls->unwind_forget((uintptr_t)gone[i].dynamic);
        free(gone[i].path);
    }
    free(gone);
}

static void list_anew(void)
{
    struct known *before = objects;
    size_t before_count = object_count;
    struct known *after = NULL;
    struct objects list;
    size_t count = 0;
    size_t next = 0;

    if (objects_list(&list) == 0)
        after = calloc(list.count + 1, sizeof(*after));
    for (size_t i = 0; after && i < list.count; i++)
        count += fill_in(&list.entries[i], &next, &after[count]);
    objects_finish(&list);
    if (!after) {
        shim->log(LOG_LEVEL_ERROR, "no memory to keep watch over libraries: some are not tracked");
        return;
    }
    objects = after;
    object_count = count;
    forget(before, before_count);
}

/* Arrivals --------------------------------------------------------------------------------------------------------- */

static void arrive(struct known *object, enum late_pass pass)
{
    const struct late_object given = {
        .path = object->path,
        .soname = soname_of(object),
        .load_bias = object->load_bias,
        .is_relocated = object->is_relocated,
        .is_elsewhere = object->is_elsewhere,
    };
    struct late_visit **visit = object->visits[0] ? &object->visits[1] : &object->visits[0];
    bool has_ifuncs = false;

    *visit = late_arrive(&given, pass, &has_ifuncs);
    object->has_ifuncs = has_ifuncs;
}

/* What only callmeter needed so far is the program's from now on, if an object of the program needs it. */
static void adopt_needed(const struct known *user)
{
    const char *strings = objects_strings(user->dynamic, user->load_bias);

    for (const Elf64_Dyn *entry = user->dynamic; strings && entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag != DT_NEEDED)
            continue;
        for (size_t i = 0; i < object_count; i++) {
            if (!objects[i].is_ours || user->is_elsewhere || !is_called(&objects[i], strings + entry->d_un.d_val))
                continue;
            objects[i].is_ours = false;
            objects[i].is_new = true;
            adopt_needed(&objects[i]);
        }
    }
}

static bool has_text_relocations(const struct known *object)
{
    const Elf64_Dyn *flags = objects_dynamic(object->dynamic, DT_FLAGS);

    return objects_dynamic(object->dynamic, DT_TEXTREL) || (flags && flags->d_un.d_val & DF_TEXTREL);
}

/* ld.so has relocated all that was there at the event before this one. */
static void catch_up(void)
{
    for (size_t i = 0; i < object_count; i++) {
        struct known *object = &objects[i];

        if (object->is_relocated || object->is_new)
            continue;
        object->is_relocated = true;
        if (object->is_put_off)
            arrive(object, LATE_ALL);
        else if (object->has_ifuncs)
            arrive(object, LATE_IFUNCS);
        object->is_put_off = false;
    }
}

/* Where ld.so is not watched its lock is not held either: the library must stay meanwhile. */
static void arrive_polled(struct known *object)
{
    void *handle = dlopen(object->path, RTLD_LAZY | RTLD_NOLOAD);

    if (!handle)
        return;
    object->is_relocated = true;
    arrive(object, LATE_ALL);
    dlclose(handle);
}

static void take(struct known *object)
{
    if (object->is_ours || !span_is_file(object->path, object->load_bias))
        return;
    if (is_polling) {
        arrive_polled(object);
        return;
    }
    object->is_put_off = !object->is_relocated && has_text_relocations(object);
    if (!object->is_put_off)
        arrive(object, object->is_relocated ? LATE_ALL : LATE_BUT_IFUNCS);
}

static void take_new(bool is_ours)
{
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].is_new && is_ours)
            objects[i].is_ours = true;
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].is_new && !objects[i].is_ours)
            adopt_needed(&objects[i]);
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].is_new && !objects[i].is_ours)
            late_expect(objects[i].path, soname_of(&objects[i]));
    for (size_t i = 0; i < object_count; i++) {
        if (objects[i].is_new)
            take(&objects[i]);
        objects[i].is_new = false;
    }
}

static void look(bool is_ours)
{
    bool has_changed = objects_have_changed();

    if (has_changed)
        list_anew();
    catch_up();
    if (has_changed)
        take_new(is_ours);
}

/* Only one thread is told of changes at a time, but another one may ask for a library that is there. A worker of
 * another process is a child of vfork that ended at work, or its parent. False: this thread is at work already; or
 * another one is, and may be waiting for the loader, whose lock this one may hold. */
static bool work_begin(void)
{
    uint64_t self = cpu_own_id();
    uint64_t other = 0;

    while (!atomic_compare_exchange_strong(worker, &other, self)) {
        if (other == self || (is_polling && other >> 32 == self >> 32))
            return false;
        if (other >> 32 == self >> 32) {
            cpu_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
            other = 0;
        }
    }
    return true;
}

static void work_end(void)
{
    atomic_store(worker, 0);
}

/* One thing to do. */
struct task {
    void (*act)(const struct task *task);
    bool is_ours; /* it came of a call of callmeter's own */
    const char *name;
};

static void act(void *context)
{
    const struct task *task = context;

    task->act(task);
}

static void own_do(struct task *task)
{
    struct cpu_float_state float_state;
    struct own_work work;

    cpu_float_save(&float_state);
    shim->lanes->work_begin(&work);
    task->is_ours = work.lane == ours;
    if (work_begin()) {
        if (stack)
            shim->machine->call_on_stack(act, task, stack);
        else
            act(task);
        work_end();
    }
    shim->lanes->work_end(&work);
    cpu_float_restore(&float_state);
}

static void look_task(const struct task *task)
{
    look(task->is_ours);
}

/* In place of ld.so's empty function. */
static void changed(void)
{
    struct task task = {.act = look_task};

    if (span_is_consistent())
        own_do(&task);
}

/* Behind a dlopen, where ld.so is not watched. */
static void poll_changes(void)
{
    struct task task = {.act = look_task};

    own_do(&task);
}

/* True if that is the library's name, or a way to its file. */
static bool is_meant(const struct known *object, const char *name)
{
    struct stat a, b;

    if (!strchr(name, '/'))
        return is_called(object, name);
    return stat(name, &a) == 0 && stat(object->path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool has_ours(void)
{
    for (size_t i = 0; i < object_count; i++)
        if (objects[i].is_ours)
            return true;
    return false;
}

/* ld.so does not tell when a library is wanted that is there: what only callmeter needed so far is the program's. */
static void asked_task(const struct task *task)
{
    for (size_t i = 0; !task->is_ours && has_ours() && i < object_count; i++) {
        if (!objects[i].is_ours || !is_meant(&objects[i], task->name))
            continue;
        objects[i].is_ours = false;
        objects[i].is_new = true;
        objects[i].is_relocated = true;
        take_new(false);
    }
}

static void asked(const char *name)
{
    struct task task = {.act = asked_task, .name = name};

    own_do(&task);
}

static void make_stack(void)
{
    char *memory = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory != MAP_FAILED && mprotect(memory, PAGE, PROT_NONE) == 0)
        stack = memory + STACK_BYTES;
}

/* A child of fork finds nobody at work: it has not got the thread that was, and would not know it by its ids, which in
 * a PID namespace the child's own threads may have. */
static void make_worker(void)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    madvise(page, PAGE, MADV_WIPEONFORK);
    worker = page;
}

/* The objects of the start, of which the first objects_before are the program's. */
static void note_start(const struct resolution *resolution)
{
    list_anew();
    for (size_t i = 0; i < object_count; i++) {
        objects[i].is_new = false;
        objects[i].is_relocated = true;
        objects[i].is_ours = i >= shim->settings.objects_before;
        if (!objects[i].is_ours && objects[i].load_bias)
            objects[i].visits[0] = late_note(resolution, objects[i].load_bias);
    }
}

/* True if somebody waits for a library. */
static bool is_awaited(const struct late_config *config, const struct resolution *resolution)
{
    for (size_t i = 0; i < resolution->count; i++)
        if (resolution->targets[i].state != RESOLVE_FOUND &&
            !config->manifest->functions[resolution->targets[i].function].is_optional)
            return true;
    return false;
}

void arrivals_begin(const struct late_config *config, const struct resolution *resolution)
{
    struct loader_calls calls = {0};
    struct own_work work;
    char text[160] = "";

    shim = config->shim;
    shim->lanes->work_begin(&work);
    ours = work.lane; /* where this thread has been since the gate */
    shim->lanes->work_end(&work);
    if (late_init(config, resolution) != 0) {
        shim->log(LOG_LEVEL_ERROR, "no memory to track libraries that are loaded later");
        return;
    }
    make_stack();
    make_worker();
    (void)objects_have_changed();
    note_start(resolution);
    calls.asked = asked;
    if (!loader_watch_begin(shim, changed, text, sizeof(text))) {
        calls.changed = poll_changes;
        is_polling = true;
        shim->log(is_awaited(config, resolution) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
                  "libraries that are loaded later are tracked only behind the dlopen that loads them, if at all: the "
                  "loader cannot be watched: %s",
                  text);
    }
    shim->program->loader_init(&calls);
}
