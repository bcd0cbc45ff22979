// Starts programs the way a runtime does, by vfork(2) and execve(2), all at once, and says how long it took until the last
// was done. A program as large as Node takes several milliseconds for each process that it starts, which would be
// measured instead. Standard input has, for each program, its path, its arguments, an empty string, its environment, an
// empty string, and its own standard input, all ended by NUL. Standard output gets the nanoseconds, then for each
// program a line with exit status and length, and after it what the program has printed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CALLS = 256, MOST_STRINGS = 16, MOST_OUTPUT = 65536 };

struct call {
  char *arguments[MOST_STRINGS + 1], *environment[MOST_STRINGS + 1];
  int input[2], output[2];
  pid_t pid;
};

static void check(int result, const char *what) {
  if (result >= 0) return;
  perror(what);
  exit(2);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static char *read_all(size_t *length) {
  size_t room = 1 << 20;
  char *text = malloc(room);
  *length = 0;
  for (;;) {
    ssize_t got = read(0, text + *length, room - *length);
    check(got, "read");
    if (got == 0) return text;
    *length += got;
    if (*length == room) text = realloc(text, room *= 2);
  }
}

static char *next(char **at) {
  char *string = *at;
  *at += strlen(string) + 1;
  return string;
}

/** Takes strings up to an empty one. */
static void list(char **at, char **strings) {
  for (int i = 0; **at != 0; i++) {
    if (i == MOST_STRINGS) {
      fputs("too many strings\n", stderr);
      exit(2);
    }
    strings[i] = next(at);
  }
  ++*at;
}

int main(void) {
  static struct call calls[MOST_CALLS];
  size_t length;
  char *at = read_all(&length), *end = at + length;
  int count = 0;
  for (; at < end; count++) {
    if (count == MOST_CALLS) return fputs("too many calls\n", stderr), 2;
    struct call *call = &calls[count];
    list(&at, call->arguments);
    list(&at, call->environment);
    char *input = next(&at);
    // Both fit into a pipe, so that nobody has to be served meanwhile.
    check(pipe2(call->input, O_CLOEXEC), "pipe");
    check(pipe2(call->output, O_CLOEXEC), "pipe");
    check(write(call->input[1], input, strlen(input)), "write");
    close(call->input[1]);
  }
  long long began = now();
  for (int i = 0; i < count; i++) {
    struct call *call = &calls[i];
    call->pid = vfork();
    check(call->pid, "vfork");
    if (call->pid == 0) {
      dup2(call->input[0], 0);
      dup2(call->output[1], 1);
      execve(call->arguments[0], call->arguments, call->environment);
      _exit(127);
    }
  }
  int status[MOST_CALLS];
  for (int i = 0; i < count; i++) check(waitpid(calls[i].pid, &status[i], 0), "waitpid");
  printf("%lld\n", now() - began);
  for (int i = 0; i < count; i++) {
    static char output[MOST_OUTPUT];
    close(calls[i].output[1]);
    ssize_t got, printed = 0;
    while ((got = read(calls[i].output[0], output + printed, sizeof output - printed)) > 0) printed += got;
    printf("%d %zd\n", WIFEXITED(status[i]) ? WEXITSTATUS(status[i]) : -WTERMSIG(status[i]), printed);
    fwrite(output, 1, printed, stdout);
    close(calls[i].output[0]);
  }
  return 0;
}
