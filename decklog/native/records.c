/* Records of a Kafka batch; twin of `decklog.adapters.kafka.batches._records`, which says what they look like. */
#include "native.h"

typedef struct {
    const unsigned char *data;
    Py_ssize_t at, end;
} Reading;

/* The zigzag varint at a place; 0 with an exception where there is none. */
static int
varint(Reading *from, int64_t *number)
{
    uint64_t read = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (from->at < 0 || from->at >= from->end) {
            PyErr_SetString(PyExc_IndexError, "a number ends before it is whole");
            return 0;
        }
        const uint64_t byte = from->data[from->at++];
        if (shift == 63 && byte > 1) {
            break;
        }
        read |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *number = (int64_t)(read >> 1) ^ -(int64_t)(read & 1);
            return 1;
        }
    }
    PyErr_SetString(PyExc_ValueError, "a number of more than 64 bits");
    return 0;
}

/* The bytes of a length at a place, NULL for a negative one; -1 with an exception where they are not all there. */
static int
field(Reading *from, PyObject **bytes)
{
    int64_t size;
    *bytes = NULL;
    if (!varint(from, &size)) {
        return -1;
    }
    if (size < 0) {
        return 0;
    }
    if (size > from->end - from->at) {
        PyErr_SetString(PyExc_ValueError, "a record ends before what is in it");
        return -1;
    }
    *bytes = PyBytes_FromStringAndSize((const char *)from->data + from->at, (Py_ssize_t)size);
    from->at += (Py_ssize_t)size;
    return *bytes == NULL ? -1 : 0;
}

/* The sum as an int of Python's, however large. */
static PyObject *
sum(int64_t base, int64_t delta)
{
    int64_t small;
    if (!__builtin_add_overflow(base, delta, &small)) {
        return PyLong_FromLongLong(small);
    }
    PyObject *first = PyLong_FromLongLong(base), *second = PyLong_FromLongLong(delta), *total = NULL;
    if (first != NULL && second != NULL) {
        total = PyNumber_Add(first, second);
    }
    Py_XDECREF(first);
    Py_XDECREF(second);
    return total;
}

PyObject *
named_tuple(PyTypeObject *type, PyObject **items, Py_ssize_t count)
{
    PyObject *made = type->tp_alloc(type, count);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (made == NULL) {
            Py_XDECREF(items[i]);
        } else {
            PyTuple_SET_ITEM(made, i, items[i]);
        }
    }
    return made;
}

static PyObject *
or_none(PyObject *bytes)
{
    return bytes != NULL ? bytes : Py_NewRef(Py_None);
}

/* What the batch says of all its records. */
typedef struct {
    PyTypeObject *type;
    PyObject *topic, *partition;
    long long base, last, first_time;
    int is_whole;
} Batch;

/* The record behind the offset `before`, which becomes its own. */
static PyObject *
record(const Batch *batch, Reading *from, long long *before)
{
    int64_t size, delta, offset;
    PyObject *key = NULL, *value = NULL, *block = NULL, *number = NULL, *time = NULL;
    const Reading whole = *from;
    if (!varint(from, &size)) {
        return NULL;
    }
    if (size < 0 || size > from->end - from->at) {
        PyErr_SetString(PyExc_ValueError, "a record ends before what is in it");
        return NULL;
    }
    const Py_ssize_t end = from->at + (Py_ssize_t)size;
    from->at++; /* attributes, of which there are none yet */
    from->end = end;
    if (!varint(from, &delta) || !varint(from, &offset) || field(from, &key) < 0 || field(from, &value) < 0) {
        goto failed;
    }
    if (from->at >= end) {
        PyErr_SetString(PyExc_ValueError, "a record ends before what is in it");
        goto failed;
    }
    const int beyond = batch->is_whole ? __builtin_add_overflow((int64_t)*before, 1, &offset)
                                       : __builtin_add_overflow((int64_t)batch->base, offset, &offset);
    if (beyond) {
        offset = *before;
    }
    if (!(*before < offset && offset <= batch->last)) {
        PyErr_Format(PyExc_ValueError, "a record at offset %lld, behind %lld and up to %lld", (long long)offset, *before,
                     batch->last);
        goto failed;
    }
    block = PyBytes_FromStringAndSize((const char *)from->data + from->at, end - from->at);
    number = PyLong_FromLongLong(offset);
    time = sum(batch->first_time, delta);
    if (block == NULL || number == NULL || time == NULL) {
        goto failed;
    }
    from->at = end;
    from->end = whole.end;
    *before = offset;
    PyObject *items[] = {
        Py_NewRef(batch->topic), Py_NewRef(batch->partition), number, time, or_none(key), or_none(value), block,
    };
    return named_tuple(batch->type, items, RECORD_FIELDS);

failed:
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(block);
    Py_XDECREF(number);
    Py_XDECREF(time);
    return NULL;
}

PyObject *
records(PyObject *Py_UNUSED(module), PyObject *args)
{
    Batch batch;
    Py_buffer data;
    Py_ssize_t at, count;
    long long before;
    if (!PyArg_ParseTuple(args, "O!y*nnOOLLLLp:records", &PyType_Type, &batch.type, &data, &at, &count, &batch.topic,
                          &batch.partition, &batch.base, &batch.last, &batch.first_time, &before, &batch.is_whole)) {
        return NULL;
    }
    Reading from = {data.buf, at, data.len};
    PyObject *found = NULL, *outcome = NULL;
    if (!PyType_IsSubtype(batch.type, &PyTuple_Type) || at < 0 || count < 0) {
        PyErr_SetString(PyExc_ValueError, "records are named tuples, and begin within the data");
    } else {
        found = PyList_New(0);
    }
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        PyObject *one = record(&batch, &from, &before);
        if (one == NULL || PyList_Append(found, one) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(one);
    }
    if (found != NULL) {
        outcome = Py_BuildValue("(Nn)", found, from.at);
    }
    PyBuffer_Release(&data);
    return outcome;
}
