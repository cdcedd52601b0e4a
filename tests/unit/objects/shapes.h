/* What the two files of libshapes.so share. */
#ifndef SHAPES_H
#define SHAPES_H

extern volatile int shapes_sink;

int shapes_first(int value);
int shapes_alias(int value);
int shapes_second(int value);
int shapes_chosen(int value);
int shapes_old(int value);
int shapes_new(int value);

#endif
