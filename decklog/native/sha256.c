/* SHA-256 by libcrypto, whose low-level calls look nothing up and allocate nothing. */
#include "native.h"

/* As <openssl/sha.h> has it since 0.9.8; the header comes with a package of its own, the library with Python. */
typedef struct {
    uint32_t state[8];
    uint32_t low, high;
    uint32_t block[16];
    unsigned int filled, digest_size;
} SHA256_CTX;
int SHA256_Init(SHA256_CTX *context);
int SHA256_Update(SHA256_CTX *context, const void *data, size_t size);
int SHA256_Final(unsigned char *digest, SHA256_CTX *context);

void
sha256_of(const Piece *pieces, int count, unsigned char digest[SHA256_BYTES])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    for (int i = 0; i < count; i++) {
        SHA256_Update(&context, pieces[i].data, pieces[i].size);
    }
    SHA256_Final(digest, &context);
}

static PyObject *
digest_of(const Py_buffer *prefix, PyObject *text)
{
    Py_buffer data;
    if (PyObject_GetBuffer(text, &data, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    PyObject *digest = PyBytes_FromStringAndSize(NULL, SHA256_BYTES);
    if (digest != NULL) {
        const Piece pieces[] = {{prefix->buf, (size_t)prefix->len}, {data.buf, (size_t)data.len}};
        sha256_of(pieces, 2, (unsigned char *)PyBytes_AS_STRING(digest));
    }
    PyBuffer_Release(&data);
    return digest;
}

/* Twin of `decklog.model.hashing.sha256`. */
PyObject *
sha256(PyObject *Py_UNUSED(module), PyObject *data)
{
    const Py_buffer nothing = {.buf = "", .len = 0};
    return digest_of(&nothing, data);
}

/* Twin of `decklog.model.merkle.node_hashes`. */
PyObject *
node_hashes(PyObject *Py_UNUSED(module), PyObject *level)
{
    Py_buffer hashes;
    if (PyObject_GetBuffer(level, &hashes, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const Py_ssize_t pairs = hashes.len / (2 * SHA256_BYTES);
    PyObject *above = NULL;
    if (hashes.len % (2 * SHA256_BYTES) != 0) {
        PyErr_SetString(PyExc_ValueError, "inner nodes are over pairs of hashes");
    } else {
        above = PyBytes_FromStringAndSize(NULL, pairs * SHA256_BYTES);
    }
    for (Py_ssize_t i = 0; above != NULL && i < pairs; i++) {
        const Piece pieces[] = {LITERAL("\x01"), {(char *)hashes.buf + 2 * SHA256_BYTES * i, 2 * SHA256_BYTES}};
        sha256_of(pieces, 2, (unsigned char *)PyBytes_AS_STRING(above) + SHA256_BYTES * i);
    }
    PyBuffer_Release(&hashes);
    return above;
}

/* Twin of `decklog.model.hashing.sha256_each`. */
PyObject *
sha256_each(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *texts;
    Py_buffer prefix = {.buf = "", .len = 0};
    if (!PyArg_ParseTuple(args, "O|y*:sha256_each", &texts, &prefix)) {
        return NULL;
    }
    PyObject *found = PyList_New(0), *each = PyObject_GetIter(texts), *text;
    while (found != NULL && each != NULL && (text = PyIter_Next(each)) != NULL) {
        PyObject *digest = digest_of(&prefix, text);
        Py_DECREF(text);
        if (digest == NULL || PyList_Append(found, digest) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(digest);
    }
    Py_XDECREF(each);
    if (prefix.obj != NULL) {
        PyBuffer_Release(&prefix);
    }
    if (PyErr_Occurred()) {
        Py_CLEAR(found);
    }
    return found;
}

/* Twin of `decklog.model.tlog.bundle.hashes`. Python's lock is given up: the publisher must not hold the sequencer up. */
PyObject *
leaf_hashes(PyObject *Py_UNUSED(module), PyObject *entries)
{
    PyObject *all = PySequence_Tuple(entries), *hashes = NULL;
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    Piece *pieces = all == NULL ? NULL : PyMem_Calloc((size_t)count + 1, 2 * sizeof(Piece));
    Py_ssize_t seen = 0;
    for (; pieces != NULL && seen < count && PyBytes_Check(PyTuple_GET_ITEM(all, seen)); seen++) {
        pieces[2 * seen] = LITERAL("\x00");
        pieces[2 * seen + 1] = of_bytes(PyTuple_GET_ITEM(all, seen));
    }
    if (pieces == NULL || seen < count) {
        if (all != NULL) {
            PyErr_SetString(PyExc_TypeError, "entries are bytes");
        }
    } else {
        hashes = PyBytes_FromStringAndSize(NULL, count * SHA256_BYTES);
    }
    if (hashes != NULL) {
        unsigned char *to = (unsigned char *)PyBytes_AS_STRING(hashes);
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t i = 0; i < count; i++) {
            sha256_of(pieces + 2 * i, 2, to + i * SHA256_BYTES);
        }
        Py_END_ALLOW_THREADS
    }
    PyMem_Free(pieces);
    Py_XDECREF(all);
    return hashes;
}
