/* The headers of one sender's events, less what differs from one to the next: laid over a record's headers, it says what
   the receipt will hold of them. Whatever is not as usual is left to `services.audit.core.sequencing_examine`, which
   reads every header; a property holds the two against each other. */
#include "stencil.h"

enum { OTHER, ID, TIME, SUBJECT, SEQUENCE, ORIGIN, ROLES };

/* The length of a value in each role, at least and at most. Longer ones need a closer look. */
static const Py_ssize_t SHORTEST[ROLES] = {0, 36, 27, 1, 1, 55};
static const Py_ssize_t LONGEST[ROLES] = {PY_SSIZE_T_MAX, 36, 27, 256, 15, 55};

typedef struct {
    PyObject *shared; /* the bytes before it, borrowed from the tuple */
    Py_ssize_t at;    /* where its value begins in the block */
    Py_ssize_t size;
    int role;
    PyObject *kept; /* how the header begins in what is kept of it, borrowed; NULL where the receipt holds it */
} Part;

typedef struct {
    PyObject_HEAD
    PyObject *shared, *kept, *frame, *source, *trial;
    Py_ssize_t size; /* of a block of these headers */
    int count;
    Part *parts;
    int place[ROLES]; /* of the part in a role, -1 where there is none */
    Py_ssize_t kept_size;
} Stencil;

int
is_plain(const unsigned char *text, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7E || text[i] == '"' || text[i] == '\\') {
            return 0;
        }
    }
    return 1;
}

static int
is_hex(const unsigned char *text, int size)
{
    for (int i = 0; i < size; i++) {
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f'))) {
            return 0;
        }
    }
    return 1;
}

static int
is_zero(const unsigned char *text, int size)
{
    for (int i = 0; i < size; i++) {
        if (text[i] != '0') {
            return 0;
        }
    }
    return 1;
}

/* Twin of `envelope._UUID`. */
static int
is_uuid(const unsigned char *text)
{
    return is_hex(text, 8) && text[8] == '-' && is_hex(text + 9, 4) && text[13] == '-' && is_hex(text + 14, 4)
           && text[18] == '-' && is_hex(text + 19, 4) && text[23] == '-' && is_hex(text + 24, 12);
}

/* Twin of `traceparent.is_valid` for version 00, the only one there is. */
static int
is_trace(const unsigned char *text)
{
    return memcmp(text, "00-", 3) == 0 && is_hex(text + 3, 32) && !is_zero(text + 3, 32) && text[35] == '-'
           && is_hex(text + 36, 16) && !is_zero(text + 36, 16) && text[52] == '-' && is_hex(text + 53, 2);
}

/* The number of so many digits, -1 where there are others. */
static int
number(const unsigned char *text, int digits)
{
    int read = 0;
    for (int i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        read = 10 * read + (text[i] - '0');
    }
    return read;
}

/* Whether it is what `timestamps.format_us` writes of an instant, so that it is canonical already. */
static int
is_canonical_time(const unsigned char *text)
{
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int year = number(text, 4), month = number(text + 5, 2), day = number(text + 8, 2);
    const int hour = number(text + 11, 2), minute = number(text + 14, 2), second = number(text + 17, 2);
    if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] != '.'
        || text[26] != 'Z' || number(text + 20, 6) < 0) {
        return 0;
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59
        || second < 0 || second > 59) {
        return 0;
    }
    const int leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= DAYS[month - 1] + leap;
}

static int
is_usual(int role, const unsigned char *value, Py_ssize_t size, const char *latest)
{
    switch (role) {
    case ID:
        return is_uuid(value);
    case TIME:
        return is_canonical_time(value) && memcmp(value, latest, 27) <= 0;
    case SUBJECT:
        return is_plain(value, size);
    case SEQUENCE:
        return number(value, 1) >= (size > 1) && number(value + 1, (int)size - 1 > 7 ? 7 : (int)size - 1) >= 0
               && (size <= 8 || number(value + 8, (int)size - 8) >= 0);
    case ORIGIN:
        return is_trace(value);
    default:
        return 1;
    }
}

/* Text that is put together from pieces which are all ASCII. */
static PyObject *
joined(const Piece *pieces, int count)
{
    PyObject *text = PyUnicode_New((Py_ssize_t)size_of(pieces, count), 127);
    if (text != NULL) {
        put_together((char *)PyUnicode_1BYTE_DATA(text), pieces, count);
    }
    return text;
}

