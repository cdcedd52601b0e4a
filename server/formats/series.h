/* The families of functions in the text format. Private to the formats. */
#ifndef CALLMETER_SERVER_FORMATS_SERIES_H
#define CALLMETER_SERVER_FORMATS_SERIES_H

#include <stdbool.h>

struct writer;

/* Adds all of them. False if there is no memory. Context: server thread. */
bool series_write(struct writer *writer);

#endif
