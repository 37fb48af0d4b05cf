/* mockapi SCRIPT LOG [-- COMMAND [ARG...]]: as much of the Messages API as a coding agent needs, on loopback, with every
 * answer read from a script. With a command it runs that with ANTHROPIC_BASE_URL set and ends with its status; without one
 * it prints the URL and serves until it is killed.
 *
 * A request that offers tools is the agent's main conversation, and takes the next step of the script:
 *
 *   tool NAME JSON      the model calls a tool with this input
 *   text WORDS          the model says this and ends its turn
 *   drip MS WORDS       the same, a word every MS milliseconds
 *   expect WORDS        before the next step: the request must hold these words (JSON-escaped as in the body); where it
 *                       does not, the model says "MOCK EXPECTED: words"
 *   # comment
 *
 * Past the last step the model says "script over". Requests without tools (titles, quota probes) are answered "ok" and take
 * no step. LOG gets one line a request: method, path, length, what was answered; LOG.N has request N's body.
 *
 * One process per connection, one request per connection: a test's server, which does nothing it need not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_STEPS   200
#define MAX_REQUEST (32U << 20)
#define MAX_HEAD    65536U

struct request {
	char method[16];
	char path[1024];
	char *body; /* NUL-terminated */
	size_t len;
};

static char *steps[MAX_STEPS];
static int nsteps;
static const char *log_path;
/* shared by the processes of all connections */
static struct shared {
	_Atomic int step;
	_Atomic int requests;
} *shared;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void read_script(const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!f)
		die(path);
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (!line[0] || line[0] == '#')
			continue;
		if (nsteps == MAX_STEPS) {
			fputs("mockapi: too many steps\n", stderr);
			exit(125);
		}
		steps[nsteps++] = strdup(line);
	}
	free(line);
	fclose(f);
}

/* --- reading a request --- */

/* Reads the head and a body of Content-Length or in chunks. False: no request came. */
static bool read_request(FILE *in, struct request *r)
{
	char line[4096];
	size_t length = 0, head = 0;
	bool chunked = false;

	if (!fgets(line, sizeof(line), in) || sscanf(line, "%15s %1023s", r->method, r->path) != 2)
		return false;
	while (fgets(line, sizeof(line), in) && line[0] != '\r' && line[0] != '\n') {
		head += strlen(line);
		if (head > MAX_HEAD)
			return false;
		if (strncasecmp(line, "content-length:", 15) == 0)
			length = strtoul(line + 15, NULL, 10);
		if (strncasecmp(line, "transfer-encoding:", 18) == 0 && strstr(line, "chunked"))
			chunked = true;
	}
	r->len = 0;
	if (length > MAX_REQUEST)
		return false;
	r->body = calloc(1, length + 1);
	if (!r->body)
		return false;
	if (!chunked) {
		r->len = fread(r->body, 1, length, in);
		return r->len == length;
	}
	while (fgets(line, sizeof(line), in) && (length = strtoul(line, NULL, 16)) > 0) {
		char *more = length > MAX_REQUEST - r->len ? NULL : realloc(r->body, r->len + length + 1);

		if (!more)
			return false;
		r->body = more;
		if (fread(r->body + r->len, 1, length, in) != length)
			return false;
		r->len += length;
		r->body[r->len] = 0;
		if (!fgets(line, sizeof(line), in))
			return false;
	}
	return true;
}

/* --- answering --- */

