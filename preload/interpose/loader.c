#include "preload/interpose/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "preload/processes/companion.h"
#include "preload/records/chain.h"

typedef void *(*dlopen_function)(const char *, int);

static struct loader_calls calls; /* all NULL: the process is not instrumented */
static dlopen_function real_dlopen;
static void *real_dlmopen;

/* From assembly (x86_64/loader.S): answers with the real function to jump to, or with NULL and the result. */
void *loader_dlopen(const char *name, int mode, const void *caller, void **ret_handle)
    __attribute__((visibility("hidden")));
void *loader_dlmopen(Lmid_t space, const char *name) __attribute__((visibility("hidden")));

void loader_init(const struct loader_calls *given)
{
    calls = *given;
}

/* Constructors of libraries come before ours. */
static void resolve_first(void)
{
    if (real_dlopen)
        return;
    real_dlmopen = dlsym(RTLD_NEXT, "dlmopen");
    *(void **)&real_dlopen = dlsym(RTLD_NEXT, "dlopen");
}

static void ask(const char *name)
{
    int saved_errno = errno;

    if (name)
        chain_note_library(name);
    if (calls.asked && name && *name)
        calls.asked(name);
    errno = saved_errno;
}

static bool has_search_path(const struct link_map *map)
{
    for (const Elf64_Dyn *entry = map->l_ld; entry && entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_RPATH || entry->d_tag == DT_RUNPATH)
            return true;
    return false;
}

static const struct link_map *map_of(const void *address)
{
    struct link_map *map = NULL;
    Dl_info info;

    return dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

static const struct link_map *first_of(const struct link_map *map)
{
    while (map && map->l_prev)
        map = map->l_prev;
    return map;
}

/* Would the same come of it if another object called? Names without a slash are searched for in the caller's path,
 * $ORIGIN is where the caller lies, and new objects come to the caller's namespace. */
static bool is_for_anyone(const char *name, const void *caller)
{
    const struct link_map *map;

    if (!name || !*name || strchr(name, '$'))
        return false;
    map = map_of(caller);
    if (!map || first_of(map) != first_of(map_of(&calls)))
        return false;
    return strchr(name, '/') || !has_search_path(map);
}

void *loader_dlopen(const char *name, int mode, const void *caller, void **ret_handle)
{
    int saved_errno;

    resolve_first();
    companion_settle();
    ask(name);
    if (!calls.changed || (mode & RTLD_NOLOAD) || !is_for_anyone(name, caller))
        return *(void **)&real_dlopen;
    *ret_handle = real_dlopen(name, mode);
    saved_errno = errno;
    calls.changed();
    errno = saved_errno;
    return NULL;
}

void *loader_dlmopen(Lmid_t space, const char *name)
{
    resolve_first();
    if (space == LM_ID_BASE)
        ask(name);
    return real_dlmopen;
}
