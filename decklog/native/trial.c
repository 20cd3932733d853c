/* Tells what is a message of one type; twin of `services.audit.core.sequencing_examine._Trial`. */
#include "stencil.h"

/* Nothing of a message is freed before all of it is, and it may take fifty times its bytes. */
#define ROOM (1 << 18)
#define LARGE (1 << 15)

typedef struct {
    PyObject_HEAD
    PyObject *type, *error, *parse;
    Py_ssize_t room;
} Trial;

static int
begin(Trial *self)
{
    PyObject *message = PyObject_CallNoArgs(self->type);
    if (message == NULL) {
        return -1;
    }
    PyObject *parse = PyObject_GetAttrString(message, "ParseFromString");
    Py_DECREF(message);
    if (parse == NULL) {
        return -1;
    }
    Py_XSETREF(self->parse, parse);
    self->room = ROOM;
    return 0;
}

static int
init(Trial *self, PyObject *args, PyObject *kwargs)
{
    PyObject *type, *error;
    if (kwargs != NULL && PyDict_GET_SIZE(kwargs) > 0) {
        PyErr_SetString(PyExc_TypeError, "Trial takes no keywords");
        return -1;
    }
    if (!PyArg_ParseTuple(args, "OO:Trial", &type, &error)) {
        return -1;
    }
    Py_XSETREF(self->type, Py_NewRef(type));
    Py_XSETREF(self->error, Py_NewRef(error));
    return begin(self);
}

int
trial_holds(PyObject *trial, PyObject *value)
{
    Trial *self = (Trial *)trial;
    if (self->parse == NULL || !PyBytes_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "a trial is of a type, and of bytes");
        return -1;
    }
    self->room -= PyBytes_GET_SIZE(value);
    if (self->room < 0 && begin(self) < 0) {
        return -1;
    }
    PyObject *parsed = PyObject_CallOneArg(self->parse, value);
    if (PyBytes_GET_SIZE(value) > LARGE) {
        self->room = -1; /* Such a message is not kept for longer than until the next. */
    }
    if (parsed != NULL) {
        Py_DECREF(parsed);
        return 1;
    }
    if (PyErr_ExceptionMatches(self->error)) {
        PyErr_Clear();
        return 0;
    }
    return -1;
}

static PyObject *
holds(PyObject *self, PyObject *value)
{
    const int found = trial_holds(self, value);
    return found < 0 ? NULL : PyBool_FromLong(found);
}

static void
dealloc(Trial *self)
{
    Py_XDECREF(self->type);
    Py_XDECREF(self->error);
    Py_XDECREF(self->parse);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef methods[] = {
    {"holds", holds, METH_O, "Whether these bytes are a message of the type."},
    {NULL, NULL, 0, NULL},
};

PyTypeObject TrialType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "decklog.native.Trial",
    .tp_doc = "Trial(type, error): tells what is a message of one type; `error` is what its parser raises.",
    .tp_basicsize = sizeof(Trial),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)init,
    .tp_dealloc = (destructor)dealloc,
    .tp_methods = methods,
};
