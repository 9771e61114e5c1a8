/*
 * testplace - a directory of its own for a test, and a log that says nothing.
 */
#ifndef POINTSMAN_BASE_TESTPLACE_H
#define POINTSMAN_BASE_TESTPLACE_H

/* Makes /tmp/test-NAME-.. and writes its path into `directory`, of 64 bytes.  What the log says
 * from now on is dropped.  A place that cannot be made ends the test. */
void testplace_make(char *directory, const char *name);
void testplace_remove(const char *directory); /* with all that is in it */

#endif
