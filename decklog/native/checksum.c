/* CRC-32C by the processor's own instruction, where it has one; the Kafka library does it byte by byte. */
#include "native.h"

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(const unsigned char *data, Py_ssize_t size)
{
    uint64_t sum = 0xFFFFFFFF;
    for (; size >= 8; size -= 8, data += 8) {
        uint64_t word;
        memcpy(&word, data, sizeof word);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; size > 0; size--, data++) {
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *data);
    }
    return (uint32_t)sum ^ 0xFFFFFFFF;
}
#endif

/* Twin of aiokafka's `calc_crc32c`; None where the processor has no such instruction. */
PyObject *
crc32c(PyObject *Py_UNUSED(module), PyObject *data)
{
#if defined(__x86_64__)
    Py_buffer bytes;
    if (!__builtin_cpu_supports("sse4.2")) {
        Py_RETURN_NONE;
    }
    if (PyObject_GetBuffer(data, &bytes, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    const uint32_t sum = by_instruction(bytes.buf, bytes.len);
    PyBuffer_Release(&bytes);
    return PyLong_FromUnsignedLong(sum);
#else
    (void)data;
    Py_RETURN_NONE;
#endif
}
