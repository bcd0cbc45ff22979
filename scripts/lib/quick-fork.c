/*
 * For the tests, which start some ten thousand programs: Node forks for each, and the kernel copies the page tables of a process
 * that has 70 MB, which takes three quarters of the time of a small program. Preloaded into Node, this makes fork(2) what vfork(2)
 * is. Node's child only execs, as vfork(2) asks for. Other programs, which inherit the variable, fork as ever.
 */
#include <string.h>
#include <unistd.h>

int quick_fork_is_on;
char **quick_fork_environ;

__attribute__((constructor)) static void begin(void) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  quick_fork_is_on = length > 5 && memcmp(path + length - 5, "/node", 5) == 0;
}

/* Parent and child return from here on one stack, so that the return address has to wait in a register. */
__asm__(".globl fork\n"
        ".type fork, @function\n"
        "fork:\n"
        "  mov quick_fork_is_on@GOTPCREL(%rip), %rax\n"
        "  cmpl $0, (%rax)\n"
        "  je 3f\n"
        /* The child may give itself an environment, in the parent's memory. */
        "  mov environ@GOTPCREL(%rip), %rax\n"
        "  mov (%rax), %rax\n"
        "  mov quick_fork_environ@GOTPCREL(%rip), %rcx\n"
        "  mov %rax, (%rcx)\n"
        "  pop %rdi\n"
        "  mov $58, %eax\n" /* SYS_vfork */
        "  syscall\n"
        "  push %rdi\n"
        "  test %eax, %eax\n"
        "  jz 1f\n"
        "  mov quick_fork_environ@GOTPCREL(%rip), %rcx\n"
        "  mov (%rcx), %rcx\n"
        "  mov environ@GOTPCREL(%rip), %rdx\n"
        "  mov %rcx, (%rdx)\n"
        "  test %eax, %eax\n"
        "  js 2f\n"
        "1:\n"
        "  ret\n"
        "2:\n"
        "  neg %eax\n"
        "  push %rax\n"
        "  call __errno_location@PLT\n"
        "  pop %rcx\n"
        "  mov %ecx, (%rax)\n"
        "  mov $-1, %eax\n"
        "  ret\n"
        "3:\n"
        "  jmp __fork@PLT\n"
        ".size fork, . - fork\n");
