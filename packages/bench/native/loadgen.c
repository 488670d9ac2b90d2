/*
 * A load generator on one thread and epoll, for loopback and Unix sockets. It prints one line of JSON.
 *
 *   loadgen --to PORT|PATH --exchange FOLDER --size BYTES --mode ping|up|down|both|churn|hold [--conns N] [--depth N]
 *           [--seconds S] [--warm S] [--pid SERVER] [--busy PERCENT] [--hold S] [--patience S] [--spin 1]
 *
 * The exchange's files: `requests`, each of `size` bytes, which a connection sends in turn; `answer`, whose length, first
 * and last byte all answers have; `lastAnswer`, a shorter one behind which a server may end a connection, and empty where
 * none says so; `hello`, which comes first and is answered with 101 and an empty line, and `goodbye`, which comes before
 * the end and answers a close frame: both are for WebSockets, and empty elsewhere.
 *
 * ping   each connection sends `depth` messages and another for each that comes back
 * up     each connection writes as fast as it can; down: reads; both: both
 * churn  each slot connects, sends one message, reads its answer, says goodbye or half-closes, waits for the end, and
 *        begins again
 * hold   opens the connections, each of which is served once, holds them for a while and says so; then a line on standard
 *        input is a command: "close" says goodbye to all of them, "wait" waits for the server to do it, "exit" leaves.
 *        `busy` percent of them ping all the while. From the command on an answer of another length is a refusal, and no
 *        answer; who has not ended within `patience` is left open.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

typedef struct {
  int fd;
  enum { CONNECTING, GREETING, OPEN, ENDING, CLOSED } state;
  int busy, wantsWrite;
  int heard, said;  /* the server's goodbye; ours */
  int refused;
  uint64_t owed;    /* bytes still to write */
  uint64_t missing; /* bytes of answers that have not come */
  uint32_t at;      /* where in the pattern the next byte is */
  uint32_t seen, tail; /* of the answer to the hello: how much, and its last four bytes */
  uint64_t sentAt;
} Connection;

static const char *mode = "ping", *exchange = ".", *to = "";
static int connections = 100, depth = 1, serverPid = 0, busyPercent = 0, spin = 0;
static double seconds = 1, warm = 0.3, held = 0.3, patience = 30;

typedef struct {
  char *bytes;
  size_t length;
} Text;
static Text requests, answer, lastAnswer, hello, goodbye;
/* Those who are held may be told to end. */
static int ending;
static size_t size;
/* The requests, over and over. */
static Text pattern;
static char *buffer;
enum { BUFFER = 1 << 18, IN_FLIGHT = 128, EVENTS = 1024 };
static int poll_;
static struct epoll_event events[EVENTS];
static Connection *all;

static void fail(const char *what) {
  fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
  exit(1);
}
static void wrong(const char *what) {
  fprintf(stderr, "loadgen: %s\n", what);
  exit(1);
}
static Text contents(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", exchange, name);
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) < 0) fail(path);
  Text text = {.length = ftell(file)};
  rewind(file);
  text.bytes = malloc(text.length + 1);
  if (fread(text.bytes, 1, text.length, file) < text.length) fail(path);
  fclose(file);
  return text;
}
static uint64_t clockNanos(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}
static uint64_t now(void) { return clockNanos(CLOCK_MONOTONIC); }
/* Spent on looking whether there is something to do. */
static uint64_t idleCpu;
static uint64_t ownCpu(void) { return clockNanos(CLOCK_PROCESS_CPUTIME_ID) - idleCpu; }

/* What the server's threads have run, in nanoseconds. */
static uint64_t serverCpu(void) {
  char path[400];
  snprintf(path, sizeof path, "/proc/%d/task", serverPid);
  DIR *tasks = serverPid ? opendir(path) : NULL;
  if (!tasks) return 0;
  uint64_t sum = 0;
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", serverPid, task->d_name);
    FILE *file = fopen(path, "r");
    unsigned long long nanos;
    if (file && fscanf(file, "%llu", &nanos) == 1) sum += nanos;
    if (file) fclose(file);
  }
  closedir(tasks);
  return sum;
}
static long serverRss(void) {
  char path[64], line[256];
  long kib = 0;
  snprintf(path, sizeof path, "/proc/%d/status", serverPid);
  FILE *file = serverPid ? fopen(path, "r") : NULL;
  if (!file) return 0;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
  fclose(file);
  return kib;
}

