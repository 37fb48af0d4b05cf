/* idle-stop: a sandbox that nobody looks at and that does nothing is ended. Off, it costs nothing: its timer is the only
 * periodic one of a supervisor and runs only when it is asked for. What counts as use: an attached client, output or
 * input of a terminal, CPU time inside (more than a hundredth of one CPU between two looks). */
#include "supervisor/internal.h"

#define LOOKS	 10 /* in each idle-stop period; a warning one look before the end */

static bool watched(const struct supervisor *sv)
{
	for (struct peer *p = sv->peers; p; p = p->next)
		if (p->session && p->until == UINT64_MAX)
			return true;
	return false;
}

static void used(struct supervisor *sv)
{
	sv->last_active = ev_now(sv->loop);
	sv->idle_warned = false;
}

static void warn(struct supervisor *sv, double left)
{
	char text[128];

	sv->idle_warned = true;
	(void)snprintf(text, sizeof(text), "idle: stops in %.0f s unless it is used (idle-stop)", left);
	for (struct session *s = sv->sessions; s; s = s->next)
		session_write_notice(s, text);
	trail_event(sv, "warning", "idle-stop", text);
}

void sv_idle_cpu(struct supervisor *sv, uint64_t cpu_ms)
{
	double period = (double)sv->idle_stop_ms / 1000.;
	uint64_t before = sv->idle_cpu_ms;
	double idle;

	if (!sv->idle_stop_ms || sv->state != SV_RUNNING)
		return;
	sv->idle_cpu_ms = cpu_ms;
	if (watched(sv) || cpu_ms > before + sv->idle_stop_ms / LOOKS / 100) {
		used(sv);
		return;
	}
	idle = ev_now(sv->loop) - sv->last_active;
	if (idle >= period && sv->idle_warned)
		sv_stop(sv, "idle", true, sv->stop_grace_ms);
	else if (idle >= period * (LOOKS - 1) / LOOKS && !sv->idle_warned)
		warn(sv, period / LOOKS);
}

static void on_idle(struct ev_loop *loop _unused_, ev_timer *w, int revents _unused_)
{
	struct supervisor *sv = w->data;

	if (sv->state == SV_RUNNING)
		(void)inner_ps(sv); /* sv_idle_cpu follows */
}

void idle_start(struct supervisor *sv)
{
	double look = (double)sv->idle_stop_ms / 1000. / LOOKS;

	ev_timer_init(&sv->idle, on_idle, look, look);
	sv->idle.data = sv;
	used(sv);
	if (sv->idle_stop_ms)
		ev_timer_start(sv->loop, &sv->idle);
}
