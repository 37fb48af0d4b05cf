/* The loop of a client that shows a session on a terminal. */
#pragma once

#include "cli/session.h"
#include "cli/tty.h"

int screen_run(const struct session_request *rq, struct tty *t, int signals); /* the exit status */
