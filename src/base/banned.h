/* Functions that cannot be used safely do not compile here. Included before every source file. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CS_BANNED(f) sorry_##f##_is_banned_here
#undef strcpy
#define strcpy(a, b) CS_BANNED(strcpy)
#undef strcat
#define strcat(a, b) CS_BANNED(strcat)
#undef strncpy
#define strncpy(a, b, n) CS_BANNED(strncpy)
#undef strncat
#define strncat(a, b, n) CS_BANNED(strncat)
#undef sprintf
#define sprintf(...) CS_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) CS_BANNED(vsprintf)
#undef strtok
#define strtok(a, b) CS_BANNED(strtok)
#undef gmtime
#define gmtime(t) CS_BANNED(gmtime)
#undef localtime
#define localtime(t) CS_BANNED(localtime)
#undef ctime
#define ctime(t) CS_BANNED(ctime)
#undef asctime
#define asctime(t) CS_BANNED(asctime)
#undef atoi
#define atoi(s) CS_BANNED(atoi)
#undef atol
#define atol(s) CS_BANNED(atol)
#undef system
#define system(s) CS_BANNED(system)
#undef popen
#define popen(c, m) CS_BANNED(popen)
#undef alloca
#define alloca(n) CS_BANNED(alloca)
