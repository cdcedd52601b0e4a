#include "symbols/debuginfo/member.h"

#include <dwarf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "symbols/common/diag.h"
#include "symbols/debuginfo/type.h"
#include "symbols/debuginfo/units.h"

enum {
    DEBUGINFO_LOOKED_AT_MAX = 1 << 16, /* members of one struct; more are those of damaged DWARF */
};

void debuginfo_list_add(struct debuginfo_list *list, const char *name)
{
    size_t room = sizeof(list->text) - list->used;
    size_t length = strlen(name);

    if (list->used > sizeof(list->text) - 4)
        return;
    if (length + 8 > room) {
        memcpy(list->text + list->used, "...", 4);
        list->used = sizeof(list->text);
        return;
    }
    list->used += (size_t)snprintf(list->text + list->used, room, "%s%s", list->used ? ", " : "", name);
}

/* A member that was looked for. */
struct debuginfo_member {
    Dwarf_Die die;
    uint64_t offset; /* in the outermost struct */
};

static int debuginfo_find_member(Dwarf_Die *type, const char *wanted, uint64_t offset, int depth,
                                 struct debuginfo_member *ret_member, struct debuginfo_list *list);

/* A base class, or a struct or union without a name: its members are members of the outer one. */
static int debuginfo_find_inner(Dwarf_Die *member, const char *wanted, uint64_t offset, int depth,
                                struct debuginfo_member *ret_member, struct debuginfo_list *list)
{
    Dwarf_Die type;
    uint64_t at;

    if (depth >= DEBUGINFO_DEPTH_MAX || !debuginfo_member_offset(member, &at) || !debuginfo_type_of(member, &type) ||
        !debuginfo_is_aggregate(&type))
        return -ENOENT;
    return debuginfo_find_member(&type, wanted, offset + at, depth + 1, ret_member, list);
}

/* Own members come before those of base classes, which they hide. */
static int debuginfo_find_member(Dwarf_Die *type, const char *wanted, uint64_t offset, int depth,
                                 struct debuginfo_member *ret_member, struct debuginfo_list *list)
{
    for (int pass = 0; pass < 2; pass++) {
        bool is_more = debuginfo_child(type, &ret_member->die);
        Dwarf_Die die = ret_member->die;

        for (; is_more; is_more = debuginfo_next(&die)) {
            int tag = dwarf_tag(&die);
            const char *name = debuginfo_name(&die);
            bool is_own = tag == DW_TAG_member && name;
            uint64_t at;

            if (++list->looked_at > DEBUGINFO_LOOKED_AT_MAX)
                return -ENOENT;
            if (is_own && pass == 0 && debuginfo_member_offset(&die, &at)) {
                debuginfo_list_add(list, name);
                if (strcmp(name, wanted) == 0) {
                    *ret_member = (struct debuginfo_member){.die = die, .offset = offset + at};
                    return 0;
                }
            }
            if (pass == (tag == DW_TAG_inheritance) && !is_own && (tag == DW_TAG_member || tag == DW_TAG_inheritance) &&
                debuginfo_find_inner(&die, wanted, offset, depth, ret_member, list) == 0)
                return 0;
        }
    }
    return -ENOENT;
}

static int debuginfo_refuse_member(Dwarf_Die *type, const struct debuginfo_list *list, struct diag *diag)
{
    const char *name = debuginfo_name(type);

    if (debuginfo_flag(type, DW_AT_declaration))
        diag_set(diag,
                 "struct %s is only declared where the function is compiled, and its members are told nowhere else",
                 name ? name : "(unnamed)");
    else if (list->used)
        diag_set(diag, "struct %s has no member of that name; it has %s", name ? name : "(unnamed)", list->text);
    else
        diag_set(diag, "struct %s has no members", name ? name : "(unnamed)");
    return -ENOENT;
}

int debuginfo_enter_member(struct debuginfo *debuginfo, Dwarf_Die *type, const char *field, uint64_t *ret_offset,
                           struct diag *diag)
{
    struct debuginfo_list list = {0};
    struct debuginfo_member member;

    if (!debuginfo_is_aggregate(type))
        return diag_refuse(diag, -ENOTSUP, "the parameter is no struct, and no pointer to one");
    if (debuginfo_flag(type, DW_AT_declaration))
        debuginfo_find_definition(debuginfo, type);
    if (debuginfo_find_member(type, field, 0, 0, &member, &list) < 0)
        return debuginfo_refuse_member(type, &list, diag);
    if (debuginfo_is_bitfield(&member.die))
        return diag_refuse(diag, -ENOTSUP, "it is a bit field");
    if (!debuginfo_type_of(&member.die, type))
        return diag_refuse(diag, -ENOTSUP, "it has no type");
    *ret_offset = member.offset;
    return 0;
}
