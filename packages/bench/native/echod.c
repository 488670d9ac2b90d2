/*
 * An echo server on one thread and epoll: how fast it could be. `echod tcp|PATH echo|sink|source` prints its port (0 on
 * a path) as a line of JSON; the line "close" on standard input half-closes every connection, its end leaves.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER = 65536, FILES = 1 << 17 };
static char buffer[BUFFER];
/* What could not be written yet, by descriptor. */
static struct { char *bytes; int length, open; } held[FILES];
static int poll_, isSink, isSource;

static void fail(const char *what) {
  perror(what);
  exit(1);
}
static void watch(int fd, int how, unsigned what) {
  struct epoll_event event = {.events = what, .data.fd = fd};
  epoll_ctl(poll_, how, fd, &event);
}
static void end(int fd) {
  free(held[fd].bytes);
  held[fd].bytes = NULL, held[fd].length = 0, held[fd].open = 0;
  close(fd);
}
/* Keeps what the socket does not take, and reads no more until it has. */
static void put(int fd, const char *bytes, int length) {
  ssize_t written = write(fd, bytes, length);
  if (written < 0 && errno != EAGAIN) return end(fd);
  if (written < 0) written = 0;
  if (written == length) return;
  char *rest = malloc(length - written);
  memcpy(rest, bytes + written, length - written);
  free(held[fd].bytes);
  held[fd].bytes = rest, held[fd].length = length - written;
  watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
}
static void writable(int fd) {
  if (held[fd].bytes) {
    ssize_t written = write(fd, held[fd].bytes, held[fd].length);
    if (written < 0) {
      if (errno != EAGAIN) end(fd);
      return;
    }
    held[fd].length -= written;
    if (held[fd].length) {
      memmove(held[fd].bytes, held[fd].bytes + written, held[fd].length);
      return;
    }
    free(held[fd].bytes);
    held[fd].bytes = NULL;
  }
  if (!isSource) return watch(fd, EPOLL_CTL_MOD, EPOLLIN);
  ssize_t written = write(fd, buffer, BUFFER);
  if (written < 0 && errno != EAGAIN) end(fd);
}
static void readable(int fd) {
  ssize_t length = read(fd, buffer, BUFFER);
  if (length == 0 || (length < 0 && errno != EAGAIN)) return end(fd);
  if (length > 0 && !isSink) put(fd, buffer, length);
}

int main(int count, char **arguments) {
  if (count < 3) return fprintf(stderr, "echod tcp|PATH echo|sink|source\n"), 2;
  isSink = !strcmp(arguments[2], "sink"), isSource = !strcmp(arguments[2], "source");
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  int isUnix = strcmp(arguments[1], "tcp") != 0, yes = 1;
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  strncpy(path.sun_path, arguments[1], sizeof path.sun_path - 1);
  struct sockaddr *address = isUnix ? (struct sockaddr *)&path : (struct sockaddr *)&any;
  socklen_t bytes = isUnix ? sizeof path : sizeof any;
  int listener = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, address, bytes) < 0 || listen(listener, 4096) < 0) fail("listen");
  if (!isUnix) getsockname(listener, address, &bytes);
  poll_ = epoll_create1(0);
  watch(listener, EPOLL_CTL_ADD, EPOLLIN);
  watch(0, EPOLL_CTL_ADD, EPOLLIN);
  printf("{\"port\":%d}\n", isUnix ? 0 : ntohs(any.sin_port));
  fflush(stdout);
  static struct epoll_event events[1024];
  for (;;) {
    int n = epoll_wait(poll_, events, 1024, -1);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == 0) {
        char line[16];
        if (read(0, line, sizeof line) <= 0) return 0;
        for (int k = 0; k < FILES; k++)
          if (held[k].open) shutdown(k, SHUT_WR);
      } else if (fd == listener) {
        int peer;
        while ((peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          if (peer >= FILES) fail("too many files");
          setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
          held[peer].open = 1;
          watch(peer, EPOLL_CTL_ADD, isSource ? EPOLLOUT : EPOLLIN);
        }
      } else {
        if (events[i].events & EPOLLOUT) writable(fd);
        if (held[fd].open && events[i].events & ~EPOLLOUT) readable(fd);
      }
    }
  }
}
