/* Most records, examined; twin of `services.audit.core.sequencing_examine.examine` for those that are as usual. */
#include "stencil.h"

/* The first of the stencils for this topic and length that says something; as `stencil_read`. */
static int
said_by_any(PyObject *stencils, PyObject *block, const char *latest, Said *said, PyObject **stencil)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(stencils); i++) {
        *stencil = PyList_GET_ITEM(stencils, i);
        if (*stencil == Py_None) {
            continue; /* headers that always need a closer look */
        }
        if (!PyObject_TypeCheck(*stencil, &StencilType)) {
            PyErr_SetString(PyExc_TypeError, "stencils are looked up in lists of them");
            return -1;
        }
        const int found = stencil_read(*stencil, block, latest, said);
        if (found != 0) {
            return found;
        }
    }
    return 0;
}

/* What is found in a dictionary of dictionaries, borrowed; NULL where nothing is, or with an exception. */
static PyObject *
found_in(PyObject *outer, PyObject *first, PyObject *second)
{
    PyObject *inner = PyDict_GetItemWithError(outer, first);
    return inner != NULL && PyDict_Check(inner) ? PyDict_GetItemWithError(inner, second) : NULL;
}

/* The record as examined, None where it needs a closer look. */
static PyObject *
examined(PyObject *record, PyObject *usual, PyObject *places, const char *latest, PyTypeObject *type)
{
    if (!PyTuple_Check(record) || PyTuple_GET_SIZE(record) != RECORD_FIELDS) {
        PyErr_SetString(PyExc_TypeError, "records have seven fields");
        return NULL;
    }
    PyObject *topic = PyTuple_GET_ITEM(record, TOPIC), *block = PyTuple_GET_ITEM(record, HEADERS);
    PyObject *key = PyTuple_GET_ITEM(record, KEY), *value = PyTuple_GET_ITEM(record, VALUE);
    if (!PyBytes_CheckExact(key) || !PyBytes_CheckExact(value) || !PyBytes_CheckExact(block)) {
        Py_RETURN_NONE;
    }
    PyObject *place = found_in(places, topic, key);
    if (place == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    const int belongs = PyObject_RichCompareBool(place, PyTuple_GET_ITEM(record, PARTITION), Py_EQ);
    if (belongs <= 0) {
        return belongs < 0 ? NULL : Py_NewRef(Py_None);
    }
    PyObject *length = PyLong_FromSsize_t(PyBytes_GET_SIZE(block));
    if (length == NULL) {
        return NULL;
    }
    PyObject *stencils = found_in(usual, topic, length), *stencil = NULL;
    Py_DECREF(length);
    if (stencils == NULL || !PyList_Check(stencils)) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    Said said = {NULL, NULL, NULL};
    int found = said_by_any(stencils, block, latest, &said, &stencil);
    if (found > 0) {
        Py_INCREF(stencil); /* Parsing runs other people's code. */
        found = stencil_holds(stencil, value);
        Py_DECREF(stencil);
    }
    PyObject *digest = found > 0 ? PyBytes_FromStringAndSize(NULL, SHA256_BYTES) : NULL;
    if (digest == NULL) {
        Py_XDECREF(said.identity);
        Py_XDECREF(said.stated);
        Py_XDECREF(said.kept);
        return found != 0 ? NULL : Py_NewRef(Py_None);
    }
    const Piece whole = of_bytes(value);
    sha256_of(&whole, 1, (unsigned char *)PyBytes_AS_STRING(digest));
    PyObject *items[] = {
        Py_NewRef(record), said.identity, said.stated, Py_NewRef(Py_None), Py_NewRef(Py_None),
        digest, said.kept, Py_NewRef(Py_None),
    };
    return named_tuple(type, items, EXAMINED_FIELDS);
}

PyObject *
examine_each(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyTypeObject *type;
    PyObject *given, *usual, *places, *closer;
    const char *latest;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "O!OO!O!s#O:examine_each", &PyType_Type, &type, &given, &PyDict_Type, &usual,
                          &PyDict_Type, &places, &latest, &size, &closer)) {
        return NULL;
    }
    if (size != 27 || !PyType_IsSubtype(type, &PyTuple_Type)) {
        PyErr_SetString(PyExc_ValueError, "a time has 27 characters, and what was examined is a named tuple");
        return NULL;
    }
    PyObject *all = PySequence_Fast(given, "records are a sequence");
    PyObject *found = all == NULL ? NULL : PyList_New(PySequence_Fast_GET_SIZE(all));
    for (Py_ssize_t i = 0; found != NULL && i < PyList_GET_SIZE(found) && i < PySequence_Fast_GET_SIZE(all); i++) {
        PyObject *record = PySequence_Fast_GET_ITEM(all, i);
        PyObject *one = examined(record, usual, places, latest, type);
        if (one == Py_None) {
            Py_SETREF(one, PyObject_CallOneArg(closer, record));
        }
        if (one == NULL) {
            Py_CLEAR(found);
        } else {
            PyList_SET_ITEM(found, i, one);
        }
    }
    if (found != NULL && PySequence_Fast_GET_SIZE(all) != PyList_GET_SIZE(found)) {
        PyErr_SetString(PyExc_RuntimeError, "the records changed while they were examined");
        Py_CLEAR(found);
    }
    Py_XDECREF(all);
    return found;
}
