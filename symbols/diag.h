/* Error text carried upward: the -errno of a call says what kind, this says what, where and what to do. */
#ifndef CALLMETER_SYMBOLS_DIAG_H
#define CALLMETER_SYMBOLS_DIAG_H

/* Embedded by the caller, valid when zeroed. Owned by one thread. */
struct diag {
    char text[1024];
};

/* Replaces the text; cut at the end of the array, on a UTF-8 character boundary. Context: startup. */
void diag_set(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix and ": " in front of the text, for the layer above to say what it was doing. Context: startup. */
void diag_wrap(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
