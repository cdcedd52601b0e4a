#include "preload/host/environment.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/host/preload_list.h"
#include "preload/machine/x86_64/cpu.h"

#define PRELOAD       "LD_PRELOAD="
#define PRELOAD_BYTES (sizeof(PRELOAD) - 1)
#define OWN           "CALLMETER_"
#define MANIFEST      "CALLMETER_MANIFEST="
#define LISTEN        "CALLMETER_LISTEN="

enum {
    KEPT_MAX = 16
};

static struct {
    const char *first[KEPT_MAX];  /* as the program was started with them */
    const char *shared[KEPT_MAX]; /* for others: with absolute paths */
    size_t count;
    const char *path;   /* of the shim */
    const char *object; /* what LD_PRELOAD has for it, absolute; NULL if it came another way (/etc/ld.so.preload) */
    const char *other;  /* the rest of LD_PRELOAD */
    bool is_cleaned;
} kept;

/* The address that a process serves, for the program that it becomes. A forked child has a copy, which is not its. */
static struct {
    _Atomic(char *) variable;
    _Atomic int process;
} own_listen;

static bool is_ours(const char *variable)
{
    return text_begins(variable, PRELOAD) || text_begins(variable, OWN);
}

static bool is_same_name(const char *a, const char *b)
{
    while (*a && *a == *b && *a != '=') {
        a++;
        b++;
    }
    return *a == '=' && *b == '=';
}

