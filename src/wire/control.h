/* The messages of a sandbox's control socket, RUNTIME/NAME/control (SOCK_SEQPACKET; form: wire/ipc.h). The peer
 * must have the supervisor's uid (SO_PEERCRED). Numbers never change their meaning; PROTOCOL.control is the text. */
#pragma once

#define CONTROL_VERSION 1

enum control_type {
	/* client to supervisor */
	CONTROL_HELLO = 1, /* VERSION; answered with CONTROL_WELCOME */
	CONTROL_SPAWN,	   /* fd 0: memfd spec (ARG.., ENV.., CWD); TTY with ROWS, COLS; else fds 1-3 stdio; KIND main|shell|exec */
	CONTROL_ATTACH,	   /* SESSION (absent: the first tty session), ROWS, COLS, READONLY */
	CONTROL_INPUT,	   /* DATA */
	CONTROL_RESIZE,	   /* ROWS, COLS */
	CONTROL_SIGNAL,	   /* SIGNAL to this client's session */
	CONTROL_DETACH,
	CONTROL_STOP,	   /* GRACE (ms) */
	CONTROL_INFO,	   /* answered with CONTROL_INFO_IS */
	CONTROL_PS,	   /* answered with CONTROL_PS_IS */
	CONTROL_LOGS,	   /* SESSION: its replay as CONTROL_OUTPUT, then CONTROL_OK */

	/* supervisor to client */
	CONTROL_WELCOME = 128, /* VERSION, NAME, PID */
	CONTROL_OK,
	CONTROL_ERROR,	  /* MSG, HINT, STATUS (exit status for the client: 125, 126, 127) */
	CONTROL_STARTED,  /* SESSION */
	CONTROL_OUTPUT,	  /* DATA */
	CONTROL_EXITED,	  /* STATUS: exit status by the shell's convention; RECEIPT: text for stderr, if any */
	CONTROL_DETACHED, /* MSG: why */
	CONTROL_NOTICE,	  /* MSG: a line for the person */
	CONTROL_INFO_IS,  /* JSON (in fd 0 where it is long) */
	CONTROL_PS_IS,	  /* PROC.. */
};

enum control_tag {
	CONTROL_F_VERSION = 1,
	CONTROL_F_NAME,
	CONTROL_F_PID,
	CONTROL_F_MSG,
	CONTROL_F_HINT,
	CONTROL_F_STATUS,
	CONTROL_F_SESSION,
	CONTROL_F_TTY,
	CONTROL_F_ROWS,
	CONTROL_F_COLS,
	CONTROL_F_ARG,
	CONTROL_F_ENV,
	CONTROL_F_CWD,
	CONTROL_F_DATA,
	CONTROL_F_SIGNAL,
	CONTROL_F_GRACE,
	CONTROL_F_KIND,
	CONTROL_F_READONLY,
	CONTROL_F_JSON,
	CONTROL_F_PROC,
	CONTROL_F_RECEIPT,
	CONTROL_F_REPLAY, /* OUTPUT of before this client came: its questions to the terminal are not to be asked again */
};
