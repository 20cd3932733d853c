/* Files written and made durable without Python's lock: for the eight calls of a file it would be given up and won back
   each time, and who holds it meanwhile keeps it for milliseconds. Twins of `services.audit.publisher.folder._written`,
   `_synced`, `_renamed` and `_sync_folders`. */
#define _GNU_SOURCE
#include "native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    const char *path;
    const char *data;
    Py_ssize_t size;
    int mode;
    int descriptor;
} File;

/* A descriptor; where a signal comes between it is asked for again, as in Python. */
static int
opened(const char *path, int flags, int mode)
{
    int descriptor;
    do {
        descriptor = open(path, flags | O_CLOEXEC, mode);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

/* Write a file and have the kernel begin to store it; 0, or what errno said. */
static int
write_one(File *file)
{
    file->descriptor = opened(file->path, O_WRONLY | O_CREAT | O_TRUNC, file->mode);
    if (file->descriptor < 0) {
        return errno;
    }
    for (Py_ssize_t done = 0; done < file->size;) {
        const ssize_t written = write(file->descriptor, file->data + done, (size_t)(file->size - done));
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        done += written < 0 ? 0 : written;
    }
    posix_fadvise(file->descriptor, 0, 0, POSIX_FADV_DONTNEED); /* where it does not, fsync does */
    return 0;
}

/* Make durable and close, whatever comes of it; 0, or what errno said first. */
static int
sync_and_close(int descriptor)
{
    int problem = 0;
    while (fsync(descriptor) < 0) {
        if (errno != EINTR) {
            problem = errno;
            break;
        }
    }
    return close(descriptor) < 0 && problem == 0 ? errno : problem;
}

static PyObject *
refused(int problem, PyObject *path)
{
    errno = problem;
    return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
}

PyObject *
write_files(PyObject *Py_UNUSED(module), PyObject *given)
{
    PyObject *all = PySequence_Tuple(given), *descriptors = NULL;
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    File *files = all == NULL ? NULL : PyMem_Calloc((size_t)count + 1, sizeof(File));
    Py_ssize_t done = 0, parsed = 0;
    int problem = 0;
    if (all != NULL && files == NULL) {
        PyErr_NoMemory();
    }
    for (; files != NULL && parsed < count; parsed++) {
        File *file = &files[parsed];
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(all, parsed), "sy#i", &file->path, &file->data, &file->size, &file->mode)) {
            break;
        }
    }
    if (files != NULL && parsed == count) {
        Py_BEGIN_ALLOW_THREADS
        while (problem == 0 && done < count) {
            problem = write_one(&files[done++]);
        }
        Py_END_ALLOW_THREADS
        descriptors = problem == 0 ? PyList_New(count) : NULL;
        for (Py_ssize_t i = 0; i < done; i++) {
            PyObject *number = descriptors == NULL ? NULL : PyLong_FromLong(files[i].descriptor);
            if (number != NULL) {
                PyList_SET_ITEM(descriptors, i, number);
            } else if (files[i].descriptor >= 0) {
                close(files[i].descriptor);
            }
        }
        if (problem != 0) {
            refused(problem, PyTuple_GET_ITEM(PyTuple_GET_ITEM(all, done - 1), 0));
        }
    }
    PyMem_Free(files);
    Py_XDECREF(all);
    return descriptors;
}

PyObject *
sync_files(PyObject *Py_UNUSED(module), PyObject *given)
{
    PyObject *all = PySequence_Tuple(given), *path;
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    int *descriptors = all == NULL ? NULL : PyMem_Calloc((size_t)count + 1, sizeof(int));
    Py_ssize_t parsed = 0;
    int problem = 0;
    if (all != NULL && descriptors == NULL) {
        PyErr_NoMemory();
    }
    for (; descriptors != NULL && parsed < count; parsed++) {
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(all, parsed), "iO", &descriptors[parsed], &path)) {
            break;
        }
    }
    if (descriptors != NULL && parsed == count) {
        Py_ssize_t done = 0;
        Py_BEGIN_ALLOW_THREADS
        while (problem == 0 && done < count) {
            problem = sync_and_close(descriptors[done++]);
        }
        for (Py_ssize_t left = done; left < count; left++) {
            close(descriptors[left]);
        }
        Py_END_ALLOW_THREADS
        if (problem != 0) {
            refused(problem, PyTuple_GET_ITEM(PyTuple_GET_ITEM(all, done - 1), 1));
        }
    }
    PyMem_Free(descriptors);
    Py_XDECREF(all);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

typedef struct {
    const char *source;
    const char *target;
} Name;

static int
sync_folder(const char *path)
{
    const int descriptor = opened(path, O_RDONLY | O_DIRECTORY, 0);
    return descriptor < 0 ? errno : sync_and_close(descriptor);
}

PyObject *
rename_files(PyObject *Py_UNUSED(module), PyObject *given)
{
    PyObject *all = PySequence_Tuple(given);
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    Name *names = all == NULL ? NULL : PyMem_Calloc((size_t)count + 1, sizeof(Name));
    Py_ssize_t done = 0, parsed = 0;
    int problem = 0;
    if (all != NULL && names == NULL) {
        PyErr_NoMemory();
    }
    for (; names != NULL && parsed < count; parsed++) {
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(all, parsed), "ss", &names[parsed].source, &names[parsed].target)) {
            break;
        }
    }
    if (names != NULL && parsed == count) {
        Py_BEGIN_ALLOW_THREADS
        for (; problem == 0 && done < count; done++) {
            problem = rename(names[done].source, names[done].target) < 0 ? errno : 0;
        }
        Py_END_ALLOW_THREADS
        if (problem != 0) {
            PyObject *pair = PyTuple_GET_ITEM(all, done - 1);
            errno = problem;
            PyErr_SetFromErrnoWithFilenameObjects(
                PyExc_OSError, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        }
    }
    PyMem_Free(names);
    Py_XDECREF(all);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

PyObject *
sync_folders(PyObject *Py_UNUSED(module), PyObject *given)
{
    PyObject *all = PySequence_Tuple(given);
    const Py_ssize_t count = all == NULL ? 0 : PyTuple_GET_SIZE(all);
    const char **paths = all == NULL ? NULL : PyMem_Calloc((size_t)count + 1, sizeof(char *));
    Py_ssize_t done = 0, parsed = 0;
    int problem = 0;
    if (all != NULL && paths == NULL) {
        PyErr_NoMemory();
    }
    for (; paths != NULL && parsed < count; parsed++) {
        paths[parsed] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(all, parsed));
        if (paths[parsed] == NULL) {
            break;
        }
    }
    if (paths != NULL && parsed == count) {
        Py_BEGIN_ALLOW_THREADS
        while (problem == 0 && done < count) {
            problem = sync_folder(paths[done++]);
        }
        Py_END_ALLOW_THREADS
        if (problem != 0) {
            refused(problem, PyTuple_GET_ITEM(all, done - 1));
        }
    }
    PyMem_Free(paths);
    Py_XDECREF(all);
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}
