/* What sanitizers' runtimes ask the program, which the preload object answers beside it. */
#include <dlfcn.h>
#include <stddef.h>

#include "preload/interpose/interpose.h"

const char *__asan_default_options(void);

/* AddressSanitizer's library asks the program for options by this name, and refuses to start where another object was
 * loaded before it. A preloaded object is. Nothing of ours comes between it and libc, so it may go on. Its own
 * definition, or one in a library of the program's, comes next; one in the program itself comes before ours. */
INTERPOSE(const char *, __asan_default_options)(void)
{
    static const char own[] = "verify_asan_link_order=0";
    static char text[4096];
    const char *(*next)(void);
    const char *options;
    size_t length = 0;

    *(void **)&next = dlsym(RTLD_NEXT, "__asan_default_options");
    options = next ? next() : NULL;
    for (; options && options[length] && length < sizeof(text) - sizeof(own) - 1; length++)
        text[length] = options[length];
    if (length > 0)
        text[length++] = ':';
    for (size_t i = 0; i < sizeof(own); i++)
        text[length++] = own[i];
    return text;
}
