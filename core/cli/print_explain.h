/*
 * print_explain - what explaining.h says, and what was decided then, for people.
 */
#ifndef POINTSMAN_CLI_PRINT_EXPLAIN_H
#define POINTSMAN_CLI_PRINT_EXPLAIN_H

#include <jansson.h>
#include <stdbool.h>

void print_explained(json_t *rule); /* one of explaining_rule() */
/* Is it about events of another type altogether? */
bool explained_is_foreign(json_t *rule);
void print_decision(json_t *line); /* of `explain --then`: seq at generation decided duties */

#endif
