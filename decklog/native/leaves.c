/* The leaves of events that nobody sent before; twin of `services.audit.core.sequencing.Draft._record` for those. */
#include "native.h"

#include <limits.h>

#define SALT_BYTES 32
#define DRAWN_BYTES 16
#define MAX_KEY_BYTES 1024

/* What is filled while a batch is made; borrowed. */
typedef struct {
    PyObject *cursors, *cursor_of, *known, *firsts, *payloads, *receipts;
    long long recorded_at;
} Draft;

static PyObject *FRAME, *NEXT_OFFSET, *LAST_LEAF;

/* A whole number in decimal, at the end of a buffer. */
static Piece
decimal(char buffer[24], unsigned long long number)
{
    char *at = buffer + 24;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (Piece){at, (size_t)(buffer + 24 - at)};
}

/* Twin of `receipt.assembled` and what it is given for an event: its commitment, place, key and length. */
static PyObject *
receipt(PyObject *examined, PyObject *frame, PyObject *record, const unsigned char *salt, long long offset,
        const Draft *draft)
{
    static const char HEX[] = "0123456789abcdef";
    PyObject *key = PyTuple_GET_ITEM(record, KEY), *value = PyTuple_GET_ITEM(record, VALUE);
    unsigned char digest[SHA256_BYTES];
    char committed[2 * SHA256_BYTES], numbers[3][24];
    const Piece payload[] = {{salt, SALT_BYTES}, of_bytes(value)};
    sha256_of(payload, 2, digest);
    for (int i = 0; i < SHA256_BYTES; i++) {
        committed[2 * i] = HEX[digest[i] >> 4];
        committed[2 * i + 1] = HEX[digest[i] & 15];
    }
    const Piece pieces[] = {
        LITERAL("{\"about\":null,\"ce\":"),
        of_ascii(PyTuple_GET_ITEM(examined, STATED)),
        LITERAL(",\"commitment\":\""),
        {committed, sizeof committed},
        LITERAL("\",\"kafka\":"),
        of_ascii(PyTuple_GET_ITEM(frame, 0)),
        decimal(numbers[0], (unsigned long long)offset),
        of_ascii(PyTuple_GET_ITEM(frame, 1)),
        LITERAL(",\"key\":\""),
        of_bytes(key),
        LITERAL("\",\"kind\":\"event\",\"len\":"),
        decimal(numbers[1], (unsigned long long)PyBytes_GET_SIZE(value)),
        LITERAL(",\"recorded_at\":"),
        decimal(numbers[2], (unsigned long long)draft->recorded_at),
        LITERAL(",\"v\":1}"),
    };
    const int count = (int)(sizeof pieces / sizeof pieces[0]);
    PyObject *made = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size_of(pieces, count));
    if (made != NULL) {
        put_together(PyBytes_AS_STRING(made), pieces, count);
    }
    return made;
}

/* Twin of `receipt.salt`. */
static void
salt_of(const unsigned char *drawn, PyObject *kept, unsigned char salt[SALT_BYTES])
{
    unsigned char digest[SHA256_BYTES];
    const Piece pieces[] = {{drawn, DRAWN_BYTES}, kept == Py_None ? (Piece){"", 0} : of_bytes(kept)};
    sha256_of(pieces, 2, digest);
    memcpy(salt, drawn, DRAWN_BYTES);
    memcpy(salt + DRAWN_BYTES, digest, SALT_BYTES - DRAWN_BYTES);
}

/* Whether nothing is to be said of it but that it is an event: of its key, too. */
static int
is_usual(PyObject *examined, PyObject *record)
{
    PyObject *key = PyTuple_GET_ITEM(record, KEY), *value = PyTuple_GET_ITEM(record, VALUE);
    PyObject *kept = PyTuple_GET_ITEM(examined, KEPT);
    return PyTuple_Check(PyTuple_GET_ITEM(examined, IDENTITY)) && PyTuple_GET_ITEM(examined, REFUSAL) == Py_None
           && PyTuple_GET_ITEM(examined, WARNING) == Py_None && PyTuple_GET_ITEM(examined, ORDER) == Py_None
           && is_ascii(PyTuple_GET_ITEM(examined, STATED)) && (kept == Py_None || PyBytes_CheckExact(kept))
           && PyBytes_CheckExact(value) && PyBytes_CheckExact(key)
           && PyBytes_GET_SIZE(key) <= MAX_KEY_BYTES
           && is_plain((const unsigned char *)PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key));
}

/* The cursor of a record's partition; a new reference, NULL with an exception. */
static PyObject *
cursor_of(const Draft *draft, PyObject *record)
{
    PyObject *where[] = {PyTuple_GET_ITEM(record, TOPIC), PyTuple_GET_ITEM(record, PARTITION)};
    PyObject *key = PyTuple_Pack(2, where[0], where[1]);
    PyObject *cursor = key == NULL ? NULL : PyDict_GetItemWithError(draft->cursors, key);
    Py_XINCREF(cursor);
    Py_XDECREF(key);
    return cursor != NULL || PyErr_Occurred() ? cursor : PyObject_Vectorcall(draft->cursor_of, where, 2, NULL);
}

