#include "plugin/host.h"

void host_fill(struct instance *i)
{
	struct pm_host *h = &i->host;

	h->size = sizeof *h;
	h->abi_minor = PM_ABI_MINOR;
	h->instance = i->section->name;
	host_fill_text(h);
	host_fill_duty(h);
	host_fill_http(h);
	host_fill_listen(h);
	host_fill_time(h);
}
