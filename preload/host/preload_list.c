#include "preload/host/preload_list.h"

size_t preload_list_item(const char *item)
{
    size_t length = 0;

    while (item[length] && item[length] != ':' && item[length] != ' ')
        length++;
    return length;
}

static const char *base_name(const char *path, size_t *length)
{
    size_t start = *length;

    while (start > 0 && path[start - 1] != '/')
        start--;
    *length -= start;
    return path + start;
}

bool preload_list_is_object(const char *item, size_t length, const char *object)
{
    size_t object_length = text_length(object);
    const char *name = base_name(object, &object_length);

    item = base_name(item, &length);
    if (length != object_length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (item[i] != name[i])
            return false;
    return true;
}

void preload_list_others(char *to, const char *items, const char *object)
{
    const char *begin = to;

    *to = '\0';
    for (const char *item = items; *item;) {
        size_t length = preload_list_item(item);

        if (length > 0 && !preload_list_is_object(item, length, object)) {
            if (to != begin)
                to = text_append(to, item - 1, 1);
            to = text_append(to, item, length);
        }
        item += length + (item[length] != '\0');
    }
}

bool preload_list_has(const char *items, const char *object)
{
    for (const char *item = items; *item;) {
        size_t length = preload_list_item(item);

        if (length > 0 && preload_list_is_object(item, length, object))
            return true;
        item += length + (item[length] != '\0');
    }
    return false;
}
