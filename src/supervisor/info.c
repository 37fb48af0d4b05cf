/* What `ls` and `inspect` show. */
#include <errno.h>
#include <unistd.h>

#include "report/json.h"
#include "supervisor/internal.h"
#include "wire/control.h"

static const char *net_name(enum plan_net n)
{
	return n == PLAN_NET_HOST ? "host" : n == PLAN_NET_FILTERED ? "filtered" : "none";
}

static const char *state_name(const struct supervisor *sv)
{
	static const char *const names[] = { "starting", "running", "stopping", "ended" };

	return sv->state == SV_STOPPING && !sv->ordered_stop ? "ending" : names[sv->state];
}

static struct json_object *session_object(const struct session *s)
{
	static const char *const kinds[] = { "main", "shell", "exec" };
	static const char *const states[] = { "starting", "starting", "running", "exited" };
	struct json_object *o = json_object_new_object();
	int64_t clients = 0;

	for (struct peer *p = s->sv->peers; p; p = p->next)
		clients += p->session == s;
	json_put_u64(o, "id", s->id);
	json_put_str(o, "kind", kinds[s->kind]);
	json_put_str(o, "command", s->command);
	json_put_bool(o, "tty", s->tty);
	json_put_str(o, "state", states[s->state]);
	json_put_int(o, "started", s->started);
	json_put_int(o, "clients", clients);
	if (s->state == SESSION_EXITED)
		json_put_int(o, "status", sv_exit_status(s->status));
	return o;
}

int info_json(const struct supervisor *sv, struct buf *out)
{
	_cleanup_json_ struct json_object *o = json_object_new_object(), *limits = json_object_new_object();
	struct json_object *sessions = json_object_new_array();
	int64_t clients = 0;
	size_t n = 0;

	if (!o || !limits || !sessions)
		return -ENOMEM;
	for (struct peer *p = sv->peers; p; p = p->next)
		clients += p->session != NULL;
	json_put_str(o, "name", sv->name);
	json_put_str(o, "state", state_name(sv));
	json_put_str(o, "project", sv->project);
	json_put_str(o, "home", sv->home_name);
	json_put_str(o, "copy", sv->copy);
	json_put_str(o, "engine", "native");
	json_put_str(o, "net", net_name(sv->net));
	json_put_int(o, "pid", getpid());
	json_put_int(o, "pid1", sv->pid1);
	json_put_int(o, "started", sv->started);
	json_put_int(o, "clients", clients);
	json_put_str(o, "version", CS_VERSION);
	json_put_int(o, "protocol", CONTROL_VERSION);
	json_put_u64(limits, "memory", sv->memory);
	json_put_u64(limits, "pids", sv->pids);
	json_put_u64(limits, "cpus_milli", sv->cpus_milli);
	json_put_u64(limits, "timeout_ms", sv->timeout_ms);
	json_put_u64(limits, "idle_stop_ms", sv->idle_stop_ms);
	json_put(o, "limits", json_object_get(limits));
	for (struct session *s = sv->sessions; s && n < 100; s = s->next, n++)
		json_push(sessions, session_object(s));
	json_put(o, "sessions", sessions);
	return buf_puts(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
