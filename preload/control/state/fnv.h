/* FNV-1a: a hash that stays the same from build to build, as names of files and what is in them need. */
#ifndef CALLMETER_PRELOAD_CONTROL_STATE_FNV_H
#define CALLMETER_PRELOAD_CONTROL_STATE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BASIS UINT64_C(0xCBF29CE484222325) /* of no bytes */

/* Goes on with so many bytes. Context: any. */
static inline void fnv_add(uint64_t *hash, const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001B3);
}

#endif
