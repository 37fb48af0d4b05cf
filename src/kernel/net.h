/* Network interfaces of the namespace we are in (netdevice(7)). */
#pragma once

/* Brings lo up, which gives it 127.0.0.1 and ::1. 0 or negative errno. */
int net_loopback_up(void);
