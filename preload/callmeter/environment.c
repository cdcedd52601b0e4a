#include "preload/callmeter/environment.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRELOAD "LD_PRELOAD="

/* ld.so(8): items are separated by spaces or colons. A copy without the object, NULL if nothing is left or memory has
 * run out. */
static char *without_object(const char *variable, const char *object)
{
    const char *base = strrchr(object, '/') ? strrchr(object, '/') + 1 : object;
    char *copy = malloc(strlen(variable) + 1);
    char *end = copy;
    const char *item = variable + strlen(PRELOAD);

    if (!copy)
        return NULL;
    end = stpcpy(end, PRELOAD);
    while (*item) {
        size_t length = strcspn(item, ": ");
        bool is_object = (length == strlen(object) && memcmp(item, object, length) == 0) ||
                         (length == strlen(base) && memcmp(item, base, length) == 0);

        if (length > 0 && !is_object) {
            if (end[-1] != '=')
                *end++ = ':';
            end = mempcpy(end, item, length);
        }
        item += length + (item[length] != '\0');
    }
    *end = '\0';
    if (end[-1] == '=') {
        free(copy);
        return NULL;
    }
    return copy;
}

void environment_clean(const char *object)
{
    char **to = environ;

    if (!environ)
        return;
    for (char **from = environ; *from; from++) {
        char *variable = *from;

        if (strncmp(variable, "CALLMETER_", 10) == 0)
            continue;
        if (strncmp(variable, PRELOAD, strlen(PRELOAD)) == 0)
            variable = without_object(variable, object);
        if (variable)
            *to++ = variable;
    }
    *to = NULL;
}
