/* What the headers of most records look like, for those who lay them over a record. */
#ifndef DECKLOG_STENCIL_H
#define DECKLOG_STENCIL_H

#include "native.h"

/* Whether the value is a message of the type, 1 or 0; -1 with an exception. */
int trial_holds(PyObject *trial, PyObject *value);

/* What an event's headers were found to say; all of it new references. */
typedef struct {
    PyObject *identity, *stated, *kept;
} Said;

/* What headers of this stencil's shape say: 1; 0 where they are others, or need a closer look; -1 with an exception. */
int stencil_read(PyObject *stencil, PyObject *block, const char *latest, Said *said);

/* Whether a message of the stencil's type is in there; as `trial_holds`. */
int stencil_holds(PyObject *stencil, PyObject *value);

#endif
