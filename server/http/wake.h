/* The signal that wakes the server thread where it waits. Private to the endpoint. */
#ifndef CALLMETER_SERVER_HTTP_WAKE_H
#define CALLMETER_SERVER_HTTP_WAKE_H

#include <signal.h>

/* A signal for this thread alone, which has it blocked: seen by signalfd, and by nobody else. */
#define WAKE_SIGNAL SIGURG

#endif
