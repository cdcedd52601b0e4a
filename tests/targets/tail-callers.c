/* Functions that end in a jump to one that looks at its caller, in the ways that compilers make such jumps. Each line
 * that is printed would be another if that one took somebody else for its caller. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "victim.h"

typedef void *(*opener)(const char *, int);

static volatile int is_plain = 1;

TRACKED void *load_plugin(const char *name)
{
    return dlopen(name, RTLD_NOW);
}

TRACKED void *load_first(const char *name)
{
    return dlmopen(LM_ID_BASE, name, RTLD_NOW);
}

/* One more in between, and that one not by name alone. */
__attribute__((noinline)) static void *load_between(const char *name, int flags)
{
    return dlopen(name, flags | RTLD_NOW);
}

TRACKED void *load_through_two(const char *name)
{
    return load_between(name, RTLD_GLOBAL);
}

TRACKED void *no_plugin(const char *name, int flags)
{
    return strlen(name) > 100 && flags ? (void *)name : NULL;
}

TRACKED void *load_in_one_branch(const char *name)
{
    if (is_plain)
        return dlopen(name, RTLD_NOW);
    return no_plugin(name, 1);
}

TRACKED void *load_by_choice(const char *name)
{
    opener function = is_plain ? dlopen : no_plugin;

    return function(name, RTLD_NOW);
}

static opener const openers[] = {dlopen, no_plugin};

TRACKED void *load_by_constant(const char *name)
{
    return openers[0](name, RTLD_NOW);
}

TRACKED void *find_next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

TRACKED void *find_next_version(const char *name)
{
    return dlvsym(RTLD_NEXT, name, "GLIBC_2.2.5");
}

TRACKED void *who_called(void)
{
    return __builtin_return_address(0);
}

TRACKED void *who_called_me(void)
{
    return who_called();
}

TRACKED void *who_called_through_two(void)
{
    return who_called_me();
}

/* Not a jump: it may be timed. */
TRACKED void *load_by_call(const char *name)
{
    void *handle = dlopen(name, RTLD_NOW);

    TOUCH();
    return handle;
}

/* The library has one of this name too. */
__attribute__((visibility("default"))) void swab(const void *from, void *to, ssize_t bytes)
{
    memmove(to, from, (size_t)bytes);
}

TRACKED void ask(void)
{
    Dl_info info;

    printf("%s\n", dladdr(who_called(), &info) ? info.dli_sname : "nobody");
    printf("%s\n", dladdr(who_called_me(), &info) ? info.dli_sname : "nobody");
    printf("%s\n", dladdr(who_called_through_two(), &info) ? info.dli_sname : "nobody");
}

int main(void)
{
    static void *(*const loaders[])(const char *) = {
        load_plugin, load_first, load_through_two, load_in_one_branch, load_by_choice, load_by_constant, load_by_call};

    for (size_t i = 0; i < sizeof(loaders) / sizeof(*loaders); i++)
        printf("%zu: %s\n", i, loaders[i]("libplug.so") ? "found" : dlerror());
    printf("%s\n", find_next("swab") == (void *)swab ? "own" : "next");
    printf("%s\n", find_next_version("swab") == (void *)swab ? "own" : "next");
    ask();
    printf("truth load_plugin success=1\ntruth load_first success=1\ntruth load_through_two success=1\n");
    printf("truth load_in_one_branch success=1\ntruth load_by_choice success=1\ntruth load_by_constant success=1\n");
    printf("truth load_by_call success=1\ntruth find_next success=1\ntruth find_next_version success=1\n");
    printf("truth who_called success=3\ntruth who_called_me success=2\ntruth who_called_through_two success=1\n");
    return victim_finish();
}