/* Latencies, in buckets of three per cent. */
static uint64_t buckets[64 * 32], latencies;
static void latency(uint64_t nanos) {
  int top = nanos < 32 ? 4 : 63 - __builtin_clzll(nanos);
  buckets[nanos < 32 ? nanos : (uint64_t)(top - 4) * 32 + ((nanos >> (top - 5)) & 31)]++;
  latencies++;
}
static double quantileMicros(double q) {
  uint64_t rank = q * latencies, seen = 0;
  for (int i = 0; latencies && i < 64 * 32; i++)
    if ((seen += buckets[i]) > rank)
      return (i < 32 ? (uint64_t)i : (1ull << (i / 32 + 4)) + ((uint64_t)(i % 32) << (i / 32 - 1))) / 1e3;
  return 0;
}

static void watch(Connection *c, uint32_t what, int how) {
  struct epoll_event event = {.events = what, .data.ptr = c};
  if (epoll_ctl(poll_, how, c->fd, &event) < 0) fail("epoll_ctl");
}

/*
 * Waits for events. With `spin` it never sleeps: to wake a sleeper costs the one who writes to it, so that a server
 * that is a little slower would pay for its client's naps as well.
 */
static int await(int millis) {
  uint64_t from = spin ? now() : 0;
  int n = epoll_wait(poll_, events, EVENTS, spin ? 0 : millis);
  if (spin && n == 0) idleCpu += now() - from;
  return n;
}

/* Begins to connect; 0 when the peer's backlog is full (Unix sockets say so at once). */
static int dial(Connection *c) {
  static uint32_t turn;
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int isUnix = strchr(to, '/') != NULL, yes = 1, connected;
  c->fd = socket(isUnix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) fail("socket");
  if (isUnix) {
    strncpy(path.sun_path, to, sizeof path.sun_path - 1);
    connected = connect(c->fd, (struct sockaddr *)&path, sizeof path);
  } else {
    /* One local address has 28,000 ports; connections that ended keep theirs for a minute. */
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + turn++ % 16)};
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(c->fd, (struct sockaddr *)&local, sizeof local) < 0) fail("bind");
    peer.sin_port = htons(atoi(to));
    connected = connect(c->fd, (struct sockaddr *)&peer, sizeof peer);
  }
  if (connected < 0 && errno == EAGAIN) {
    close(c->fd);
    return 0;
  }
  if (connected < 0 && errno != EINPROGRESS) fail("connect");
  c->state = CONNECTING;
  watch(c, EPOLLOUT | EPOLLIN, EPOLL_CTL_ADD);
  return 1;
}
static void connected(Connection *c) {
  int error = 0;
  socklen_t bytes = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
  if ((errno = error)) fail("connect");
  watch(c, EPOLLIN, EPOLL_CTL_MOD);
}
/* Goes on with what comes before the first request; 1 when that is over. */
static int opens(Connection *c) {
  static const char upgraded[] = "HTTP/1.1 101";
  if (c->state == CONNECTING) {
    connected(c);
    c->state = hello.length ? GREETING : OPEN;
    if (hello.length && write(c->fd, hello.bytes, hello.length) < (ssize_t)hello.length) fail("the hello");
    return c->state == OPEN;
  }
  ssize_t bytes = read(c->fd, buffer, BUFFER);
  if (bytes < 0 && errno == EAGAIN) return 0;
  if (bytes <= 0) fail("the answer to the hello");
  for (ssize_t i = 0; i < bytes; i++, c->seen++) {
    if (c->seen < sizeof upgraded - 1 && buffer[i] != upgraded[c->seen]) wrong("the hello is refused");
    c->tail = c->tail << 8 | (unsigned char)buffer[i];
  }
  if (c->tail != 0x0d0a0d0a) return 0;
  c->state = OPEN;
  return 1;
}

