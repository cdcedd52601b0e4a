/* Why callmeter stands aside in a program whose runtime has a hand on signals, stacks or memory itself. What the
 * preload object finds in the process, and what is found in files, is told in the same words. */
#ifndef CALLMETER_SYMBOLS_ELF_FOREIGN_TEXT_H
#define CALLMETER_SYMBOLS_ELF_FOREIGN_TEXT_H

#define FOREIGN_GO   "it is a Go program, whose runtime moves stacks and owns the signals"
#define FOREIGN_JAVA "it runs a Java virtual machine, which owns the signals and makes its own code and stacks"
#define FOREIGN_SANITIZER(name)                                                                                        \
    "it is built with " name ", which owns the signals and watches the memory that callmeter would use"

#endif
