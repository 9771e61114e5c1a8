/*
 * print - the answers of service.h for people: aligned text on standard output.
 */
#ifndef POINTSMAN_CLI_PRINT_H
#define POINTSMAN_CLI_PRINT_H

#include <jansson.h>

void print_status(json_t *line);   /* a line of `status` */
void print_event(json_t *line);    /* a line of `events` */
void print_timeline(json_t *line); /* `event` */
void print_dead(json_t *line);     /* a line of `dead` */
void print_letter(json_t *line);   /* `letter` */
void print_json(json_t *line);     /* any, as it is */

#endif
