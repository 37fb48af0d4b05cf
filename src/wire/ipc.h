/* The one message form of all our sockets (SOCK_SEQPACKET, unix(7)): a type and tagged fields. A reader skips tags
 * it does not know, so that programs of different versions understand each other. PROTOCOL.control has the tables.
 *
 *   header  4 bytes  "CSB" and the format version (1)
 *           u16      type          (all numbers little-endian)
 *           u16      number of fields
 *   field   u16 tag, u16 zero, u32 length, bytes
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define IPC_MAX	       65536U /* bytes in one message */
#define IPC_SPEC_MAX   (4U << 20) /* bytes in a message kept in a memfd: argv and environment */
#define IPC_MAX_FIELDS 32768 /* so many arguments and variables has a command */

struct ipc_msg {
	uint16_t type;
	uint16_t nfields;
	const unsigned char *fields; /* within the caller's bytes */
	size_t len;
};

/* Writing: begin, then put; b->error tells at the end whether all fitted. Repeated tags make a list. */
void ipc_begin(struct buf *b, uint16_t type);
void ipc_put_u64(struct buf *b, uint16_t tag, uint64_t v);
void ipc_put_str(struct buf *b, uint16_t tag, const char *s); /* NULL puts nothing */
void ipc_put_bytes(struct buf *b, uint16_t tag, const void *p, size_t n);
void ipc_put_strv(struct buf *b, uint16_t tag, char *const *v);

/* Checks the whole message (every length, every NUL is the getters' business). 0 or -EBADMSG. */
int ipc_parse(const void *p, size_t n, struct ipc_msg *ret);

/* The first field with the tag. Absent or malformed: fallback, NULL. A string is copied (caller frees) and must
 * hold no NUL. */
uint64_t ipc_get_u64(const struct ipc_msg *m, uint16_t tag, uint64_t fallback);
bool ipc_has(const struct ipc_msg *m, uint16_t tag);
char *ipc_get_str(const struct ipc_msg *m, uint16_t tag);
const void *ipc_get_bytes(const struct ipc_msg *m, uint16_t tag, size_t *ret_n);
/* Every field with the tag, as strings. 0, -EBADMSG (a NUL within), -ENOMEM. */
int ipc_get_strv(const struct ipc_msg *m, uint16_t tag, char ***ret);