static int flush(Connection *c) {
  while (c->owed > 0) {
    size_t most = pattern.length - c->at;
    ssize_t bytes = write(c->fd, pattern.bytes + c->at, c->owed < most ? c->owed : most);
    if (bytes < 0 && errno == EAGAIN) {
      if (!c->wantsWrite) watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD), c->wantsWrite = 1;
      return 1;
    }
    if (bytes < 0) return 0;
    c->owed -= bytes;
    c->at = (c->at + bytes) % requests.length;
  }
  if (c->state == ENDING && !c->said) {
    c->said = 1;
    if (!goodbye.length) shutdown(c->fd, SHUT_WR);
    else if (write(c->fd, goodbye.bytes, goodbye.length) < 0) return 0;
  }
  if (c->wantsWrite) watch(c, EPOLLIN, EPOLL_CTL_MOD), c->wantsWrite = 0;
  return 1;
}
static int ask(Connection *c, uint64_t messages) {
  c->owed += messages * size;
  c->missing += messages * answer.length;
  return flush(c);
}
/* Ends our side, once what is owed has left. Whether that works is seen by what is read. */
static void part(Connection *c) {
  if (c->state != OPEN) return;
  c->state = ENDING;
  flush(c);
}

/* What is measured: from the end of the warm-up on. */
static struct { uint64_t at, server, own, ops, in, out, errors; } base, total;
static int measuring;
static uint64_t startedAt;
/* Looking is timed by the clock on the wall: more than none where others have the core in between. */
static double ownSeconds(void) {
  int64_t nanos = ownCpu() - base.own;
  return nanos > 0 ? nanos / 1e9 : 0;
}

/* What the mode is there for. */
static uint64_t amount(void) {
  if (!strcmp(mode, "up")) return total.out;
  return strcmp(mode, "down") && strcmp(mode, "both") ? total.ops : total.in;
}

/* Begins with the first answer, and ends with another: a server that is cold takes its time where others are busy. */
static int measuredAll(void) {
  static uint64_t amountBefore;
  static const uint64_t most = 10 * 1000000000ull;
  uint64_t t = now();
  if (!measuring && t >= startedAt + (uint64_t)(warm * 1e9) && (amount() > 0 || t >= startedAt + most)) {
    base = total, amountBefore = amount();
    base.at = t, base.server = serverCpu(), base.own = ownCpu();
    measuring = 1;
  }
  if (!measuring || t < base.at + (uint64_t)(seconds * 1e9)) return 0;
  if (amount() == amountBefore && t < base.at + most) return 0;
  double spent = (t - base.at) / 1e9;
  uint64_t ops = total.ops - base.ops, in = total.in - base.in, out = total.out - base.out;
  printf("{\"ops\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"serverCpu\":%.6f,\"ownCpu\":%.6f,\"p50Micros\":%.1f,"
         "\"p99Micros\":%.1f,\"errors\":%llu}\n",
         (unsigned long long)ops, (unsigned long long)(strcmp(mode, "up") ? in : out), spent,
         (serverCpu() - base.server) / 1e9, ownSeconds(), quantileMicros(.5), quantileMicros(.99),
         (unsigned long long)(total.errors - base.errors));
  return 1;
}

/* Takes what has come for answers, and a close frame between two of them for the server's goodbye. */
static void count(Connection *c, const char *bytes, size_t length) {
  while (length > 0 && !c->heard && !c->refused) {
    size_t left = c->missing ? (c->missing - 1) % answer.length + 1 : answer.length;
    int begins = left == answer.length;
    if (begins && goodbye.length && (unsigned char)*bytes == 0x88) c->heard = 1;
    if (c->heard || !c->missing) return;
    if (begins && *bytes != *answer.bytes) wrong("what comes is no answer");
    size_t taken = length < left ? length : left;
    c->missing -= taken, bytes += taken, length -= taken;
    if (taken < left) return;
    if (bytes[-1] != answer.bytes[answer.length - 1]) {
      if (!ending) wrong("an answer has another length");
      c->refused = 1;
      return;
    }
    total.ops++;
  }
}
/* Reads what is there. */
static ssize_t take(Connection *c) {
  ssize_t bytes = read(c->fd, buffer, BUFFER);
  if (bytes > 0) {
    total.in += bytes;
    count(c, buffer, bytes);
    if (c->heard) part(c);
  }
  return bytes;
}

/* Whether what was asked has its answer, now that nothing more comes. */
static int isAnswered(Connection *c) {
  if (c->refused) return 0;
  return !c->missing || (lastAnswer.length && c->missing == answer.length - lastAnswer.length);
}

/*
 * Opens them all, a few at a time. With `served` each is also asked once: the system says that a connection is there
 * before the server has accepted it, and drops what comes when too many wait.
 */
