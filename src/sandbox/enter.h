/* cs-enter: launcher, then keeper; pid 1 is its child (pid1.h). wire/inner.h is what it speaks. */
#pragma once

/* Takes the plan from plan_fd and talks on sock. Returns the exit status when the sandbox has ended. */
int enter_main(int plan_fd, int sock);
