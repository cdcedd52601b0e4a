#include "symbols/resolve/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/elf/demangle.h"
#include "symbols/resolve/resolution.h"

void resolve_add_reason(struct resolve_target *target, const char *format, ...)
{
    char text[1024];
    size_t used = strlen(target->reason);
    size_t room = sizeof(target->reason) - used - 1;
    size_t length;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    demangle_sanitize(text);
    if (used > 0 && room <= 2)
        return;
    if (used > 0) {
        memcpy(target->reason + used, "; ", 3);
        used += 2;
        room -= 2;
    }
    length = diag_cut(text, strlen(text), room);
    memcpy(target->reason + used, text, length);
    target->reason[used + length] = '\0';
}