static void openAll(int served) {
  int started = 0, opened = 0, waits = 0;
  while (opened < connections) {
    while (started < connections && started - opened < IN_FLIGHT && dial(&all[started])) started++;
    int n = epoll_wait(poll_, events, EVENTS, started > opened ? 10000 : 1);
    if (n == 0 && (started > opened || ++waits > 10000)) errno = ETIMEDOUT, fail("connect");
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (c->state < OPEN) {
        if (!opens(c)) continue;
        if (!served) opened++;
        else if (!ask(c, 1)) fail("write");
      } else if (served) {
        if (events[i].events & EPOLLOUT && !flush(c)) fail("write");
        ssize_t bytes = take(c);
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) fail("the first answer");
        if (bytes > 0 && c->missing == 0) opened++;
      }
    }
  }
}

static void throughput(void) {
  int ping = !strcmp(mode, "ping"), writes = !strcmp(mode, "up") || !strcmp(mode, "both");
  openAll(ping);
  startedAt = now();
  for (int i = 0; i < connections; i++) {
    all[i].sentAt = startedAt;
    if (ping && !ask(&all[i], depth)) fail("write");
    if (writes) watch(&all[i], EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
  while (!measuredAll()) {
    int n = await(10);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & ~EPOLLOUT) {
        uint64_t before = total.ops;
        ssize_t bytes = take(c);
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN)) {
          fprintf(stderr, "loadgen: the server ended a connection: %s\n", bytes ? strerror(errno) : "end");
          exit(1);
        }
        if (ping && total.ops > before) {
          if (depth == 1) {
            uint64_t t = now();
            if (measuring) latency(t - c->sentAt);
            c->sentAt = t;
          }
          if (c->state == OPEN && !ask(c, total.ops - before)) fail("write");
        }
      }
      if (events[i].events & EPOLLOUT) {
        if (!writes) {
          if (!flush(c)) fail("write");
          continue;
        }
        ssize_t bytes = write(c->fd, pattern.bytes + c->at, pattern.length - c->at);
        if (bytes < 0 && errno != EAGAIN) fail("write");
        if (bytes > 0) total.out += bytes, c->at = (c->at + bytes) % requests.length;
      }
    }
  }
}

static void again(Connection *c, int ok) {
  if (ok) {
    total.ops++;
    if (measuring) latency(now() - c->sentAt);
  } else
    total.errors++;
  close(c->fd);
  memset(c, 0, sizeof *c);
  c->state = CLOSED;
}
static void churn(void) {
  startedAt = now();
  for (int i = 0; i < connections; i++) all[i].state = CLOSED;
  while (!measuredAll()) {
    for (int i = 0; i < connections; i++)
      if (all[i].state == CLOSED && !dial(&all[i])) break;
    int n = await(1);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (c->state < OPEN) {
        if (!opens(c)) continue;
        c->sentAt = now();
        if (!ask(c, 1)) again(c, 0);
        continue;
      }
      if (events[i].events & EPOLLOUT && !flush(c)) again(c, 0);
      if (c->state == CLOSED) continue;
      uint64_t ops = total.ops;
      ssize_t bytes = take(c);
      total.ops = ops;
      if (bytes < 0 && errno == EAGAIN) continue;
      if (bytes < 0) again(c, 0);
      else if (bytes == 0) again(c, c->state == ENDING && c->missing == 0 && (!goodbye.length || c->heard));
      else if (c->missing == 0) part(c);
    }
  }
}