/* Twin of `receipt.event_text`. */
static PyObject *
stated_text(const Stencil *self, const unsigned char *block)
{
    Piece value[ROLES];
    for (int role = ID; role < ROLES; role++) {
        if (self->place[role] >= 0) {
            const Part *part = &self->parts[self->place[role]];
            value[role] = (Piece){block + part->at, (size_t)part->size};
        }
    }
    Piece pieces[17];
    int count = 0;
    pieces[count++] = of_ascii(PyTuple_GET_ITEM(self->frame, 0));
    pieces[count++] = LITERAL("\"id\":\"");
    pieces[count++] = value[ID];
    pieces[count++] = LITERAL("\",");
    if (self->place[SEQUENCE] >= 0) {
        pieces[count++] = LITERAL("\"sequence\":");
        pieces[count++] = value[SEQUENCE];
        pieces[count++] = LITERAL(",");
    }
    pieces[count++] = of_ascii(PyTuple_GET_ITEM(self->frame, 1));
    pieces[count++] = LITERAL(",\"subject\":\"");
    pieces[count++] = value[SUBJECT];
    pieces[count++] = LITERAL("\",\"time\":\"");
    pieces[count++] = value[TIME];
    pieces[count++] = LITERAL("\",");
    if (self->place[ORIGIN] >= 0) {
        pieces[count++] = LITERAL("\"traceparent\":\"");
        pieces[count++] = value[ORIGIN];
        pieces[count++] = LITERAL("\",");
    }
    pieces[count++] = of_ascii(PyTuple_GET_ITEM(self->frame, 2));
    return joined(pieces, count);
}

/* Twin of `headers.framed` for each header that the receipt will not hold. */
static PyObject *
kept_of(const Stencil *self, const unsigned char *block)
{
    if (self->kept_size == 0) {
        return Py_NewRef(Py_None);
    }
    PyObject *kept = PyBytes_FromStringAndSize(NULL, self->kept_size);
    if (kept == NULL) {
        return NULL;
    }
    char *to = PyBytes_AS_STRING(kept);
    for (int i = 0; i < self->count; i++) {
        const Part *part = &self->parts[i];
        if (part->kept == NULL) {
            continue;
        }
        const Py_ssize_t name = PyBytes_GET_SIZE(part->kept);
        memcpy(to, PyBytes_AS_STRING(part->kept), (size_t)name);
        to += name;
        for (int shift = 24; shift >= 0; shift -= 8) {
            *to++ = (char)(part->size >> shift);
        }
        memcpy(to, block + part->at, (size_t)part->size);
        to += part->size;
    }
    return kept;
}

static int
fits(const Stencil *self, const unsigned char *block)
{
    const unsigned char *at = block;
    for (int i = 0; i <= self->count; i++) {
        PyObject *shared = PyTuple_GET_ITEM(self->shared, i);
        if (memcmp(at, PyBytes_AS_STRING(shared), (size_t)PyBytes_GET_SIZE(shared)) != 0) {
            return 0;
        }
        at += PyBytes_GET_SIZE(shared) + (i < self->count ? self->parts[i].size : 0);
    }
    return 1;
}

int
stencil_read(PyObject *stencil, PyObject *block, const char *latest, Said *said)
{
    const Stencil *self = (const Stencil *)stencil;
    if (PyBytes_GET_SIZE(block) != self->size) {
        return 0;
    }
    const unsigned char *data = (const unsigned char *)PyBytes_AS_STRING(block);
    if (!fits(self, data)) {
        return 0;
    }
    for (int i = 0; i < self->count; i++) {
        const Part *part = &self->parts[i];
        if (!is_usual(part->role, data + part->at, part->size, latest)) {
            return 0;
        }
    }
    const Piece id = {data + self->parts[self->place[ID]].at, 36};
    PyObject *identifier = joined(&id, 1);
    said->identity = identifier == NULL ? NULL : PyTuple_Pack(2, self->source, identifier);
    Py_XDECREF(identifier);
    said->stated = stated_text(self, data);
    said->kept = kept_of(self, data);
    if (said->identity == NULL || said->stated == NULL || said->kept == NULL) {
        Py_CLEAR(said->identity);
        Py_CLEAR(said->stated);
        Py_CLEAR(said->kept);
        return -1;
    }
    return 1;
}

int
stencil_holds(PyObject *stencil, PyObject *value)
{
    return trial_holds(((Stencil *)stencil)->trial, value);
}

static int
check(int holds, const char *fault)
{
    if (!holds && !PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, fault);
    }
    return holds;
}

