/* The one growable byte buffer: bounded, so that nothing hostile makes it grow past its maximum. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

struct buf {
	char *data; /* NUL-terminated where not NULL; the NUL is not counted */
	size_t len;
	size_t cap;
	size_t max;
	int error; /* the first failed put: -ENOMEM or -ENOSPC; later puts do nothing */
};

#define BUF_INIT(maximum) ((struct buf){ .max = (maximum) })

void buf_free(struct buf *b); /* frees the bytes; b stays usable, empty */
#define _cleanup_buf_ _cleanup_(buf_free)

/* Each returns b->error: a caller may put many times and look once. */
int buf_put(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3);

void buf_consume(struct buf *b, size_t n); /* drops the first n bytes */
void buf_reset(struct buf *b);		   /* empties, keeps the memory, clears the error */
const char *buf_cstr(const struct buf *b); /* never NULL */
