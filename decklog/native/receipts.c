/* Receipts of plain events, recognised; twin of `decklog.model.receipt_lines`, which says what they look like. */
#include "native.h"

typedef struct {
    const unsigned char *at, *end;
} Reading;

/* What is left of a reading up to a place, as bytes of Python's. */
static PyObject *
taken(const unsigned char *from, const unsigned char *to)
{
    return PyBytes_FromStringAndSize((const char *)from, to - from);
}

static int
literal(Reading *from, const char *text, size_t size)
{
    if ((size_t)(from->end - from->at) < size || memcmp(from->at, text, size) != 0) {
        return 0;
    }
    from->at += size;
    return 1;
}

#define EXPECT(from, text) literal(from, text, sizeof(text) - 1)

/* Printable ASCII that nothing escapes, and the quotation mark behind it. */
static int
text(Reading *from)
{
    while (from->at < from->end && *from->at >= 0x20 && *from->at <= 0x7E && *from->at != '"' && *from->at != '\\') {
        from->at++;
    }
    return EXPECT(from, "\"");
}

/* A whole number of up to 15 digits; of 16, below 9 * 10^15, where it is a time. */
static int
whole(Reading *from, int is_time)
{
    const unsigned char *first = from->at;
    while (from->at < from->end && *from->at >= '0' && *from->at <= '9') {
        from->at++;
    }
    const Py_ssize_t digits = from->at - first;
    return digits >= 1 && (*first != '0' || digits == 1)
           && (digits <= 15 || (is_time && digits == 16 && *first <= '8'));
}

static int
commitment(Reading *from)
{
    const unsigned char *first = from->at;
    while (from->at < from->end && ((*from->at >= '0' && *from->at <= '9') || (*from->at >= 'a' && *from->at <= 'f'))) {
        from->at++;
    }
    return from->at - first == 2 * SHA256_BYTES;
}

static int
attributes(Reading *from)
{
    return EXPECT(from, "{\"about\":null,\"ce\":{") && (!EXPECT(from, "\"dataschema\":\"") || (text(from) && EXPECT(from, ",")))
           && EXPECT(from, "\"id\":\"") && text(from) && EXPECT(from, ",")
           && (!EXPECT(from, "\"sequence\":") || (whole(from, 0) && EXPECT(from, ",")))
           && EXPECT(from, "\"source\":\"") && text(from) && EXPECT(from, ",\"subject\":\"") && text(from)
           && EXPECT(from, ",\"time\":\"") && text(from) && EXPECT(from, ",")
           && (!EXPECT(from, "\"traceparent\":\"") || (text(from) && EXPECT(from, ",")))
           && EXPECT(from, "\"type\":\"") && text(from) && EXPECT(from, "},");
}

static int
place(Reading *from)
{
    return EXPECT(from, "\"kafka\":{\"cluster\":\"") && text(from) && EXPECT(from, ",\"epoch\":") && whole(from, 0)
           && EXPECT(from, ",\"offset\":") && whole(from, 0) && EXPECT(from, ",\"partition\":") && whole(from, 0)
           && EXPECT(from, ",\"topic\":\"") && text(from) && EXPECT(from, "},");
}

