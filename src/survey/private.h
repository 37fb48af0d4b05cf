/* The room's own parts, put together by survey.c. Each fills its fields of the survey; 0 or negative errno. */
#pragma once

#include "survey/survey.h"

int survey_find_project(struct survey *s, const char *project, bool i_know, struct fail *f);
int survey_find_etc(struct survey *s);
int survey_find_homefiles(struct survey *s);
int survey_find_tools(struct survey *s, const char *path, struct fail *f);
int survey_find_agent(struct survey *s, const char *path);

/* Shows src (after its links) at dst read-only, where it exists; once only. */
int survey_show(struct survey *s, const char *src, const char *dst);
