/*
 * verdict - at the end of the world: was every promise kept?
 *
 * All that happened upstream was accepted, once; every duty has its end, and the end is what the
 * target saw; nothing was delivered that was not accepted; what had to keep an order kept it;
 * nobody gave up before the time was over; a window holds each of its events once.
 */
#ifndef POINTSMAN_SIM_VERDICT_H
#define POINTSMAN_SIM_VERDICT_H

void verdict(void); /* after audit_last() */

#endif
