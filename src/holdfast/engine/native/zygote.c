// Lets a Node.js that has loaded adaptors fork a child for each run (docs/engine.md, "Zygotes").
//
// A library that is loaded before Node.js (LD_PRELOAD): no addon, so Node's permissions stay as
// they are. It stands in for read(2). When the program reads its frames from descriptor 0, which
// is a socket to the keeper (`engine/zygote/keeper.py`), this waits for the keeper's messages:
//
//   'D' bytes            input for the program itself
//   'F' order, 5 files   fork: the child gets its pipes, its walls, and goes on reading
//
// What the child does up to its first read is C code only: no JavaScript runs before its walls
// stand and the shim has moved it into the run's control group. Never linked against Node.js.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_DOFORK
#define MADV_DOFORK 11
#endif
#define REFER (1ULL << 13)       // rights of Landlock that older headers lack
#define TRUNCATE (1ULL << 14)
#define IOCTL (1ULL << 15)
#define ALL_FILES ((1ULL << 16) - 1)
#define FILES 5               // in, plain output, errors, out, hand
#define CHILDREN 512          // at a time
#define MESSAGE 65536
#define LEAVE 0x7fff0000      // read() of this descriptor and above: leave with a code
#define FAILED 120            // as `sandbox.spawn.FAILED`
#define SCRATCH "/scratch"

struct order {                // behind the 'F'; then come the filter's instructions
  uint32_t mark;              // stands for the child's own process id in the filter
  uint32_t listens;           // whether the filter has a listener
  uint32_t landlock;          // version of the kernel's interface
  char slot[36];              // name of the child's scratch folder, with a closing zero
};
struct report {               // to the shim, when a child has ended
  int32_t status;
  uint32_t spare;
  uint64_t processor_us;
};
struct child { pid_t pid; int hand; };

static int serving;
static int ended = -1;         // an eventfd: a child has ended
static struct child children[CHILDREN];
static char message[MESSAGE];
static char shown[4096];       // folders at the root, each with a closing zero
static size_t pending, taken;  // bytes of input that the program has not read yet

static ssize_t plain_read(int fd, void *buffer, size_t size) {
  return syscall(SYS_read, fd, buffer, size);
}

// The kernel may have any thread of Node.js take the signal, while the first forks, say.
static void note_end(int number) {
  (void)number;
  int kept = errno;
  if (eventfd_write(ended, 1)) errno = kept;
}

__attribute__((constructor)) static void begin(void) {
  const char *paths = getenv("HOLDFAST_ZYGOTE");
  if (paths == NULL || strlen(paths) > sizeof shown - 2) return;
  strcpy(shown, paths);
  for (char *at = shown; *at != 0; at++)
    if (*at == ':') *at = 0;
  serving = 1;
  unsetenv("HOLDFAST_ZYGOTE");
  unsetenv("LD_PRELOAD");
}

// V8 takes its heap out of what a child gets (nodejs/node#48523), so this puts all back, each time.
static void share_memory(void) {
  static char text[1 << 16];
  int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  size_t held = 0;
  ssize_t count;
  while ((count = plain_read(file, text + held, sizeof text - held - 1)) > 0) {
    held += (size_t)count;
    text[held] = 0;
    char *line = text, *end;
    while ((end = strchr(line, '\n')) != NULL) {
      *end = 0;
      char *rest;
      unsigned long first = strtoul(line, &rest, 16);
      unsigned long last = strtoul(rest + 1, NULL, 16);
      if (strstr(line, "[v") == NULL) madvise((void *)first, last - first, MADV_DOFORK);
      line = end + 1;
    }
    held -= (size_t)(line - text);
    memmove(text, line, held);
  }
  close(file);
}