static void put_json_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(out, "\\u%04x", (unsigned)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

static void head(FILE *out, const char *status, const char *type)
{
	fprintf(out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\nrequest-id: req_mock\r\n\r\n", status, type);
}

#define MESSAGE \
	"{\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\",\"stop_sequence\":null," \
	"\"usage\":{\"input_tokens\":10,\"output_tokens\":10},"

static void event(FILE *out, const char *name, const char *json)
{
	fprintf(out, "event: %s\ndata: {\"type\":\"%s\"%s}\n\n", name, name, json);
	fflush(out);
}

static void begin_block(FILE *out, const char *block)
{
	fprintf(out, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":%s}\n\n",
		block);
	fflush(out);
}

static void delta(FILE *out, const char *type, const char *key, const char *text)
{
	fprintf(out, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
		     "{\"type\":\"%s\",\"%s\":", type, key);
	put_json_string(out, text);
	fputs("}}\n\n", out);
	fflush(out);
}

static void end_message(FILE *out, const char *reason)
{
	event(out, "content_block_stop", ",\"index\":0");
	fprintf(out, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\","
		     "\"stop_sequence\":null},\"usage\":{\"output_tokens\":10}}\n\n", reason);
	event(out, "message_stop", "");
}

static void say(FILE *out, bool stream, const char *text, long drip_ms)
{
	if (!stream) {
		head(out, "200 OK", "application/json");
		fputs(MESSAGE "\"stop_reason\":\"end_turn\",\"content\":[{\"type\":\"text\",\"text\":", out);
		put_json_string(out, text);
		fputs("}]}", out);
		return;
	}
	head(out, "200 OK", "text/event-stream");
	event(out, "message_start", ",\"message\":" MESSAGE "\"stop_reason\":null,\"content\":[]}");
	begin_block(out, "{\"type\":\"text\",\"text\":\"\"}");
	for (const char *p = text; *p && !ferror(out);) {
		size_t n = drip_ms ? strcspn(p, " ") + strspn(p + strcspn(p, " "), " ") : strlen(p);
		char *piece = strndup(p, n);
		const struct timespec pause = { drip_ms / 1000, drip_ms % 1000 * 1000000 };

		delta(out, "text_delta", "text", piece);
		free(piece);
		p += n;
		if (drip_ms)
			nanosleep(&pause, NULL);
	}
	end_message(out, "end_turn");
}

static void call_tool(FILE *out, bool stream, int id, const char *name, const char *json)
{
	char block[256];

	if (!stream) {
		head(out, "200 OK", "application/json");
		fprintf(out, MESSAGE "\"stop_reason\":\"tool_use\",\"content\":[{\"type\":\"tool_use\",\"id\":\"toolu_%d\","
				     "\"name\":\"%s\",\"input\":%s}]}", id, name, json);
		return;
	}
	snprintf(block, sizeof(block), "{\"type\":\"tool_use\",\"id\":\"toolu_mock%d\",\"name\":\"%s\",\"input\":{}}", id, name);
	head(out, "200 OK", "text/event-stream");
	event(out, "message_start", ",\"message\":" MESSAGE "\"stop_reason\":null,\"content\":[]}");
	begin_block(out, block);
	delta(out, "input_json_delta", "partial_json", json);
	end_message(out, "tool_use");
}

/* The next step of the script; what was answered, for the log. */
static const char *take_step(FILE *out, const struct request *r, bool stream)
{
	for (;;) {
		int i = shared->step++;
		char name[64];
		int at = 0;
		long ms;

		if (i >= nsteps) {
			say(out, stream, "script over", 0);
			return "script over";
		}
		if (strncmp(steps[i], "expect ", 7) == 0) {
			static char miss[1100];

			if (strstr(r->body, steps[i] + 7))
				continue;
			snprintf(miss, sizeof(miss), "MOCK EXPECTED: %.1000s", steps[i] + 7);
			say(out, stream, miss, 0);
			return miss;
		}
		if (sscanf(steps[i], "tool %63s %n", name, &at) == 1 && at > 0)
			call_tool(out, stream, i, name, steps[i] + at);
		else if (sscanf(steps[i], "drip %ld %n", &ms, &at) == 1 && at > 0)
			say(out, stream, steps[i] + at, ms);
		else if (strncmp(steps[i], "text ", 5) == 0)
			say(out, stream, steps[i] + 5, 0);
		else
			say(out, stream, "MOCK: bad step", 0);
		return steps[i];
	}
}

static const char *answer(FILE *out, const struct request *r)
{
	bool stream = r->body && strstr(r->body, "\"stream\":true");

	if (strcmp(r->method, "HEAD") == 0) {
		head(out, "200 OK", "text/plain");
		return "200";
	}
	if (strncmp(r->path, "/v1/messages/count_tokens", 25) == 0) {
		head(out, "200 OK", "application/json");
		fputs("{\"input_tokens\":10}", out);
		return "tokens";
	}
	if (strcmp(r->method, "POST") == 0 && strncmp(r->path, "/v1/messages", 12) == 0) {
		if (strstr(r->body, "\"name\":\"Bash\""))
			return take_step(out, r, stream);
		say(out, stream, "ok", 0);
		return "ok";
	}
	head(out, "404 Not Found", "application/json");
	fputs("{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"mock\"}}", out);
	return "404";
}

static void write_log(const struct request *r, int number, const char *answered)
{
	char path[4096];
	FILE *f = fopen(log_path, "ae");

	if (f) {
		fprintf(f, "%d %s %s %zu %s\n", number, r->method, r->path, r->len, answered);
		fclose(f);
	}
	if (!r->len)
		return;
	snprintf(path, sizeof(path), "%s.%d", log_path, number);
	f = fopen(path, "we");
	if (f) {
		fwrite(r->body, 1, r->len, f);
		fclose(f);
	}
}

static void serve(int fd)
{
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	struct request r = { .body = NULL };

	if (in && out && read_request(in, &r)) {
		int number = ++shared->requests;
		const char *answered = answer(out, &r);

		fflush(out);
		write_log(&r, number, answered);
	}
	_exit(0);
}

static void accept_loop(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			die("mockapi: accept");
		}
		if (fork() == 0) {
			close(listener);
			serve(fd);
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listener, status;
	char url[64];
	pid_t server, command;

	if (argc < 3 || (argc > 3 && (strcmp(argv[3], "--") != 0 || argc == 4))) {
		fputs("usage: mockapi SCRIPT LOG [-- COMMAND [ARG...]]\n", stderr);
		return 125;
	}
	read_script(argv[1]);
	log_path = argv[2];
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mockapi: mmap");
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 64) < 0 ||
	    getsockname(listener, (struct sockaddr *)&a, &len) < 0)
		die("mockapi: listen");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(a.sin_port));
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3) {
		signal(SIGCHLD, SIG_IGN);
		puts(url);
		fflush(stdout);
		accept_loop(listener);
	}
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* the terminal's Ctrl-C is for the command */
		setpgid(0, 0);
		signal(SIGCHLD, SIG_IGN);
		accept_loop(listener);
	}
	command = fork();
	if (command == 0) {
		setenv("ANTHROPIC_BASE_URL", url, 1);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[4], argv + 4);
		perror(argv[4]);
		_exit(127);
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(command, &status, 0) < 0 && errno == EINTR)
		;
	kill(server, SIGKILL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
