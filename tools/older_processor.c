/* Answers for the instruction cpuid, where `ud2` was written over it, as an older processor would (older_processor.py). */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

static int has_avx, has_avx2;

static void answer(int signal, siginfo_t *what, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)registers[REG_RIP];
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    (void)signal, (void)what;
    if (code[0] != 0x0f || code[1] != 0x0b) abort();
    __cpuid_count(leaf, part, a, b, c, d);
    if (leaf == 1 && !has_avx) c &= ~(bit_FMA | bit_AVX | bit_F16C | bit_XSAVE | bit_OSXSAVE);
    if (leaf == 1 && !has_avx2) c &= ~(bit_FMA | bit_F16C);
    if (leaf == 7) { /* of what came with AVX2 or later, the parts that a Haswell has */
        b = part == 0 && has_avx2 ? b & (bit_BMI | bit_AVX2 | bit_BMI2) : 0;
        a = c = d = 0;
    }
    registers[REG_RAX] = a, registers[REG_RBX] = b, registers[REG_RCX] = c, registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    const char *level = getenv("OLDER_PROCESSOR");
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    has_avx2 = level && atoi(level) >= 2;
    has_avx = level && atoi(level) >= 1;
    sigaction(SIGILL, &action, NULL);
}