static void report_end(pid_t pid, int status, const struct rusage *used) {
  struct report report = {status, 0, 0};
  report.processor_us = (uint64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000u
    + (uint64_t)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
  for (int i = 0; i < CHILDREN; i++) {
    if (children[i].pid != pid) continue;
    send(children[i].hand, &report, sizeof report, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(children[i].hand);
    children[i].pid = 0;
  }
}

static void reap(void) {
  int status;
  struct rusage used;
  pid_t pid;
  while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) report_end(pid, status, &used);
}

static void fail(int hand, const char *step) {
  char text[128];
  int length = snprintf(text, sizeof text, "failed %s: %s", step, strerror(errno));
  if (write(hand, text, (size_t)length) < 0) _exit(FAILED + 1);
  _exit(FAILED);
}

static int allow(int rules, const char *path, uint64_t rights) {
  struct landlock_path_beneath_attr rule = {rights, open(path, O_PATH | O_CLOEXEC)};
  if (rule.parent_fd < 0) return -1;
  int result = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(rule.parent_fd);
  return result;
}

// A domain of the child's own, inside the zygote's: of all scratch folders only its own is left. Signals, abstract
// sockets and tracing end at a domain too.
static void close_files(int hand, const struct order *order, const char *scratch) {
  struct { uint64_t files, network, scopes; } handled = {ALL_FILES, 0, 0};
  uint32_t version = order->landlock;
  if (version < 5) handled.files &= ~IOCTL;
  if (version < 3) handled.files &= ~TRUNCATE;
  if (version < 2) handled.files &= ~REFER;
  if (version >= 6) handled.scopes = 3;
  size_t size = version < 4 ? 8 : version < 6 ? 16 : 24;
  int rules = (int)syscall(SYS_landlock_create_ruleset, &handled, size, 0);
  if (rules < 0) fail(hand, "landlock rules");
  for (const char *path = shown; *path != 0; path += strlen(path) + 1)
    if (allow(rules, path, handled.files)) fail(hand, path);
  if (allow(rules, scratch, handled.files)) fail(hand, "scratch");
  if (syscall(SYS_landlock_restrict_self, rules, 0)) fail(hand, "landlock");
  close(rules);
}

static int close_calls(int hand, const struct order *order, size_t length) {
  struct sock_filter *code = (struct sock_filter *)(message + 1 + sizeof *order);
  struct sock_fprog program = {(unsigned short)(length / sizeof *code), code};
  for (unsigned i = 0; i < program.len; i++)
    if (code[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && code[i].k == order->mark)
      code[i].k = (uint32_t)getpid();
  unsigned flags = order->listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (result < 0) fail(hand, "seccomp");
  return order->listens ? (int)result : -1;
}

// Nothing that the zygote has open may stay: what is sent into a pipe of its event loops is taken
// there for pointers. The numbers stay taken until libuv has closed those that it knows.
static void close_descriptors(int hand) {
  static struct pollfd asked[256];  // one call says of all of them whether they are open
  struct rlimit limit;
  int nothing_there = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing_there < 0 || getrlimit(RLIMIT_NOFILE, &limit)) fail(hand, "descriptors");
  for (int first = 4; (rlim_t)first < limit.rlim_cur; first += 256) {
    int count = limit.rlim_cur - (rlim_t)first < 256 ? (int)limit.rlim_cur - first : 256;
    for (int i = 0; i < count; i++) asked[i] = (struct pollfd){first + i, 0, 0};
    if (poll(asked, (nfds_t)count, 0) < 0) fail(hand, "descriptors");
    for (int i = 0; i < count; i++)
      if (!(asked[i].revents & POLLNVAL) && first + i != hand && first + i != nothing_there
          && dup3(nothing_there, first + i, O_CLOEXEC) < 0)
        fail(hand, "descriptors");
  }
  close(nothing_there);
}

// In the child. Returns when the shim lets it go on; leaves where anything fails.
static void become_run(int *files, const struct order *order, size_t length) {
  serving = 0;
  for (int i = 0; i < CHILDREN; i++)
    if (children[i].pid != 0) close(children[i].hand);
  memset(children, 0, sizeof children);
  pending = 0;
  int hand = files[4];
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)) fail(hand, "parent");
  if (getppid() != 1) fail(hand, "parent's end");
  for (int i = 0; i < 4; i++)
    if (dup3(files[i], i, 0) < 0) fail(hand, "descriptors");
  signal(SIGCHLD, SIG_DFL);
  close(ended);
  close_descriptors(hand);
  int (*fork_loop)(void *) = (int (*)(void *))dlsym(RTLD_DEFAULT, "uv_loop_fork");
  void *(*loop)(void) = (void *(*)(void))dlsym(RTLD_DEFAULT, "uv_default_loop");
  if (fork_loop == NULL || loop == NULL || fork_loop(loop())) fail(hand, "event loop");
  char scratch[64];
  snprintf(scratch, sizeof scratch, SCRATCH "/%s", order->slot);
  if (chdir(scratch)) fail(hand, "scratch");
  close_files(hand, order, scratch);
  int listener = close_calls(hand, order, length);
  char word[32];
  int size = snprintf(word, sizeof word, "born %d", listener);
  if (write(hand, word, (size_t)size) != size) _exit(FAILED);
  if (plain_read(hand, word, sizeof word) <= 0) _exit(FAILED);  // the shim is gone
  if (listener >= 0) close(listener);
  close(hand);
}

