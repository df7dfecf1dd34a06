/* Preloaded by as_avx2.py: to all libraries in the process, the processor has AVX2, and no AVX-512, AMX or AVX-VNNI.
 *
 * Linux lets the CPUID instruction fault (arch_prctl(2), ARCH_SET_CPUID). The handler executes it, and clears the bits
 * of what is to be hidden. Threads inherit the setting, and child processes load this file, too. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define BIT(n) (1u << (n))

/* Leaf 7 of CPUID: "Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2A, CPUID. */
#define AVX512_IN_EBX (BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31))
#define AVX512_IN_ECX (BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14))
#define AVX512_AND_AMX_IN_EDX (BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25))
#define VNNI_BF16_AND_FP16_IN_EAX (BIT(4) | BIT(5) | BIT(21))
#define VNNI_AND_AVX10_IN_EDX (BIT(4) | BIT(5) | BIT(19))
/* Leaf 13: the registers that the system saves. */
#define AVX512_AND_AMX_REGISTERS (BIT(5) | BIT(6) | BIT(7) | BIT(17) | BIT(18))

/* Returns 0, or -1 if it cannot be set. */
static long let_cpuid_fault(int faults)
{
    return syscall(SYS_arch_prctl, ARCH_SET_CPUID, !faults);
}

static void execute_cpuid(int signal_number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *instruction = (const uint8_t *)registers[REG_RIP];
    const uint32_t leaf = (uint32_t)registers[REG_RAX], part = (uint32_t)registers[REG_RCX];
    uint32_t a, b, c, d;
    if (info->si_code != SI_KERNEL || instruction[0] != 0x0f || instruction[1] != 0xa2) {
        signal(signal_number, SIG_DFL); /* another fault: it comes again, and ends the process */
        return;
    }
    let_cpuid_fault(0);
    __cpuid_count(leaf, part, a, b, c, d);
    let_cpuid_fault(1);
    if (leaf == 7 && part == 0) {
        b &= ~AVX512_IN_EBX;
        c &= ~AVX512_IN_ECX;
        d &= ~AVX512_AND_AMX_IN_EDX;
    } else if (leaf == 7 && part == 1) {
        a &= ~VNNI_BF16_AND_FP16_IN_EAX;
        d &= ~VNNI_AND_AVX10_IN_EDX;
    } else if (leaf == 13 && part == 0) {
        a &= ~AVX512_AND_AMX_REGISTERS;
    }
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = execute_cpuid, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (sigaction(SIGSEGV, &action, NULL) || let_cpuid_fault(1)) {
        perror("as_avx2: CPUID must be able to fault");
        exit(1);
    }
}