/* What an entry says, None where it is no receipt of a plain event. */
static PyObject *
said(PyObject *entry)
{
    if (!PyBytes_Check(entry)) {
        PyErr_SetString(PyExc_TypeError, "entries are bytes");
        return NULL;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(entry);
    Reading from = {data, data + PyBytes_GET_SIZE(entry)};
    const unsigned char *bounds[6];
    if (!attributes(&from) || !EXPECT(&from, "\"commitment\":\"")) {
        Py_RETURN_NONE;
    }
    bounds[0] = from.at;
    if (!commitment(&from)) {
        Py_RETURN_NONE;
    }
    bounds[1] = from.at;
    if (!EXPECT(&from, "\",") || !place(&from) || !EXPECT(&from, "\"key\":\"") || !text(&from)
        || !EXPECT(&from, ",\"kind\":\"event\",\"len\":")) {
        Py_RETURN_NONE;
    }
    bounds[2] = from.at;
    if (!whole(&from, 0)) {
        Py_RETURN_NONE;
    }
    bounds[3] = from.at;
    if (!EXPECT(&from, ",\"recorded_at\":")) {
        Py_RETURN_NONE;
    }
    bounds[4] = from.at;
    if (!whole(&from, 1)) {
        Py_RETURN_NONE;
    }
    bounds[5] = from.at;
    if (!EXPECT(&from, ",\"v\":1}") || from.at != from.end) {
        Py_RETURN_NONE;
    }
    return Py_BuildValue("(NNN)", taken(bounds[0], bounds[1]), taken(bounds[2], bounds[3]), taken(bounds[4], bounds[5]));
}

PyObject *
plain_events(PyObject *Py_UNUSED(module), PyObject *entries)
{
    PyObject *all = PySequence_Fast(entries, "entries are a sequence");
    PyObject *found = all == NULL ? NULL : PyList_New(0);
    for (Py_ssize_t i = 0; found != NULL && i < PySequence_Fast_GET_SIZE(all); i++) {
        PyObject *one = said(PySequence_Fast_GET_ITEM(all, i));
        if (one == Py_None) {
            Py_SETREF(found, one); /* no list, then */
            break;
        }
        if (one == NULL || PyList_Append(found, one) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(one);
    }
    Py_XDECREF(all);
    if (found != NULL && PyList_CheckExact(found) && PyList_GET_SIZE(found) == 0) {
        Py_SETREF(found, Py_NewRef(Py_None));
    }
    return found;
}

/* Twin of `decklog.model.tlog.bundle.decode`; None where the data is no bundle of so many entries. */
PyObject *
unbundled(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer data;
    Py_ssize_t count, at = 0;
    if (!PyArg_ParseTuple(args, "y*n:unbundled", &data, &count)) {
        return NULL;
    }
    const unsigned char *bytes = data.buf;
    PyObject *found = PyList_New(0);
    for (Py_ssize_t i = 0; found != NULL && i < count; i++) {
        const Py_ssize_t size = data.len - at < 2 ? data.len : (bytes[at] << 8) | bytes[at + 1];
        if (size > data.len - at - 2) {
            break;
        }
        PyObject *entry = taken(bytes + at + 2, bytes + at + 2 + size);
        if (entry == NULL || PyList_Append(found, entry) < 0) {
            Py_CLEAR(found);
        }
        Py_XDECREF(entry);
        at += 2 + size;
    }
    if (found != NULL && (PyList_GET_SIZE(found) != count || at != data.len)) {
        Py_SETREF(found, Py_NewRef(Py_None));
    }
    PyBuffer_Release(&data);
    return found;
}

/* Twin of `decklog.model.tlog.bundle.encode`; None where an entry is too long for a bundle. */
PyObject *
bundled(PyObject *Py_UNUSED(module), PyObject *entries)
{
    PyObject *all = PySequence_Tuple(entries), *data = NULL;
    Py_ssize_t size = 0, i = 0;
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    for (; i < count; i++) {
        PyObject *entry = PyTuple_GET_ITEM(all, i);
        if (!PyBytes_Check(entry) || PyBytes_GET_SIZE(entry) > 0xFFFF) {
            break;
        }
        size += 2 + PyBytes_GET_SIZE(entry);
    }
    if (all != NULL) {
        data = i < count ? Py_NewRef(Py_None) : PyBytes_FromStringAndSize(NULL, size);
    }
    if (data != NULL && data != Py_None) {
        char *to = PyBytes_AS_STRING(data);
        for (i = 0; i < count; i++) {
            const Piece entry = of_bytes(PyTuple_GET_ITEM(all, i));
            *to++ = (char)(entry.size >> 8);
            *to++ = (char)entry.size;
            memcpy(to, entry.data, entry.size);
            to += entry.size;
        }
    }
    Py_XDECREF(all);
    return data;
}
