/* An object with nothing in it. */
typedef int nothing;
