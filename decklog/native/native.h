/* What every event passes through, in C. Each function says which Python it is the twin of. */
#ifndef DECKLOG_NATIVE_H
#define DECKLOG_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define SHA256_BYTES 32

/* The fields of `decklog.ports.stream.Record`. */
enum { TOPIC, PARTITION, OFFSET, TIMESTAMP, KEY, VALUE, HEADERS, RECORD_FIELDS };

/* The fields of `services.audit.core.sequencing_examine.Examined`. */
enum { RECORD, IDENTITY, STATED, REFUSAL, WARNING, DIGEST, KEPT, ORDER, EXAMINED_FIELDS };

/* A part of something that is put together. */
typedef struct {
    const void *data;
    size_t size;
} Piece;

#define LITERAL(text) ((Piece){text, sizeof(text) - 1})

static inline Piece
of_bytes(PyObject *bytes)
{
    return (Piece){PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes)};
}

static inline int
is_ascii(PyObject *text)
{
    return PyUnicode_Check(text) && PyUnicode_IS_COMPACT_ASCII(text);
}

static inline Piece
of_ascii(PyObject *text)
{
    return (Piece){PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text)};
}

static inline size_t
size_of(const Piece *pieces, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += pieces[i].size;
    }
    return size;
}

static inline void
put_together(char *to, const Piece *pieces, int count)
{
    for (int i = 0; i < count; i++) {
        memcpy(to, pieces[i].data, pieces[i].size);
        to += pieces[i].size;
    }
}

/* SHA-256 of pieces that stand one after the other. */
void sha256_of(const Piece *pieces, int count, unsigned char digest[SHA256_BYTES]);

PyObject *sha256(PyObject *module, PyObject *data);
PyObject *node_hashes(PyObject *module, PyObject *level);
PyObject *leaf_hashes(PyObject *module, PyObject *entries);
PyObject *sha256_each(PyObject *module, PyObject *args);
PyObject *records(PyObject *module, PyObject *args);
PyObject *examine_each(PyObject *module, PyObject *args);
PyObject *plain_events(PyObject *module, PyObject *entries);
PyObject *unbundled(PyObject *module, PyObject *args);
PyObject *write_files(PyObject *module, PyObject *files);
PyObject *sync_files(PyObject *module, PyObject *descriptors);
PyObject *rename_files(PyObject *module, PyObject *names);
PyObject *sync_folders(PyObject *module, PyObject *paths);
PyObject *bundled(PyObject *module, PyObject *entries);
PyObject *crc32c(PyObject *module, PyObject *data);
PyObject *leaves(PyObject *module, PyObject *args);

/* Have the names at hand by which `leaves` asks a cursor; -1 with an exception. */
int intern_names(void);

extern PyTypeObject TrialType;
extern PyTypeObject StencilType;

/* Whether JSON (RFC 8785) has these bytes as they are: ASCII, nothing to escape. */
int is_plain(const unsigned char *text, Py_ssize_t size);

/* An instance of a named tuple's class that takes what is in `items` over; NULL, and all given up, without memory. */
PyObject *named_tuple(PyTypeObject *type, PyObject **items, Py_ssize_t count);

#endif
