/*
 * abi - the plugin interface as this host offers it.
 *
 * The core includes plugin.h through here alone: with all calls of its newest minor.
 */
#ifndef POINTSMAN_PLUGIN_ABI_H
#define POINTSMAN_PLUGIN_ABI_H

#define PM_ABI_MINOR 1
#include <pointsman/plugin.h>

#endif