static int forked(int *files, const struct order *order, size_t length) {
  int place = 0;
  while (place < CHILDREN && children[place].pid != 0) place++;
  pid_t pid = -1;
  if (place < CHILDREN) {
    share_memory();
    pid = fork();
  }
  if (pid == 0) {
    become_run(files, order, length);
    return 1;
  }
  for (int i = 0; i < 4; i++) close(files[i]);
  if (pid < 0) close(files[4]);  // which tells the shim
  else children[place] = (struct child){pid, files[4]};
  return 0;
}

// One message of the keeper; 1 in a child that was forked. Leaves when the keeper is gone.
static int message_taken(void) {
  char control[CMSG_SPACE(sizeof(int) * FILES)];
  struct iovec part = {message, sizeof message};
  struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof control};
  ssize_t count = recvmsg(0, &header, MSG_CMSG_CLOEXEC);
  if (count <= 0) {
    if (count < 0 && errno == EINTR) return 0;
    _exit(0);
  }
  struct cmsghdr *given = CMSG_FIRSTHDR(&header);
  int files[FILES];
  int whole = given != NULL && given->cmsg_len == CMSG_LEN(sizeof files);
  if (whole) memcpy(files, CMSG_DATA(given), sizeof files);
  if (message[0] == 'D') {
    pending = (size_t)count - 1;
    taken = 1;
  } else if (message[0] == 'F' && whole && (size_t)count > 1 + sizeof(struct order)) {
    struct order order;
    memcpy(&order, message + 1, sizeof order);
    order.slot[sizeof order.slot - 1] = 0;
    return forked(files, &order, (size_t)count - 1 - sizeof order);
  }
  return 0;
}

static void serve(void) {
  if (ended < 0) {
    ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct sigaction action = {.sa_handler = note_end, .sa_flags = SA_RESTART};
    if (ended < 0 || sigaction(SIGCHLD, &action, NULL)) _exit(FAILED);
  }
  while (pending == 0) {
    struct pollfd waiting[] = {{0, POLLIN, 0}, {ended, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0) continue;
    eventfd_t count;
    if (waiting[1].revents && eventfd_read(ended, &count) == 0) reap();
    if (waiting[0].revents && message_taken()) return;
  }
}

ssize_t read(int fd, void *buffer, size_t size) {
  if (fd >= LEAVE) _exit(fd - LEAVE);
  if (fd != 0 || !serving) return plain_read(fd, buffer, size);
  serve();
  if (!serving) return plain_read(0, buffer, size);
  size_t count = pending < size ? pending : size;
  memcpy(buffer, message + taken, count);
  pending -= count;
  taken += count;
  return (ssize_t)count;
}
