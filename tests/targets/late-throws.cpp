/* A library whose exceptions leave a tracked function. The runtime is linked in, so it comes and goes with the library;
 * the padding makes the two forms of it differ in where that lies. */
#define TRACKED __attribute__((noinline, visibility("default")))

/* Libraries are mapped below one another: their ends come to lie in the same place. */
#ifdef PADDING
extern "C" __attribute__((visibility("default"))) char late_padding[65536];
char late_padding[] = {1};
#endif

extern "C" TRACKED int late_throw(int value);
extern "C" TRACKED int late_catch(int value);

int late_throw(int value)
{
    throw value;
}

int late_catch(int value)
{
    try {
        return late_throw(value) + 1;
    } catch (int caught) {
        return caught;
    }
}