static void hold(void) {
  long rssBefore = serverRss();
  uint64_t from = now(), cpu = serverCpu(), settled = 0;
  openAll(1);
  int closed = 0, resets = 0, unanswered = 0, next = 0, closes = 0;
  uint64_t opened = now();
  for (int i = 0; i < (long)connections * busyPercent / 100; i++) {
    all[i].busy = 1;
    if (!ask(&all[i], 1)) fail("write");
  }
  struct epoll_event command = {.events = EPOLLIN, .data.ptr = NULL};
  while (closed < connections) {
    if (!settled && now() - opened > held * 1e9) {
      settled = now();
      printf("{\"event\":\"open\",\"seconds\":%.6f,\"cpuMicros\":%.3f,\"rssBefore\":%ld,\"rss\":%ld}\n",
             (opened - from) / 1e9, (serverCpu() - cpu) / 1e3 / connections, rssBefore, serverRss());
      fflush(stdout);
      if (epoll_ctl(poll_, EPOLL_CTL_ADD, 0, &command) < 0) fail("epoll_ctl");
    }
    for (int k = 0; closes && next < connections && k < 256; k++) part(&all[next++]);
    uint64_t waited = ending ? now() - base.at : 0, most = patience * 1e9;
    if (waited >= most) break;
    int millis = ending ? (most - waited) / 1000000 + 1 : settled ? 30000 : 50;
    int n = epoll_wait(poll_, events, EVENTS, closes && next < connections ? 0 : millis);
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      if (!c) {
        char line[32] = "";
        if (read(0, line, sizeof line - 1) <= 0 || !strncmp(line, "exit", 4)) exit(0);
        ending = 1, closes = !strncmp(line, "close", 5);
        epoll_ctl(poll_, EPOLL_CTL_DEL, 0, NULL);
        /* Whoever commanded it may tell the server now. */
        if (!closes) printf("{\"event\":\"waiting\"}\n"), fflush(stdout);
        base.at = now(), base.server = serverCpu(), base.own = ownCpu();
        continue;
      }
      if (events[i].events & EPOLLOUT) flush(c);
      if (!(events[i].events & ~EPOLLOUT)) continue;
      ssize_t bytes;
      while ((bytes = take(c)) > 0)
        if (c->missing == 0 && c->busy && c->state == OPEN && !c->refused) ask(c, 1);
      if (bytes < 0 && errno == EAGAIN) continue;
      if (!ending) fprintf(stderr, "loadgen: the server ended a connection\n"), exit(1);
      resets += bytes < 0;
      unanswered += !isAnswered(c);
      close(c->fd);
      closed++;
    }
  }
  uint64_t ended = now();
  usleep(200000);
  printf("{\"event\":\"closed\",\"closed\":%d,\"resets\":%d,\"unanswered\":%d,\"seconds\":%.6f,\"cpuMicros\":%.3f,"
         "\"ownCpu\":%.6f}\n",
         closed, resets, unanswered, (ended - base.at) / 1e9, (serverCpu() - base.server) / 1e3 / connections,
         ownSeconds());
}

int main(int count, char **arguments) {
  for (int i = 1; i + 1 < count; i += 2) {
    const char *name = arguments[i], *value = arguments[i + 1];
    if (!strcmp(name, "--to")) to = value;
    else if (!strcmp(name, "--mode")) mode = value;
    else if (!strcmp(name, "--conns")) connections = atoi(value);
    else if (!strcmp(name, "--exchange")) exchange = value;
    else if (!strcmp(name, "--size")) size = atoi(value);
    else if (!strcmp(name, "--depth")) depth = atoi(value);
    else if (!strcmp(name, "--seconds")) seconds = atof(value);
    else if (!strcmp(name, "--warm")) warm = atof(value);
    else if (!strcmp(name, "--pid")) serverPid = atoi(value);
    else if (!strcmp(name, "--spin")) spin = atoi(value);
    else if (!strcmp(name, "--hold")) held = atof(value);
    else if (!strcmp(name, "--patience")) patience = atof(value);
    else if (!strcmp(name, "--busy")) busyPercent = atoi(value);
    else return fprintf(stderr, "loadgen: what is %s?\n", name), 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = files.rlim_max, setrlimit(RLIMIT_NOFILE, &files);
  requests = contents("requests"), answer = contents("answer"), lastAnswer = contents("lastAnswer");
  hello = contents("hello"), goodbye = contents("goodbye");
  if (!size || !requests.length || requests.length % size || !answer.length) wrong("that is no exchange");
  size_t copies = BUFFER / requests.length + 1;
  pattern.length = requests.length * copies;
  pattern.bytes = malloc(pattern.length), buffer = malloc(BUFFER), all = calloc(connections, sizeof *all);
  for (size_t i = 0; i < copies; i++) memcpy(pattern.bytes + i * requests.length, requests.bytes, requests.length);
  if ((poll_ = epoll_create1(EPOLL_CLOEXEC)) < 0) fail("epoll_create");
  if (!strcmp(mode, "hold")) hold();
  else if (!strcmp(mode, "churn")) churn();
  else throughput();
  return 0;
}
