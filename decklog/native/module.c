#include "native.h"

static PyMethodDef methods[] = {
    {"sha256", sha256, METH_O, "sha256(data): the digest, 32 bytes."},
    {"leaf_hashes", leaf_hashes, METH_O, "leaf_hashes(entries): one after the other."},
    {"node_hashes", node_hashes, METH_O, "node_hashes(level): the inner nodes over hashes that stand one after the other."},
    {"sha256_each", sha256_each, METH_VARARGS, "sha256_each(texts, prefix=b''): their digests, with the prefix before each."},
    {"records", records, METH_VARARGS,
     "records(type, data, at, count, topic, partition, base, last, first_time, before, is_whole): so many records of a "
     "batch, and where they end."},
    {"examine_each", examine_each, METH_VARARGS,
     "examine_each(type, records, usual, places, latest, closer): each as examined, by `closer` where it is not as usual."},
    {"leaves", leaves, METH_VARARGS,
     "leaves(examined, start, drawn, cursors, cursor_of, known, firsts, payloads, receipts, number, recorded_at): how many from "
     "there on have become leaves, up to the first that needs a closer look."},
    {"plain_events", plain_events, METH_O,
     "plain_events(entries): what each says, None where one is no receipt of a plain event."},
    {"unbundled", unbundled, METH_VARARGS,
     "unbundled(data, count): the entries of a bundle, None where it is none of so many."},
    {"write_files", write_files, METH_O, "write_files(files): descriptors of files written from (path, bytes, mode)."},
    {"sync_files", sync_files, METH_O, "sync_files(opened): make files durable, each (descriptor, path), and close them."},
    {"rename_files", rename_files, METH_O, "rename_files(names): give files names, each a pair of the old and the new."},
    {"sync_folders", sync_folders, METH_O, "sync_folders(paths): make what folders list durable."},
    {"bundled", bundled, METH_O, "bundled(entries): a bundle of them, None where one is too long."},
    {"crc32c", crc32c, METH_O, "crc32c(data): the checksum, None where the processor has no instruction for it."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "kernel",
    .m_doc = "What every event passes through, in C; see decklog.native.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC
PyInit_kernel(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || intern_names() < 0 || PyModule_AddType(module, &TrialType) < 0
        || PyModule_AddType(module, &StencilType) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
