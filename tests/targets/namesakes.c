/* A program that exports names of the libraries which callmeter itself uses. None of them may ever be called. */
#include "victim.h"

#include <stdlib.h>

#define NAMESAKE(name)                                                                                                 \
    TRACKED int name(void)                                                                                             \
    {                                                                                                                  \
        puts("FAILED: " #name " of the program was called");                                                           \
        abort();                                                                                                       \
    }

NAMESAKE(json_object_get)
NAMESAKE(json_loadb)
NAMESAKE(json_loads)
NAMESAKE(json_object)
NAMESAKE(json_array_get)
NAMESAKE(json_string_value)
NAMESAKE(json_integer_value)
NAMESAKE(json_delete)
NAMESAKE(elf_begin)
NAMESAKE(elf_version)
NAMESAKE(elf_end)
NAMESAKE(elf_nextscn)
NAMESAKE(gelf_getshdr)
NAMESAKE(ZydisDecoderInit)
NAMESAKE(ZydisDecoderDecodeFull)
NAMESAKE(MHD_start_daemon)
NAMESAKE(MHD_queue_response)
NAMESAKE(MHD_create_response_from_buffer)
NAMESAKE(cplus_demangle)
NAMESAKE(inflate)
NAMESAKE(deflate)
NAMESAKE(gnutls_init)

static int greetings;

TRACKED int greet(int value)
{
    TOUCH();
    greetings++;
    return value;
}

int main(void)
{
    for (int i = 0; i < 10; i++)
        CHECK(greet(i) == i);
    puts("truth greet success=10");
    return victim_finish();
}
