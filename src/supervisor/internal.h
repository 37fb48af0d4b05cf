/* What the files of this room share. One process, one loop, one sandbox. */
#pragma once

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/fail.h"
#include "engine/engine.h"
#include "policy/plan.h"
#include "supervisor/supervisor.h"
#include "wire/ipc.h"
#include "wire/termfilter.h"

#define RING_SIZE     (1U << 20) /* bytes of output kept for each tty session */
#define OUTPUT_CHUNK  (32U << 10)
#define BEHIND_MAX    (256U << 10) /* the terminal is not read while even the fastest client is this far behind */
#define STALL_SECONDS 1.0	   /* after so long without any progress a client no longer counts */
#define INPUT_MAX     (256U << 10)
#define QUEUE_MAX     (256U << 10) /* bytes of answers that wait for one client */
#define PEERS_MAX     256
#define SESSIONS_MAX  1024
#define SESSIONS_KEPT 16 /* with so many, each new one makes the oldest ended one forgotten, its ring too */
#define LOG_MAX	      (256U << 10)

enum session_kind { SESSION_MAIN, SESSION_SHELL, SESSION_EXEC };
enum session_state { SESSION_WAITING, SESSION_SENT, SESSION_RUNNING, SESSION_EXITED };

struct supervisor;
struct peer;

struct session {
	struct session *next;
	struct supervisor *sv;
	uint64_t id;
	enum session_kind kind;
	enum session_state state;
	bool tty;
	bool sole;     /* pid 1 ends with it */
	unsigned rows, cols;
	int spec;	/* memfd for INNER_SPAWN until it is sent */
	int stdio[3];	/* until it is sent; -1 with a tty */
	int early_signal; /* came before the command ran */
	pid_t pid;	/* inside */
	char *command;	/* for people */
	int64_t started; /* ms since the epoch */
	int status;	/* wait status once EXITED */

	int master; /* -1 without tty, or when it is closed */
	ev_io read_io, write_io;
	char *ring;	/* RING_SIZE bytes, mapped at the first output */
	uint64_t total; /* bytes ever output */
	bool paused;	/* no client keeps up */
	ev_timer stall;
	struct buf input;
	struct peer *latest; /* whose size the terminal has */
	struct termfilter modes; /* what state the output leaves a terminal in, for who attaches later */
};

enum peer_phase { PEER_NEW = 1, PEER_KNOWN = 2, PEER_SESSION = 4 };

struct peer {
	struct peer *next;
	struct supervisor *sv;
	int fd;
	ev_io read_io, write_io;
	enum peer_phase phase;
	struct session *session;
	bool attached;	/* gets the session's output */
	bool readonly;
	bool held;	/* not read: its session's input is full */
	bool lagging;	/* stuck: nobody waits for it */
	bool progress;	/* sent something since the stall timer started */
	bool wants_stop; /* answered when everything is down */
	bool wants_ps;
	bool wants_modes; /* before its replay */
	bool first;	/* the client that started the sandbox */
	bool owner;	/* of a session without tty: its end is the session's end */
	unsigned rows, cols;
	uint64_t pos; /* how far of the session's output it has got */
	uint64_t replay_until; /* what lies before it was output before the client came */
	uint64_t until; /* LOGS: where to stop; UINT64_MAX: never */
	struct buf queue; /* messages to be sent before any more output: u32 length, bytes */
	struct buf last;  /* the message after all output (EXITED, DETACHED, OK), then the peer is closed */
};

enum supervisor_state { SV_STARTING, SV_RUNNING, SV_STOPPING, SV_ENDED };

struct trail;
struct cgroup;

struct supervisor {
	struct ev_loop *loop;
	enum supervisor_state state;
	struct name_claim *claim;
	char *name, *project, *home_name, *cwd;
	char **argv, **env; /* the default command and the environment of every session */
	char *receipt_file;
	char *copy; /* of the project, mounted in its stead; or NULL */
	bool sent;  /* a command has been sent to pid 1: something may have run */
	enum plan_net net;
	uint64_t memory, pids, cpus_milli, timeout_ms, idle_stop_ms, stop_grace_ms;
	int64_t started;

	struct engine_instance engine;
	struct plan *plan; /* until the audit has it */
	ev_io inner_io, launcher_io, control_io, inotify_io;
	ev_timer timeout, kill_timer, idle;
	ev_periodic never;
	ev_signal sigterm;
	int inotify;
	int pid1_fd;
	pid_t pid1;
	struct cgroup *cgroup; /* where memory or processors are limited */
	bool mapped;	/* cs-enter has its ids, or needs none */
	bool sole_ended; /* pid 1 ends by itself */
	bool timed_out;
	bool runtime_gone;
	bool ordered_stop; /* by stop, a signal or a limit: not by the command's own end */
	const char *reason; /* of the end, for the audit */
	int status;	    /* of the first main session, by the shell's convention */
	bool have_status;

