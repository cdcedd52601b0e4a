/* Members of structs by name, and lists of names for messages. Private to symbols/debuginfo/. Context: startup. */
#ifndef CALLMETER_SYMBOLS_DEBUGINFO_MEMBER_H
#define CALLMETER_SYMBOLS_DEBUGINFO_MEMBER_H

#include <stddef.h>
#include <stdint.h>

#include <elfutils/libdw.h>

struct debuginfo;
struct diag;

enum {
    DEBUGINFO_LIST_BYTES = 200,
};

/* Names for a message. */
struct debuginfo_list {
    char text[DEBUGINFO_LIST_BYTES];
    size_t used;
    unsigned looked_at; /* what was considered, listed or not */
};

/* Appends a name; "..." where the room ends. */
void debuginfo_list_add(struct debuginfo_list *list, const char *name);

/* Replaces a struct's type by that of its member, or a member of its base classes and unnamed parts, and says where it
 * is in it. A struct that is only declared is looked up. -ENOENT: there is no such member; -ENOTSUP: it cannot be read.
 */
int debuginfo_enter_member(struct debuginfo *debuginfo, Dwarf_Die *type, const char *field, uint64_t *ret_offset,
                           struct diag *diag);

#endif