/* The parts, from tuples whose types were checked. */
static int
lay_out(Stencil *self, PyObject *lengths, PyObject *roles)
{
    Py_ssize_t at = 0;
    for (int i = 0; i < self->count; i++) {
        Part *part = &self->parts[i];
        part->shared = PyTuple_GET_ITEM(self->shared, i);
        if (!check(PyBytes_CheckExact(part->shared), "what is shared is bytes")) {
            return -1;
        }
        part->size = PyLong_AsSsize_t(PyTuple_GET_ITEM(lengths, i));
        part->role = (int)PyLong_AsLong(PyTuple_GET_ITEM(roles, i));
        if (!check(!PyErr_Occurred() && part->role >= OTHER && part->role < ROLES, "there is no such role")
            || !check(part->size >= SHORTEST[part->role] && part->size <= LONGEST[part->role], "an unusual length")
            || !check(part->role == OTHER || self->place[part->role] < 0, "a role is taken twice")) {
            return -1;
        }
        part->at = at + PyBytes_GET_SIZE(part->shared);
        if (!check(part->size <= PY_SSIZE_T_MAX / 2 - part->at, "an unusual length")) {
            return -1;
        }
        at = part->at + part->size;
        self->place[part->role] = i;
    }
    PyObject *last = PyTuple_GET_ITEM(self->shared, self->count);
    if (!check(PyBytes_CheckExact(last), "what is shared is bytes")
        || !check(self->place[ID] >= 0 && self->place[TIME] >= 0 && self->place[SUBJECT] >= 0, "a role is missing")) {
        return -1;
    }
    self->size = at + PyBytes_GET_SIZE(last);
    return 0;
}

static int
lay_out_kept(Stencil *self)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->kept); i++) {
        int place;
        PyObject *name;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(self->kept, i), "iS", &place, &name)
            || !check(place >= 0 && place < self->count && self->parts[place].kept == NULL, "no such header is kept")) {
            return -1;
        }
        self->parts[place].kept = name;
        self->kept_size += PyBytes_GET_SIZE(name) + 4 + self->parts[place].size;
    }
    return 0;
}

static void
forget(Stencil *self)
{
    Py_CLEAR(self->shared);
    Py_CLEAR(self->kept);
    Py_CLEAR(self->frame);
    Py_CLEAR(self->source);
    Py_CLEAR(self->trial);
    PyMem_Free(self->parts);
    self->parts = NULL;
}

static PyObject *
make(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *shared, *lengths, *roles, *kept, *frame, *source, *trial;
    if (!check(kwargs == NULL || PyDict_GET_SIZE(kwargs) == 0, "Stencil takes no keywords")
        || !PyArg_ParseTuple(args, "O!O!O!O!O!UO!:Stencil", &PyTuple_Type, &shared, &PyTuple_Type, &lengths,
                             &PyTuple_Type, &roles, &PyTuple_Type, &kept, &PyTuple_Type, &frame, &source, &TrialType,
                             &trial)) {
        return NULL;
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(lengths);
    if (!check(count <= 1024 && PyTuple_GET_SIZE(shared) == count + 1 && PyTuple_GET_SIZE(roles) == count,
               "as many lengths as roles, and what is shared around them")
        || !check(PyTuple_GET_SIZE(frame) == 3, "a frame has three parts")) {
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        PyObject *text = PyTuple_GET_ITEM(frame, i);
        if (!check(is_ascii(text), "a frame is ASCII")) {
            return NULL;
        }
    }
    Stencil *self = (Stencil *)type->tp_alloc(type, 0);
    if (self == NULL) {
        return NULL;
    }
    self->shared = Py_NewRef(shared);
    self->kept = Py_NewRef(kept);
    self->frame = Py_NewRef(frame);
    self->source = Py_NewRef(source);
    self->trial = Py_NewRef(trial);
    self->count = (int)count;
    self->parts = PyMem_Calloc((size_t)count + 1, sizeof(Part));
    for (int role = OTHER; role < ROLES; role++) {
        self->place[role] = -1;
    }
    if (self->parts == NULL) {
        PyErr_NoMemory();
    } else if (lay_out(self, lengths, roles) == 0 && lay_out_kept(self) == 0) {
        return (PyObject *)self;
    }
    Py_DECREF(self);
    return NULL;
}

static void
dealloc(Stencil *self)
{
    forget(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

PyTypeObject StencilType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "decklog.native.Stencil",
    .tp_doc = "Stencil(shared, lengths, roles, kept, frame, source, trial): see `services.audit.core.sequencing_usual`.",
    .tp_basicsize = sizeof(Stencil),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = make,
    .tp_dealloc = (destructor)dealloc,
};