	struct session *sessions;
	struct peer *peers;
	size_t npeers, nsessions;
	uint64_t next_session;

	uint64_t idle_cpu_ms;
	double last_active; /* ev_now() of the last output or input */
	bool idle_warned;

	struct trail *trail;
	int log;
	size_t logged;
};

/* supervisor.c */
void sv_log(struct supervisor *sv, const char *fmt, ...) _printf_(2, 3);
void sv_stop(struct supervisor *sv, const char *reason, bool ordered, uint64_t grace_ms);
void sv_fail(struct supervisor *sv, const char *msg, const char *hint); /* nothing was started: all clients hear it */
void sv_session_over(struct supervisor *sv, struct session *s);
void sv_idle_cpu(struct supervisor *sv, uint64_t cpu_ms);
int64_t sv_now_ms(void);
int sv_exit_status(int wait_status); /* 0..255, 128+n */

/* inner.c: the messages of cs-enter */
void inner_start(struct supervisor *sv);
int inner_send(struct supervisor *sv, const struct buf *m, const int *fds, size_t nfds);
void inner_spawn(struct supervisor *sv); /* sends every waiting session, as soon as cs-enter may have them */
void inner_kill(struct supervisor *sv, const struct session *s, int sig);
void inner_shutdown(struct supervisor *sv, uint64_t grace_ms);
int inner_ps(struct supervisor *sv);
void inner_drain(struct supervisor *sv);

/* session.c */
int session_new(struct supervisor *sv, const struct ipc_msg *m, const int *fds, size_t nfds, struct session **ret,
		struct fail *f);
struct session *session_find(const struct supervisor *sv, uint64_t id);
struct session *session_first_tty(const struct supervisor *sv);
void session_send(struct session *s); /* to cs-enter */
void session_spawned(struct session *s, pid_t pid, int master);
void session_failed(struct session *s, int status, const char *msg, const char *hint);
void session_exited(struct session *s, int wait_status);
void session_end(struct session *s, const char *receipt); /* what session_exited left to be said */
void session_finish_output(struct session *s); /* reads what the terminal still has */
void session_input(struct session *s, const void *p, size_t n);
bool session_input_full(const struct session *s);
void session_size(struct session *s, struct peer *from);
void session_redraw(struct session *s, struct peer *from);
void session_write_notice(struct session *s, const char *text);
void session_pace(struct session *s); /* reads on or pauses, by how far the clients are */
void session_free_all(struct supervisor *sv);
bool session_any_lasting(const struct supervisor *sv);

/* peer.c: the control socket and its message table */
int peer_add(struct supervisor *sv, int fd, bool first);
void peer_listen(struct supervisor *sv);
void peer_kick(struct peer *p); /* sends what there is to send */
void peer_queue(struct peer *p, const struct buf *m);
void peer_ok(struct peer *p);
void peer_error(struct peer *p, int status, const char *msg, const char *hint);
void peer_last(struct peer *p, const struct buf *m);
void peer_close(struct peer *p);
void peer_flush_all(struct supervisor *sv); /* at the end: bounded, blocking */

/* idle.c */
void idle_start(struct supervisor *sv);

/* info.c */
int info_json(const struct supervisor *sv, struct buf *out);

/* trail.c: audit, guard and receipts */
int trail_start(struct supervisor *sv, const struct supervisor_spec *spec); /* before the engine starts */
void trail_watch(struct supervisor *sv); /* cs-enter starts: so does the guard's watcher, beside it */
void trail_began(struct supervisor *sv); /* the first session runs */
void trail_event(struct supervisor *sv, const char *kind, const char *subject, const char *msg);
/* Waits, for a fifth of a second at most, until the guard's watcher has dealt with what has happened so far. last:
 * nothing lives inside any more, and what comes into being from now on is the person's. */
void trail_sync(struct supervisor *sv, bool last);
void trail_settle(struct supervisor *sv); /* everything inside is dead: last words of the guard */
char *trail_taken(struct supervisor *sv);   /* the receipt's part that cannot wait: what was taken away so far */
char *trail_receipt(struct supervisor *sv); /* text for stderr, NULL where there is nothing to say; caller frees */
void trail_end(struct supervisor *sv);	    /* writes the audit */
