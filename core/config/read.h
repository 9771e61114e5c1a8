/*
 * read - from sections to the typed parts of a configuration.
 *
 * Each reads one section (once per word of `for`) and appends what it found.
 */
#ifndef POINTSMAN_CONFIG_READ_H
#define POINTSMAN_CONFIG_READ_H

#include "config/section.h"

void read_instance(struct config *c, enum instance_kind kind, const struct section *s);
void read_input(struct config *c, const struct section *s);
void read_rule(struct config *c, const struct section *s);
void read_test(struct config *c, const struct section *s);

void instance_config_free(struct instance_config *i);
void input_free(struct input_config *i);
void rule_free(struct rule_config *r);
void test_free(struct test_config *t);
void setting_list_free(struct setting *s, size_t n);

#endif