static void *map(size_t bytes)
{
    long address = cpu_syscall(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return (unsigned long)address > -4096ul ? NULL : (void *)address;
}

/* Cleaning --------------------------------------------------------------------------------------------------------- */

/* What the program is to see of a variable; NULL: nothing. LD_PRELOAD is written to `memory`, or, where there is none,
 * stays: without a manifest the shim does nothing. */
static char *clean_variable(char *variable, const char *object, char *memory)
{
    if (text_begins(variable, OWN))
        return NULL;
    if (!text_begins(variable, PRELOAD) || !preload_list_has(variable + PRELOAD_BYTES, object))
        return variable;
    if (!memory)
        memory = map(text_length(variable) + 1);
    if (!memory)
        return variable;
    text_append(memory, PRELOAD, PRELOAD_BYTES);
    preload_list_others(memory + PRELOAD_BYTES, variable + PRELOAD_BYTES, object);
    return memory[PRELOAD_BYTES] ? memory : NULL;
}

static size_t count_variables(char *const *variables)
{
    size_t count = 0;

    while (variables && variables[count])
        count++;
    return count;
}

/* Moves what is left to the end. What comes free at the beginning repeats a variable that is there anyway, for those
 * who read the array from there. Returns how much that is. */
static size_t clean_upwards(char **variables, const char *object)
{
    static char nothing[] = "";
    size_t count = count_variables(variables);
    size_t first = count;

    for (size_t i = count; i-- > 0;) {
        char *variable = clean_variable(variables[i], object, NULL);

        if (variable)
            variables[--first] = variable;
    }
    for (size_t i = 0; i < first; i++)
        variables[i] = first < count ? variables[first] : nothing;
    return first;
}

static void clean_downwards(char **variables, const char *object)
{
    char **to = variables;

    for (char **from = variables; *from; from++) {
        char *variable = clean_variable(*from, object, NULL);

        if (variable)
            *to++ = variable;
    }
    *to = NULL;
}

void environment_clean(const char *object, char **initial)
{
    bool is_initial = environ == initial;
    size_t freed = initial ? clean_upwards(initial, object) : 0;

    if (is_initial && environ)
        environ += freed;
    else if (environ)
        clean_downwards(environ, object);
    kept.is_cleaned = true;
}

/* Keeping ---------------------------------------------------------------------------------------------------------- */

/* A list of paths with those that are relative made absolute. NULL: no memory, or nowhere to start from. */
static char *absolute_list(const char *list, size_t name_bytes)
{
    char directory[PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream;

    if (!getcwd(directory, sizeof(directory)))
        return NULL;
    stream = open_memstream(&text, &bytes);
    if (!stream)
        return NULL;
    fprintf(stream, "%.*s", (int)name_bytes, list);
    for (const char *path = list + name_bytes;; path++) {
        size_t length = strcspn(path, ":");

        fprintf(stream, "%s%s%.*s", length > 0 && *path != '/' ? directory : "", length > 0 && *path != '/' ? "/" : "",
                (int)length, path);
        path += length;
        if (*path == '\0')
            break;
        fputc(':', stream);
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* The item for the object, as others find it too: a name without a slash is searched for, a token is the loader's. */
static char *shared_item(const char *item, size_t length, const char *object)
{
    char *resolved = NULL;

    if (memchr(item, '/', length) && *item != '/' && *item != '$')
        resolved = realpath(object, NULL);
    return resolved && !strpbrk(resolved, ": $") ? resolved : strndup(item, length);
}

/* LD_PRELOAD with the shared item in place of the program's own. */
static char *shared_preload(const char *variable, const char *object)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);

    if (!stream)
        return NULL;
    fputs(PRELOAD, stream);
    for (const char *item = variable + PRELOAD_BYTES; *item;) {
        size_t length = preload_list_item(item);
        bool is_own = length > 0 && preload_list_is_object(item, length, object);

        if (is_own && !kept.object)
            kept.object = shared_item(item, length, object);
        if (is_own && kept.object)
            fputs(kept.object, stream);
        else
            fwrite(item, 1, length, stream);
        item += length;
        if (*item)
            fputc(*item++, stream);
    }
    if (fclose(stream) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static bool is_path(const char *variable)
{
    return text_begins(variable, MANIFEST) || text_begins(variable, "CALLMETER_PORT_FILE=") ||
           text_begins(variable, "CALLMETER_STATE_DIR=");
}

static char *shared_variable(const char *variable, const char *object)
{
    char *shared = NULL;

    if (text_begins(variable, PRELOAD))
        shared = shared_preload(variable, object);
    else if (is_path(variable))
        shared = absolute_list(variable, strcspn(variable, "=") + 1);
    return shared ? shared : strdup(variable);
}

void environment_keep(const char *object)
{
    kept.path = strdup(object);
    if (!kept.path)
        return;
    for (char **variable = environ; variable && *variable && kept.count < KEPT_MAX; variable++) {
        char *others;

        if (!is_ours(*variable))
            continue;
        kept.first[kept.count] = strdup(*variable);
        kept.shared[kept.count] = shared_variable(*variable, object);
        if (!kept.first[kept.count] || !kept.shared[kept.count])
            return;
        kept.count++;
        if (!text_begins(*variable, PRELOAD))
            continue;
        others = strdup(*variable);
        if (others)
            preload_list_others(others, *variable + PRELOAD_BYTES, object);
        kept.other = others;
    }
}

void environment_share(void)
{
    for (char **variable = environ; variable && *variable; variable++)
        for (size_t i = 0; i < kept.count; i++)
            if (text_is(*variable, kept.first[i]))
                *variable = (char *)kept.shared[i];
}

void environment_keep_address(const char *address)
{
    size_t bytes = sizeof(LISTEN) + strlen(address);
    char *variable = atomic_load(&own_listen.variable);

    if (!variable || strcmp(variable + sizeof(LISTEN) - 1, address) != 0) {
        variable = malloc(bytes);
        if (!variable)
            return;
        snprintf(variable, bytes, "%s%s", LISTEN, address);
        atomic_store(&own_listen.variable, variable); /* one from before may be in use */
    }
    atomic_store(&own_listen.process, cpu_own_pid());
}

/* For an exec ------------------------------------------------------------------------------------------------------ */

static const char *find_variable(char *const *variables, const char *name)
{
    for (; variables && *variables; variables++)
        if (text_begins(*variables, name))
            return *variables + text_length(name);
    return NULL;
}

static bool is_there(char *const *variables, const char *wanted)
{
    for (; variables && *variables; variables++)
        if (text_is(*variables, wanted))
            return true;
    return false;
}

static bool is_named_there(char *const *variables, const char *variable)
{
    for (; variables && *variables; variables++)
        if (is_same_name(*variables, variable))
            return true;
    return false;
}

/* A copy that was made before ours were taken away, or read from /proc. One in which only some of ours stand, or other
 * values, is somebody's wish. */
static bool is_copy_of_first(char *const *variables)
{
    for (size_t i = 0; i < kept.count; i++)
        if (!is_there(variables, kept.first[i]))
            return false;
    return kept.is_cleaned;
}

static bool is_complete(char *const *variables)
{
    const char *preload = find_variable(variables, PRELOAD);

    return find_variable(variables, MANIFEST) && (!kept.object || (preload && preload_list_has(preload, kept.path)));
}

/* The thread's last mapping. A child of vfork that execs cannot give its own back: it stays in the parent, until the
 * thread execs again. In static TLS, since a child of vfork has its parent's. */
static __thread struct {
    void *mapping;
    size_t bytes;
    int process;
} last __attribute__((tls_model("initial-exec")));

static void unmap(void *mapping, size_t bytes)
{
    cpu_syscall(SYS_munmap, (long)mapping, (long)bytes, 0, 0, 0, 0);
}

/* One of this process, or of its parent, may be that of a call which a signal has interrupted. */
static void last_give_back(void)
{
    if (!last.mapping || last.process == cpu_own_pid() || last.process == cpu_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0))
        return;
    unmap(last.mapping, last.bytes);
    last.mapping = NULL;
}

/* Maps an array for all of `given` and `more` variables, and `text_bytes` of text behind it. */
static bool environment_map(struct environment *environment, char *const *given, size_t more, size_t text_bytes,
                            char ***ret_variables, char **ret_text)
{
    size_t pointers = (count_variables(given) + more + 1) * sizeof(char *);

    last_give_back();
    environment->mapping = map(pointers + text_bytes);
    if (!environment->mapping)
        return false;
    environment->bytes = pointers + text_bytes;
    last.mapping = environment->mapping;
    last.bytes = environment->bytes;
    last.process = cpu_own_pid();
    environment->variables = *ret_variables = environment->mapping;
    *ret_text = (char *)environment->mapping + pointers;
    return true;
}

/* LD_PRELOAD for a program that is wanted: as at the start, or our object before what the program has chosen. */
static char *join_preload(char *text, const char *started_with, const char *others)
{
    char *end;

    if (text_is(others, kept.other ? kept.other : ""))
        return (char *)started_with;
    end = text_append(text, PRELOAD, PRELOAD_BYTES);
    end = text_append(end, kept.object, text_length(kept.object));
    if (*others) {
        end = text_append(end, ":", 1);
        text_append(end, others, text_length(others));
    }
    return text;
}

/* NULL: this process has none, or the caller has chosen one. */
static char *listen_variable(char *const *given)
{
    if (atomic_load(&own_listen.process) != cpu_own_pid() || find_variable(given, LISTEN))
        return NULL;
    return atomic_load(&own_listen.variable);
}

static void environment_enrich(struct environment *environment, char *const *given, char *listen)
{
    const char *others = find_variable(given, PRELOAD);
    bool is_joined = kept.object && !(others && preload_list_has(others, kept.path));
    size_t text_bytes =
        is_joined ? PRELOAD_BYTES + text_length(kept.object) + text_length(others ? others : "") + 2 : 0;
    char **to;
    char *text;

    if (!environment_map(environment, given, kept.count + 1, text_bytes, &to, &text))
        return;
    if (listen)
        *to++ = listen;
    for (char *const *variable = given; variable && *variable; variable++)
        if (!is_joined || !text_begins(*variable, PRELOAD))
            *to++ = *variable;
    for (size_t i = 0; i < kept.count; i++) {
        if (listen && text_begins(kept.shared[i], LISTEN))
            continue;
        if (!text_begins(kept.shared[i], PRELOAD) && !is_named_there(given, kept.shared[i]))
            *to++ = (char *)kept.shared[i];
        else if (text_begins(kept.shared[i], PRELOAD) && is_joined)
            *to++ = join_preload(text, kept.shared[i], others ? others : "");
    }
    *to = NULL;
}

static void environment_strip(struct environment *environment, char *const *given)
{
    const char *preload = find_variable(given, PRELOAD);
    char **to;
    char *text;

    if (!environment_map(environment, given, 0, PRELOAD_BYTES + text_length(preload ? preload : "") + 1, &to, &text))
        return;
    for (char *const *variable = given; *variable; variable++) {
        char *clean = clean_variable(*variable, kept.path, text);

        if (clean)
            *to++ = clean;
    }
    *to = NULL;
}

void environment_begin(struct environment *environment, char *const *given, enum environment_for program)
{
    *environment = (struct environment){.variables = given};
    if (kept.count == 0)
        return;
    if (program != ENVIRONMENT_FOR_OTHERS && !is_complete(given))
        environment_enrich(environment, given, program == ENVIRONMENT_FOR_SUCCESSOR ? listen_variable(given) : NULL);
    else if (program == ENVIRONMENT_FOR_OTHERS && is_copy_of_first(given))
        environment_strip(environment, given);
}

void environment_end(const struct environment *environment)
{
    if (!environment->mapping)
        return;
    if (last.mapping == environment->mapping)
        last.mapping = NULL;
    unmap(environment->mapping, environment->bytes);
}
