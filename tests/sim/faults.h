/*
 * faults - what goes wrong, and when.
 */
#ifndef POINTSMAN_SIM_FAULTS_H
#define POINTSMAN_SIM_FAULTS_H

#include <stdbool.h>

void faults_begin(void);
void faults_end(void);          /* from now on all goes well */
void faults_step(void);         /* after each step: the router dies, or is born again */
bool faults_disk_is_well(void); /* neither full nor about to fail */
/* Something has just left the process that rests on what is on the disk: the best moment for
 * the power to fail. */
void faults_something_left(void);

#endif