/* The frame of a cursor if it stands at the record, a new reference; NULL otherwise, or with an exception. */
static PyObject *
frame_at(PyObject *cursor, PyObject *record, long long *offset)
{
    PyObject *next = PyObject_GetAttr(cursor, NEXT_OFFSET);
    if (next == NULL) {
        return NULL;
    }
    int beyond, further;
    *offset = PyLong_AsLongLongAndOverflow(PyTuple_GET_ITEM(record, OFFSET), &beyond);
    const long long expected = PyErr_Occurred() ? -1 : PyLong_AsLongLongAndOverflow(next, &further);
    Py_DECREF(next);
    if (PyErr_Occurred() || beyond || further || *offset != expected || *offset < 0 || *offset == LLONG_MAX) {
        return NULL;
    }
    PyObject *frame = PyObject_GetAttr(cursor, FRAME);
    if (frame != NULL
        && (!PyTuple_Check(frame) || PyTuple_GET_SIZE(frame) != 2 || !is_ascii(PyTuple_GET_ITEM(frame, 0))
            || !is_ascii(PyTuple_GET_ITEM(frame, 1)))) {
        Py_CLEAR(frame);
    }
    return frame;
}

static int
append(PyObject *list, PyObject *item)
{
    const int outcome = item == NULL ? -1 : PyList_Append(list, item);
    Py_XDECREF(item);
    return outcome;
}

static int
move(PyObject *cursor, long long next_offset, PyObject *leaf)
{
    PyObject *next = PyLong_FromLongLong(next_offset);
    const int outcome = next == NULL ? -1 : PyObject_SetAttr(cursor, NEXT_OFFSET, next);
    Py_XDECREF(next);
    return outcome < 0 ? -1 : PyObject_SetAttr(cursor, LAST_LEAF, leaf);
}

/* The leaf of one record: 1; 0 where it needs a closer look, and nothing is changed; -1 with an exception. */
static int
leaf(const Draft *draft, PyObject *examined, const unsigned char *drawn, long long number)
{
    if (!PyTuple_Check(examined) || PyTuple_GET_SIZE(examined) != EXAMINED_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "what was examined has eight fields");
        return -1;
    }
    PyObject *record = PyTuple_GET_ITEM(examined, RECORD), *identity = PyTuple_GET_ITEM(examined, IDENTITY);
    if (!PyTuple_Check(record) || PyTuple_GET_SIZE(record) != RECORD_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "records have seven fields");
        return -1;
    }
    if (!is_usual(examined, record)) {
        return 0;
    }
    const int repeated = PyDict_Contains(draft->known, identity);
    if (repeated != 0) {
        return repeated < 0 ? -1 : 0;
    }
    long long offset;
    PyObject *cursor = cursor_of(draft, record);
    PyObject *frame = cursor == NULL ? NULL : frame_at(cursor, record, &offset);
    if (frame == NULL) {
        Py_XDECREF(cursor);
        return PyErr_Occurred() ? -1 : 0;
    }
    int outcome = -1;
    unsigned char salt[SALT_BYTES];
    salt_of(drawn, PyTuple_GET_ITEM(examined, KEPT), salt);
    PyObject *made = receipt(examined, frame, record, salt, offset, draft);
    PyObject *place = PyLong_FromLongLong(number), *known = NULL, *salted = NULL;
    if (made == NULL || place == NULL) {
        goto done;
    }
    known = PyTuple_Pack(2, place, PyTuple_GET_ITEM(examined, DIGEST));
    salted = PyBytes_FromStringAndSize((const char *)salt, sizeof salt);
    if (known == NULL || salted == NULL || PyDict_SetItem(draft->known, identity, known) < 0
        || append(draft->firsts, PyTuple_Pack(2, identity, known)) < 0
        || append(draft->payloads, PyTuple_Pack(4, place, salted, PyTuple_GET_ITEM(record, VALUE),
                                                PyTuple_GET_ITEM(examined, KEPT))) < 0
        || PyList_Append(draft->receipts, made) < 0 || move(cursor, offset + 1, place) < 0) {
        goto done;
    }
    outcome = 1;

done:
    Py_DECREF(cursor);
    Py_DECREF(frame);
    Py_XDECREF(made);
    Py_XDECREF(place);
    Py_XDECREF(known);
    Py_XDECREF(salted);
    return outcome;
}

int
intern_names(void)
{
    FRAME = PyUnicode_InternFromString("frame");
    NEXT_OFFSET = PyUnicode_InternFromString("next_offset");
    LAST_LEAF = PyUnicode_InternFromString("last_leaf");
    return FRAME == NULL || NEXT_OFFSET == NULL || LAST_LEAF == NULL ? -1 : 0;
}

PyObject *
leaves(PyObject *Py_UNUSED(module), PyObject *args)
{
    Draft draft;
    PyObject *given;
    Py_ssize_t start, done = 0;
    Py_buffer drawn;
    long long number;
    if (!PyArg_ParseTuple(args, "Ony*O!OO!O!O!O!LL:leaves", &given, &start, &drawn, &PyDict_Type, &draft.cursors,
                             &draft.cursor_of, &PyDict_Type, &draft.known, &PyList_Type, &draft.firsts, &PyList_Type, &draft.payloads,
                             &PyList_Type, &draft.receipts, &number, &draft.recorded_at)) {
        return NULL;
    }
    PyObject *all = PySequence_Fast(given, "what was examined is a sequence");
    if (all != NULL && (start < 0 || draft.recorded_at < 0 || drawn.len / DRAWN_BYTES < PySequence_Fast_GET_SIZE(all))) {
        PyErr_SetString(PyExc_ValueError, "each has 16 bytes for its salt, and a time of our era");
    }
    while (!PyErr_Occurred() && start + done < PySequence_Fast_GET_SIZE(all)) {
        const unsigned char *own = (const unsigned char *)drawn.buf + (start + done) * DRAWN_BYTES;
        if (leaf(&draft, PySequence_Fast_GET_ITEM(all, start + done), own, number + done) <= 0) {
            break;
        }
        done++;
    }
    Py_XDECREF(all);
    PyBuffer_Release(&drawn);
    return PyErr_Occurred() ? NULL : PyLong_FromSsize_t(done);
}
